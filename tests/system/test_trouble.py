"""Moments at which an agent is easily caught with its locks held, or at which
its own thread is in the way. A hang is a failure by the deadline."""

from tests.support.servers import HostTest, files, program, run


class Trouble(HostTest):
    def test_main_leaves_before_its_threads(self):
        self.run_both([program('leaderless')])
        values = self.only_snapshot().through('keep', 'heap')
        self.assertEqual(values, (1, 1234, 1, 1234))

    def test_handlers_that_execute_or_end(self):
        for ending, how in (('on', ('exec', 40)), ('always', ('exec', 40)),
                            ('on', ('exit', 0)), ('always', ('_exit', 0))):
            with self.subTest(ending=ending, how=how):
                for _ in range(1 if how[1] else 20):
                    self.run_both([program('handlers'), *how], exit=ending)

    def test_signals_while_it_forks(self):
        for ending in ('on', 'always'):
            for _ in range(2):
                with self.subTest(ending):
                    self.run_both([program('fork_signals')], exit=ending)

    def test_fork_handlers_that_allocate(self):
        library = [program('libatfork.so')]
        done = run([program('forks'), 5], self.snapshots,
                   preload_after=library)
        self.assertEqual(done, run([program('forks'), 5],
                                   preload_after=library))
        self.assertEqual(len(files(self.snapshots)), 6)

    def test_a_start_inside_a_lock_of_libc(self):
        library = [program('libtranslated.so')]
        done = run([program('endings'), 'return'], self.snapshots,
                   preload_after=library)
        self.assertEqual(done, run([program('endings'), 'return'],
                                   preload_after=library))
        self.assertEqual(len(files(self.snapshots)), 1)

    def test_much_thread_local_data(self):
        self.run_both([program('thread_data')])
        self.assertEqual(len(files(self.snapshots)), 1)
