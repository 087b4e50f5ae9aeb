"""Programs that keep books of all they allocate: every stack of a snapshot
must agree with them, to the byte and the object."""

import json
import subprocess

from tests.support import snapshots
from tests.support.servers import ROOT, HostTest, files, program, run

ALLOCATORS = ('libjemalloc.so.2', 'libtcmalloc_minimal.so.4',
              'libmimalloc.so.2')
REPORTS = ['parent-before-fork', 'child-at-once', 'child-later',
           'parent-after-fork', 'parent-later']
SITES = {'heap': ('heap_', 'new_', 'walk_end'), 'mmap': ('',), 'thread': ('thread_',)}


def booked(books):
    """{(kind, frames): values} of what a ledger printed."""
    return {(stack['kind'], tuple(stack['frames'])):
            snapshots.Values(*stack['values']) for stack in books['stacks']}


def recorded(snapshot, module, shape):
    """The same of a snapshot: the stacks that begin in one of the sites.

    Besides those a program has blocks of libc's and of its own start; mappings
    are compared whatever made them.
    """
    found = {}
    for kind, prefixes in SITES.items():
        for frames, values in snapshot.stacks(module, kind).items():
            frames = tuple(demangled(name) for name in frames)
            if frames and frames[0].startswith(prefixes):
                key = kind, shape(frames)
                found[key] = found.get(key, snapshots.NOTHING) + values
    return {key: values for key, values in found.items() if any(values)}


def demangled(name):
    """Good enough for a function of ledger_cxx's unnamed namespace."""
    marker = '_ZN12_GLOBAL__N_1'
    if name and name.startswith(marker):
        return name[len(marker):].lstrip('0123456789').rstrip('Em')
    return name or '?'


def named(frames):
    """The frames that the ledger names. Between them a compiler may or may not
    inline its helpers, and before main there is start-up code."""
    return frames[:1] + tuple(
        name for name in frames[1:]
        if name.startswith('via_') or name in ('operate', 'main', 'worker'))


def walked(frames):
    return tuple(name for name in frames
                 if name.startswith('walk_') or name == 'side_root')


def leaf(frames):
    return frames[:1]


class Ledger(HostTest):
    def check(self, name, arguments, shape, reports, path=None, through=(),
              errors=r'', alone=True, **options):
        """path: where another build of that program is; through: what starts
        it; errors: a pattern of what it writes to stderr; alone: whether only
        the program itself maps memory."""
        path = str(path or program(name))
        done = run([*through, path, *arguments], self.snapshots, **options)
        self.assertEqual(done.status, 0, done.stderr)
        self.assertRegex(done.stderr, rf'\A{errors}\Z')
        written = {}
        for file in files(self.snapshots):
            snapshot = snapshots.load(file)
            written[snapshot.comments['reason']] = snapshot
        ledgers, place = [], 0
        while place < len(done.stdout):
            books, place = json.JSONDecoder().raw_decode(done.stdout, place)
            ledgers.append(books)
            place += 1
        self.assertEqual([books['reason'] for books in ledgers], reports)
        for books in ledgers:
            with self.subTest(books['reason']):
                snapshot = written['call:' + books['reason']]
                self.assertEqual(snapshot.comments['pid'], str(books['pid']))
                self.assertEqual(snapshot.comments['drops'], '0')
                self.assertSame(booked(books),
                                recorded(snapshot, path, shape))
                self.check_threads(snapshot)
                if alone:
                    self.check_mappings(books, snapshot)

    def check_mappings(self, books, snapshot):
        """No mapping is counted but the program's own, the allocator's least
        of all."""
        self.assertEqual(
            snapshot.total('mmap'),
            sum((values for (kind, _), values in booked(books).items()
                 if kind == 'mmap'), snapshots.NOTHING))

    def check_threads(self, snapshot):
        """They have a size, but no bytes."""
        for sample in snapshot.samples:
            if sample.kind == 'thread':
                self.assertEqual((sample.values.alloc_space,
                                  sample.values.inuse_space), (0, 0))
                self.assertGreater(sample.labels['stack_size'], 4096)

    def assertSame(self, expected, actual):
        wrong = [f'{key}: {expected.get(key)} is in the books, '
                 f'{actual.get(key)} in the snapshot'
                 for key in sorted(set(expected) | set(actual))
                 if expected.get(key) != actual.get(key)]
        self.assertFalse(wrong, f'{len(wrong)} of {len(expected)} stacks '
                         'differ:\n' + '\n'.join(wrong[:10]))


