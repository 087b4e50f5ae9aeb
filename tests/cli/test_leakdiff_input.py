"""Files of other programs, and files that are damaged or hostile."""

import gzip
import os
import pathlib
import re
import zlib

from tests.support.profiles import (LeakdiffTest, PROFILES, Profile, encode,
                                    field, varint)

MAIN = 'main main.c:9'


class OtherWriters(LeakdiffTest):
    def copy(self, name):
        path = self.folder / f'{name}.pb.gz'
        path.write_bytes(gzip.compress(
            encode((PROFILES / f'{name}.txtpb').read_text())))
        return path

    def test_a_go_programs_profile(self):
        report = self.json(self.copy('go_heap'))
        row, = report['rows']
        self.assertEqual((row['growth_bytes'], row['growth_objects'],
                          row['alloc_bytes'], row['alloc_objects']),
                         (5000, 5, 9000, 9))
        self.assertEqual([(f['function'], f['line'], f['inlined'])
                          for f in row['stacks'][0]['frames']],
                         [('main.(*cache).put', 12, True),
                          ('main.handle', 34, False),
                          ('main.main', 56, False)])
        self.assertEqual(report['process'],
                         {'command': 'gopher', 'pid': None, 'host': None,
                          'start': None, 'period': 524288,
                          'sample_bytes': None, 'coarsened_bytes': None})
        self.assertIn('main.(*cache).put', self.output(self.copy('go_heap')))

    def test_a_jemalloc_dump(self):
        row, = self.json(self.copy('jemalloc'))['rows']
        self.assertEqual((row['growth_bytes'], row['growth_objects'],
                          row['alloc_bytes']), (5000, 5, None))
        self.assertEqual(row['callsite']['address'], '0x1000')

    def test_a_cpu_profile(self):
        path = self.copy('cpu')
        self.assertRefused([path], str(path), 'not a heap profile', 'samples')

    def test_not_compressed(self):
        path = self.folder / 'plain.pb'
        path.write_bytes(Profile().sample(['f', MAIN], (1, 10)).bytes())
        self.assertEqual(self.json(path)['rows'][0]['after_bytes'], 10)

    def test_several_gzip_members(self):
        data = Profile().sample(['f', MAIN], (1, 10)).bytes()
        path = self.folder / 'members.pb.gz'
        path.write_bytes(gzip.compress(data[:20]) + gzip.compress(data[20:]))
        self.assertEqual(self.json(path)['rows'][0]['after_bytes'], 10)

    def test_sample_types_go_by_name(self):
        types = ('inuse_space', 'alloc_space', 'inuse_objects', 'secret')
        path = self.write('one.pb.gz', Profile(types=types).sample(
            ['f', MAIN], (2, 10), alloc=(3, 20)))
        row, = self.json(path)['rows']
        self.assertEqual((row['after_bytes'], row['after_objects'],
                          row['alloc_bytes'], row['alloc_objects']),
                         (10, 2, 20, None))

    def test_a_later_leakdiff_may_add_comments(self):
        path = self.write('one.pb.gz', Profile(comments=['colour=blue', '']))
        self.assertEqual(self.json(path)['rows'], [])


