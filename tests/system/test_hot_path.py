"""Blocks that share an entry of the agent's table, and handlers that allocate
while their thread is inside the agent: exact, as the programs' own books are."""

from tests.support import snapshots
from tests.support.servers import HostTest, files, program, run

ALLOCATORS = (None, 'libjemalloc.so.2', 'libtcmalloc_minimal.so.4',
              'libmimalloc.so.2')


class HotPath(HostTest):
    def check(self, name, *arguments, allocator=None, **options):
        """Each line that the program prints: a function, and what its blocks
        come to."""
        preload = {} if allocator is None else {'preload_after': [allocator]}
        done = run([program(name), *arguments], self.snapshots, **preload,
                   **options)
        self.assertEqual((done.status, done.stderr), (0, ''))
        snapshot, = (each for each in map(snapshots.load,
                                          files(self.snapshots))
                     if each.comments['reason'] == 'call:books')
        self.assertEqual(snapshot.comments['drops'], '0')
        found = {}
        for stack, values in snapshot.stacks(program(name), 'heap').items():
            found[stack[:1]] = found.get(stack[:1], snapshots.NOTHING) + values
        for line in done.stdout.splitlines():
            function, *figures = line.split()
            with self.subTest(function):
                self.assertEqual(found[function,], tuple(map(int, figures)))

    def test_tiny_blocks(self):
        for allocator in ALLOCATORS:
            with self.subTest(allocator):
                self.snapshots = self.folder(str(allocator))
                self.check('tiny_blocks', 1, 100000, allocator=allocator)

    def test_handlers_allocate_anywhere(self):
        for seed in (1, 2):
            with self.subTest(seed=seed):
                self.snapshots = self.folder(f'seed-{seed}')
                self.check('storm', seed, 2000,
                           allocator=program('libsafe_malloc.so'))
