"""Sets and gets of a million keys or fewer, in batches, over one connection.

usage: memcached.py PORT OPERATIONS
"""

import socket
import sys

BATCH = 500
VALUE = b'v' * 100


def answers(stream, end, count):
    """Reads until that many answers have ended."""
    seen, tail = 0, b''
    while seen < count:
        data = stream.recv(1 << 16)
        if not data:
            sys.exit('memcached.py: the server hung up')
        data = tail + data
        seen += data.count(end)
        tail = data[len(data) - len(end) + 1:]


def main(port, operations):
    with socket.create_connection(('127.0.0.1', port)) as stream:
        for first in range(0, operations, BATCH):
            keys = [b'key-%d' % (i * 7919 % 200000)
                    for i in range(first, first + BATCH)]
            stream.sendall(b''.join(b'set %s 0 0 %d\r\n%s\r\n' %
                                    (key, len(VALUE), VALUE) for key in keys))
            answers(stream, b'STORED\r\n', BATCH)
            stream.sendall(b''.join(b'get %s\r\n' % key for key in keys))
            answers(stream, b'END\r\n', BATCH)


main(int(sys.argv[1]), int(sys.argv[2]))