class Faults(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.good = Profile().sample(['f a.c:1', MAIN], (1, 10))

    def refused(self, data, *needles, name='bad.pb.gz'):
        path = self.folder / name
        path.write_bytes(data)
        self.assertRefused([path], str(path), *needles)
        # nor is it when the other one is good, in either place
        good = self.write('good.pb.gz', Profile().sample(['f', MAIN], (1, 9)))
        for files in ((good, path), (path, good)):
            self.assertRefused(['--format', 'json', *files], str(path),
                               *needles)

    def changed(self, pattern, replacement, *needles):
        text, count = re.subn(pattern, replacement, self.good.proto(), 1)
        self.assertEqual(count, 1, pattern)
        self.refused(gzip.compress(encode(text)), *needles)

    def test_missing(self):
        self.assertRefused(['missing.pb.gz'], 'missing.pb.gz', 'No such file')

    def test_not_readable(self):
        self.assertRefused(['/proc/self/mem'], '/proc/self/mem')

    def test_empty(self):
        self.refused(b'', 'empty')

    def test_empty_inside(self):
        self.refused(gzip.compress(b''), 'not a profile')

    def test_truncated_gzip(self):
        data = gzip.compress(self.good.bytes())
        for length in (3, 10, 20, len(data) // 2, len(data) - 1):
            with self.subTest(length):
                self.refused(data[:length], 'truncated gzip')

    def test_damaged_gzip(self):
        data = bytearray(gzip.compress(self.good.bytes()))
        data[-6] ^= 1  # the checksum
        self.refused(bytes(data), 'damaged gzip')

    def test_something_after_the_gzip_stream(self):
        self.refused(gzip.compress(self.good.bytes()) + b'more',
                     'damaged gzip')

    def test_not_a_profile(self):
        for data in (b'hello, world\n' * 9, b'\x7fELF' + bytes(99),
                     os.urandom(16) + b'\xff' * 40, bytes(100)):
            with self.subTest(data[:8]):
                self.refused(data, 'not a profile')
                self.refused(gzip.compress(data), 'not a profile')

    def test_truncated_profile(self):
        data = self.good.bytes()
        self.refused(gzip.compress(data[:-3]), 'not a profile')

    def test_ids_that_point_nowhere(self):
        self.changed('location_id: 1', 'location_id: 99', 'location 99')
        self.changed('mapping_id: 1', 'mapping_id: 5', 'mapping 5')
        self.changed('function_id: 1', 'function_id: 0', 'function 0')
        self.changed('location_id: 1', f'location_id: {2**64 - 1}',
                     f'location {2**64 - 1}')

    def test_ids_twice(self):
        for what in ('location', 'function'):
            self.changed(what + r' \{ id: 2', what + ' { id: 1', what,
                         'unique')
        self.changed(r'location \{ id: 1', 'location { id: 0', 'unique')

    def test_string_indices_out_of_range(self):
        for pattern, replacement in (
                (r'filename: 1[0-9]', 'filename: 1000'),
                (r'build_id: \d+', 'build_id: -1'),
                (r'key: \d+', 'key: 1000'),
                (r' str: \d+', ' str: 1000'),
                (r'comment: \d+', 'comment: 1000'),
                (r'function { id: 1 name: \d+', 'function { id: 1 name: 999'),
                (r'sample_type { type: \d+', 'sample_type { type: 999')):
            with self.subTest(pattern):
                self.changed(pattern, replacement, 'string')

    def test_no_empty_string_first(self):
        self.changed('string_table: ""', 'string_table: "x"', 'not a profile')

    def test_wrong_number_of_values(self):
        self.changed('value: 10 ', '', '3 values')
        self.changed('value: 10 ', 'value: 10 value: 11 ', '5 values')

    def test_values_that_overflow(self):
        self.good.sample(['g', MAIN], (1, 2**63 - 1), alloc=(0, 0))
        self.refused(gzip.compress(self.good.bytes()), 'inuse_space',
                     'overflow')
        self.good = Profile().sample(['f', MAIN], (1, -2**63))
        self.refused(gzip.compress(self.good.bytes()), 'overflow')

    def test_differences_that_overflow(self):
        a = self.write('a.pb.gz', Profile().sample(['f', MAIN],
                                                   (1, -2**63 + 1)))
        b = self.write('b.pb.gz', Profile().sample(['f', MAIN],
                                                   (1, 2**63 - 1)))
        self.assertRefused(['--as-given', a, b], 'overflow')

    def test_a_line_number_that_is_none(self):
        for line in (-1, 2**31):
            self.changed('line: 1 ', f'line: {line} ', 'line number')

    def test_a_later_schema(self):
        path = self.write('new.pb.gz', Profile())
        profile = Profile()
        profile.comments[0] = 'schema=2'
        self.refused(gzip.compress(profile.bytes()), 'schema=2', 'newer')
        self.assertEqual(self.json(path)['rows'], [])

    def test_a_gzip_bomb(self):
        """Zeros, a thousand times as many as the file is long."""
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        block = bytes(1 << 20)
        data = b''.join(packer.compress(block) for _ in range(520))
        path = self.folder / 'bomb.pb.gz'
        path.write_bytes(data + packer.flush())
        self.assertRefused([path], str(path), 'more than 512 MiB')

    def test_a_profile_that_swells(self):
        """Empty samples take two bytes in the file and fifty times that."""
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        block = b'\x12\x00' * (1 << 19)
        data = b''.join(packer.compress(block) for _ in range(100))
        path = self.folder / 'swells.pb.gz'
        path.write_bytes(data + packer.flush())
        self.assertRefused([path], str(path), 'not a snapshot')

    def test_a_long_list_of_frames(self):
        ids = b''.join(varint(1) for _ in range(2_000_000))
        sample = field(1, ids) + b'\x12\x04\x01\x0a\x01\x0a'
        data = self.good.bytes() + field(2, sample)
        path = self.folder / 'long.pb.gz'
        path.write_bytes(gzip.compress(data))
        row = self.json('--focus', 'main', path)['rows'][0]
        self.assertEqual(row['after_objects'], 1)
        self.output(path)

    def test_names_are_told_without_control_characters(self):
        path = self.folder / 'a\x1b[31m\n.pb.gz'
        self.assertRefused([path], 'a\\x1b[31m\\x0a.pb.gz')


class Arguments(LeakdiffTest):
    def test_help(self):
        usage = self.output('--help')
        self.assertEqual(usage, self.output('-h'))
        source = pathlib.Path(__file__).parents[2] / 'diff' / 'options.c'
        options = re.findall(r'\{"([a-z-]+)", \w+_argument',
                             source.read_text())
        self.assertGreater(len(options), 15)
        for option in options:
            self.assertIn(f'--{option}', usage)
        self.assertLessEqual(max(map(len, usage.splitlines())), 80)

    def test_version(self):
        self.assertRegex(self.output('--version'),
                         r'\Aleakdiff \d+\.\d+\.\d+\n\Z')

    def test_unknown_options(self):
        self.assertRefused(['--wrong'], 'unknown option --wrong', '--help')
        self.assertRefused(['-x', 'a'], 'unknown option -x', '--help')
        self.assertRefused(['--cum=3', 'a'], '--cum=3')

    def test_missing_values(self):
        self.assertRefused(['--top'], '--top needs a value')
        self.assertRefused(['-o'], '-o needs a value')

    def test_no_snapshots(self):
        self.assertRefused([], 'OLD NEW', '--help')

    def test_folders_that_are_none(self):
        for option in '--symbols', '--sysroot':
            self.assertRefused([option, '/no/such', 'x'],
                               f'{option} /no/such: No such file')
            self.assertRefused([option, __file__, 'x'], 'Not a directory')

    def test_options_may_come_last(self):
        path = self.write('one.pb.gz', Profile().sample(['f', MAIN], (1, 9)))
        self.assertTrue(self.output(path, '--format', 'csv')
                        .startswith('rank,'))
