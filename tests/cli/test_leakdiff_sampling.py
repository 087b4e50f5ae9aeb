"""Snapshots that hold estimates: what reports say of how far off they may be,
and where rows go that may be nothing but noise."""

import re

from tests.support.pprof import pprof, summed
from tests.support.profiles import (LeakdiffTest, NOON, Profile, TYPES,
                                    by_function, decode)

MAIN = 'main main.c:9'
KIBI, MEBI = 1 << 10, 1 << 20


def sampled(*comments, interval=512 * KIBI, **options):
    return Profile(period=interval, comments=[
        f'sample_bytes={512 * KIBI}', *comments], **options)


def old(**options):
    return (sampled(**options)
            .sample(['malloc', 'leak a.c:1', MAIN], (100, 10 * MEBI),
                    inuse_error=(30, 3 * MEBI), alloc=(200, 20 * MEBI),
                    alloc_error=(40, 4 * MEBI))
            .sample(['kept a.c:2', MAIN], (5, 5 * MEBI),
                    inuse_error=(2, 2 * MEBI))
            .sample(['gone a.c:3', MAIN], (90, 9 * MEBI),
                    inuse_error=(20, MEBI)))


def new(**options):
    return (sampled(**options)
            .sample(['malloc', 'leak a.c:1', MAIN], (300, 30 * MEBI),
                    inuse_error=(50, 5 * MEBI), alloc=(500, 50 * MEBI),
                    alloc_error=(50, 5 * MEBI))
            .sample(['kept a.c:2', MAIN], (5, 5 * MEBI),
                    inuse_error=(2, 2 * MEBI))
            .sample(['noise a.c:4', MAIN], (20000, 40 * MEBI),
                    inuse_error=(20000, 25 * MEBI))
            .sample(['small a.c:5', MAIN], (4, 4 * KIBI),
                    inuse_error=(1, KIBI))
            .sample(['m a.c:6', MAIN], (1, MEBI), kind='mmap'))


