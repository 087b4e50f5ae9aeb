"""The benchmarks' own logic: what they make of given numbers, and that their
programs do what they say. Nothing here depends on how long anything takes.
"""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

from scripts.bench import (charts, launch, memory, pairs, programs, reach,
                           readme, report, servers, setups, snapshot, startup)
from scripts.bench.bench import Bench
from scripts.bench.samples import Samples, spread
from tests.support import snapshots
from tests.support.servers import ROOT, HostTest, files, program, run

GROUPS = {**pairs.GROUPS, **servers.GROUPS, **programs.GROUPS,
          **memory.GROUPS, **snapshot.GROUPS, **startup.GROUPS}
FACTS = {'processor': 'A Processor', 'cores': 16, 'memory_gib': 64,
         'system': 'Debian', 'kernel': '6.1', 'date': '2026-01-02',
         'commit': 'abc', 'load_before': 0.25, 'quick': False,
         'versions': {'heaptrack': '1.4'}, 'not_measured': ['sampled: why']}


def samples_of(numbers, group='micro', case='depth26', name='cpu_ns'):
    """{setup: [number of each round]}"""
    samples = Samples()
    for setup, values in numbers.items():
        for number, value in enumerate(values):
            samples.add(group, case, setup, number, {name: value})
    return samples


def section(text, heading):
    """The lines of a table below a heading, by their first column."""
    below = text.split(f'{heading}\n', 1)[1].split('\n#', 1)[0]
    rows = [[cell.strip() for cell in line.split('|')[1:-1]]
            for line in below.splitlines()
            if line.startswith('|') and '---' not in line]
    return {row[0]: row[1:] for row in rows}


class SamplesTest(HostTest):
    def test_compared_within_a_round(self):
        samples = samples_of({'native': [10, 100], 'exact': [15, 101]})
        self.assertEqual(samples.added('micro', 'depth26', 'exact', 'native',
                                       'cpu_ns'), {0: 5, 1: 1})
        self.assertEqual(samples.times('micro', 'depth26', 'exact', 'native',
                                       'cpu_ns'), {0: 1.5, 1: 1.01})

    def test_a_round_without_its_base_is_left_out(self):
        samples = samples_of({'native': [10], 'exact': [15, 101]})
        self.assertEqual(samples.added('micro', 'depth26', 'exact', 'native',
                                       'cpu_ns'), {0: 5})

    def test_spread(self):
        self.assertEqual(spread([3, 1, 8]), (3, 1, 8, 3))
        self.assertIsNone(spread([]))


class ReportTest(HostTest):
    def test_numbers(self):
        for value, shown in ((0, '0'), (0.004, '0'), (1.234, '1.23'),
                             (-9.87, '-9.87'), (12.34, '12.3'), (99.6, '100'),
                             (12345.6, '12,346')):
            self.assertEqual(report.number(value), shown)

    def test_a_table(self):
        samples = samples_of({'native': [20, 22, 24], 'exact': [70, 60, 80],
                              'jemalloc': [10, 10, 10],
                              'jemalloc-exact': [3010, 3020, 3030]})
        text = report.whole(FACTS, samples, [], GROUPS, [], ['micro'])
        table = section(text, '### 26 frames deep, 1,024 live blocks')
        self.assertEqual(table['native'][:2], ['22.0 (20.0 – 24.0)', ''])
        self.assertEqual(table['leakagent, exact'][:2],
                         ['70.0 (60.0 – 80.0)', '50.0 (38.0 – 56.0)'])
        # Its own allocator is the base, and not the system's.
        self.assertEqual(table['jemalloc, exact'][1],
                         '3,010 (3,000 – 3,020)')
        self.assertIn('A Processor, 16 cores, 64 GiB', text)
        self.assertIn('heaptrack 1.4', text)
        self.assertIn('- sampled: why', text)
        self.assertIn('](micro.svg)', text)

    def test_units(self):
        samples = samples_of({'native': [2e6], 'exact': [3e6]}, 'programs',
                             'python', 'cpu_us')
        text = report.whole(FACTS, samples, ['it broke'], GROUPS, [], [])
        table = section(text, '### python3 with PYTHONMALLOC=malloc')
        self.assertEqual(table['leakagent, exact'][:2],
                         ['3.00 (3.00 – 3.00)', '1.50 (1.50 – 1.50)'])
        self.assertIn('- it broke', text)


