"""Sizes at the ends of what there is, and hosts whose limits leave the agent
little or nothing: they run as without it, and it says what it cannot do."""

import os

from tests.support import snapshots, verified
from tests.support.servers import HostTest, files, program, run

SAID = 'leakagent: '
LOADER = 'ERROR: ld.so: object '  # its own word for what it could not preload


class Sizes(HostTest):
    def sizes(self, *arguments):
        done = self.run_both([program('sizes'), *arguments], exit='off')
        snapshot = self.only_snapshot()
        self.assertEqual(snapshot.comments['drops'], '0')
        return done, snapshot

    def test_odd_sizes(self):
        _, snapshot = self.sizes('odd')
        self.assertEqual(snapshot.through('refused'), snapshots.NOTHING)
        self.assertEqual(snapshot.through('nothings'), (8, 200, 4, 0))
        self.assertEqual(snapshot.through('keep_odd'), (1, 333, 1, 333))
        self.assertEqual(snapshot.through('keep_grown'),
                         (3, 10 + 100000 + 444, 1, 444))

    def test_more_than_four_gigabytes(self):
        done, snapshot = self.sizes('large')
        *blocks, (_, mapped, length) = [line.split()
                                        for line in done.stdout.splitlines()]
        values = snapshot.through('keep_large', 'heap')
        self.assertEqual(values.inuse_space,
                         sum(int(size) for _, got, size in blocks)
                         + (1000 if blocks[2][1] == '0' else 0))
        self.assertEqual(snapshot.through('keep_map', 'mmap'),
                         (int(mapped), int(mapped) * int(length)) * 2)

    def test_allocations_that_a_limit_refuses(self):
        counts = self.directory / 'counts'
        done, snapshot = self.sizes('limited', counts)
        self.assertEqual(done.stdout, 'some were refused: 1\n')
        values = snapshot.through('keep_limited')
        self.assertEqual((values.inuse_objects, values.inuse_space), (1, 777))
        self.assertEqual(values.alloc_objects, int(counts.read_text()))


class Limits(HostTest):
    """Of the shell that becomes the host."""

    def limited(self, limits, directory, command=(program('puppet'),),
                stdin='alloc 54321\nsnapshot a\nalloc 10\n', **options):
        return run(['/bin/sh', '-c', f'{limits} && exec "$@"', 'sh', *command],
                   directory, stdin=stdin, only=os.path.basename(command[0]),
                   **options)

    def assertLivesUnder(self, limits, command=(program('puppet'),),
                         **options):
        """Either there are snapshots, or there is a line that says why not.
        Returns that line, or ''."""
        self.snapshots = self.folder(limits.replace(' ', ''))
        plain = self.limited(limits, None, command, **options)
        watched = self.limited(limits, self.snapshots, command, **options)
        self.assertEqual(plain.status, 0, plain)
        self.assertEqual(plain[:2], watched[:2], watched)
        lines = watched.stderr.splitlines()
        said = [line for line in lines if line.startswith((SAID, LOADER))]
        self.assertEqual(plain.stderr.splitlines(),
                         [line for line in lines if line not in said])
        self.assertLessEqual(len(said), 1, said)
        written = [snapshots.load(path) for path in files(self.snapshots)]
        self.assertTrue(written or said, 'neither a snapshot nor a word')
        for snapshot in written:
            if 'puppet' in command[0]:
                self.assertGreaterEqual(
                    snapshot.through('puppet_alloc').inuse_space, 54321)
        return ''.join(said)

    def test_address_space(self):
        """From what no agent fits into to what is enough."""
        said = []
        for kilobytes in (*range(3800, 6000, 200), 20000):
            said.append(self.assertLivesUnder(f'ulimit -v {kilobytes}'))
        self.assertEqual(said[-1], '')
        self.assertTrue(any('thread cannot start: ' in line for line in said),
                        said)

    def test_a_share_of_the_address_space(self):
        self.limited('ulimit -v 1000000', self.snapshots)
        self.assertEqual(snapshots.load(files(self.snapshots)[-1])
                         .comments['agent_limit_bytes'],
                         str(1000000 * 1024 // 100 * 10))

    def test_data(self):
        said = [self.assertLivesUnder(f'ulimit -d {kilobytes}')
                for kilobytes in (1500, 2000, 3000, 10000)]
        self.assertEqual(said[-1], '')

    def test_descriptors(self):
        for count in (4, 5, 6, 10):
            self.assertLivesUnder(f'ulimit -n {count}')

    def test_stack(self):
        for kilobytes in (64, 128, 1000):
            said = self.assertLivesUnder(f'ulimit -s {kilobytes}')
            self.assertEqual(said, '')

    def test_habits_under_little_stack(self):
        self.assertLivesUnder('ulimit -s 128', [program('habits')])

    def test_file_size(self):
        """The host is not sent SIGXFSZ for files that are not its own."""
        for blocks in (0, 1):
            said = self.assertLivesUnder(f'ulimit -f {blocks}')
            self.assertRegex(said, r'no snapshot in \S+: File too large; ')
            self.assertEqual(list(self.snapshots.iterdir()), [])

    def test_standard_error_that_cannot_be_written_to(self):
        """What the agent says there ends no host: not by SIGPIPE, not by
        SIGXFSZ."""
        file = self.directory / 'errors'
        for name, script in (
                ('closed', '"$@" 2>&-'),
                ('full', '"$@" 2>/dev/full'),
                ('at its largest', 'ulimit -f 0; "$@" 2>"$0"'),
                ('without a reader', 'mkfifo "$0.pipe"; '
                 'exec 4<>"$0.pipe" 5>"$0.pipe" 4<&-; "$@" 2>&5 5>&-')):
            with self.subTest(name):
                done = run(['/bin/sh', '-c', script, file, program('puppet')],
                           self.directory / 'none', only='puppet',
                           stdin='alloc 5\n',
                           extra={'TMPDIR': str(self.snapshots)})
                self.assertEqual(done, (0, 'done alloc 5\n', ''))


class Stacks(HostTest):
    COUNT, SIZE, LIMIT = 10_000_000, 24, 16 << 20
    if verified.ON:  # that takes a hundred times as long
        COUNT = 200_000

    def test_ten_million(self):
        """The memory limit holds at any time; what there is no room for is in
        one row, and nothing is lost."""
        command = [program('many_stacks'), self.COUNT]
        plain = run(command)
        done = run(command, self.snapshots, memory=self.LIMIT, keep=0,
                   interval='1s')
        self.assertEqual(done, plain)
        written = files(self.snapshots)
        found = [snapshots.load(path) for path in
                 (written[len(written) // 2], written[-1])]
        for snapshot in found:
            self.assertLessEqual(int(snapshot.comments['agent_bytes']),
                                 self.LIMIT)
            self.assertLessEqual(int(snapshot.comments['rss_anon_bytes']),
                                 self.LIMIT + (4 << 20))
            self.assertEqual(snapshot.comments['drops'], '0')
        last = found[-1]
        tracked = last.through('leaf')
        others = sum((sample.values for sample in last.samples if
                      [frame.marker for frame in sample.stack] ==
                      ['[untracked stacks]']), snapshots.NOTHING)
        both = tracked + others
        self.assertEqual(both[:2], (self.COUNT, self.COUNT * self.SIZE))
        self.assertEqual(both.inuse_objects, self.COUNT // 1000)
        self.assertGreater(tracked.alloc_objects, 10_000)
        self.assertGreater(others.alloc_objects, self.COUNT // 2)
