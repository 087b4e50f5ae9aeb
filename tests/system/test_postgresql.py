"""PostgreSQL: a session that touches 1,000 tables keeps what it learnt of
them; other processes of the server do not grow."""

import os
import shutil
import subprocess

from tests.support import snapshots
from tests.support.servers import (AGENT, HostTest, Server, free_port,
                                   leakdiff_json)

TABLES = 1000
BIN = sorted(os.path.join('/usr/lib/postgresql', version, 'bin')
             for version in os.listdir('/usr/lib/postgresql'))[-1]


class Postgresql(HostTest):
    """It refuses to run as root: then it runs as postgres."""

    def setUp(self):
        super().setUp()
        self.user = 'postgres' if os.geteuid() == 0 else None
        self.port = free_port()
        self.home = self.folder('home')
        # Where that user can read it, wherever the checkout is.
        self.agent = shutil.copy(AGENT, self.directory)
        self.command('initdb', '-D', self.home / 'data', '-A', 'trust', '-N',
                     '-U', 'tester')

    def command(self, name, *arguments):
        return subprocess.run([os.path.join(BIN, name), *map(str, arguments)],
                              user=self.user, cwd=self.home, check=True,
                              capture_output=True, text=True).stdout

    def psql(self, *arguments):
        return ['psql', '-X', '-q', '-A', '-t', '-h', '127.0.0.1', '-p',
                self.port, '-U', 'tester', '-d', 'postgres', *arguments]

    def ask(self, query):
        done = subprocess.run(list(map(str, self.psql('-c', query))),
                              capture_output=True, text=True)
        return done.stdout.strip()

    def session(self, directory):
        command = [os.path.join(BIN, 'postgres'), '-D', self.home / 'data',
                   '-p', self.port, '-k', self.home, '-c',
                   'listen_addresses=127.0.0.1', '-c', 'jit=off', '-c',
                   'autovacuum=off']
        with Server(command, directory, cwd=self.home, user=self.user,
                    agent=self.agent, conf=None) as server:
            server.wait_for(lambda: 'ready to accept connections' in
                            server.read(server.errors), 'the database')
            for n in range(TABLES // 100):
                self.ask(''.join(
                    f'CREATE TABLE IF NOT EXISTS t{100 * n + i} (a int, '
                    'b text);' for i in range(100)))
            with Server(self.psql()) as client:
                client.tell('SELECT \'backend \' || pg_backend_pid();')
                backend = int(client.wait_output(r'backend (\d+)')[1])
                self.before = server.request(backend)
                client.tell(''.join(f'SELECT FROM t{n};'
                                    for n in range(TABLES)))
                client.tell('SELECT \'touched\';')
                client.wait_output('touched')
                self.after = server.request(backend)
                self.postmaster = server.request()
                client.process.stdin.close()
                self.assertEqual(client.stop(None).status, 0)
            return server.stop()

    def test_a_session_that_touches_many_tables(self):
        self.assertSameRun(self.session)
        before, after = map(snapshots.load, (self.before, self.after))
        grown = after.total('heap') - before.total('heap')
        # A relation's descriptor alone takes more than 1 KiB.
        self.assertGreaterEqual(grown.inuse_space, TABLES * 1024)
        self.assertEqual(after.comments['command'], 'postgres')
        self.assertNotEqual(after.comments['pid'], str(snapshots.load(
            self.postmaster).comments['pid']))
        report = leakdiff_json(self.before, self.after)
        functions = {frame['function'] for row in report['rows'][:5]
                     for stack in row['stacks'] for frame in stack['frames']}
        self.assertTrue(functions & {'RelationBuildDesc',
                                     'RelationIdGetRelation'}, functions)
