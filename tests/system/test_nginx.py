"""nginx: a master and two workers, each with snapshots of its own. It has its
own use for SIGUSR2, so they are asked for without a signal."""

import pathlib
import socket
import subprocess

from tests.support import snapshots
from tests.support.servers import (HostTest, Server, children_of, files,
                                   free_port, leakdiff_json, sleeps)

REQUESTS = 4000
CONNECTIONS = 60
ESTABLISHED, CLOSE_WAIT = '01', '08'  # in /proc/net/tcp
CONFIGURATION = '''
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 "hello\\n"; }}
    }}
}}
'''


class Nginx(HostTest):
    def snapshots_of(self, server, workers):
        return [server.request(pid) for pid in workers]

    def wait_for_quiet(self, server, workers):
        """Until it has noticed that all its clients are gone."""
        def connected():
            lines = pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]
            return [line for line in lines
                    if line.split()[1].endswith(f':{server.port:04X}')
                    and line.split()[3] in (ESTABLISHED, CLOSE_WAIT)]
        server.wait_for(lambda: not connected() and all(map(sleeps, workers)),
                        'the end of its connections')

    def hold(self, port):
        """Connections that stay open after a request each."""
        held = []
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(('127.0.0.1', port))
            connection.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertIn(b'hello', connection.recv(4096))
            held.append(connection)
        return held

    def session(self, directory):
        port = free_port()
        configuration = self.directory / 'nginx.conf'
        configuration.write_text(CONFIGURATION.format(folder=self.directory,
                                                      port=port))
        with Server(['nginx', '-c', configuration, '-e', 'stderr'], directory,
                    port=port) as server:
            server.wait_for(lambda: len(children_of(server.pid)) == 2,
                            'two workers')
            workers = children_of(server.pid)
            self.before = self.snapshots_of(server, workers)
            subprocess.run(['ab', '-q', '-n', str(REQUESTS), '-c', '20',
                            f'http://127.0.0.1:{port}/'], check=True,
                           stdout=subprocess.DEVNULL)
            subprocess.run(['wrk', '-d', '1', '-c', '20', '-t', '1',
                            f'http://127.0.0.1:{port}/'], check=True,
                           stdout=subprocess.DEVNULL)
            self.wait_for_quiet(server, workers)
            self.after = self.snapshots_of(server, workers)
            held = self.hold(port)
            self.holding = self.snapshots_of(server, workers)
            for connection in held:
                connection.close()
            self.master = server.request()
            return server.stop()

    def total(self, paths):
        return sum((snapshots.load(path).total('heap') for path in paths),
                   snapshots.NOTHING)

    def test_workers_under_load(self):
        self.assertSameRun(self.session)
        served = self.total(self.after) - self.total(self.before)
        # Each request takes a pool of 4 KiB and gives it back.
        self.assertGreaterEqual(served.alloc_objects, REQUESTS)
        self.assertGreaterEqual(served.alloc_space, REQUESTS * 4096)
        self.assertLess(served.inuse_space, served.alloc_space // 20)
        # Each open connection keeps its own pool of 512 bytes.
        held = self.total(self.holding) - self.total(self.after)
        self.assertGreaterEqual(held.inuse_objects, CONNECTIONS)
        self.assertGreaterEqual(held.inuse_space, CONNECTIONS * 512)
        self.assertEqual(snapshots.load(self.master).comments['signal'],
                         'taken-by-host')

    def test_one_series_for_each_process(self):
        self.session(self.snapshots)
        pids = {int(snapshots.NAME.fullmatch(path.name)['pid'])
                for path in files(self.snapshots)}
        self.assertEqual(len(pids), 3)
        report = leakdiff_json(self.snapshots)
        self.assertEqual({process['process']['pid']
                          for process in report['processes']}, pids)
