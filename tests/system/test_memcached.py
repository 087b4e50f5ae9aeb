"""memcached: its slabs grow by what is set."""

import socket

from tests.support import snapshots
from tests.support.servers import HostTest, Server, free_port

ITEMS = 20000
VALUE = 1000


class Memcached(HostTest):
    def fill(self, port):
        with socket.create_connection(('127.0.0.1', port)) as connection:
            replies = connection.makefile('rb')
            for first in range(0, ITEMS, 100):
                connection.sendall(b''.join(
                    b'set key%d 0 0 %d\r\n%s\r\n' % (n, VALUE, b'x' * VALUE)
                    for n in range(first, first + 100)))
                for _ in range(100):
                    self.assertEqual(replies.readline(), b'STORED\r\n')

    def session(self, directory):
        port = free_port()
        command = ['memcached', '-l', '127.0.0.1', '-p', port, '-U', '0', '-m',
                   '256', '-t', '2', '-u', 'root']
        with Server(command, directory, port=port) as server:
            self.before = server.snapshot()
            self.fill(port)
            self.after = server.snapshot()
            return server.stop()

    def test_setting(self):
        self.assertSameRun(self.session)
        before, after = map(snapshots.load, (self.before, self.after))
        grown = after.total() - before.total()
        self.assertGreaterEqual(grown.inuse_space, ITEMS * VALUE)
        self.assertLess(grown.inuse_space, ITEMS * VALUE * 2)
        # Its workers and helpers, each under what created it.
        self.assertGreaterEqual(after.total('thread').inuse_objects, 2)
