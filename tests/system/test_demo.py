"""The demo: a handler that leaks 1,000,000 bytes per request is the first row,
exactly; and the walk-through of `make demo` shows it."""

import os
import pathlib
import re
import subprocess

from tests.support.servers import (BUILD, ROOT, HostTest, Server,
                                   leakdiff_json, program)

SOURCE = ROOT / 'tests' / 'programs' / 'demo_server.c'
HANDLER = 'handle_leaky_endpoint'


class Demo(HostTest):
    def get(self, server, page, requests=1, clients=1):
        done = subprocess.run(
            ['ab', '-q', '-n', str(requests), '-c', str(clients),
             f'http://127.0.0.1:{server.port}{page}'],
            capture_output=True, text=True, check=True)
        self.assertIn(f'Complete requests:      {requests}\n', done.stdout)
        self.assertIn('Failed requests:        0\n', done.stdout)

    def start(self, directory):
        server = Server([program('demo_server'), 0], directory)
        with_port = server.wait_output(r'listening on (\d+)')
        server.port = int(with_port[1])
        return server

    def session(self, directory):
        with self.start(directory) as server:
            self.get(server, '/')
            self.before = server.snapshot()
            self.get(server, '/leaky-endpoint', 500, 10)
            self.full = server.snapshot()
            self.get(server, '/clear')
            self.cleared = server.snapshot()
            return server.stop()

    def rows_of_handler(self, *arguments):
        report = leakdiff_json(*arguments)
        return [row for row in report['rows']
                if row['callsite']['function'] == HANDLER]

    def test_leak_is_named_and_counted(self):
        self.assertSameRun(self.session)
        report = leakdiff_json(self.before, self.full)
        first = report['rows'][0]
        self.assertEqual(first['callsite']['function'], HANDLER)
        self.assertEqual(pathlib.Path(first['callsite']['file']).name,
                         SOURCE.name)
        line = SOURCE.read_text().splitlines()[first['callsite']['line'] - 1]
        self.assertIn('malloc(PAYLOAD_BYTES)', line)
        self.assertEqual(first['kind'], 'heap')
        self.assertEqual((first['growth_bytes'], first['growth_objects']),
                         (500000000, 500))

        gone = self.rows_of_handler(self.before, self.cleared)
        self.assertFalse([row for row in gone if row['growth_bytes'] > 0])
        by_allocation = leakdiff_json('--sample', 'alloc_space', self.before,
                                      self.cleared)['rows'][0]
        self.assertEqual(by_allocation['callsite']['function'], HANDLER)
        self.assertEqual((by_allocation['alloc_bytes'],
                          by_allocation['alloc_objects']), (500000000, 500))
        self.assertEqual(by_allocation['growth_bytes'], 0)

    def test_walk_through(self):
        self.unverified = True  # the script sets what users set
        done = subprocess.run(
            [ROOT / 'scripts' / 'demo'], capture_output=True, text=True,
            env=dict(os.environ, BUILD=os.path.relpath(BUILD, ROOT),
                     DEMO_FOLDER=str(self.directory / 'demo')))
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        first, exactly, cleared, allocated = re.findall(
            r'(?ms)^\$ \S*leakdiff .*?(?=^$\n^[#$])', done.stdout)
        self.assertIn(HANDLER, first)
        self.assertIn('demo_server.c', first)
        self.assertIn('1,heap,500000000,500,', exactly)
        self.assertNotIn(HANDLER, cleared)
        self.assertIn(HANDLER, allocated)