class Errors(LeakdiffTest):
    def rows(self, a, b, *arguments):
        return by_function(self.json(*arguments, *self.pair(a, b))['rows'])

    def test_of_a_row(self):
        row = self.rows(old(), new())['leak']
        # allocated in between: 5^2 - 4^2 = 3^2; so of the 5^2 live after,
        # at least 5^2 - 3^2 = 4^2 were live before: they are not part of
        # the growth, but more than the 3^2 that were live they cannot be
        self.assertEqual(row['alloc_bytes_error'], 3 * MEBI)
        self.assertEqual(row['growth_bytes_error'], 4 * MEBI)
        self.assertEqual(row['growth_objects_error'], 40)
        self.assertEqual(row['alloc_objects_error'], 30)
        self.assertEqual((row['before_bytes_error'], row['after_bytes_error'],
                          row['before_objects_error'],
                          row['after_objects_error']),
                         (3 * MEBI, 5 * MEBI, 30, 50))

    def test_is_the_same_the_other_way_round(self):
        a, b = self.pair(old(), new())
        rows = by_function(self.json(a, b)['rows'])
        turned = by_function(self.json('--as-given', b, a)['rows'])
        for name, row in rows.items():
            for figure in ('growth_bytes', 'alloc_objects'):
                self.assertEqual(turned[name][figure], -row[figure])
                self.assertEqual(turned[name][f'{figure}_error'],
                                 row[f'{figure}_error'], name)

    def test_of_what_went(self):
        rows = self.rows(old(), new())
        self.assertEqual(rows['gone']['growth_bytes_error'], MEBI)

    def test_of_another_process(self):
        row = self.rows(old(), new(pid=2))['leak']
        self.assertEqual(row['growth_bytes_error'],
                         round(34 ** 0.5 * MEBI))
        self.assertEqual(row['alloc_bytes_error'],
                         round(41 ** 0.5 * MEBI))

    def test_of_a_sample_thinned_out_in_between(self):
        row = self.rows(old(), new(interval=MEBI))['leak']
        self.assertEqual(row['growth_bytes_error'],
                         round(34 ** 0.5 * MEBI))
        self.assertEqual(row['alloc_bytes_error'], 3 * MEBI)

    def test_of_several_samples_squares_add_up(self):
        def profile(count):
            one = sampled()
            for number in range(count):
                # one stack, and two that share a callsite
                for caller in ('g', 'g', 'h'):
                    one.sample(['f a.c:1', f'{caller} b.c:{number + 1}',
                                MAIN], (1, 10), inuse_error=(3, 30))
            return one
        row = self.rows(profile(0), profile(3))['f']
        self.assertEqual((row['growth_bytes_error'],
                          row['growth_objects_error']), (90, 9))
        self.assertEqual(sorted(stack['growth_bytes_error']
                                for stack in row['stacks']),
                         [30, 30, 30, 42, 42, 42])
        report = self.json('old.pb.gz', 'new.pb.gz')
        self.assertEqual(report['total']['growth_bytes_error'], 90)

    def test_never_split_a_stack(self):
        stacks = self.rows(old(), new())['leak']['stacks']
        self.assertEqual([stack['growth_bytes'] for stack in stacks],
                         [20 * MEBI])

    def test_of_mappings_and_threads_are_none(self):
        self.assertEqual(self.rows(old(), new())['m']['growth_bytes_error'],
                         0)

    def test_of_exact_snapshots_are_null(self):
        row = self.rows(Profile(),
                        Profile().sample(['f', MAIN], (1, 9)))['f']
        self.assertEqual({row[key] for key in row if key.endswith('_error')},
                         {None})
        self.assertFalse(row['noise'])
        row, = self.csv('old.pb.gz', 'new.pb.gz')
        self.assertEqual({row[key] for key in row if key.endswith('_error')},
                         {''})
        self.assertEqual(row['noise'], 'false')

    def test_of_other_writers_are_unknown(self):
        files = self.pair(Profile(period=524288), Profile(
            period=524288).sample(['f', MAIN], (1, 9)))
        row, = self.json(*files)['rows']
        self.assertIsNone(row['growth_bytes_error'])
        text = self.output(*files)
        self.assertIn('sampled every 512.0 KiB: heap figures are estimates\n',
                      text)
        self.assertNotIn('±', text)

    def test_that_make_no_sense(self):
        profile = sampled().sample(['f', MAIN], (1, 9),
                                   inuse_error=(-5, 2**63 - 1))
        row, = self.json(self.write('one.pb.gz', profile))['rows']
        self.assertEqual((row['growth_objects_error'],
                          row['growth_bytes_error']), (0, 2**63))
        self.assertIn('9 B ±8.0 EiB', self.output('one.pb.gz'))
        text = decode(self.pprof_of('one.pb.gz')).decode()
        self.assertIn(f'num: {2**63 - 1}', text)

    def pprof_of(self, *arguments):
        target = self.folder / 'difference.pb.gz'
        self.output('--format', 'pprof', '-o', target, *arguments)
        return target.read_bytes()

    def test_csv_has_what_json_has(self):
        files = self.pair(old(), new())
        for row, expected in zip(self.csv(*files), self.json(*files)['rows']):
            for key in row:
                if key.endswith('_error'):
                    self.assertEqual(int(row[key]), expected[key], key)
            self.assertEqual(row['noise'], str(expected['noise']).lower())
            self.assertEqual(row['sample_bytes'], '524288')

    def test_the_process_tells_what_was_asked_for(self):
        report = self.json(self.write('one.pb.gz', sampled(
            'coarsened_bytes=2097152', interval=2 * MEBI)))
        self.assertEqual((report['process']['sample_bytes'],
                          report['process']['coarsened_bytes'],
                          report['process']['period']),
                         (512 * KIBI, 2 * MEBI, 2 * MEBI))


