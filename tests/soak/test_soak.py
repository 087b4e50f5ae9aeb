"""The programs that keep books, with a new seed each time, while snapshots
are taken at short intervals; for SECONDS_EACH seconds.

A failure names its seed, with which tests/programs/ledger does it again.
"""

import itertools
import os
import shutil
import time

from tests.support import figures
from tests.support.servers import HostTest, files
from tests.system import test_exactness

SECONDS = int(os.environ.get('SECONDS_EACH', '30'))
OPERATIONS = 20000
ALLOCATORS = (None, *test_exactness.ALLOCATORS)


class Soak(HostTest):
    def test_ledger(self):
        start = time.monotonic()
        seeds = itertools.count(time.time_ns() % 1_000_000_000)
        for seed, allocator in zip(seeds, itertools.cycle(ALLOCATORS)):
            with self.subTest(seed=seed, allocator=allocator):
                self.run_ledger(seed, allocator)
            if time.monotonic() > start + SECONDS:
                break
        figures.count('seconds of soak', int(time.monotonic() - start))

    def run_ledger(self, seed, allocator):
        books = test_exactness.Exactness()
        books.snapshots = self.folder(f'seed-{seed}')
        arguments, shape = [seed, OPERATIONS], test_exactness.named
        options = {'interval': '20ms', 'keep': 1000000}
        if allocator:
            arguments.append('foreign')
            shape = test_exactness.named
            options['preload_after'] = [allocator]
        books.check('ledger', arguments, shape, test_exactness.REPORTS,
                    **options)
        figures.count('snapshots during soak', len(files(books.snapshots)))
        shutil.rmtree(books.snapshots)
