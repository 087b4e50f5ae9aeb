"""redis-server, on jemalloc: what is set stays live until it is flushed."""

import subprocess

from tests.support import snapshots
from tests.support.servers import HostTest, Server, free_port

VALUE = 1000


class Redis(HostTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()

    def cli(self, *words):
        done = subprocess.run(['redis-cli', '-p', str(self.port), *words],
                              capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def session(self, directory):
        command = ['redis-server', '--port', self.port, '--bind', '127.0.0.1',
                   '--save', '', '--dir', self.directory]
        with Server(command, directory, port=self.port) as server:
            self.cli('ping')
            self.before = server.snapshot()
            subprocess.run(['redis-benchmark', '-p', str(self.port), '-q',
                            '-t', 'set', '-n', '40000', '-r', '20000', '-d',
                            str(VALUE)], stdout=subprocess.DEVNULL, check=True)
            self.keys = int(self.cli('dbsize'))
            self.filled = server.snapshot()
            self.assertEqual(self.cli('flushall'), 'OK')
            self.emptied = server.snapshot()
            return server.stop()

    def test_filling_and_flushing(self):
        self.assertSameRun(self.session)
        before, filled, emptied = (
            snapshots.load(path).total('heap')
            for path in (self.before, self.filled, self.emptied))
        put = self.keys * VALUE
        grown = filled - before
        self.assertGreaterEqual(grown.inuse_objects, self.keys)
        self.assertGreaterEqual(grown.inuse_space, put)
        self.assertLess(grown.inuse_space, put * 3 // 2)
        self.assertLess((emptied - before).inuse_space, put // 20)
        self.assertGreaterEqual((emptied - before).alloc_space, put)
        self.assertIn('jemalloc',
                      snapshots.load(self.filled).comments['allocator'])
        # jemalloc's own mappings are not counted beside its blocks.
        self.assertLess((snapshots.load(self.filled).total('mmap') -
                         snapshots.load(self.before).total('mmap')
                         ).inuse_space, put // 20)