class Ranks(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.files = self.pair(old(), new())

    def order(self, *arguments):
        return [(row['callsite']['function'], row['noise'])
                for row in self.json('--kind', 'heap', *arguments,
                                     *self.files)['rows']]

    def test_noise_comes_last_whatever_the_order(self):
        certain = [('leak', False), ('small', False), ('gone', False)]
        self.assertEqual(self.order(), [*certain, ('noise', True)])
        self.assertEqual(self.order('--sort', 'rate'),
                         [*certain, ('noise', True)])
        self.assertEqual(self.order('--sort', 'objects'),
                         [*certain, ('noise', True)])
        self.assertEqual(self.order('--sort', 'percent'),
                         [('small', False), ('leak', False), ('gone', False),
                          ('noise', True)])
        self.assertEqual(self.order('--sort', 'live'),
                         [*certain, ('noise', True)])
        self.assertEqual(self.order('--sample', 'inuse_objects'),
                         [*certain, ('noise', True)])

    def test_the_figure_that_ranks_decides(self):
        """Bytes may be certain where objects are not."""
        self.files = self.pair(sampled(), sampled().sample(
            ['f', MAIN], (1000, 10 * MEBI), inuse_error=(1000, MEBI)))
        self.assertEqual(self.order(), [('f', False)])
        self.assertEqual(self.order('--sort', 'objects'), [('f', True)])
        self.assertEqual(self.order('--sample', 'inuse_objects'),
                         [('f', True)])

    def test_growth_may_be_noise_where_live_is_not(self):
        self.files = self.pair(
            sampled().sample(['f', MAIN], (50, 50 * MEBI),
                             inuse_error=(5, 5 * MEBI)),
            sampled().sample(['f', MAIN], (52, 52 * MEBI),
                             inuse_error=(6, 6 * MEBI)))
        self.assertEqual(self.order(), [('f', True)])
        self.assertEqual(self.order('--sort', 'live'), [('f', False)])

    def test_two_standard_errors_are_more_than_noise(self):
        for size, noise in ((2 * MEBI, False), (2 * MEBI - 1, True)):
            self.files = self.pair(sampled(), sampled().sample(
                ['f', MAIN], (1, size), inuse_error=(1, MEBI)))
            self.assertEqual(self.order(), [('f', noise)])

    def test_top_takes_the_first(self):
        self.assertEqual(self.order('--top', '3')[-1], ('gone', False))


class Text(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.files = self.pair(old(), new())

    def test_the_head_tells_the_interval(self):
        for files in (self.files, self.files[1:]):
            self.assertIn(
                '       sampled every 512.0 KiB: heap figures are estimates, '
                '± is two standard errors\n', self.output(*files))

    def test_totals(self):
        text = self.output(*self.files)
        self.assertRegex(text, re.compile(
            r'^  heap, live +24\.0 MiB +75\.0 MiB +\+51\.0 MiB ±50\.7 MiB'
            r'   \+20,114 objects ±40,001$', re.M))
        self.assertRegex(text, re.compile(
            r'^  mmap, live +0 B +1\.0 MiB +\+1\.0 MiB   \+1 object$', re.M))

    def test_rows(self):
        text = self.output(*self.files)
        heap = text[text.index('\nheap:'):text.index('\nmmap:')]
        self.assertRegex(heap, (
            r'\Aheap: 2 callsites grew by 20\.0 MiB ±8\.0 MiB, '
            r'1 callsite shrank by 9\.0 MiB ±2\.0 MiB, '
            r'1 callsite within noise\n'
            r' +growth +share +live +objects +rate +callsite\n'
            r' +\+20\.0 MiB ±8\.0 MiB +100\.0% +30\.0 MiB ±10\.0 MiB '
            r'+\+200 ±80 +\+341\.3 KiB/s  leak  a\.c:1\n'
            r' +100\.0% <- main main\.c:9\n'
            r' +\+4\.0 KiB ±2\.0 KiB +0\.0% [^\n]* small  a\.c:5\n'
            r' +100\.0% <- main main\.c:9\n'
            r'  -- from here on less than ±: it may be noise --\n'
            r' +\+40\.0 MiB ±50\.0 MiB +40\.0 MiB ±50\.0 MiB +\+20,000 '
            r'±40,000 [^\n]* noise  a\.c:4\n\Z').replace(r'\A', r'\A\n'))

    def test_columns_are_aligned(self):
        text = self.output('--kind', 'heap', *self.files)
        ends = {line.start(1) - text.rindex('\n', 0, line.start(1))
                for line in re.finditer(
                    r'^ +(?:growth|\+).*  (callsite|\w+  a\.c:\d)$', text,
                    re.M)}
        self.assertEqual(len(ends), 1)

    def test_what_is_exact_has_none(self):
        text = self.output(*self.files)
        self.assertNotIn('±', text[text.index('\nmmap:'):])

    def test_nothing_for_certain(self):
        text = self.output('--focus', 'noise', *self.files)
        self.assertIn('heap: nothing grew for certain, 1 callsite within '
                      'noise\n', text)

    def test_all_rows_are_counted(self):
        text = self.output('--top', '1', *self.files)
        self.assertIn('2 more; --top 3 shows all', text)

    def test_a_memory_limit_that_was_reached(self):
        coarse = dict(interval=2 * MEBI)
        for comments, expected in (
                ((f'coarsened_bytes={2 * MEBI}',
                  f'agent_limit_bytes={64 * MEBI}'),
                 "(every 512.0 KiB until the agent's memory limit of 64.0 MiB "
                 "was reached)"),
                ((f'coarsened_bytes={2 * MEBI}',),
                 "(every 512.0 KiB until the agent's memory limit was "
                 "reached)")):
            text = self.output(self.write('one.pb.gz',
                                          sampled(*comments, **coarse)))
            self.assertIn(f'sampled every 2.0 MiB: heap figures are '
                          f'estimates\n       {expected}\n', text)
        text = self.output(self.write('one.pb.gz', Profile(
            period=2 * MEBI, comments=['sample_bytes=0',
                                       f'coarsened_bytes={2 * MEBI}'])))
        self.assertIn("\n       (exact until the agent's memory limit was "
                      "reached)\n", text)

    def test_snapshots_sampled_differently(self):
        for a, b, expected in (
                (Profile(), new(), 'the old snapshot is exact, the new '
                 'snapshot is sampled every 512.0 KiB'),
                (old(), Profile(), 'the old snapshot is sampled every 512.0 '
                 'KiB, the new snapshot is exact'),
                (old(), new(interval=MEBI), 'the old snapshot is sampled '
                 'every 512.0 KiB, the new snapshot is sampled every 1.0 MiB'),
                (old(), new(), None), (Profile(period=0), Profile(), None)):
            text = self.output(*self.pair(a, b))
            if expected:
                self.assertIn(f'note: {expected}\n', text)
            else:
                self.assertNotIn('snapshot is', text)
            self.assertEqual('       sampled every ' in text,
                             max(a.period, b.period) > 1)

    def test_stacks_without_room(self):
        text = self.output(*self.pair(sampled(), sampled().sample(
            ['[untracked stacks]'], (9, 9 * MEBI), inuse_error=(1, MEBI))
            .sample(['[untracked stacks]'], (1, MEBI), kind='mmap')))
        self.assertIn('note: 10.0 MiB live in [untracked stacks]: ', text)
        self.assertIn('  [untracked stacks]\n', text)
        self.assertNotIn('note: ', self.output(*self.pair(old(), new())))

    def test_stacks_that_came_out_differently(self):
        for count, said in (('3', True), ('0', False)):
            text = self.output(self.write('one.pb.gz', Profile(comments=[
                'verified_stacks=100', f'different_stacks={count}'])))
            self.assertEqual('note: ' in text, said)
            self.assertEqual('the agent verified its stacks, and 3 came out '
                             'differently' in text, said)

    def test_several_processes(self):
        (self.folder / 'all').mkdir()
        for pid in (1, 2):
            for time, make in enumerate((old, new)):
                self.write(f'all/{pid}.{time}.pb.gz',
                           make(pid=pid, time=NOON + time))
        text = self.output('all')
        self.assertIn('\n     +52.0 MiB  ±50.7 MiB  server, pid 1, 2 '
                      'snapshots\n', text)


class FailOver(LeakdiffTest):
    def status(self, *arguments):
        return self.leakdiff('--fail-over', *arguments).returncode

    def test_what_it_grew_by_at_least(self):
        files = self.pair(sampled(), sampled().sample(
            ['f', MAIN], (50, 10 * MEBI), inuse_error=(10, MEBI)))
        self.assertEqual(self.status(8 * MEBI - 1, *files), 1)
        self.assertEqual(self.status(8 * MEBI, *files), 0)
        self.assertEqual(self.status('29', '--sample', 'inuse_objects',
                                     *files), 1)
        self.assertEqual(self.status('30', '--sample', 'inuse_objects',
                                     *files), 0)

    def test_noise_never_fails(self):
        files = self.pair(sampled(), sampled().sample(
            ['f', MAIN], (1, MEBI), inuse_error=(1, MEBI)))
        self.assertEqual(self.status('0', *files), 0)

    def test_many_rows_of_noise_may_be_growth_together(self):
        profile = sampled()
        for number in range(25):
            profile.sample([f'f{number}', MAIN], (1, MEBI),
                           inuse_error=(1, MEBI))
        files = self.pair(sampled(), profile)
        self.assertEqual(self.status(15 * MEBI - 1, *files), 1)
        self.assertEqual(self.status(15 * MEBI, *files), 0)


class Pprof(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.files = self.pair(old(), new())

    def test_a_difference_keeps_its_errors(self):
        self.output('--format', 'pprof', '-o', 'difference.pb.gz',
                    *self.files)
        before = by_function(self.json(*self.files)['rows'])
        report = self.json('difference.pb.gz')
        self.assertEqual(report['process']['sample_bytes'], 512 * KIBI)
        self.assertEqual(report['process']['period'], 512 * KIBI)
        for name, row in by_function(report['rows']).items():
            for key in ('growth_bytes', 'growth_objects', 'alloc_bytes',
                        'alloc_objects'):
                for key in (key, f'{key}_error'):
                    self.assertEqual(row[key], before[name][key], (name, key))
        self.assertIn('num_unit', decode(
            (self.folder / 'difference.pb.gz').read_bytes()).decode())

    def test_a_difference_to_an_exact_one_is_an_estimate(self):
        files = self.pair(old(), Profile())
        self.output('--format', 'pprof', '-o', 'difference.pb.gz', *files)
        report = self.json('difference.pb.gz')
        self.assertEqual(report['process']['period'], 512 * KIBI)

    def plain(self, profile):
        profile.lines = [re.sub(r'label \{ key: \d+ num: [^}]*\} ', '', line)
                         for line in profile.lines]
        return profile

    def reports(self, files, *options):
        """Without their heads, which name files."""
        text = pprof(self.folder, *options, '-symbolize=none',
                     '-nodefraction=0', '-edgefraction=0', '-unit=bytes',
                     *files)
        return text

    def test_go_reads_the_same_with_and_without(self):
        a, b = self.files
        plain_a = self.write('plain-old.pb.gz', self.plain(old()))
        after = self.plain(new())
        after.time += 60_000_000_000
        plain_b = self.write('plain-new.pb.gz', after)
        for what in ('-top', '-dot', '-tree'):
            for options in ((), ('-sample_index=inuse_objects',),
                            ('-sample_index=alloc_space',)):
                with self.subTest(what, options=options):
                    text = self.reports([b], what, *options)
                    self.assertEqual(
                        text, self.reports([plain_b], what, *options))
                    self.assertIn('leak', text)
                    self.assertNotIn('_error', text)
                    self.assertEqual(
                        self.reports([f'-diff_base={a}', b], what, *options),
                        self.reports([f'-diff_base={plain_a}', plain_b],
                                     what, *options))

    def test_go_adds_up_to_the_same(self):
        a, b = self.files
        total = self.json(*self.files)['total']
        self.assertEqual(summed(self.folder, 'inuse_space',
                                f'-diff_base={a}', b), total['growth_bytes'])
        self.assertEqual(summed(self.folder, 'inuse_objects',
                                f'-diff_base={a}', b),
                         total['growth_objects'])

    def test_go_shows_them_as_tags(self):
        text = pprof(self.folder, '-tags', '-symbolize=none', self.files[1])
        for name in (*(f'{name}_error' for name in TYPES), 'kind'):
            self.assertRegex(text, rf'(?m)^ *{name}: Total ')
