"""Programs that filter their own system calls so strictly that any call ends
them that an allocator would not make."""

from tests.support.servers import HostTest, files, program
from tests.support import snapshots


class Filters(HostTest):
    def taken(self):
        """{reason: the last snapshot for it}."""
        found = map(snapshots.load, files(self.snapshots))
        return {snapshot.comments['reason']: snapshot for snapshot in found}

    def reasons(self):
        return list(self.taken())

    def check(self, way, reason, heap, **options):
        """heap: what keep() has allocated and still has, (objects, bytes)."""
        self.run_both([program('seccomp'), way], **options)
        last = self.taken()[reason]
        self.assertEqual(last.comments['drops'], '0')
        self.assertEqual(last.through('keep', 'heap'), heap + heap)
        return last

    def test_filters_of_one_thread(self):
        """The hooks make do with memory; the agent's own thread works on."""
        for way in ('prctl', 'seccomp', 'call', 'twice', 'fork'):
            with self.subTest(way):
                self.snapshots = self.folder(way)
                last = self.check(way, 'exit', (230, 32000))
                self.assertEqual(last.through('allocate_much', 'mmap'),
                                 (2999, 2999 * 40960, 0, 0))

    def test_filters_of_all_threads(self):
        """The agent's own is among them: it takes a last snapshot."""
        self.check('all', 'seccomp', (10, 10000))
        self.assertEqual(self.reasons(), ['seccomp'])

    def test_nothing_but_to_read_and_write(self):
        self.check('strict', 'seccomp', (10, 10000))
        self.assertEqual(self.reasons(), ['seccomp'])

    def test_filters_that_do_no_harm(self):
        self.check('mild', 'exit', (230, 32000))
        self.assertEqual(self.reasons(), ['exit'])

    def test_filters_that_the_kernel_refuses(self):
        last = self.check('refused', 'exit', (230, 32000))
        self.assertEqual(last.through('allocate_much', 'mmap'),
                         (2999, 2999 * 40960, 0, 0))

    def test_a_program_that_is_not_tracked(self):
        for way in ('prctl', 'all'):
            self.run_both([program('seccomp'), way], only='others')
        self.assertEqual(self.reasons(), [])

    def test_snapshots_by_the_timer(self):
        """Nobody wakes the agent's thread: it looks for itself."""
        self.check('busy', 'exit', (230, 32000), interval='20ms', keep=0)
        self.assertIn('timer', self.reasons())


class Confined(HostTest):
    """What is begun under a filter, the agent's own thread above all."""

    # Of what only that thread calls, or only to begin, on x86_64.
    CALLS = {'openat': 257, 'close_range': 436, 'unshare': 272,
             'memfd_create': 319, 'linkat': 265}

    def check(self, call, *what, **options):
        self.run_both([program('confined'), call, *what], **options)
        return [snapshots.load(path) for path in files(self.snapshots)]

    def test_children_that_are_forked(self):
        for name, call in self.CALLS.items():
            with self.subTest(name):
                self.snapshots = self.folder(name)
                parent, = self.check(call, 'fork')
                self.assertEqual(parent.through('keep_one'),
                                 (1, 4321, 1, 4321))

    def test_a_namespace_that_takes_one_thread(self):
        """The agent's cannot come back: it writes what it has."""
        before, = self.check(self.CALLS['openat'], 'unshare')
        self.assertEqual(before.comments['reason'], 'unshare')
        self.assertEqual(before.through('keep_one'), (1, 4321, 1, 4321))

    def test_execution(self):
        faccessat = 269
        self.assertTrue(self.check(faccessat, '/bin/true'))

    def test_programs_that_are_started_so(self):
        """As services are, which may make the usual calls and no others. That
        nothing can be written is not said: to say it takes another call."""
        folder = self.folder('writable')
        for name, call in {'pidfd_getfd': 438, 'mincore': 27}.items():
            for directory in (folder, '/proc'):
                with self.subTest(name, directory=directory):
                    self.run_both([program('confined'), call,
                                   program('endings'), 'return'],
                                  only='endings', dir=directory)
        self.assertEqual(len(files(folder)), 2)
