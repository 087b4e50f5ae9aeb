"""Reads snapshot files, independently of the agent's and leakdiff's code.

load(path) decodes a gzipped pprof profile with a small protobuf reader of its
own and checks what agent/format promises of every snapshot: sample types,
gapless ids, indices in range, the main program first, and so on. Functions
are named through `nm`, which is enough for the unstripped test programs; what
needs line numbers asks leakdiff.
"""

import bisect
import collections
import functools
import gzip
import re
import subprocess

SAMPLE_TYPES = ('alloc_objects', 'alloc_space', 'inuse_objects', 'inuse_space')
NAME = re.compile(r'(?P<command>.+)\.(?P<pid>\d+)\.\d{8}T\d{9}Z\.'
                  r'(?P<sequence>\d+)\.pb\.gz')

Mapping = collections.namedtuple('Mapping', 'start limit offset file build_id')


class Frame(collections.namedtuple('Frame', 'mapping address marker')):
    """One frame: a mapping and an address, or the name of a marker."""

    @property
    def file(self):
        return self.mapping.file if self.mapping else None

    @property
    def file_offset(self):
        return self.address - self.mapping.start + self.mapping.offset

    @property
    def function(self):
        """From the symbol table; None where that does not reach."""
        if self.marker:
            return self.marker
        if not self.mapping or not self.mapping.file.startswith('/'):
            return None
        return symbols_of(self.mapping.file).name_at(self.file_offset)


class Values(collections.namedtuple('Values', SAMPLE_TYPES)):
    def __add__(self, other):
        return Values(*(a + b for a, b in zip(self, other)))

    def __sub__(self, other):
        return Values(*(a - b for a, b in zip(self, other)))


NOTHING = Values(0, 0, 0, 0)
Sample = collections.namedtuple('Sample', 'stack values kind labels')


class Snapshot:
    def __init__(self, path):
        self.path = str(path)
        self.mappings = []
        self.samples = []
        self.comments = {}
        self.differences = []  # that `verify` found: see agent/verify.h
        self.period = self.time_nanos = self.duration_nanos = 0

    def total(self, kind=None):
        return sum((sample.values for sample in self.samples
                    if kind in (None, sample.kind)), NOTHING)

    def through(self, function, kind=None):
        """The sum of the samples with this function anywhere in the stack."""
        return sum((sample.values for sample in self.samples
                    if kind in (None, sample.kind)
                    and any(f.function == function for f in sample.stack)),
                   NOTHING)

    def stacks(self, module, kind=None):
        """{functions of that module, leaf first: values}, summed."""
        sums = collections.defaultdict(lambda: NOTHING)
        for sample in self.samples:
            if kind in (None, sample.kind):
                names = tuple(f.function for f in sample.stack
                              if f.marker or f.file == module)
                sums[names] += sample.values
        return dict(sums)


def load(path):
    """The snapshot in that file; ValueError where it breaks the contract."""
    with gzip.open(path) as file:
        data = file.read()
    return decode(data, path)


def decode(data, path):
    raw = collections.defaultdict(list)
    for field, value in fields(data):
        raw[field].append(value)
    strings = [text.decode() for text in raw[6]]
    expect(strings and strings[0] == '', 'string_table[0] is ""')
    snapshot = Snapshot(path)
    types = [decode_record(text) for text in raw[1]]
    expect([(strings[t.get(1, 0)], strings[t.get(2, 0)]) for t in types] ==
           list(zip(SAMPLE_TYPES, ('count', 'bytes') * 2)), 'sample types')
    expect(strings[single(raw, 14)] == 'inuse_space', 'default_sample_type')
    period_type = decode_record(raw[11][0])
    expect((strings[period_type[1]], strings[period_type[2]]) ==
           ('space', 'bytes'), 'period_type')
    snapshot.period = single(raw, 12)
    expect(snapshot.period >= 1, 'period')
    snapshot.time_nanos = single(raw, 9)
    snapshot.duration_nanos = single(raw, 10)
    comments = [strings[index] for index in integers(raw[13])]
    expect(comments and comments[0] == 'schema=1', 'schema is the first comment')
    pairs = [text.split('=', 1) for text in comments]
    snapshot.comments = dict(pairs)
    snapshot.differences = [text for key, text in pairs if key == 'difference']
    snapshot.mappings = [mapping(text, index, strings)
                         for index, text in enumerate(raw[3], 1)]
    functions = [decode_record(text) for text in raw[5]]
    expect([f[1] for f in functions] == list(range(1, len(functions) + 1)),
           'function ids run 1..N')
    names = [strings[f.get(2, 0)] for f in functions]
    frames = [frame(text, index, snapshot.mappings, names)
              for index, text in enumerate(raw[4], 1)]
    snapshot.samples = [sample(text, frames, strings) for text in raw[2]]
    return snapshot


