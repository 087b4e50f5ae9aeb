"""Databases: processes, threads, caches of a known size, snapshots by fork."""

import os
import pathlib
import re
import signal

from tests.support import snapshots
from tests.support.hosts import (RealHost, adopt_orphans,
                                 descriptors_in_any_order, endings,
                                 in_any_order, kill_children, scrubbed,
                                 user_for)
from tests.support.servers import Result, children_of, free_port

POSTGRES = sorted(os.path.join('/usr/lib/postgresql', version, 'bin')
                  for version in os.listdir('/usr/lib/postgresql'))[-1]
QUERY = 'SELECT count(*), sum(length(text)), max(md5(text)) FROM t'


def command_line(pid):
    try:
        return pathlib.Path('/proc', str(pid), 'cmdline').read_text()
    except OSError:
        return ''


class Postgresql(RealHost):
    def command(self, name, *arguments, directory=None):
        done = self.job([os.path.join(POSTGRES, name), *arguments], directory,
                        user=self.user)
        self.assertEqual(done.status, 0, done)
        return done.stdout + done.stderr

    def serves(self, pid):
        """Whether there is a process for a client: they say whose."""
        return any('tester' in command_line(child)
                   for child in children_of(pid))

    def session(self, directory):
        """All of it carries the agent: initdb, the server, pgbench."""
        data = self.work / 'data'
        client = ['-h', '127.0.0.1', '-p', self.port, '-U', 'tester']
        seen = self.command('initdb', '-D', data, '-A', 'trust', '-N', '-U',
                            'tester', directory=directory)
        with self.host([os.path.join(POSTGRES, 'postgres'), '-D', data, '-p',
                        self.port, '-k', self.work, '-c',
                        'listen_addresses=127.0.0.1', '-c',
                        'shared_buffers=16MB', '-c', 'fsync=off', '-c',
                        'autovacuum=off'], directory,
                       user=self.user) as server:
            server.wait_for(lambda: 'ready to accept connections' in
                            server.read(server.errors), 'the database')
            self.pid = server.pid
            self.look_at(server.pid, below=True)
            seen += self.command('pgbench', '-i', '-q', *client, 'postgres',
                                 directory=directory)
            seen += self.command('pgbench', '-c', 4, '-j', 2, '-t', 100, '-n',
                                 *client, 'postgres', directory=directory)
            # Of connections that it ends itself it would tell.
            server.wait_for(lambda: not self.serves(server.pid),
                            'the end of its connections')
            self.look_inside(server.pid, directory)
            done = server.stop(signal.SIGINT)
        self.assertNotIn('terminated by signal', done.stderr)
        return Result(done.status, seen, done.stderr)

    def scrub(self, text):
        """Without progress and rates, which depend on how fast it was."""
        return [scrubbed(line) for line in re.split(r'[\r\n]+', text)
                if not re.search(r'tuples .* done|^done|latency|tps', line)]

    def test_initdb_and_pgbench(self):
        self.user, self.port = user_for('postgres'), free_port()
        done = self.both(self.session, scrub=self.scrub)
        self.assertIn('transactions actually processed: 400/400', done.stdout)
        for command in 'initdb', 'postgres', 'pgbench':
            self.tracked(command, 100)
        # The first one, and those that write for all.
        self.assertGreaterEqual(self.inside['postgres'], 4)
        pids = {s.comments['pid'] for s in self.tracked('postgres')
                if s.comments['ppid'] == str(self.pid)}
        # One for each of pgbench's connections, too.
        self.assertGreaterEqual(len(pids), 3 + 2 + 5)

    def test_pg_ctl(self):
        """In the background; a query that several processes answer, and one
        that is compiled first."""
        def session(directory):
            data = self.work / 'data'
            pg_ctl = ['-D', data, '-l', self.work / 'log', '-w', '-m', 'fast']
            self.command('initdb', '-D', data, '-A', 'trust', '-N', '-U',
                         'tester')
            adopt_orphans()
            self.addCleanup(kill_children)
            seen = self.command(
                'pg_ctl', *pg_ctl, '-o', f'-p {self.port} -k {self.work} '
                '-c listen_addresses=127.0.0.1 -c autovacuum=off', 'start',
                directory=directory)
            pid = int((data / 'postmaster.pid').read_text().split()[0])
            seen += self.command(
                'psql', '-h', '127.0.0.1', '-p', self.port, '-U', 'tester',
                '-At', '-c', 'SET min_parallel_table_scan_size=0; '
                'SET parallel_setup_cost=0; SET parallel_tuple_cost=0; '
                'CREATE TABLE t AS SELECT n, repeat(n::text, 20) AS text '
                'FROM generate_series(1, 100000) n; ANALYZE t;', '-c', QUERY,
                '-c', 'SET jit=on; SET jit_above_cost=0; '
                'SET jit_inline_above_cost=0; SET jit_optimize_above_cost=0;',
                '-c', QUERY, 'postgres', directory=directory)
            self.look_inside(pid, directory)
            self.assertGreaterEqual(len(children_of(pid)), 3)
            seen += self.command('pg_ctl', *pg_ctl, 'stop',
                                 directory=directory)
            return Result(0, seen + endings(), '')
        self.user, self.port = user_for('postgres'), free_port()
        done = self.both(session, scrub=str, same_files=False)
        self.assertEqual(done.stdout.count('100000|9777900|'), 2)
        self.assertIn('server stopped\nended with 0\n', done.stdout)
        self.assertGreaterEqual(self.inside['postgres'], 4)


