"""Files that are small and ask for much, and what others put where a report or
a snapshot is expected. Memory is limited, so that what asks for too much fails."""

import gzip
import os
import resource
import subprocess
import zlib

from tests.support.profiles import (LEAKDIFF, LeakdiffTest, Profile, field,
                                    varint)

MAIN = 'main main.c:9'
OTHER = 12345
FORMATS = ('text', 'json', 'csv', 'folded', 'pprof')
# The sanitizers' runtimes take terabytes of address space.
LIMITED = b'__asan_init' not in LEAKDIFF.read_bytes()
MEMORY = 512 << 20


def limit_memory():
    if LIMITED:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def limit_time():
    """Of the processor's, which a busy machine does not use up."""
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


class Bombs(LeakdiffTest):
    def setUp(self):
        super().setUp()
        self.data = Profile().sample(['f a.c:1', MAIN], (1, 10)).bytes()

    def run_limited(self, path, form):
        return subprocess.run([LEAKDIFF, '--format', form, path], timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              preexec_fn=limit_memory)

    def packed(self, data):
        path = self.folder / 'bomb.pb.gz'
        path.write_bytes(gzip.compress(data, 1))
        return path

    def location(self, number, lines):
        one = field(4, b'\x08\x01\x10\x05')  # function 1, line 5
        return field(4, b'\x08' + varint(number) + one * lines)

    def sample(self, ids):
        return field(2, field(1, ids) + b'\x12\x04\x01\x0a\x01\x0a')

    def test_functions_inlined_by_the_thousand(self):
        """Kilobytes, which would be terabytes of JSON."""
        path = self.packed(self.data + self.location(9, 100_000)
                           + self.sample(b'\x09' * 100_000))
        self.assertLess(path.stat().st_size, 10000)
        for form in FORMATS:
            done = self.run_limited(path, form)
            self.assertEqual((done.returncode, done.stdout), (2, b''))
            self.assertIn(b'frames as it has bytes', done.stderr)

    def test_many_samples_of_them(self):
        path = self.packed(self.data + self.location(9, 2000)
                           + self.sample(b'\x09') * 20_000)
        done = self.run_limited(path, 'json')
        self.assertEqual((done.returncode, done.stdout), (2, b''))

    def test_what_compilers_inline(self):
        """Ten functions in one another, everywhere."""
        path = self.packed(self.data + self.location(9, 10)
                           + b''.join(self.sample(b'\x09' * (20 + i))
                                      for i in range(200)))
        for form in FORMATS:
            self.assertEqual(self.run_limited(path, form).returncode, 0, form)

    def test_a_stack_of_millions(self):
        """Only what is shown of it is put into words."""
        path = self.packed(self.data + self.sample(b'\x01' * 4_000_000))
        done = self.run_limited(path, 'text')
        self.assertEqual((done.returncode, done.stderr), (0, b''))
        self.assertIn(b'more', done.stdout)

    def colliding(self, count):
        """Addresses of locations with one hash, as it once was: products with
        an odd number, which can be undone."""
        factor, size = 0x9e3779b97f4a7c15, 1 << 64
        start = 0xffffffff * factor % size  # no module, no lines
        start ^= start >> 29
        inverse = pow(factor, -1, size)
        for i in range(count):
            wanted = i << 32 | i ^ 0x12345678
            shifted = wanted
            for _ in range(2):
                shifted = wanted ^ shifted >> 29
            yield shifted * inverse % size ^ start

    def test_addresses_that_collide(self):
        """A megabyte, which took a minute."""
        locations, ids = [], b''
        for number, address in enumerate(self.colliding(200_000), 100):
            locations.append(field(4, b'\x08' + varint(number) + b'\x18'
                                   + varint(address)))
            ids += varint(number)
        path = self.packed(self.data + b''.join(locations) + self.sample(ids))
        done = subprocess.run([LEAKDIFF, '--format', 'csv', path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              preexec_fn=limit_time)
        self.assertEqual((done.returncode, done.stderr), (0, b''))

    def test_bombs_within_bombs(self):
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        inner = packer.compress(bytes(100 << 20)) + packer.flush()
        path = self.packed(inner)
        done = self.run_limited(path, 'text')
        self.assertEqual((done.returncode, done.stdout), (2, b''))
        self.assertIn(b'not a profile', done.stderr)


class Plants(LeakdiffTest):
    """Things that wait, act or lead elsewhere when they are opened."""

    def setUp(self):
        super().setUp()
        self.good = self.write('good.pb.gz', Profile().sample(
            ['f', MAIN], (1, 10)))

    def test_pipes_among_snapshots(self):
        os.mkfifo(self.folder / 'pipe.pb.gz')
        (self.folder / 'folder.pb.gz').mkdir()
        report = self.json(self.folder)
        self.assertEqual(report['rows'][0]['after_bytes'], 10)
        os.unlink(self.good)
        self.assertRefused([self.folder], 'no snapshots')

    def test_modules_that_are_no_files(self):
        pipe = self.folder / 'pipe'
        os.mkfifo(pipe)
        for path in (pipe, self.folder, '/dev/zero', '/dev/tty', '/proc/kmsg',
                     '/proc/self/mem', '/proc/self/fd/0',
                     '/sys/kernel/debug/tracing/trace_pipe', '/etc/passwd'):
            with self.subTest(path):
                file = self.write('module.pb.gz', Profile(
                    modules=[(str(path), '')]).sample(
                        [(str(path), 4096), MAIN], (1, 10)))
                row, = self.json(file)['rows']
                self.assertEqual(row['callsite']['module'], str(path))


class OthersFiles(LeakdiffTest):
    """What other users put where a report is to be written."""

    def setUp(self):
        super().setUp()
        self.good = self.write('good.pb.gz', Profile().sample(
            ['f', MAIN], (1, 10)))

    def planted(self, make):
        """The path of what somebody else has made in a folder like /tmp."""
        public = self.folder / 'public'
        public.mkdir(exist_ok=True)
        public.chmod(0o1777)
        path = public / make.__name__
        make(path)
        os.chown(path, OTHER, OTHER, follow_symlinks=False)
        return path

    def test_reports_go_through_no_link_of_others(self):
        precious = self.folder / 'precious'
        precious.write_text('precious')

        def link(path):
            path.symlink_to(precious)

        def dangling(path):
            path.symlink_to(self.folder / 'new')

        def pipe(path):
            os.mkfifo(path)

        for make in (link, dangling, pipe):
            with self.subTest(make.__name__):
                path = self.planted(make)
                self.assertRefused(['-o', path, self.good], str(path),
                                   'another user')
        self.assertEqual(precious.read_text(), 'precious')
        self.assertFalse((self.folder / 'new').exists())
        # One's own is followed.
        path = self.folder / 'public' / 'own'
        path.symlink_to(precious)
        self.output('-o', path, self.good)
        self.assertIn('main', precious.read_text())

    def test_files_of_others_are_replaced_for_good(self):
        def file(path):
            path.write_text('theirs')
            path.chmod(0o666)

        path = self.planted(file)
        self.output('-o', path, self.good)
        self.assertEqual(path.stat().st_uid, os.geteuid())
        self.assertFalse(path.stat().st_mode & 0o022)


if os.geteuid():
    del OthersFiles  # only root can make them
