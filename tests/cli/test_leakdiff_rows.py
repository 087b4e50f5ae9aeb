"""What a row is: callsites, wrappers, --by, --cum, paths, symbols."""

import os
import re
import subprocess

from tests.support.profiles import LEAKDIFF, LeakdiffTest, Profile

MAIN = 'main main.c:9'


class Callsites(LeakdiffTest):
    def callsite(self, *frames, arguments=()):
        path = self.write('one.pb.gz', Profile(modules=[
            ('/usr/bin/server', 'aa'), ('/usr/lib/libc.so.6', 'bb'),
            ('/opt/libpool.so.2', 'cc')]).sample(frames, (1, 10)))
        row, = self.json(*arguments, path)['rows']
        site = row['callsite']
        return site['function'] or f'{site["module"]}+{site["address"]}'

    def test_allocators_and_wrappers_are_passed_over(self):
        for name in ('malloc', 'operator new(unsigned long)',
                     'operator new[](unsigned long, std::nothrow_t const&)',
                     'xmalloc', 'xstrdup', 'g_malloc0', 'zmalloc', 'zcalloc',
                     'strdup', '__strdup', 'palloc0', 'ngx_pnalloc',
                     'PyMem_RawMalloc', 'sqlite3DbMallocRaw', 'CRYPTO_malloc',
                     'je_malloc', 'mi_malloc_aligned', 'pthread_create',
                     'std::allocator<char>::allocate(unsigned long)',
                     'void std::vector<int, std::allocator<int> >::'
                     '_M_realloc_insert<int const&>(int*, int const&)',
                     'std::__cxx11::basic_string<char>::reserve()',
                     '__gnu_cxx::new_allocator<int>::allocate',
                     'alloc::raw_vec::RawVec<T,A>::reserve',
                     '<alloc::string::String as core::clone::Clone>::clone',
                     'xmalloc.isra.0', 'zmalloc.constprop.1',
                     'xrealloc [clone .part.0]'):
            with self.subTest(name):
                self.assertEqual(self.callsite(name, 'guilty a.c:1', MAIN),
                                 'guilty')

    def test_what_only_looks_like_one_is_not(self):
        for name in ('xmallocator', 'my_std::thing', 'mallocate', 'newest',
                     'Pool::operator new(unsigned long)', 'free_list_grow'):
            with self.subTest(name):
                self.assertEqual(self.callsite(name, 'caller', MAIN), name)

    def test_inlined_frames_take_part(self):
        self.assertEqual(
            self.callsite('operator new(unsigned long)',
                          'std::allocator<int>::allocate alloc.h:1 | '
                          'std::vector<int>::push_back vector.h:2 | '
                          'guilty a.cc:3 | outer a.cc:4', MAIN), 'guilty')

    def test_libraries_that_only_hand_memory_on(self):
        self.assertEqual(self.callsite(('/usr/lib/libc.so.6', 64),
                                       'guilty a.c:1', MAIN), 'guilty')

    def test_when_everything_is_a_wrapper_the_leaf_is_named(self):
        self.assertEqual(self.callsite('xstrdup', 'xmalloc'), 'xstrdup')

    def test_a_truncated_stack_is_nobodys_callsite(self):
        self.assertEqual(self.callsite('zmalloc', '[truncated]'), 'zmalloc')

    def test_code_without_a_file_can_be_one(self):
        self.assertEqual(self.callsite('malloc', '[jit]', MAIN), '[jit]')

    def test_without_symbols_it_is_module_and_address(self):
        self.assertEqual(self.callsite(('/opt/libpool.so.2', 0x1234), MAIN),
                         '/opt/libpool.so.2+0x1234')

    def test_a_sample_without_frames(self):
        path = self.write('one.pb.gz', Profile().sample([], (1, 10)))
        row, = self.json(path)['rows']
        self.assertEqual(set(row['callsite'].values()), {None})
        self.assertIn('(unknown)', self.output(path))

    def list(self, text):
        (self.folder / 'list').write_text(text)
        return ['--wrappers', 'list']

    def test_a_list_of_ones_own(self):
        frames = ['pool_get pool.c:1', 'guilty a.c:2', MAIN]
        self.assertEqual(self.callsite(*frames), 'pool_get')
        for text in ('pool_get\n', '# ours\n\n  pool_*  \n', '*_get'):
            with self.subTest(text):
                self.assertEqual(self.callsite(*frames,
                                               arguments=self.list(text)),
                                 'guilty')
        self.assertEqual(self.callsite(*frames,
                                       arguments=self.list('pool')),
                         'pool_get')

    def test_a_list_can_name_modules(self):
        frames = [('/opt/libpool.so.2', 64), 'guilty a.c:2', MAIN]
        self.assertEqual(
            self.callsite(*frames,
                          arguments=self.list('module:libpool.so*')),
            'guilty')

    def test_a_list_can_take_names_back(self):
        arguments = self.list('!xmalloc\n')
        self.assertEqual(self.callsite('xmalloc', 'guilty', MAIN,
                                       arguments=arguments), 'xmalloc')
        self.assertEqual(self.callsite('xcalloc', 'guilty', MAIN,
                                       arguments=arguments), 'guilty')

    def test_a_name_taken_back_counts_in_a_listed_module(self):
        arguments = self.list('module:server\n!kept\n')
        self.assertEqual(self.callsite('f', 'kept', 'g', arguments=arguments),
                         'kept')

    def test_the_users_list_is_read_without_asking(self):
        folder = self.folder / '.config' / 'leakdiff'
        folder.mkdir(parents=True)
        (folder / 'wrappers').write_text('pool_get\n')
        self.assertEqual(self.callsite('pool_get', 'guilty', MAIN), 'guilty')

    def test_the_installed_list_replaces_the_built_in_one(self):
        program = self.folder / 'prefix' / 'bin' / 'leakdiff'
        share = self.folder / 'prefix' / 'share' / 'leakagent'
        program.parent.mkdir(parents=True)
        share.mkdir(parents=True)
        program.write_bytes(LEAKDIFF.read_bytes())
        program.chmod(0o755)
        (share / 'leakdiff-wrappers.conf').write_text('pool_get\n')
        path = self.write('one.pb.gz', Profile().sample(
            ['pool_get', 'xmalloc', MAIN], (1, 10)))
        done = subprocess.run([program, '--format', 'csv', path], check=True,
                              stdout=subprocess.PIPE, text=True,
                              env={'HOME': str(self.folder)})
        self.assertIn(',xmalloc,', done.stdout)

    def test_lists_that_cannot_be_used(self):
        path = self.write('one.pb.gz', Profile())
        self.assertRefused(['--wrappers', 'missing', path], 'missing')
        self.assertRefused([*self.list('ok\n!\n'), path], 'list:2')
        self.assertRefused(['--wrappers', self.folder, path],
                           str(self.folder))


