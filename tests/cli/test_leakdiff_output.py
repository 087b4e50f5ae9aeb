"""The formats, and where they go."""

import csv
import fcntl
import gzip
import io
import json
import os
import pty
import re
import stat
import struct
import subprocess
import termios

from tests.support.profiles import (LEAKDIFF, LeakdiffTest, MINUTE, NOON,
                                    Profile, decode)

MAIN = 'main src/main.c:9'
MEBI = 1 << 20


def old(**options):
    return (Profile(comments=['rss_bytes=20000000', 'reason=timer'],
                    **options)
            .sample(['malloc', 'grow src/a.c:1', 'left l.c:5', MAIN],
                    (1, MEBI))
            .sample(['shrink src/b.c:2', MAIN], (5, 5000)))


def new(**options):
    return (Profile(comments=['rss_bytes=23000000', 'reason=signal'],
                    **options)
            .sample(['malloc', 'grow src/a.c:1', 'left l.c:5', MAIN],
                    (3, 3 * MEBI))
            .sample(['calloc', 'grow src/a.c:1', 'left l.c:5', MAIN],
                    (1, MEBI))
            .sample(['malloc', 'grow src/a.c:1', 'right r.c:6 | both r.c:7',
                     MAIN], (1, MEBI))
            .sample(['shrink src/b.c:2', MAIN], (1, 1000))
            .sample(['thread_start t.c:1', MAIN], (2, 0), kind='thread'))