class ReadmeTest(HostTest):
    def test_one_row_a_workload(self):
        samples = samples_of({'native': [20.04], 'exact': [70.0],
                              'heaptrack': [25.5]})
        samples.records += samples_of(
            {'native': [2e6, 2e6], 'exact': [2.2e6, 2.4e6]}, 'servers',
            'nginx', 'cpu_us').records
        lines = readme.text(FACTS, samples).splitlines()
        self.assertIn('A Processor, 16 cores', lines[0])
        self.assertEqual(lines[4:], [
            '| ns of a malloc and free: 26 frames deep, 1,024 live blocks '
            '| 20.0 |  | +50 |  | +5.5 |',
            '| CPU of nginx | 2.0 s |  | 1.15× |  |  |'])


class AimsTest(HostTest):
    def rows(self, samples, whole=False):
        text = '\n'.join(reach.section(samples, whole)) + '\n'
        return section(text, '## Aims') if text.strip() else {}

    def test_the_microbenchmark(self):
        rows = self.rows(samples_of({
            'native': [20] * 3, 'exact': [60, 61, 62],
            'heaptrack': [430, 431, 432], 'sampled': [23, 22, 27],
            'jemalloc': [10] * 3, 'jemalloc-sampled': [12, 12, 12]}))
        self.assertEqual(rows["exact: added to a pair, over heaptrack's"],
                         ['≤ 1/8', '1/10.0', 'yes'])
        self.assertEqual(rows['exact: added to a pair'],
                         ['≤ 25 ns (the goal)', '41.0 ns', 'no'])
        self.assertEqual(rows['sampled: added to a pair'],
                         ['≤ 3 ns', '3.00 ns', 'yes'])
        self.assertEqual(
            rows["sampled: more than jemalloc's sampling adds"][1:],
            ['1.00 ns', 'no'])

    def test_threads(self):
        samples = samples_of({'native': [20], 'exact': [60]}, 'threads',
                             'own-1')
        samples.records += samples_of({'native': [22], 'exact': [82]},
                                      'threads', 'own-16').records
        rows = self.rows(samples)
        self.assertEqual(
            rows['exact: added with 16 threads, each of which frees its own, '
                 'over 1'], ['≤ 1.3×', '1.50×', 'no'])

    def test_programs(self):
        samples = samples_of({'native': [2.0, 2.0], 'exact': [2.2, 2.4]},
                             'servers', 'redis-set', 'cpu_us')
        self.assertEqual(self.rows(samples),
                         {'': ['aim', 'measured', 'met'],
                          'exact: CPU time of redis-server, SET':
                          ['≤ 1.15×', '1.15×', 'yes']})

    def test_the_longest_pause_counts(self):
        samples = samples_of({snapshot.DURING['exact']: [300, 1200, 400],
                              'exact': [100, 150]}, 'snapshots', 'gaps',
                             'held_us')
        rows = self.rows(samples)
        self.assertEqual(list(rows.values())[1], ['≤ 1 ms', '1.20 ms', 'no'])
        self.assertIn('0.15 ms without', list(rows)[1])

    def test_what_was_not_measured(self):
        samples = samples_of({'native': [20], 'exact': [60]})
        self.assertEqual(len(self.rows(samples)), 2)
        self.assertEqual(
            self.rows(samples, True)['sampled: added to a pair'],
            ['≤ 3 ns', 'not measured', ''])