class Mariadb(RealHost):
    POOL = 24 << 20
    INSERT = ('USE test; '
              'CREATE TABLE test.t (id INT PRIMARY KEY, b VARCHAR(200)); '
              'INSERT INTO test.t SELECT seq, REPEAT("x", 200) '
              'FROM seq_1_to_20000; '
              'SELECT COUNT(*), SUM(LENGTH(b)) FROM test.t; '
              'SELECT id FROM test.t ORDER BY RAND() LIMIT 0;')

    def session(self, directory):
        user = [f'--user={user_for("mysql")}'] if user_for('mysql') else []
        data = f'--datadir={self.work}/data'
        made = self.job(['mariadb-install-db', '--no-defaults', *user, data,
                         '--auth-root-authentication-method=normal',
                         '--skip-test-db'], directory)
        self.assertEqual(made.status, 0, made)
        with self.host(['mariadbd', '--no-defaults', *user, data,
                        f'--socket={self.work}/socket', f'--port={self.port}',
                        '--bind-address=127.0.0.1', '--skip-log-bin',
                        f'--innodb-buffer-pool-size={self.POOL}',
                        '--innodb-log-file-size=8M',
                        '--innodb-buffer-pool-dump-at-shutdown=0',
                        '--innodb-buffer-pool-load-at-startup=0'],
                       directory) as server:
            server.wait_for(lambda: 'ready for connections' in
                            server.read(server.errors), 'the database')
            client = ['mariadb', '--no-defaults', '-u', 'root',
                      f'--socket={self.work}/socket', '-B', '-e']
            seen = ''
            for statements in ('CREATE DATABASE test', self.INSERT,
                               'DROP DATABASE test'):
                done = self.job([*client, statements], directory)
                self.assertEqual((done.status, done.stderr), (0, ''))
                seen += done.stdout
            self.look_at(server.pid, each=descriptors_in_any_order)
            self.look_inside(server.pid, directory)
            self.live = server.request()
            done = server.stop()
        return Result(done.status, seen, done.stderr)

    def test_inserting(self):
        self.port = free_port()
        done = self.both(self.session, scrub=in_any_order)
        self.assertIn('20000\t4000000', done.stdout)
        self.tracked('mariadbd', 1000)
        live = snapshots.load(self.live).total().inuse_space
        self.assertGreaterEqual(live, self.POOL)


class Redis(RealHost):
    # Programs are called by their files, and its own is a link to another's.
    command = os.path.basename(os.path.realpath('/usr/bin/redis-server'))

    def ask(self, directory, *words, stdin=''):
        done = self.job(['redis-cli', '-p', self.port, *words], directory,
                        stdin)
        self.assertEqual((done.status, done.stderr), (0, ''))
        return done.stdout

    def session(self, directory):
        """A snapshot of its own by fork, a rewritten log, a script."""
        with self.host(['redis-server', '--port', self.port, '--bind',
                        '127.0.0.1', '--dir', self.work, '--appendonly', 'yes',
                        '--save', '', '--enable-debug-command', 'local'],
                       directory, port=self.port) as server:
            seen = self.ask(directory, 'DEBUG', 'POPULATE', '5000', 'key',
                            '1000')
            seen += self.ask(directory, 'EVAL', 'local n = 0 '
                             'for i = 1, 1000 do '
                             'n = n + #redis.call("get", "key:" .. i) end '
                             'return n', '0')
            self.look_at(server.pid)
            for word, part in (('BGSAVE', 'rdb_bgsave_in_progress:0'),
                               ('BGREWRITEAOF', 'aof_rewrite_in_progress:0')):
                seen += self.ask(directory, word)
                server.wait_for(lambda: part in self.ask(
                    None, 'INFO', 'persistence'), word)
            seen += self.ask(directory, 'DBSIZE')
            self.look_inside(server.pid, directory)
            done = server.stop()
        return Result(done.status, seen, done.stderr)

    def test_populate_save_and_rewrite(self):
        self.port = free_port()
        done = self.both(self.session)
        self.assertIn('1000000\n', done.stdout)
        self.tracked(self.command, 5000)
        self.assertGreaterEqual(self.live_at_end(self.command),
                                5000 * 1000)
        self.assertEqual(self.inside[self.command], 1)
        self.tracked('redis-cli', 10)

    def test_as_a_daemon(self):
        def session(directory):
            return self.daemon(
                ['redis-server', '--port', self.port, '--bind', '127.0.0.1',
                 '--dir', self.work, '--daemonize', 'yes', '--pidfile',
                 self.work / 'pid', '--logfile', self.work / 'log'],
                directory, self.port,
                lambda: self.ask(directory, 'SET', 'key', 'x' * 10000) +
                self.ask(directory, 'SAVE'))
        self.port = free_port()
        done = self.both(session)
        self.assertEqual(done.stdout, 'OK\nOK\nended with 0\n')
        self.assertEqual(self.inside[self.command], 1)


class Sqlite(RealHost):
    def test_a_file_with_an_index(self):
        script = (
            'PRAGMA journal_mode=WAL; CREATE TABLE t (a INTEGER, b TEXT); '
            'INSERT INTO t SELECT value, printf("%0100d", value) '
            'FROM generate_series(1, 50000); CREATE INDEX i ON t (b); '
            'SELECT count(*), sum(length(b)) FROM t; PRAGMA integrity_check; '
            'DELETE FROM t WHERE a % 2; VACUUM; SELECT count(*) FROM t;')
        done = self.both_jobs(['sqlite3', 'file.db'], script)
        self.assertEqual(done.stdout, 'wal\n50000|5000000\nok\n25000\n')
        self.tracked('sqlite3', 1000)