class Grouping(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.path = self.write('one.pb.gz', Profile(
            modules=[('/usr/bin/server', 'aa'), ('/opt/plugin.so', 'bb')])
            .sample(['malloc', 'put a.c:10', 'login auth.c:1', MAIN],
                    (1, 100))
            .sample(['xmalloc', 'put a.c:10', 'search find.c:1', MAIN],
                    (1, 200))
            .sample(['put a.c:11', 'search find.c:1', MAIN], (1, 400))
            .sample(['get a.c:20', 'get a.c:20', MAIN], (1, 800))
            .sample([('/opt/plugin.so', 64), MAIN], (1, 1600)))

    def rows(self, by, *arguments):
        rows = self.json('--by', by, *arguments, self.path)['rows']
        return {(row['callsite']['function'], row['callsite']['file'],
                 row['callsite']['line'],
                 os.path.basename(row['callsite']['module'] or '')):
                row['after_bytes'] for row in rows}

    def test_callsite(self):
        self.assertEqual(self.rows('callsite'), {
            (None, None, None, 'plugin.so'): 1600,
            ('get', 'a.c', 20, 'server'): 800,
            ('put', 'a.c', 11, 'server'): 400,
            ('put', 'a.c', 10, 'server'): 300})

    def test_a_line_is_one_callsite_whatever_its_addresses(self):
        row, = self.json(self.write('line.pb.gz', Profile()
                                    .sample(['xmalloc x.h:1 | put a.c:1'],
                                            (1, 10))
                                    .sample(['xcalloc x.h:2 | put a.c:1'],
                                            (1, 20))))['rows']
        self.assertEqual((row['after_bytes'], len(row['stacks'])), (30, 2))

    def test_function(self):
        self.assertEqual(self.rows('function'), {
            (None, None, None, 'plugin.so'): 1600,
            ('get', 'a.c', None, 'server'): 800,
            ('put', 'a.c', None, 'server'): 700})

    def test_line(self):
        self.assertEqual(self.rows('line'), {
            (None, None, None, 'plugin.so'): 1600,
            ('get', 'a.c', 20, 'server'): 800,
            ('put', 'a.c', 11, 'server'): 400,
            ('put', 'a.c', 10, 'server'): 300})

    def test_file(self):
        self.assertEqual(self.rows('file'), {
            (None, None, None, 'plugin.so'): 1600,
            (None, 'a.c', None, 'server'): 1500})

    def test_module(self):
        self.assertEqual(self.rows('module'), {
            (None, None, None, 'plugin.so'): 1600,
            (None, None, None, 'server'): 1500})

    def test_stack(self):
        rows = self.json('--by', 'stack', self.path)['rows']
        self.assertEqual([row['after_bytes'] for row in rows],
                         [1600, 800, 400, 200, 100])
        self.assertEqual({len(row['stacks']) for row in rows}, {1})

    def test_cumulative(self):
        rows = self.rows('function', '--cum')
        self.assertEqual(rows[('main', 'main.c', None, 'server')], 3100)
        self.assertEqual(rows[('search', 'find.c', None, 'server')], 600)
        self.assertEqual(rows[('put', 'a.c', None, 'server')], 700)
        # recursion counts once, and wrappers are functions, too
        self.assertEqual(rows[('get', 'a.c', None, 'server')], 800)
        self.assertEqual(rows[('malloc', None, None, 'server')], 100)

    def test_cumulative_shares_are_of_all_that_grew(self):
        text = self.output('--by', 'function', '--cum', self.path)
        self.assertRegex(text, r'3\.0 KiB +100\.0% +5  main  main.c\n')
        self.assertRegex(text, r'600 B +19\.4% +2  search  find.c\n')

    def test_paths_begin_with_the_callsite_where_the_row_does_not(self):
        text = self.output('--by', 'function', '--focus', 'login', self.path)
        self.assertIn('100.0% put a.c:10 <- login auth.c:1 <- main', text)
        text = self.output('--by', 'callsite', '--focus', 'login', self.path)
        self.assertIn('100.0% <- login auth.c:1 <- main', text)

    def test_paths_end_where_the_program_begins(self):
        path = self.write('thread.pb.gz', Profile(
            modules=[('/usr/bin/server', 'aa'), ('/lib/libc.so.6', 'bb')])
            .sample(['f', 'work w.c:1 | std::invoke i.h:9', 'std::thread::_M_run',
                     ('/lib/libc.so.6', 64)], (1, 10))
            .sample(['g', 'deep w.c:2', '[truncated]'], (1, 10)))
        text = self.output(path)
        self.assertIn('100.0% <- work w.c:1\n', text)
        self.assertIn('100.0% <- deep w.c:2 <- [truncated]\n', text)

    def test_every_stack_of_a_row_is_there(self):
        row = self.json('--focus', 'a.c', '--by', 'file', self.path)['rows'][0]
        self.assertEqual(len(row['stacks']), 4)
        self.assertEqual(sum(stack['growth_bytes']
                             for stack in row['stacks']),
                         row['growth_bytes'])


class Frames(LeakdiffTest):
    def test_leaf_first_with_inlined_ones(self):
        path = self.write('one.pb.gz', Profile(
            modules=[('/usr/bin/server', 'aa'), ('/opt/plugin.so', 'bb')])
            .sample(['in a.c:1 | out a.c:2', ('/opt/plugin.so', 64), '[jit]',
                     MAIN], (1, 10)))
        frames = self.json(path)['rows'][0]['stacks'][0]['frames']
        self.assertEqual(
            [(f['function'], f['file'], f['line'], f['inlined'])
             for f in frames],
            [('in', 'a.c', 1, True), ('out', 'a.c', 2, False),
             (None, None, None, False), ('[jit]', None, None, False),
             ('main', 'main.c', 9, False)])
        self.assertEqual((frames[2]['module'], frames[2]['address']),
                         ('/opt/plugin.so', '0x40'))
        self.assertEqual((frames[3]['module'], frames[3]['address']),
                         (None, None))


class Symbols(LeakdiffTest):
    """A real file, whose addresses nm tells."""

    SOURCE = ('#ifdef OTHER\n'
              'int more(int n) { return n ^ 77; }\n'
              '#endif\n'
              '#line 1\n'
              'static inline __attribute__((always_inline)) int twice(int n)\n'
              '{ return n * 2 + *(volatile int *)&n; }\n'
              'int guilty(int n) { return twice(n); }\n')

    def setUp(self):
        super().setUp()
        (self.folder / 'plugin.c').write_text(self.SOURCE)
        self.plugin = self.build('plugin.so', '-g')

    def build(self, name, *options):
        path = self.folder / name
        subprocess.run(['gcc', '-O1', '-shared', '-fPIC', '-Wl,--build-id',
                        *options, '-o', path, 'plugin.c'], cwd=self.folder,
                       check=True)
        return path

    def build_id(self, path):
        notes = subprocess.run(['readelf', '-n', path], check=True, text=True,
                               stdout=subprocess.PIPE).stdout
        return re.search(r'Build ID: ([0-9a-f]+)', notes)[1]

    def offset(self, path):
        symbols = subprocess.run(['nm', path], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout
        # in so small a file, the text lies at its own address
        return int(re.search(r'^([0-9a-f]+) T guilty$', symbols, re.M)[1],
                   16) + 1

    def snapshot(self, path, build_id, name='one.pb.gz', size=10,
                 offset=None):
        offset = offset or self.offset(self.plugin)
        path = str(path)
        profile = Profile(modules=[('/usr/bin/server', 'aa'),
                                   (path, build_id)])
        return self.write(name, profile.sample([(path, offset), MAIN],
                                               (1, size)))

    def test_function_file_and_line(self):
        snapshot = self.snapshot(self.plugin, self.build_id(self.plugin))
        row, = self.json(snapshot)['rows']
        frames = row['stacks'][0]['frames']
        self.assertEqual((frames[-2]['function'], frames[-2]['line']),
                         ('guilty', 3))
        self.assertEqual(os.path.basename(row['callsite']['file']),
                         'plugin.c')

    def test_another_build_is_said_and_not_used(self):
        snapshot = self.snapshot(self.plugin, 'dd' * 20)
        row, = self.json(snapshot)['rows']
        self.assertIsNone(row['callsite']['function'])
        self.assertRegex(self.output(snapshot),
                         r'note: another build here[^\n]*plugin\.so')

    def test_a_file_that_is_elsewhere(self):
        snapshot = self.snapshot('/nowhere/plugin.so',
                                 self.build_id(self.plugin))
        self.assertRegex(self.output(snapshot),
                         r'note: not found here: /nowhere/plugin\.so')
        row, = self.json(snapshot)['rows']
        self.assertIsNone(row['callsite']['function'])

    def test_sysroot(self):
        root = self.folder / 'root' / 'opt'
        root.mkdir(parents=True)
        build_id = self.build_id(self.plugin)
        self.plugin.rename(root / 'plugin.so')
        self.plugin = root / 'plugin.so'
        snapshot = self.snapshot('/opt/plugin.so', build_id)
        row, = self.json('--sysroot', self.folder / 'root', snapshot)['rows']
        self.assertEqual(row['callsite']['line'], 2)

    def test_symbols_folder(self):
        debug = self.folder / 'debug'
        debug.mkdir()
        build_id = self.build_id(self.plugin)
        subprocess.run(['objcopy', '--only-keep-debug', self.plugin,
                        debug / 'plugin.so.debug'], check=True)
        snapshot = self.snapshot(self.plugin, build_id)
        subprocess.run(['strip', self.plugin], check=True)
        row, = self.json(snapshot)['rows']
        self.assertIsNone(row['callsite']['line'])
        self.assertRegex(self.output(snapshot),
                         r'note: no line numbers for \S+plugin\.so')
        unrelated = self.folder / 'unrelated'
        unrelated.mkdir()
        row, = self.json('--symbols', unrelated, '--symbols', debug,
                         snapshot)['rows']
        self.assertEqual(row['callsite']['line'], 2)

    def test_builds_match_by_function_where_lines_are_missing(self):
        files = []
        for name, size, options in (('a', 10, ()), ('b', 30, ('-DOTHER',))):
            (self.folder / name).mkdir()
            plugin = self.build(f'{name}/plugin.so', '-g0', *options)
            files.append((self.snapshot(
                plugin, self.build_id(plugin), f'{name}.pb.gz', size,
                self.offset(plugin)), self.offset(plugin)))
        (a, a_offset), (b, b_offset) = files
        self.assertNotEqual(a_offset, b_offset)
        row, = self.json('--as-given', a, b)['rows']
        self.assertEqual((row['callsite']['function'], row['before_bytes'],
                          row['after_bytes']), ('guilty', 10, 30))