class Text(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.files = self.pair(old(), new())

    def test_header(self):
        text = self.output(*self.files)
        head = text.split('\nheap: ')[0]
        for pattern in (
                r'^server, pid 1000 on web1, started 2026-01-01',
                r'^  old +2026-01-01 12:00:00  \S+/old\.pb\.gz \(timer\)$',
                r'^  new +2026-01-01 12:01:00  \S+/new\.pb\.gz \(signal\)$',
                r'^ +1m 0s later$',
                r'^  RSS +19\.1 MiB +21\.9 MiB +\+2\.9 MiB$',
                r'^  heap, live +1\.0 MiB +5\.0 MiB +\+4\.0 MiB +0 objects$',
                r'^  threads +0 +2 +\+2$'):
            self.assertRegex(head, re.compile(pattern, re.M))

    def test_rows(self):
        text = self.output(*self.files)
        self.assertRegex(text, re.compile(
            r'^heap: 1 callsite grew by 4\.0 MiB, 1 callsite shrank by 3\.9 '
            r'KiB\n'
            r' +growth +share +live +objects +rate +callsite\n'
            r' +\+4\.0 MiB +100\.0% +5\.0 MiB +\+4 +\+68\.3 KiB/s  '
            r'grow  src/a\.c:1\n'
            r' +75\.0% <- left l\.c:5 <- main main\.c:9\n'
            r' +25\.0% <- right r\.c:6 <- both r\.c:7 <- main main\.c:9\n',
            re.M))
        self.assertRegex(text, r'thread: 1 callsite grew by 2\n')
        self.assertNotIn('shrink ', text)

    def test_columns_are_aligned(self):
        self.pair(Profile(), Profile()
                  .sample(['f a.c:1', MAIN], (1, 123 * MEBI))
                  .sample(['g a.c:2', MAIN], (123456, 20)))
        lines = self.output('old.pb.gz', 'new.pb.gz').splitlines()
        titles = next(line for line in lines if 'callsite' in line
                      and 'growth' in line)
        column = titles.index('callsite')
        for name in ('f  a.c:1', 'g  a.c:2'):
            line = next(line for line in lines if name in line)
            self.assertEqual(line.index(name), column)

    def test_twenty_rows_unless_told(self):
        profile = Profile()
        for i in range(30):
            profile.sample([f'f{i} a.c:{i + 1}', MAIN], (1, 100 + i))
        files = self.pair(Profile(), profile)
        text = self.output(*files)
        self.assertEqual(text.count('  a.c:'), 20)
        self.assertIn('f29  ', text)
        self.assertIn('10 more; --top 30 shows all', text)
        self.assertEqual(self.output('--top', '3', *files).count('  a.c:'), 3)
        text = self.output('--top', '30', *files)
        self.assertEqual(text.count('  a.c:'), 30)
        self.assertNotIn('more; --top', text)

    def test_nothing_grew(self):
        text = self.output(*self.pair(old(), old()))
        self.assertIn('heap: nothing grew\n', text)

    def test_a_single_snapshot(self):
        text = self.output(self.files[1])
        self.assertIn('heap: 2 callsites live, 5.0 MiB', text)
        self.assertRegex(text, r' +live +share +objects +callsite\n')
        self.assertNotIn('rate', text)

    def test_names_that_are_no_utf8(self):
        path = self.folder / 'one.pb.gz'
        data = Profile().sample(['fooXbar', MAIN], (1, 9)).bytes()
        path.write_bytes(data.replace(b'fooXbar', b'foo\xffbar'))
        self.assertIn('foo\\xffbar', self.output(path))
        row, = json.loads(self.output('--format', 'json', path))['rows']
        self.assertEqual(row['callsite']['function'], 'foo\ufffdbar')

    def test_steps_of_a_series(self):
        for i, size in enumerate((100, 200, 150, 400)):
            self.write(f'{i}.pb.gz', Profile(time=NOON + i * MINUTE, pid=7)
                       .sample(['f', MAIN], (1, size)))
        text = self.output(*(f'{i}.pb.gz' for i in range(4)))
        self.assertRegex(text, r'\+300 B .* 2/3  f ')
        self.assertIn('the last of 4 snapshots', text)

    def test_several_processes_those_that_grew_most_first(self):
        (self.folder / 'all').mkdir()
        for pid, sizes in ((1, (100, 150)), (2, (100, 3000)), (3, (9000,))):
            for i, size in enumerate(sizes):
                self.write(f'all/{pid}.{i}.pb.gz', Profile(
                    pid=pid, time=NOON + i * MINUTE + pid).sample(
                        [f'f{pid}', MAIN], (1, size)))
        text = self.output('all')
        self.assertTrue(text.startswith(
            '3 processes\n'
            '      +2.8 KiB  server, pid 2, 2 snapshots\n'
            '         +50 B  server, pid 1, 2 snapshots\n'
            '       8.8 KiB  server, pid 3, 1 snapshot: what is live\n'),
            text)
        self.assertEqual(re.findall(r'  f(\d)  ', text), ['2', '1', '3'])

    def resident(self, rss, live, *comments):
        return Profile(comments=[f'rss_bytes={rss * MEBI}', *comments]) \
            .sample(['f', MAIN], (1, live * MEBI))

    def test_memory_that_the_allocator_keeps(self):
        text = self.output(*self.pair(self.resident(20, 10),
                                      self.resident(300, 11)))
        self.assertIn('note: resident memory grew by 280.0 MiB, live memory '
                      'by +1.0 MiB: 279.0 MiB of it is freed memory that the '
                      'allocator keeps', text)
        text = self.output('new.pb.gz')
        self.assertIn('note: of 300.0 MiB resident memory 11.0 MiB are live: '
                      '289.0 MiB is freed memory', text)

    def test_memory_that_is_accounted_for(self):
        for profile in (self.resident(300, 250),
                        self.resident(300, 11, f'agent_bytes={250 * MEBI}'),
                        self.resident(300, 11,
                                      f'rss_anon_bytes={20 * MEBI}')):
            text = self.output(*self.pair(self.resident(
                20, 10, f'rss_anon_bytes={15 * MEBI}'), profile))
            self.assertNotIn('resident', text)

    def test_notes_on_what_limits_the_figures(self):
        text = self.output(*self.pair(
            Profile(period=1), Profile(
                period=524288, pid=2,
                comments=['drops=1234', 'tracking=off since noon'])
            .sample(['f', MAIN, '[truncated]'], (1, 9))))
        for needle in ('the old snapshot is exact, the new snapshot is '
                       'sampled every 512.0 KiB', '1,234 events',
                       'tracking is off since noon',
                       '1 of 1 stacks are truncated', 'different processes'):
            self.assertIn(needle, text)
        self.assertNotIn('note:', self.output(*self.pair(old(), new())))


class Terminal(LeakdiffTest):
    def on_terminal(self, columns, *arguments, environment=None):
        """What leakdiff writes to a terminal of that width."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack('HHHH', 24, columns, 0, 0))
        with subprocess.Popen(
                [LEAKDIFF, *arguments], stdout=slave, stderr=slave,
                cwd=self.folder,
                env={'TERM': 'xterm', 'HOME': str(self.folder),
                     **(environment or {})}) as process:
            os.close(slave)
            text = b''
            while True:
                try:
                    piece = os.read(master, 65536)
                except OSError:  # the other end has been closed
                    break
                if not piece:
                    break
                text += piece
        os.close(master)
        return process.returncode, text.decode().replace('\r\n', '\n')

    def files(self):
        name = 'a_rather_long_name_of_a_function_' * 3
        callers = [f'caller_number_{i} some/folder/file.c:{i + 1}'
                   for i in range(7)]
        return self.pair(Profile(), Profile().sample(
            [f'{name} some/folder/file.c:1', *callers, MAIN], (1, 9)))

    def test_colours_and_width(self):
        files = self.files()
        status, text = self.on_terminal(80, *files)
        self.assertEqual(status, 0)
        self.assertIn('\033[', text)
        plain = re.sub('\033\\[[0-9]*m', '', text)
        rows = plain[plain.index('\nheap:'):].splitlines()
        self.assertLessEqual(max(map(len, rows)), 80)
        self.assertGreater(len(rows), 5)  # the path has been wrapped
        wide = re.sub('\033\\[[0-9]*m', '',
                      self.on_terminal(300, *files)[1])
        self.assertIn('<- caller_number_6 file.c:7 <- main main.c:9\n', wide)
        self.assertLess(len(wide.splitlines()), len(plain.splitlines()))

    def test_columns_from_the_environment(self):
        text = self.on_terminal(300, *self.files(),
                                environment={'COLUMNS': '80',
                                             'NO_COLOR': '1'})[1]
        rows = text[text.index('\nheap:'):].splitlines()
        self.assertLessEqual(max(map(len, rows)), 80)

    def test_margins_give_way_to_the_callsite(self):
        files = self.pair(Profile(period=2), Profile(period=2).sample(
            ['f a.c:1', MAIN], (70, 7 * MEBI), inuse_error=(10, MEBI)))
        for columns, margins in ((200, 3), (80, 1)):
            text = self.on_terminal(columns, *files,
                                    environment={'NO_COLOR': '1'})[1]
            row, = re.findall(r'.*  f  a\.c:1\n', text)
            self.assertEqual(row.count('±'), margins, text)

    def test_no_color(self):
        for environment in ({'NO_COLOR': '1'}, {'TERM': 'dumb'}):
            text = self.on_terminal(80, *self.files(),
                                    environment=environment)[1]
            self.assertNotIn('\033', text)

    def test_neither_when_piped(self):
        text = self.output(*self.files(), environment={
            'TERM': 'xterm', 'COLUMNS': '80'})
        self.assertNotIn('\033', text)
        self.assertIn('a_rather_long_name_of_a_function_' * 3 +
                      '  some/folder/file.c:1', text)

    def test_a_file_is_no_terminal(self):
        self.on_terminal(80, '-o', 'report', *self.files())
        text = (self.folder / 'report').read_text()
        self.assertNotIn('\033', text)
        self.assertIn('a_rather_long_name_of_a_function_' * 3, text)

    def test_a_profile_is_not_for_terminals(self):
        status, text = self.on_terminal(80, '--format', 'pprof',
                                        *self.files())
        self.assertEqual(status, 2)
        self.assertIn('-o', text)


class Json(LeakdiffTest):
    def test_every_field_of_the_schema(self):
        report = self.json(*self.pair(old(), new()))
        figures = {'growth_bytes', 'growth_objects', 'before_bytes',
                   'after_bytes', 'before_objects', 'after_objects',
                   'alloc_bytes', 'alloc_objects'}
        figures |= {f'{name}_error' for name in figures}
        place = {'function', 'file', 'line', 'module', 'address'}
        self.assertEqual(report['leakdiff'], 1)
        self.assertEqual(set(report), {'leakdiff', 'process', 'snapshots',
                                       'total', 'rows'})
        self.assertEqual(report['process'], {
            'command': 'server', 'pid': 1000, 'host': 'web1',
            'start': '2026-01-01T11:00:00.000Z', 'period': 1,
            'sample_bytes': None, 'coarsened_bytes': None})
        self.assertEqual(report['snapshots'][0], {
            'file': str(self.folder / 'old.pb.gz'),
            'time': '2026-01-01T12:00:00.000Z', 'rss_bytes': 20000000,
            'inuse_space': MEBI + 5000, 'inuse_objects': 6,
            'alloc_space': MEBI + 5000, 'alloc_objects': 6,
            'reason': 'timer'})
        self.assertEqual(set(report['total']), {
            'growth_bytes', 'growth_objects', 'growth_bytes_error',
            'growth_objects_error', 'heap', 'mmap', 'thread'})
        self.assertLessEqual(figures, set(report['total']['heap']))
        for row in report['rows']:
            self.assertEqual(set(row), figures | {
                'rank', 'kind', 'rate_bytes_per_second', 'noise',
                'callsite', 'stacks'})
            self.assertEqual(set(row['callsite']), place)
            for stack in row['stacks']:
                self.assertEqual(set(stack), {
                    'growth_bytes', 'growth_objects', 'growth_bytes_error',
                    'growth_objects_error', 'frames'})
                for frame in stack['frames']:
                    self.assertEqual(set(frame), place | {'inlined'})

    def test_unknown_is_null(self):
        profile = Profile(time=0)
        profile.comments = []
        report = self.json(self.write('one.pb.gz', profile))
        self.assertIsNone(report['snapshots'][0]['time'])
        self.assertIsNone(report['snapshots'][0]['rss_bytes'])
        self.assertIsNone(report['process']['pid'])
        self.assertEqual(report['process']['command'], 'server')

    def test_names_are_escaped(self):
        name = 'quote" back\\slash\ttab\nline\x01\x7f é 漢'
        row, = self.json(self.write('one.pb.gz', Profile().sample(
            [name, MAIN], (1, 9))))['rows']
        self.assertEqual(row['callsite']['function'], name)


class Csv(LeakdiffTest):
    COLUMNS = ('rank,kind,growth_bytes,growth_objects,before_bytes,'
               'after_bytes,before_objects,after_objects,alloc_bytes,'
               'alloc_objects,rate_bytes_per_second,function,file,line,'
               'module,address,command,pid,host,start,growth_bytes_error,'
               'growth_objects_error,before_bytes_error,after_bytes_error,'
               'before_objects_error,after_objects_error,alloc_bytes_error,'
               'alloc_objects_error,sample_bytes,noise')

    def test_every_row_that_changed(self):
        files = self.pair(old(), new())
        text = self.output('--format', 'csv', *files)
        self.assertEqual(text.splitlines()[0], self.COLUMNS)
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual([(row['kind'], row['function'], row['growth_bytes'])
                          for row in rows],
                         [('heap', 'grow', str(4 * MEBI)),
                          ('heap', 'shrink', '-4000'),
                          ('thread', 'thread_start', '0')])
        self.assertEqual((rows[0]['line'], rows[0]['pid'], rows[0]['host']),
                         ('1', '1000', 'web1'))
        self.assertEqual(len(self.csv('--top', '1', *files)), 2)

    def test_quoting(self):
        name = 'std::map<int, char>::f "x"\ny'
        row, = self.csv(self.write('one.pb.gz', Profile().sample(
            [name.replace('std', 'my'), MAIN], (1, 9))))
        self.assertEqual(row['function'], name.replace('std', 'my'))

    def test_several_processes_are_one_table(self):
        for pid in (1, 2):
            self.write(f'{pid}.pb.gz', Profile(pid=pid, time=NOON + pid)
                       .sample(['f', MAIN], (1, 9)))
        rows = self.csv(self.folder)
        self.assertEqual([row['pid'] for row in rows], ['1', '2'])


class Folded(LeakdiffTest):
    def test_stacks_that_grew_root_first(self):
        lines = self.output('--format', 'folded', '--kind', 'heap',
                            *self.pair(old(), new())).splitlines()
        self.assertEqual(sorted(lines), [
            f'main;both;right;grow;malloc {MEBI}',
            f'main;left;grow;calloc {MEBI}',
            f'main;left;grow;malloc {2 * MEBI}'])

    def test_separators_in_names(self):
        text = self.output('--format', 'folded', self.write(
            'one.pb.gz', Profile().sample(['a;b c', MAIN], (1, 9))))
        self.assertEqual(text, 'main;a,b c 9\n')

    def test_filters_choose_stacks(self):
        files = self.pair(old(), new())
        for arguments in (('--focus', 'right'), ('--min', '5M')):
            text = self.output('--format', 'folded', '--kind', 'heap',
                               *arguments, *files)
            self.assertEqual(len(text.splitlines()),
                             1 if 'right' in arguments else 0)
        # with --cum a stack is in many rows, and still occurs once
        text = self.output('--format', 'folded', '--cum', '--kind', 'heap',
                           *files)
        self.assertEqual(len(text.splitlines()), 3)


class Pprof(LeakdiffTest):
    def write_difference(self, *arguments):
        target = self.folder / 'difference.pb.gz'
        self.output('--format', 'pprof', '-o', target, *arguments)
        return target

    def pprof(self, *arguments):
        return subprocess.run(
            ['go', 'tool', 'pprof', '-symbolize=none', '-nodefraction=0',
             '-edgefraction=0', *map(str, arguments)],
            check=True, text=True, cwd=self.folder, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, 'HOME': str(self.folder),
                 'PPROF_TMPDIR': str(self.folder)}).stdout

    def test_go_reads_it(self):
        target = self.write_difference(*self.pair(old(), new()))
        text = self.pprof('-top', '-unit=B', target)
        self.assertRegex(text, r'Type: inuse_space')
        self.assertRegex(text, fr'(?m) {4 * MEBI - 4000}B +[0-9.]+%  main$')
        self.assertRegex(text, r'(?m)^\s+-4000B .* shrink$')
        text = self.pprof('-peek', 'grow', '-unit=B', target)
        self.assertRegex(text, r'\| +left')
        self.assertRegex(self.pprof('-peek', 'both', target),
                         r'\| +right \(inline\)')

    def test_it_equals_gos_own_difference(self):
        files = self.pair(old(), new())
        target = self.write_difference(*files)

        def top(*arguments):
            """Function, flat and cumulative; percentages have no base."""
            text = self.pprof('-top', '-unit=B', *arguments)
            return {(words[5], words[0], words[3])
                    for words in map(str.split, text.splitlines())
                    if len(words) > 5 and words[1].endswith('%')}
        self.assertEqual(len(top(target)), 8)
        self.assertEqual(top(target),
                         top('-diff_base', files[0], files[1]))

    def test_it_is_symbolised_and_says_so(self):
        text = decode(self.write_difference(
            *self.pair(old(), new())).read_bytes()).decode()
        for needle in ('"both"', '"src/a.c"', 'has_functions: true',
                       'has_line_numbers: true', 'has_inline_frames: true',
                       'time_nanos', 'duration_nanos: 60000000000',
                       'period: 1'):
            self.assertIn(needle, text)

    def test_it_can_be_read_again(self):
        target = self.write_difference(*self.pair(old(), new()))
        report = self.json(target)
        self.assertEqual(report['process']['pid'], 1000)
        self.assertEqual([(row['callsite']['function'], row['growth_bytes'])
                          for row in report['rows']],
                         [('grow', 4 * MEBI), ('shrink', -4000),
                          ('thread_start', 0)])

    def test_each_stack_once_even_with_cum(self):
        files = self.pair(old(), new())
        texts = [decode(self.write_difference(*options, *files).read_bytes())
                 .decode() for options in ((), ('--cum',))]
        self.assertEqual(texts[0].count('sample {'), 5)
        self.assertEqual(texts[1].count('sample {'), 5)

    def test_the_sample_becomes_the_default(self):
        target = self.write_difference('--sample', 'alloc_objects',
                                       *self.pair(old(), new()))
        self.assertIn('Type: alloc_objects', self.pprof('-top', target))


class Destinations(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.files = self.pair(old(), new())

    def test_a_file(self):
        target = self.folder / 'report.json'
        target.write_text('an older report')
        target.chmod(0o640)
        self.assertEqual(self.output('--format', 'json', '-o', target,
                                     *self.files), '')
        self.assertEqual(json.loads(target.read_text())['leakdiff'], 1)
        self.assertEqual(stat.S_IMODE(target.stat().st_mode), 0o640)
        self.assertEqual(len(list(self.folder.iterdir())), 3)

    def test_a_file_appears_with_usual_rights(self):
        mask = os.umask(0o027)
        self.addCleanup(os.umask, mask)
        self.output('-o', 'report', *self.files)
        mode = (self.folder / 'report').stat().st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o640)

    def test_a_link_stays_a_link(self):
        (self.folder / 'reports').mkdir()
        target = self.folder / 'reports' / 'today'
        target.write_text('an older report')
        (self.folder / 'link').symlink_to(target)
        self.output('-o', 'link', *self.files)
        self.assertTrue((self.folder / 'link').is_symlink())
        self.assertIn('grow', target.read_text())

    def test_a_snapshot_is_never_replaced(self):
        os.link(self.files[0], self.folder / 'alias')
        before = (self.folder / 'old.pb.gz').read_bytes()
        for target in (self.files[0], 'alias', './new.pb.gz'):
            self.assertRefused(['-o', target, *self.files], str(target),
                               'snapshot')
        self.assertEqual((self.folder / 'old.pb.gz').read_bytes(), before)

    def test_trouble_leaves_an_older_report_alone(self):
        target = self.folder / 'report'
        target.write_text('an older report')
        (self.folder / 'bad.pb.gz').write_bytes(b'')
        self.assertRefused(['-o', target, self.files[0], 'bad.pb.gz'],
                           'bad.pb.gz')
        self.assertEqual(target.read_text(), 'an older report')

    def test_a_folder_that_is_not_there(self):
        self.assertRefused(['-o', 'no/where', *self.files], 'no/where')

    def test_a_full_disk(self):
        with open('/dev/full', 'w') as full:
            done = self.leakdiff(*self.files, stdout=full)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr,
                         r'\Aleakdiff: standard output: .*No space left')
        self.assertRefused(['-o', '/dev/full', *self.files], '/dev/full',
                           'No space left')
        with open('/dev/full', 'w') as full:
            done = self.leakdiff('--help', stdout=full)
        self.assertEqual(done.returncode, 2)

    def test_a_reader_that_has_gone(self):
        read, write = os.pipe()
        os.close(read)
        done = self.leakdiff(*self.files, stdout=write)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (2, ''))

    def test_compressed_profiles_on_standard_output(self):
        done = subprocess.run([LEAKDIFF, '--format', 'pprof', *self.files],
                              check=True, stdout=subprocess.PIPE)
        self.assertIn(b'grow', gzip.decompress(done.stdout))
