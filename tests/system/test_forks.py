"""A thousand forks while other threads allocate: a machine that is busy with
other things takes a while for them, so these have a file, and its time, of their
own."""

from tests.support import figures
from tests.support.servers import HostTest, program

RUNS, FORKS = 20, 50


class Forks(HostTest):
    def test_while_threads_allocate(self):
        for _ in range(RUNS):
            self.run_both([program('forks'), FORKS], exit='off')
        figures.count('forks while other threads allocate', RUNS * FORKS)
