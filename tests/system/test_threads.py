"""Threads, wherever they are: how many, how short their lives and stacks, how
they end, and what the loader has locked meanwhile."""

import re

from tests.support import figures, snapshots
from tests.support.servers import BUILD, HostTest, files, program, run

WAVES, THREADS = 20, 50

# What checks for undefined behaviour add to the agent's frames.
CHECKS_BYTES = 256 if BUILD.name == 'ubsan' else 0


class Threads(HostTest):
    def by_reason(self):
        return {snapshot.comments['reason']: snapshot
                for snapshot in map(snapshots.load, files(self.snapshots))}

    def check_waves(self, snapshot, waves):
        """Nothing is left of threads that have ended, nor of what they handed
        over; and nothing was missed."""
        count = waves * THREADS
        self.assertEqual(snapshot.comments['drops'], '0')
        self.assertEqual(snapshot.through('waves_hand_over', 'heap'),
                         (count, 300 * count, 0, 0))
        self.assertEqual(snapshot.through('waves_at_end', 'heap'),
                         (count, 70 * count, 0, 0))
        self.assertEqual(snapshot.total('thread'), (count, 0, 0, 0))

    def test_waves(self):
        """The agent keeps for a thread what the next one uses."""
        self.run_both([program('waves'), WAVES, THREADS])
        taken = self.by_reason()
        second, last = taken['call:second'], taken['call:last']
        self.check_waves(second, 2)
        self.check_waves(last, WAVES)
        self.assertLess(int(last.comments['agent_bytes']) -
                        int(second.comments['agent_bytes']), 1 << 20)
        figures.count('threads started and ended', WAVES * THREADS)

    def test_waves_while_snapshots_are_taken(self):
        self.run_both([program('waves'), WAVES, THREADS], interval='1ms',
                      keep=0, sample=0)
        taken = [snapshots.load(path) for path in files(self.snapshots)]
        for snapshot in taken:
            values = snapshot.through('waves_hand_over', 'heap')
            self.assertLessEqual(values.inuse_objects, THREADS)
            self.assertEqual(values.inuse_space, 300 * values.inuse_objects)
            self.assertLessEqual(snapshot.total('thread').inuse_objects,
                                 THREADS)
        self.check_waves(self.by_reason()['call:last'], WAVES)

    def test_cancelled_threads(self):
        self.run_both([program('cancelled')])
        taken = self.by_reason()
        self.assertEqual(taken['call:cancelled'].comments['drops'], '0')
        for function in ('allocate', 'compute'):
            values = taken['exit'].through(function, 'heap')
            self.assertGreater(values.alloc_objects, 0)
            self.assertEqual((values.inuse_objects, values.inuse_space),
                             (0, 0))

    def bytes_of_stack(self, directory, **options):
        done = run([program('stack_use'), 'libz.so.1'], directory, **options)
        self.assertEqual((done.status, done.stderr), (0, ''))
        return {line: int(used) for line, used in
                re.findall(r'(.*): (\d+)\n', done.stdout)}

    def test_bytes_of_stack(self):
        """1 KiB, where the stack is known, and hardly more where it is not: the
        rest happens on the agent's own."""
        self.unverified = True
        native = self.bytes_of_stack(None)
        for options in ({}, {'sample': '4k'}, {'growth': '100G'}):
            with self.subTest(options):
                self.snapshots = self.folder(f'{len(options)}-{options}')
                watched = self.bytes_of_stack(self.snapshots, verify='off',
                                              **options)
                self.assertEqual(set(native), set(watched))
                for line, used in watched.items():
                    most = CHECKS_BYTES + (1024 if ', known' in line else 1536)
                    self.assertLessEqual(used - native[line], most, line)

    def test_the_list_of_objects_is_locked(self):
        """By a thread that waits for one which allocates; the other's stacks are
        as ever."""
        self.run_both([program('listed'), program('libwaiting.so')])
        snapshot = self.by_reason()['call:listed']
        self.assertEqual(snapshot.comments['drops'], '0')
        self.assertEqual(snapshot.through('listed_keep', 'heap'),
                         (120, 40 * (100 + 300 + 50), 40, 40 * 300))
        self.assertEqual(snapshot.total('mmap'),
                         (20, 20 * 8192, 20, 20 * 4096))
        self.assertNotIn('[truncated]', [frame.marker
                                         for sample in snapshot.samples
                                         for frame in sample.stack])
