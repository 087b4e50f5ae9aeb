"""`go tool pprof` reads the files, and adds up to the same as leakdiff."""

from tests.support import snapshots
from tests.support.pprof import pprof, summed
from tests.support.servers import (ROOT, HostTest, files, leakdiff,
                                   leakdiff_json, program, run)

COMMANDS = '''alloc 1000003
alloc 77
map 40960
snapshot one
free
alloc 2500000
alloc 2500000
map 81920
snapshot two
'''


class Pprof(HostTest):
    def setUp(self):
        super().setUp()
        done = run([program('puppet')], self.snapshots, stdin=COMMANDS)
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.old, self.new = files(self.snapshots)[:2]

    def pprof(self, *arguments):
        return pprof(self.directory, *arguments)

    def test_sums_of_one(self):
        expected = snapshots.load(self.new).total()
        taken = leakdiff_json(self.new)['snapshots'][0]
        for index in snapshots.SAMPLE_TYPES:
            with self.subTest(index):
                value = summed(self.directory, index, self.new)
                self.assertEqual(value, getattr(expected, index))
                self.assertEqual(value, taken[index])
        self.assertGreater(expected.inuse_space, 5000000)

    def test_sums_of_a_difference(self):
        expected = (snapshots.load(self.new).total() -
                    snapshots.load(self.old).total())
        total = leakdiff_json(self.old, self.new)['total']
        base = f'-diff_base={self.old}'
        self.assertEqual(summed(self.directory, 'inuse_space', base, self.new),
                         total['growth_bytes'])
        self.assertEqual(total['growth_bytes'], expected.inuse_space)
        self.assertEqual(
            summed(self.directory, 'inuse_objects', base, self.new),
            total['growth_objects'])
        self.assertEqual(total['growth_objects'], expected.inuse_objects)
        self.assertEqual(summed(self.directory, 'alloc_space', base, self.new),
                         expected.alloc_space)
        self.assertEqual(expected.inuse_space, 5000000 - 1000080 + 81920)

    def test_top(self):
        text = self.pprof('-top', '-unit=bytes', self.new)
        self.assertRegex(text, r'(?m)^ *5000000B .* puppet_alloc')
        self.assertRegex(text, r'(?m)^ *122880B .* puppet_map')
        self.assertIn('Type: inuse_space', text)

    def test_list(self):
        text = self.pprof('-list=puppet_alloc', '-unit=bytes',
                          f'-source_path={ROOT}', self.new)
        self.assertRegex(text, r'5000000B.*malloc\(size\)')

    def test_traces(self):
        text = self.pprof('-traces', self.new)
        self.assertRegex(text, r'puppet_alloc[^\n]*\n\s+(obey.*\n\s+)?main')
        self.assertRegex(text, r'kind:\s+heap')

    def test_svg(self):
        text = self.pprof('-svg', f'-diff_base={self.old}', self.new)
        self.assertIn('</svg>', text)
        self.assertIn('puppet_alloc', text)

    def test_leakdiff_writes_what_pprof_reads(self):
        made = self.directory / 'difference.pb.gz'
        done = leakdiff('--format', 'pprof', '-o', made, self.old, self.new)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertEqual(summed(self.directory, 'inuse_space', made),
                         leakdiff_json(self.old, self.new)['total']
                         ['growth_bytes'])
        # Already symbolised: it can be read where the program is not.
        self.assertIn('puppet_alloc', self.pprof('-symbolize=none', '-top',
                                                 made))