class ChartsTest(HostTest):
    def drawing(self, samples, name):
        self.assertEqual(charts.write(self.directory, samples, FACTS, GROUPS),
                         [name])
        return xml.etree.ElementTree.parse(
            self.directory / f'{name}.svg').getroot()

    def widths(self, drawing):
        """Of the bars; the first rectangle is the paper."""
        return [float(one.get('width'))
                for one in drawing.iterfind('.//{*}rect')][1:]

    def words(self, drawing):
        return [one.text for one in drawing.iterfind('.//{*}text')]

    def test_bars_are_as_long_as_what_they_show(self):
        drawing = self.drawing(samples_of(
            {'native': [1000], 'exact': [3000], 'heaptrack': [6000]},
            'startup', 'true', 'wall_us'), 'startup')
        exact, heaptrack = self.widths(drawing)
        self.assertAlmostEqual(heaptrack / exact, 2.5, places=2)
        self.assertIn('2.00', self.words(drawing))
        self.assertIn('5.00', self.words(drawing))

    def test_a_logarithmic_axis(self):
        drawing = self.drawing(samples_of(
            {'native': [20], 'exact': [30], 'heaptrack': [1020]}), 'micro')
        exact, heaptrack = self.widths(drawing)
        self.assertAlmostEqual(heaptrack / exact, 3, places=2)

    def test_less_than_the_base_points_the_other_way(self):
        drawing = self.drawing(samples_of(
            {'native': [100], 'forward': [90], 'exact': [120]},
            'servers', 'nginx', 'cpu_us'), 'servers')
        less, more = drawing.findall('.//{*}rect')[1:]
        self.assertAlmostEqual(
            float(less.get('x')) + float(less.get('width')),
            float(more.get('x')), delta=0.2)

    def test_curves_over_many_threads(self):
        samples = Samples()
        for case in ('own-1', 'own-2', 'own-16', 'handover-2'):
            samples.records += samples_of(
                {'native': [20, 20], 'exact': [50, 60]}, 'threads',
                case).records
        drawing = self.drawing(samples, 'threads')
        self.assertEqual(len(list(drawing.iterfind('.//{*}circle'))), 4)
        self.assertIn('16 threads', self.words(drawing))


class RunTest(HostTest):
    def test_rounds_alternate_and_failures_are_left_out(self):
        ran = []

        def works():
            ran.append('works')
            return {'cpu_ns': 1}

        def fails():
            ran.append('fails')
            raise launch.Failed('broken')
        with Bench() as bench:
            bench.say = lambda text: None
            bench.notes.clear()
            bench.absent.clear()
            bench.interleave('micro', 3, [('a', 'native', works),
                                          ('a', 'exact', fails),
                                          ('b', 'native', works)])
            self.assertEqual(bench.failures, ['micro, a, exact: broken'])
        self.assertEqual(ran, ['works', 'fails'] + ['works'] * 5)
        self.assertEqual(
            [(r['case'], r['round']) for r in bench.samples.records],
            [('a', 0), ('b', 0), ('b', 1), ('a', 1), ('a', 2), ('b', 2)])
        self.assertFalse(bench.folder.exists())

    def test_thread_counts(self):
        for cores, counts in ((1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]),
                              (16, [1, 2, 4, 8, 16])):
            self.assertEqual(pairs.thread_counts(cores), counts)
        self.assertEqual(list(pairs.thread_cases(3)),
                         ['own-1', 'own-2', 'own-3', 'handover-2'])

    def test_a_library_that_is_not_loaded_is_found_out(self):
        with self.assertRaisesRegex(launch.Failed, 'is not loaded'):
            servers.expect_loaded(os.getpid(),
                                  {'LD_PRELOAD': '/usr/lib/nosuch.so'})
        servers.expect_loaded(os.getpid(), {})

    def command(self, *arguments, **environment):
        return subprocess.run(
            [sys.executable, '-m', 'scripts.bench', *map(str, arguments)],
            cwd=ROOT, capture_output=True, text=True,
            env={**os.environ, **environment})

    def test_the_report_can_be_made_again(self):
        results = self.directory / 'results.json'
        samples = samples_of({'native': [20], 'exact': [60]})
        results.write_text(json.dumps({'facts': FACTS, 'failures': [],
                                       'samples': samples.records}))
        done = self.command('--report', '--out', self.directory)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.strip(),
                         (self.directory / 'report.md').read_text().strip())
        self.assertIn('40.0 (40.0 – 40.0)', done.stdout)
        self.assertTrue((self.directory / 'micro.svg').exists())

    def test_no_such_group(self):
        done = self.command('nosuch', '--out', self.directory)
        self.assertEqual(done.returncode, 2)
        self.assertIn('there is no group nosuch', done.stderr)


