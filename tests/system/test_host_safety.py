"""Hosts in situations that an agent may easily turn into a hang or a crash:
each runs without it and with it, and must print the same and end the same."""

import shutil

from tests.support.servers import HostTest, program


class Hangs(HostTest):
    def test_children_past_fork(self):
        self.run_both([program('bare_clones')], keep=2)

    def test_children_killed_as_they_come(self):
        self.run_both([program('young_children')], exit='always', keep=2)

    def test_a_thread_stopped_by_a_signal(self):
        self.run_both([program('stopped_world')])

    def test_jumps_out_of_mmap(self):
        self.run_both([program('jumps'), 'map'])

    def test_a_filter_that_ends_the_agents_thread(self):
        self.run_both([program('filtered')])

    def test_fork_while_another_looks_at_what_is_loaded(self):
        # So that every thread's start allocates in the loader.
        self.run_both([program('slow_loader')], extra={
            'GLIBC_TUNABLES': 'glibc.pthread.stack_cache_size=0'})


class Memory(HostTest):
    def test_jumps_out_of_a_snapshot(self):
        self.run_both([program('jumps'), 'snapshot'])

    def test_plugins_with_operators_of_their_own(self):
        copy = self.directory / 'copy.so'
        shutil.copy(program('libown_new.so'), copy)
        done = self.run_both([program('own_operators'),
                              program('libown_new.so'), copy])
        self.assertEqual(done.stdout, 'its own\n' * 4)
