"""What leakdiff computes: rows, their figures, their order."""

from tests.support.profiles import (LeakdiffTest, Profile, by_function,
                                    MINUTE, NOON)

MAIN = 'main main.c:9'


def old():
    return (Profile()
            .sample(['grow a.c:1', MAIN], (10, 1000))
            .sample(['shrink a.c:2', MAIN], (10, 5000))
            .sample(['same a.c:3', MAIN], (1, 77)))


def new():
    return (Profile()
            .sample(['grow a.c:1', MAIN], (25, 4000), alloc=(40, 9000))
            .sample(['shrink a.c:2', MAIN], (2, 1000), alloc=(12, 6000))
            .sample(['same a.c:3', MAIN], (1, 77))
            .sample(['fresh a.c:4', 'grow a.c:1', MAIN], (1, 600)))


class Figures(LeakdiffTest):
    def test_growth_of_a_pair(self):
        report = self.json(*self.pair(old(), new()))
        rows = report['rows']
        self.assertEqual(
            [(row['rank'], row['callsite']['function'], row['growth_bytes'])
             for row in rows],
            [(1, 'grow', 3000), (2, 'fresh', 600), (3, 'shrink', -4000)])
        grow = rows[0]
        self.assertEqual(
            {key: value for key, value in grow.items()
             if key not in ('callsite', 'stacks')
             and not key.endswith('_error')},
            {'rank': 1, 'kind': 'heap', 'growth_bytes': 3000,
             'growth_objects': 15, 'before_bytes': 1000, 'after_bytes': 4000,
             'before_objects': 10, 'after_objects': 25, 'alloc_bytes': 8000,
             'alloc_objects': 30, 'rate_bytes_per_second': 50,
             'noise': False})

    def test_totals_are_those_of_all_stacks(self):
        total = self.json(*self.pair(old(), new()))['total']
        self.assertEqual(total['growth_bytes'], -400)
        self.assertEqual(total['growth_objects'], 8)
        self.assertEqual(total['heap']['before_bytes'], 6077)
        self.assertEqual(total['heap']['after_bytes'], 5677)
        self.assertEqual(total['mmap']['after_bytes'], 0)

    def test_a_single_snapshot_is_what_is_live(self):
        report = self.json(self.write('one.pb.gz', new()))
        self.assertEqual(len(report['snapshots']), 1)
        row = report['rows'][0]
        self.assertEqual(row['callsite']['function'], 'grow')
        self.assertEqual((row['before_bytes'], row['after_bytes'],
                          row['growth_bytes']), (0, 4000, 4000))
        self.assertIsNone(row['rate_bytes_per_second'])

    def test_numbers_are_exact_in_64_bits(self):
        large = 9_007_199_254_740_993  # no double holds it
        report = self.json(*self.pair(
            Profile().sample(['f', MAIN], (1, 1)),
            Profile().sample(['f', MAIN], (1, large + 1))))
        self.assertEqual(report['rows'][0]['growth_bytes'], large)
        report = self.json(*self.pair(
            Profile().sample(['f', MAIN], (1, 2**63 - 1)),
            Profile().sample(['g', MAIN], (1, 2**63 - 1))))
        self.assertEqual([row['growth_bytes'] for row in report['rows']],
                         [2**63 - 1, 1 - 2**63])

    def test_samples_that_share_a_stack_are_one(self):
        profile = Profile()
        for _ in range(3):
            profile.sample(['f', MAIN], (1, 100))
        row, = self.json(self.write('one.pb.gz', profile))['rows']
        self.assertEqual(row['after_bytes'], 300)
        self.assertEqual(len(row['stacks']), 1)

    def test_kinds_are_ranked_each_on_its_own(self):
        report = self.json(*self.pair(
            Profile(),
            Profile()
            .sample(['t', MAIN], (3, 0), kind='thread')
            .sample(['small', MAIN], (1, 10))
            .sample(['m', MAIN], (1, 4096), kind='mmap')
            .sample(['large', MAIN], (1, 20))))
        self.assertEqual([(row['kind'], row['callsite']['function'])
                          for row in report['rows']],
                         [('heap', 'large'), ('heap', 'small'), ('mmap', 'm'),
                          ('thread', 't')])
        self.assertEqual(report['total']['thread']['growth_objects'], 3)
        self.assertEqual(report['total']['mmap']['growth_bytes'], 4096)

    def test_one_stack_in_two_kinds(self):
        rows = self.json(self.write('one.pb.gz', Profile()
                                    .sample(['f', MAIN], (1, 10))
                                    .sample(['f', MAIN], (1, 4096),
                                            kind='mmap')))['rows']
        self.assertEqual([(row['kind'], row['after_bytes']) for row in rows],
                         [('heap', 10), ('mmap', 4096)])

    def test_a_kind_nobody_knows_counts_as_heap(self):
        row, = self.json(self.write('one.pb.gz', Profile().sample(
            ['f', MAIN], (1, 10), kind=None)))['rows']
        self.assertEqual(row['kind'], 'heap')

    def test_rate_needs_one_process_and_time_between(self):
        for other in ({'pid': 2}, {'host': 'web2'},
                      {'start': '2026-01-01T11:30:00.000Z'}):
            a, b = Profile(), Profile(**other).sample(['f', MAIN], (1, 10))
            row, = self.json(*self.pair(a, b))['rows']
            self.assertIsNone(row['rate_bytes_per_second'], other)
        a, b = Profile(), Profile().sample(['f', MAIN], (1, 10))
        row, = self.json(self.write('a.pb.gz', a),
                         self.write('b.pb.gz', b))['rows']
        self.assertIsNone(row['rate_bytes_per_second'])