def mapping(data, index, strings):
    record = decode_record(data)
    expect(record.get(1) == index, 'mapping ids run 1..N')
    expect(not set(record) & {7, 8, 9, 10}, 'no has_* flag')
    build_id = strings[record.get(6, 0)]
    expect(re.fullmatch('([0-9a-f]{2})*', build_id), 'build id is lowercase hex')
    start, limit = record.get(2, 0), record.get(3, 0)
    expect(start < limit, 'a mapping has a start below its limit')
    return Mapping(start, limit, record.get(4, 0), strings[record.get(5, 0)],
                   build_id)


def frame(data, index, mappings, names):
    record = collections.defaultdict(list)
    for field, value in fields(data):
        record[field].append(value)
    expect(single(record, 1) == index, 'location ids run 1..N')
    mapping_id, address = single(record, 2), single(record, 3)
    if not mapping_id:
        expect(len(record[4]) == 1 and not address, 'a marker is one name')
        function = decode_record(record[4][0])[1]
        return Frame(None, 0, names[function - 1])
    expect(not record[4], 'locations with a mapping are unsymbolised')
    expect(mapping_id <= len(mappings), 'mapping_id in range')
    place = mappings[mapping_id - 1]
    expect(place.start <= address < place.limit, 'address in its mapping')
    return Frame(place, address, None)


def sample(data, frames, strings):
    record = collections.defaultdict(list)
    for field, value in fields(data):
        record[field].append(value)
    stack = integers(record[1])
    expect(stack and all(1 <= i <= len(frames) for i in stack),
           'location ids in range')
    values = integers(record[2])
    expect(len(values) == 4, 'four values')
    labels = {}
    for text in record[3]:
        label = decode_record(text)
        key = strings[label[1]]
        if 2 in label:
            labels[key] = strings[label[2]]
        else:
            labels[key] = label.get(3, 0)
            expect(4 in label, 'a number has a unit')
    expect(labels.get('kind') in ('heap', 'mmap', 'thread'), 'kind')
    return Sample(tuple(frames[i - 1] for i in stack), Values(*values),
                  labels['kind'], labels)


# ---- protobuf's wire format ----

def fields(data):
    """(field number, integer or bytes) of one message, in order."""
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = varint(data, place)
        elif kind == 2:
            size, place = varint(data, place)
            expect(place + size <= len(data), 'lengths stay in the message')
            value = data[place:place + size]
            place += size
        else:
            raise ValueError(f'wire type {kind}')
        yield key >> 3, value


def varint(data, place):
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def integers(values):
    """A repeated integer field, packed or not, as signed 64-bit numbers."""
    result = []
    for value in values:
        if isinstance(value, int):
            result.append(value)
            continue
        place = 0
        while place < len(value):
            number, place = varint(value, place)
            result.append(number)
    return [n - (1 << 64) if n >> 63 else n for n in result]


def decode_record(data):
    """A message without repeated fields: {field: value}."""
    return dict(fields(data))


def single(raw, field):
    return raw[field][-1] if raw[field] else 0


def expect(condition, what):
    if not condition:
        raise ValueError(f'not what a snapshot promises: {what}')


# ---- names from symbol tables ----

class Symbols:
    def __init__(self, path):
        self.segments = []
        headers = output('readelf', '-lW', path)
        for offset, address, size in re.findall(
                r'^  LOAD +(0x\S+) (0x\S+) 0x\S+ (0x\S+)', headers, re.M):
            self.segments.append((int(offset, 16), int(address, 16),
                                  int(size, 16)))
        table = []
        for options in ((), ('-D',)):
            listing = output('nm', '-S', '--defined-only', *options, path)
            table += re.findall(r'^([0-9a-f]+) ([0-9a-f]+) [tTwWiu] (\S+)$',
                                listing, re.M)
        self.table = sorted({(int(a, 16), int(s, 16), n) for a, s, n in table})

    def name_at(self, file_offset):
        for offset, address, size in self.segments:
            if offset <= file_offset < offset + size:
                return self.name_of(file_offset - offset + address)
        return None

    def name_of(self, address):
        index = bisect.bisect_right(self.table, (address, 1 << 64, '')) - 1
        if index < 0:
            return None
        start, size, name = self.table[index]
        return name if address < start + size else None


@functools.lru_cache(maxsize=None)
def symbols_of(path):
    return Symbols(path)


def output(*command):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout
