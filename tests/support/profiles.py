"""Makes profile files for leakdiff's tests, and runs leakdiff on them.

A profile is written in protobuf's text format and encoded by protoc, so that
no code of ours takes part in making it. Texts in it are put into the string
table by Profile; files under tests/data/profiles are complete as they are.
"""

import csv
import gzip
import io
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get('BUILD', 'build')
LEAKDIFF = BUILD / 'leakdiff'
PROFILES = ROOT / 'tests' / 'data' / 'profiles'
TYPES = ('alloc_objects', 'alloc_space', 'inuse_objects', 'inuse_space')
UNITS = ('count', 'bytes', 'count', 'bytes')
MINUTE = 60_000_000_000
NOON = 1_767_268_800_000_000_000  # 2026-01-01T12:00:00Z


def encode(text):
    """The bytes of a profile, not compressed, from its text format."""
    return subprocess.run(
        ['protoc', '--encode=perftools.profiles.Profile',
         'agent/format/profile.proto'],
        input=text.encode(), cwd=ROOT, check=True,
        stdout=subprocess.PIPE).stdout


def decode(data):
    """A profile, gzipped or not, as protobuf's text format."""
    if data[:2] == b'\x1f\x8b':
        data = gzip.decompress(data)
    return subprocess.run(
        ['protoc', '--decode=perftools.profiles.Profile',
         'agent/format/profile.proto'],
        input=data, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


# What protoc would not write is put together from these.

def varint(number):
    """A number as protobuf's wire has it."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytearray([number]))


def field(number, data):
    """One of a message, with a length."""
    return varint(number << 3 | 2) + varint(len(data)) + data


class Profile:
    """A snapshot under construction.

    sample() takes frames leaf first. A frame is text, "function file:line" or
    "function", which is then in the file; several of them separated by
    " | " are inlined into each other, innermost first; or it is a pair
    (module, offset) without any symbol.
    """

    def __init__(self, command='server', pid=1000, host='web1',
                 start='2026-01-01T11:00:00.000Z', time=NOON, modules=None,
                 base=0x400000, comments=(), period=1, types=TYPES):
        self.strings = ['']
        self.lines = []
        self.locations = {}
        self.functions = {}
        self.time = time
        self.period = period
        self.types = types
        self.base = base
        # [(path, build id)], the main program first
        self.modules = modules or [('/usr/bin/' + command, 'aa' * 20)]
        self.comments = ['schema=1', f'command={command}', f'pid={pid}',
                         f'host={host}', f'start={start}', *comments]

    def text(self, value):
        if value not in self.strings:
            self.strings.append(value)
        return self.strings.index(value)

    def sample(self, frames, inuse=(0, 0), alloc=None, kind='heap',
               inuse_error=None, alloc_error=None):
        """inuse and alloc are (objects, bytes); alloc defaults to inuse, and
        so do their standard errors, which only estimates have."""
        alloc = inuse if alloc is None else alloc
        values = dict(zip(TYPES, (*alloc, *inuse)))
        labels = [('kind', kind)] if kind else []
        if inuse_error is not None:
            errors = (*(alloc_error or inuse_error), *inuse_error)
            labels += [(f'{name}_error', (error, unit)) for name, error, unit
                       in zip(TYPES, errors, UNITS)]
        self.raw_sample([self.location(frame) for frame in frames],
                        [values.get(name, 0) for name in self.types], labels)
        return self

    def raw_sample(self, ids, values, labels=()):
        """A label is a text, or a number with its unit."""
        body = ''.join(f'location_id: {i} ' for i in ids)
        body += ''.join(f'value: {v} ' for v in values)
        for key, value in labels:
            said = f'str: {self.text(value)}' if isinstance(value, str) \
                else f'num: {value[0]} num_unit: {self.text(value[1])}'
            body += f'label {{ key: {self.text(key)} {said} }} '
        self.lines.append(f'sample {{ {body}}}')

    def location(self, frame):
        return self.locations.setdefault(frame, len(self.locations) + 1)

    def function(self, name, file):
        return self.functions.setdefault((name, file),
                                         len(self.functions) + 1)

    def location_text(self, frame, number):
        if isinstance(frame, tuple):
            names = [path for path, _ in self.modules]
            mapping = names.index(frame[0]) + 1
            address = self.start_of(mapping) + frame[1]
            return f'location {{ id: {number} mapping_id: {mapping} ' \
                   f'address: {address} }}'
        body = ''
        for part in frame.split(' | '):
            name, file, line = re.fullmatch(r'(.*?)(?: (\S+):(\d+))?',
                                            part, re.S).groups()
            body += f'line {{ function_id: {self.function(name, file or "")} ' \
                    f'line: {line or 0} }} '
        mapped = '' if frame.startswith('[') else 'mapping_id: 1 ' \
            f'address: {self.start_of(1) + 16 * number}'
        return f'location {{ id: {number} {mapped} {body}}}'

    def start_of(self, mapping):
        return self.base + (mapping - 1) * 0x10000000

    def proto(self):
        """The whole in protobuf's text format."""
        units = {name: 'bytes' if 'space' in name else 'count'
                 for name in self.types}
        lines = [f'sample_type {{ type: {self.text(name)} '
                 f'unit: {self.text(units[name])} }}' for name in self.types]
        lines += self.lines
        for number, (path, build_id) in enumerate(self.modules, 1):
            start = self.start_of(number)
            lines.append(
                f'mapping {{ id: {number} memory_start: {start} '
                f'memory_limit: {start + 0x1000000} '
                f'filename: {self.text(path)} '
                f'build_id: {self.text(build_id)} }}')
        lines += [self.location_text(frame, number)
                  for frame, number in self.locations.items()]
        lines += [f'function {{ id: {number} name: {self.text(name)} '
                  f'filename: {self.text(file)} }}'
                  for (name, file), number in self.functions.items()]
        lines += [f'comment: {self.text(text)}' for text in self.comments]
        lines += [f'time_nanos: {self.time}', f'period: {self.period}',
                  f'period_type {{ type: {self.text("space")} '
                  f'unit: {self.text("bytes")} }}']
        if 'inuse_space' in self.types:
            lines.append(f'default_sample_type: {self.text("inuse_space")}')
        lines += [f'string_table: {json.dumps(text)}'
                  for text in self.strings]
        return '\n'.join(lines)

    def bytes(self):
        return encode(self.proto())

    def write(self, path):
        """Compressed, as the agent writes it. Returns the path as text."""
        pathlib.Path(path).write_bytes(gzip.compress(self.bytes(), mtime=0))
        return str(path)


class LeakdiffTest(unittest.TestCase):
    """A folder of its own for each test, and ways to run leakdiff in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='leakdiff-test-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, profile):
        return profile.write(self.folder / name)

    def pair(self, old, new):
        """Two snapshots of one process, a minute apart."""
        new.time = old.time + MINUTE
        return self.write('old.pb.gz', old), self.write('new.pb.gz', new)

    def leakdiff(self, *arguments, environment=None, stdout=subprocess.PIPE):
        # HOME: the developer's own list of wrappers takes no part.
        return subprocess.run(
            [LEAKDIFF, *map(str, arguments)], stdout=stdout,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            cwd=self.folder, text=True, encoding='utf-8',
            errors='surrogateescape',
            env={'PATH': os.environ['PATH'], 'HOME': str(self.folder),
                 **(environment or {})})

    def output(self, *arguments, environment=None):
        done = self.leakdiff(*arguments, environment=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.output('--format', 'json', *arguments))

    def csv(self, *arguments):
        return list(csv.DictReader(io.StringIO(
            self.output('--format', 'csv', *arguments))))

    def assertRefused(self, arguments, *needles):
        """One line on stderr that holds the needles, nothing on stdout."""
        done = self.leakdiff(*arguments)
        self.assertEqual(done.stdout, '')
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r'\Aleakdiff: [^\n]+\n\Z')
        for needle in needles:
            self.assertIn(needle, done.stderr)


def by_function(rows):
    """Rows of JSON by the function of their callsite."""
    return {row['callsite']['function']: row for row in rows}