class Exactness(Ledger):
    def test_libc(self):
        for seed in (1, 2, 3):
            with self.subTest(seed=seed):
                self.snapshots = self.folder(f'seed-{seed}')
                self.check('ledger', (seed, 20000), named, REPORTS)

    def test_other_allocators(self):
        for allocator in ALLOCATORS:
            with self.subTest(allocator):
                self.snapshots = self.folder(allocator)
                self.check('ledger', (4, 20000, 'foreign'), named, REPORTS,
                           preload_after=[allocator])

    def test_stacks_of_all_manners(self):
        self.check('stack_walks', (1, 20000), walked, ['walks'])

    def test_operator_new(self):
        self.check('ledger_cxx', (1, 20000), leaf, ['cxx'])

    def test_operator_new_of_other_allocators(self):
        for allocator in ALLOCATORS:
            with self.subTest(allocator):
                self.snapshots = self.folder(allocator)
                self.check('ledger_cxx', (2, 20000, 'foreign'),
                           leaf, ['cxx'],
                           preload_after=[allocator])


class OtherWaysToLoad(Ledger):
    """The same however the program was built and started, and with whom it
    shares its process."""

    def build(self, *flags):
        path = self.directory / 'ledger'
        subprocess.run(['gcc', '-g', '-O1', '-pthread', f'-I{ROOT}', '-o',
                        str(path), str(ROOT / 'tests/programs/ledger.c'),
                        *flags], check=True)
        return path

    def check_ledger(self, *words, path=None, **options):
        self.check('ledger', (5, 2000, *words), named, REPORTS, path=path,
                   **options)

    def test_an_executable_at_a_fixed_address(self):
        self.check_ledger(path=self.build('-no-pie'))

    def test_bound_when_first_called(self):
        self.check_ledger(path=self.build('-Wl,-z,lazy', '-fplt'))

    def test_started_through_the_loader(self):
        self.check_ledger(through=['/lib64/ld-linux-x86-64.so.2'])
        for path in files(self.snapshots):
            self.assertEqual(snapshots.load(path).comments['command'],
                             'ledger')

    def test_allocators_that_are_linked_in(self):
        for allocator in ALLOCATORS:
            with self.subTest(allocator):
                self.snapshots = self.folder(allocator)
                path = self.build('-Wl,--no-as-needed', f'-l:{allocator}')
                self.check_ledger('foreign', path=path)
                last = snapshots.load(files(self.snapshots)[-1])
                self.assertIn(allocator, last.comments['allocator'])

    def test_a_program_with_the_names_of_the_agents_libraries(self):
        """It comes before them, as node with its own zlib does."""
        library = program('libforeign_names.so')
        path = self.build('-Wl,--no-as-needed', library)
        self.check_ledger(path=path)
        self.snapshots = self.folder('before')
        self.check_ledger(preload_before=[library])

    def test_beside_a_profiler_that_walks_stacks(self):
        """gperftools' own: by SIGPROF, and through the same libunwind."""
        profile = self.directory / 'cpu.prof'
        self.check_ledger(preload_after=['libprofiler.so.0'],
                          extra={'CPUPROFILE': profile,
                                 'CPUPROFILE_FREQUENCY': '1000'},
                          errors=r'(PROFILE: .*\n)*', alone=False)
        self.assertGreater(profile.stat().st_size, 0)

    def test_beside_an_auditor_of_the_loader(self):
        for flags in ((), ('-Wl,-z,lazy', '-fplt')):
            with self.subTest(flags):
                self.snapshots = self.folder(f'audited-{len(flags)}')
                self.check_ledger(path=self.build(*flags), extra={
                    'LD_AUDIT': program('libauditor.so')})


class SingleSteps(HostTest):
    def test_a_snapshot_before_each_instruction(self):
        """More live than was ever allocated is in none of them."""
        self.unverified = True  # which would mask signals on the way
        done = run([program('single_steps')], self.snapshots, keep=0,
                   exit='off', verify='off')
        self.assertEqual((done.status, done.stderr), (0, ''))
        series = []
        for path in files(self.snapshots):
            [sample] = [
                sample for sample in snapshots.load(path).samples
                if any(f.function == 'allocate' for f in sample.stack)]
            series.append(sample.values)
        self.assertEqual(len(series), int(done.stdout))
        self.assertEqual([series[0].alloc_objects, series[-1].alloc_objects],
                         [8, 9])
        self.assertEqual(series[-1].inuse_objects, 9)
        for name in snapshots.SAMPLE_TYPES:
            figures = [getattr(values, name) for values in series]
            self.assertEqual(figures, sorted(figures), name)
        for values in series:
            self.assertGreaterEqual(values.alloc_objects, values.inuse_objects)
            self.assertGreaterEqual(values.alloc_space, values.inuse_space)