class LauncherTest(HostTest):
    def test_costs_of_each_run(self):
        output, costs = launch.run(['echo', 'run x'], 'native',
                                   self.directory, times=3)
        self.assertEqual(output, '\n'.join(['run x'] * 3))
        self.assertEqual(len(costs), 3)
        for cost in costs:
            self.assertEqual(set(cost), {'cpu_us', 'wall_us', 'peak_kib'})
            self.assertGreater(cost['peak_kib'], 0)

    def test_memory_is_the_commands_own(self):
        """Python is larger than what it measures; that must not show."""
        ballast = bytes(64 << 20)
        _, costs = launch.run(['true'], 'native', self.directory)
        self.assertLess(costs[0]['peak_kib'], len(ballast) >> 11)

    def test_failures(self):
        for command in ('false', '/nosuch', ['sh', '-c', 'kill -9 $$']):
            words = [command] if isinstance(command, str) else command
            with self.assertRaises(launch.Failed):
                launch.run(words, 'native', self.directory)

    def test_the_setting_is_the_commands_alone(self):
        setups.copy_agent(self.directory, setups.AGENT)
        launch.run(['true'], 'exact', self.directory)
        self.assertEqual([re.match(r'[a-z_]+', path.name)[0]
                          for path in files(self.directory)], ['true'])


class ProgramsTest(HostTest):
    def depths(self, *options):
        """Of the stacks that bench_pairs allocates from in pairs."""
        done = run([program('bench_pairs'), 'ms=1', *options], self.snapshots,
                   depth=200)
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertRegex(done.stdout, r'\Apairs=\d+ cpu_ns=[\d.]+ '
                         r'process_ns=[\d.]+ wall_ns=[\d.]+\n\Z')
        written = snapshots.load(files(self.snapshots)[-1])
        return {len(sample.stack) for sample in written.samples
                if sample.stack[0].function == 'pairs'}

    def test_stacks_are_as_deep_as_told(self):
        for options, depth in (((), 26), (('depth=60',), 60),
                               (('swing=8',), 26), (('threads=2',), 26),
                               (('threads=2', 'handover=1'), 26),
                               (('live=5000', 'depth=100'), 100)):
            with self.subTest(options=options):
                self.assertEqual(self.depths(*options), {depth})

    def test_live_blocks(self):
        self.depths('live=500')
        written = snapshots.load(files(self.snapshots)[-1])
        self.assertEqual(written.through('loop').inuse_objects, 500)

    def test_refused_options(self):
        for word in ('nosuch=1', 'depth', 'depth=', 'depth=x', 'threads=0',
                     'threads=1000'):
            done = run([program('bench_pairs'), word])
            self.assertEqual((done.status, done.stdout), (2, ''), word)
        done = run([program('bench_pairs'), 'threads=3', 'handover=1'])
        self.assertEqual(done.status, 2)

    def test_the_forwarding_hook_forwards(self):
        plain, hooked = (run(
            [sys.executable, '-S', '-c',
             'print(sum(len(str(i)) for i in range(50000)))'],
            extra={'PYTHONMALLOC': 'malloc', **extra}) for extra in (
                {}, setups.environment('forward', self.directory)))
        self.assertEqual(plain.status, 0)
        self.assertEqual(plain, hooked)

    def test_live_blocks_stay_live(self):
        for sparse in ('1', '4'):
            run([program('bench_live'), '3000', sparse], self.snapshots)
            written = snapshots.load(files(self.snapshots)[-1])
            self.assertEqual(written.through('fill').inuse_objects, 3000)