class Samples(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.files = self.pair(old(), new())

    def functions(self, *arguments):
        return [row['callsite']['function']
                for row in self.json(*arguments, *self.files)['rows']]

    def test_alloc_counts_what_was_freed(self):
        self.assertEqual(self.functions('--sample', 'alloc_space'),
                         ['grow', 'shrink', 'fresh'])
        self.assertEqual(self.functions('--sample', 'alloc_objects'),
                         ['grow', 'shrink', 'fresh'])

    def test_objects(self):
        self.assertEqual(self.functions('--sample', 'inuse_objects'),
                         ['grow', 'fresh', 'shrink'])

    def test_growth_fields_are_inuse_whatever_the_sample(self):
        rows = by_function(self.json('--sample', 'alloc_space',
                                     *self.files)['rows'])
        self.assertEqual(rows['shrink']['growth_bytes'], -4000)
        self.assertEqual(rows['shrink']['alloc_bytes'], 1000)

    def test_sort(self):
        self.assertEqual(self.functions('--sort', 'live'),
                         ['grow', 'shrink', 'fresh'])
        self.assertEqual(self.functions('--sort', 'objects'),
                         ['grow', 'fresh', 'shrink'])
        self.assertEqual(self.functions('--sort', 'rate'),
                         ['grow', 'fresh', 'shrink'])
        # from nothing is more than any percentage
        self.assertEqual(self.functions('--sort', 'percent'),
                         ['fresh', 'grow', 'shrink'])

    def test_a_type_that_was_not_measured(self):
        inuse = ('inuse_objects', 'inuse_space')
        path = self.write('go.pb.gz', Profile(types=inuse).sample(
            ['f', MAIN], (2, 10)))
        row, = self.json(path)['rows']
        self.assertEqual((row['after_objects'], row['alloc_bytes']),
                         (2, None))
        self.assertRefused(['--sample', 'alloc_space', path], path,
                           'alloc_space')


class Filters(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.path = self.write('one.pb.gz', Profile(
            modules=[('/usr/bin/server', 'aa'), ('/opt/plugin.so', 'bb')])
            .sample(['inner src/a.c:1', 'login src/auth.c:2', MAIN], (1, 10))
            .sample(['inner src/a.c:1', 'search src/find.c:2', MAIN], (2, 20))
            .sample([('/opt/plugin.so', 64), MAIN], (4, 40))
            .sample(['m', MAIN], (1, 4096), kind='mmap')
            .sample(['t', MAIN], (1, 0), kind='thread'))

    def bytes(self, *arguments):
        return [row['after_bytes']
                for row in self.json(*arguments, self.path)['rows']]

    def test_focus_is_any_frame(self):
        self.assertEqual(self.bytes('--focus', '^login$'), [10])
        self.assertEqual(self.bytes('--focus', 'find[.]c'), [20])
        self.assertEqual(self.bytes('--focus', 'plugin'), [40])
        self.assertEqual(self.bytes('--focus', 'login|search'), [30])
        self.assertEqual(self.bytes('--focus', 'nobody'), [])

    def test_ignore(self):
        self.assertEqual(self.bytes('--ignore', 'login|plugin', '--kind',
                                    'heap'), [20])

    def test_both(self):
        self.assertEqual(self.bytes('--focus', 'inner', '--ignore', 'login'),
                         [20])

    def test_totals_follow_the_filters(self):
        total = self.json('--focus', 'login', self.path)['total']
        self.assertEqual(total['growth_bytes'], 10)

    def test_kind(self):
        self.assertEqual(self.bytes('--kind', 'mmap'), [4096])
        self.assertEqual(self.bytes('--kind', 'mmap,thread'), [4096, 0])

    def test_min(self):
        self.assertEqual(self.bytes('--min', '40'), [40, 4096, 0])
        self.assertEqual(self.bytes('--min', '41'), [4096, 0])
        self.assertEqual(self.bytes('--min', '4k', '--kind', 'heap,mmap'),
                         [4096])

    def test_min_keeps_what_shrank_by_as_much(self):
        files = self.pair(old(), new())
        rows = self.json('--min', '3000', *files)['rows']
        self.assertEqual([row['growth_bytes'] for row in rows],
                         [3000, -4000])

    def test_top_is_for_each_kind(self):
        self.assertEqual(self.bytes('--top', '1'), [40, 4096, 0])

    def test_words_that_make_no_sense(self):
        for option, value, expected in (
                ('--kind', 'stack', 'heap, mmap or thread'),
                ('--kind', 'heap,', 'heap, mmap or thread'),
                ('--by', 'thing', 'callsite, stack, function'),
                ('--sample', 'cpu', 'inuse_space'),
                ('--sort', 'name', 'growth, live, objects'),
                ('--format', 'xml', 'text, json, csv, folded or pprof'),
                ('--focus', '(', 'regular expression'),
                ('--ignore', '[', 'regular expression'),
                ('--min', '12x', 'size'), ('--min', '-1', 'size'),
                ('--min', '9999999999G', 'size'), ('--min', '', 'size'),
                ('--fail-over', '1.5M', 'size'),
                ('--top', '0', 'number'), ('--top', 'x', 'number')):
            with self.subTest(option=option, value=value):
                self.assertRefused([option, value, self.path], option, value,
                                   expected)


class Matching(LeakdiffTest):
    LIB = '/usr/lib/libx.so'

    def rows(self, a, b, *arguments):
        self.pair(a, b)
        return self.json(*arguments, 'old.pb.gz', 'new.pb.gz')['rows']

    def profile(self, size, path=LIB, build_id='cc', offset=64, **options):
        modules = [('/usr/bin/server', 'aa'), (path, build_id)]
        return Profile(modules=modules, **options).sample(
            [(path, offset), ('/usr/bin/server', 32)], (1, size))

    def test_address_randomisation_and_restarts_do_not_matter(self):
        row, = self.rows(self.profile(100, base=0x400000, pid=1),
                         self.profile(150, base=0x7f0000000000, pid=2,
                                      host='web2'))
        self.assertEqual((row['before_bytes'], row['after_bytes']),
                         (100, 150))
        self.assertEqual(row['callsite']['address'], '0x40')
        self.assertEqual(len(row['stacks']), 1)

    def test_another_path_of_the_same_build(self):
        row, = self.rows(self.profile(100),
                         self.profile(150, path='/opt/libx.so'))
        self.assertEqual(row['growth_bytes'], 50)

    def test_without_build_ids_the_path_counts(self):
        row, = self.rows(self.profile(100, build_id=''),
                         self.profile(150, build_id=''))
        self.assertEqual(row['growth_bytes'], 50)
        rows = self.rows(self.profile(100, build_id=''),
                         self.profile(150, build_id='', path='/opt/liby.so'))
        self.assertEqual([row['growth_bytes'] for row in rows], [150, -100])

    def test_another_build_is_another_place(self):
        rows = self.rows(self.profile(100), self.profile(150, build_id='dd'))
        self.assertEqual([row['growth_bytes'] for row in rows], [150, -100])

    def test_another_place_in_the_module(self):
        rows = self.rows(self.profile(100), self.profile(150, offset=65))
        self.assertEqual([row['growth_bytes'] for row in rows], [150, -100])

    def test_lines_in_the_file_match_across_builds(self):
        a = Profile(modules=[('/usr/bin/server', 'aa')])
        b = Profile(modules=[('/usr/bin/server', 'bb')])
        row, = self.rows(a.sample(['f a.c:1', MAIN], (1, 100)),
                         b.sample(['f a.c:1', MAIN], (1, 150)))
        self.assertEqual(row['growth_bytes'], 50)


class Series(LeakdiffTest):
    def series(self, sizes, **options):
        """Snapshots a minute apart in which f holds so many bytes."""
        return [Profile(time=NOON + i * MINUTE, **options).sample(
            ['f a.c:1', MAIN], (1, size)) for i, size in enumerate(sizes)]

    def write_all(self, prefix, profiles):
        return [self.write(f'{prefix}.{i}.pb.gz', profile)
                for i, profile in enumerate(profiles)]

    def test_time_decides_not_the_order_of_arguments(self):
        a, b = self.write_all('s', self.series([100, 150]))
        for files in ((a, b), (b, a)):
            row, = self.json(*files)['rows']
            self.assertEqual(row['growth_bytes'], 50)

    def test_a_clock_that_was_set_back(self):
        """Within a process its own numbers decide, and its age tells how much
        time has passed."""
        for hours in (-1, 1000):
            profiles = []
            for number, size in enumerate((100, 900, 150), 1):
                profile = Profile(
                    time=NOON + (number == 3) * hours * 60 * MINUTE,
                    comments=[f'sequence={number}'])
                profile.sample(['f a.c:1', MAIN], (1, size))
                profile.lines.append(f'duration_nanos: {number * MINUTE}')
                profiles.append(profile)
            a, b, c = self.write_all(f'clock{hours}', profiles)
            report = self.json(b, c, a)
            row, = report['rows']
            self.assertEqual([s['file'] for s in report['snapshots']],
                             [a, b, c])
            self.assertEqual(row['growth_bytes'], 50)
            self.assertAlmostEqual(row['rate_bytes_per_second'], 50 / 120,
                                   places=3)

    def test_as_given_keeps_the_order(self):
        a, b = self.write_all('s', self.series([100, 150]))
        report = self.json('--as-given', b, a)
        self.assertEqual(report['rows'][0]['growth_bytes'], -50)
        self.assertEqual([s['file'] for s in report['snapshots']], [b, a])

    def test_three_are_compared_oldest_to_newest(self):
        a, b, c = self.write_all('s', self.series([100, 900, 150]))
        report = self.json(c, a, b)
        row, = report['rows']
        self.assertEqual((row['before_bytes'], row['after_bytes']),
                         (100, 150))
        self.assertEqual([s['file'] for s in report['snapshots']], [a, b, c])
        self.assertEqual((row['steps'], row['grown_steps']), (2, 1))

    def test_a_folder_is_grouped_by_process(self):
        self.write_all('one', self.series([100, 150], pid=1))
        self.write_all('two', self.series([10, 15, 70], pid=2))
        self.write_all('other-host', self.series([1, 2], pid=1, host='web2'))
        self.write_all('other-start', self.series(
            [3, 5], pid=1, start='2026-01-01T11:30:00.000Z'))
        self.write_all('other-program', self.series(
            [4, 8], pid=1, command='worker'))
        report = self.json(self.folder)
        self.assertEqual(report['leakdiff'], 1)
        growths = sorted(process['rows'][0]['growth_bytes']
                         for process in report['processes'])
        self.assertEqual(growths, [1, 2, 4, 50, 60])
        self.assertEqual(
            {len(process['snapshots']) for process in report['processes']},
            {2, 3})

    def test_two_files_are_a_pair_whatever_their_process(self):
        a, b = self.series([100, 150])
        b.comments[2] = 'pid=77'
        report = self.json(self.write('a.pb.gz', a), self.write('b.pb.gz', b))
        self.assertEqual(report['rows'][0]['growth_bytes'], 50)
        self.assertEqual(report['process']['pid'], 77)

    def test_a_folder_with_two_is_grouped_all_the_same(self):
        self.write('a.pb.gz', Profile(pid=1))
        self.write('b.pb.gz', Profile(pid=2))
        self.assertEqual(len(self.json(self.folder)['processes']), 2)

    def test_a_folder_holds_other_things(self):
        self.write_all('s', self.series([100, 150]))
        (self.folder / 'x.pb.gz.tmp').write_text('half a snapshot')
        (self.folder / '.hidden.pb.gz').write_text('a temporary')
        (self.folder / 'server.log').write_text('listening')
        (self.folder / 'deeper').mkdir()
        # the agent thins its snapshots out: one may vanish after listing
        (self.folder / 'gone.pb.gz').symlink_to('nowhere')
        row, = self.json(self.folder)['rows']
        self.assertEqual(row['growth_bytes'], 50)

    def test_a_folder_without_snapshots(self):
        self.assertRefused([self.folder], str(self.folder), 'no snapshots')

    def test_different_programs_are_refused(self):
        files = self.pair(Profile(command='server'),
                          Profile(command='client').sample(['f', MAIN],
                                                           (1, 9)))
        self.assertRefused(files, 'server', 'client', '--force')
        row, = self.json('--force', *files)['rows']
        self.assertEqual(row['growth_bytes'], 9)
        self.assertIn('different programs', self.output('--force', *files))

    def test_another_build_is_noted(self):
        files = self.pair(Profile(modules=[('/usr/bin/server', 'aa')]),
                          Profile(modules=[('/usr/bin/server', 'bb')], pid=2))
        self.assertIn('another build', self.output(*files))
        files = self.pair(Profile(), Profile(pid=2))
        self.assertNotIn('another build', self.output(*files))


class FailOver(LeakdiffTest):
    def status(self, *arguments):
        done = self.leakdiff(*arguments)
        self.assertEqual(done.stderr, '')
        return done.returncode

    def test_total_growth_of_the_selected_rows(self):
        files = self.pair(
            Profile(), Profile().sample(['f', MAIN], (1, 1024))
            .sample(['g', MAIN], (1, 1024)))
        self.assertEqual(self.status('--fail-over', '2k', *files), 0)
        self.assertEqual(self.status('--fail-over', '2047', *files), 1)
        self.assertEqual(self.status('--fail-over', '1k', '--focus', 'f',
                                     *files), 0)
        self.assertEqual(self.status('--fail-over', '1k', '--top', '1',
                                     *files), 1)
        self.assertEqual(self.status('--fail-over', '0', '--min', '1M',
                                     *files), 0)
        # main is in both stacks, and counts once
        self.assertEqual(self.status('--fail-over', '2k', '--cum', *files), 0)

    def test_it_still_reports(self):
        files = self.pair(Profile(), Profile().sample(['f', MAIN], (1, 9)))
        done = self.leakdiff('--fail-over', '1', '--format', 'csv', *files)
        self.assertEqual(done.returncode, 1)
        self.assertIn(',f,', done.stdout)

    def test_objects(self):
        files = self.pair(Profile(), Profile().sample(['f', MAIN], (9, 1)))
        for limit, status in (('9', 0), ('8', 1)):
            self.assertEqual(self.status(
                '--fail-over', limit, '--sample', 'inuse_objects', *files),
                status)

    def test_all_processes_together(self):
        for pid, sizes in ((1, (0, 60)), (2, (0, 50)), (3, (500, 0))):
            for i, size in enumerate(sizes):
                self.write(f'{pid}.{i}.pb.gz', Profile(
                    pid=pid, time=NOON + i).sample(['f', MAIN], (1, size)))
        self.assertEqual(self.status('--fail-over', '110', self.folder), 0)
        self.assertEqual(self.status('--fail-over', '109', self.folder), 1)
