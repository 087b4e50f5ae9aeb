"""leakagent list, status, snapshot, on and off, on real processes."""

import os
import pathlib
import signal
import subprocess
import sys

from tests.support import snapshots
from tests.support.installed import copy_installed
from tests.support.servers import (ROOT, HostTest, Server, environment, files,
                                   program)

LEAKAGENT = ROOT / 'scripts' / 'leakagent'
NOBODY = 65534


def leakagent(*words, command=LEAKAGENT, user=None):
    return subprocess.run([str(command), *map(str, words)], text=True,
                          capture_output=True, timeout=180, user=user,
                          env=environment())


class LeakagentTest(HostTest):
    def succeed(self, *words):
        done = leakagent(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return done.stdout

    def fail_with(self, reason, *words, **options):
        done = leakagent(*words, **options)
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertRegex(done.stderr, rf'\Aleakagent: .*{reason}.*\n\Z')


class ControlTest(LeakagentTest):
    def host(self, **options):
        """A puppet under the agent that says what it has done."""
        server = Server([program('puppet')], self.snapshots, **options)
        self.enterContext(server)
        self.tell(server, 'alloc 1000')
        return server

    def tell(self, server, command):
        said = server.read(server.output).count('done')
        server.tell(command)
        server.wait_for(
            lambda: server.read(server.output).count('done') > said, command)

    def status(self, host):
        lines = self.succeed('status', host.pid).splitlines()
        return {line[:14].strip(): line[15:] for line in lines}

    def live_bytes(self, path):
        snapshot = snapshots.load(path)
        return snapshot.through('puppet_alloc', 'heap').inuse_space

    def test_snapshot_prints_the_path_of_a_new_snapshot(self):
        host = self.host()
        seen = []
        for count in range(1, 4):
            path = pathlib.Path(self.succeed('snapshot', host.pid).rstrip('\n'))
            seen.append(path)
            self.assertEqual(self.live_bytes(path), 1000 * count)
            self.assertEqual(snapshots.load(path).comments['reason'], 'request')
            self.tell(host, 'alloc 1000')
        self.assertEqual([path.resolve() for path in seen],
                         [path.resolve() for path in files(self.snapshots)])

    def test_snapshot_where_the_host_uses_the_signal(self):
        host = Server([program('own_signal'), 'sigaction'],
                      self.snapshots)
        self.enterContext(host)
        host.wait_output('handled 3')
        path = pathlib.Path(self.succeed('snapshot', host.pid).rstrip('\n'))
        self.assertEqual(snapshots.load(path).comments['signal'],
                         'taken-by-host')
        self.assertRegex(self.status(host)['signal'], 'taken-by-host')

    def test_many_requesters_at_once(self):
        host = self.host()
        asking = [subprocess.Popen([str(LEAKAGENT), 'snapshot', str(host.pid)],
                                   stdout=subprocess.PIPE, text=True)
                  for _ in range(8)]
        answers = [process.communicate()[0].strip() for process in asking]
        self.assertEqual([process.returncode for process in asking], [0] * 8)
        self.assertEqual(len(set(answers)), 8, answers)
        for path in answers:
            self.assertEqual(self.live_bytes(path), 1000)

    def test_off_and_on(self):
        host = self.host()
        self.succeed('off', host.pid)
        self.assertEqual(self.status(host)['tracking'], 'off')
        self.tell(host, 'alloc 500')
        self.succeed('on', host.pid)
        self.assertEqual(self.status(host)['tracking'], 'on')
        self.tell(host, 'alloc 70')
        path = self.succeed('snapshot', host.pid).rstrip('\n')
        self.assertEqual(self.live_bytes(path) % 500, 70)

    def test_status(self):
        host = self.host(interval='90m', signal='USR1')
        path = self.succeed('snapshot', host.pid).rstrip('\n')
        status = self.status(host)
        self.assertEqual(status['pid'], str(host.pid))
        self.assertEqual(status['command'], 'puppet')
        self.assertEqual(status['tracking'], 'on')
        self.assertEqual(status['signal'], 'USR1')
        self.assertEqual(status['interval'], '5400 s')
        self.assertEqual(status['snapshots'], '1')
        self.assertEqual(status['last snapshot'], path)
        self.assertEqual(status['drops'], '0')
        self.assertEqual(status['problem'], 'none')
        self.assertIn('libc.so.6', status['allocator'])
        self.assertRegex(status['started'],
                         r'\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z')
        total = snapshots.load(path).total('heap')
        self.assertRegex(
            status['live'], rf'\({total.inuse_space} bytes\) in '
            rf'{total.inuse_objects} objects')

    def test_status_of_sampling_and_memory(self):
        status = self.status(self.host(memory=0))
        self.assertEqual(status['records'], 'every block')
        self.assertRegex(status['agent memory'], r'\A[\d.]+ [KM]iB\Z')
        status = self.status(self.host(sample='512k', memory='64M'))
        self.assertEqual(status['records'], 'a block in 512.0 KiB')
        self.assertRegex(status['agent memory'],
                         r'\A[\d.]+ [KM]iB of at most 64.0 MiB\Z')

    def test_status_beyond_the_memory_limit(self):
        host = Server([sys.executable, '-c',
                       'blocks = [bytes(100) for _ in range(500000)]\n'
                       'print("done", flush=True)\ninput()'],
                      self.snapshots, memory='4M',
                      extra={'PYTHONMALLOC': 'malloc'})
        self.enterContext(host)
        host.wait_for(lambda: 'done' in host.read(host.output), 'blocks')
        status = self.status(host)
        self.assertRegex(
            status['records'], r'\Aevery block; one in [\d.]+ (Ki)?B since '
            r'the memory limit was reached\Z')
        self.assertRegex(status['agent memory'],
                         r'\A[\d.]+ [KM]iB of at most 4.0 MiB\Z')

    def test_status_of_what_is_off_or_has_no_name(self):
        status = self.status(self.host(signal='off'))
        self.assertEqual((status['signal'], status['interval']),
                         ('off', 'off'))
        status = self.status(self.host(signal='RTMIN+3'))
        self.assertEqual(status['signal'], 'RTMIN+3')

    def test_list(self):
        host = self.host()
        path = self.succeed('snapshot', host.pid).rstrip('\n')
        bare = self.enterContext(Server([program('puppet')]))
        rows = [line.split() for line in self.succeed('list').splitlines()]
        self.assertEqual(rows[0][:2], ['PID', 'COMMAND'])
        row = next(row for row in rows if row[0] == str(host.pid))
        self.assertEqual(row[1:4], ['puppet', 'on', 'USR2'])
        self.assertEqual(row[-2:], ['1', path])
        self.assertNotIn(str(bare.pid), [row[0] for row in rows])

    def test_list_shows_who_carries_an_inactive_agent(self):
        host = self.host(only='another')
        rows = [line.split() for line in self.succeed('list').splitlines()]
        row = next(row for row in rows if row[0] == str(host.pid))
        self.assertEqual(row[1:3], ['puppet', 'inactive'])
        self.fail_with('carries the agent, but', 'snapshot', host.pid)

    def test_no_such_process(self):
        ended = subprocess.Popen(['true'])
        ended.wait()
        for verb in ('status', 'snapshot', 'on', 'off'):
            self.fail_with('there is no process', verb, ended.pid)

    def test_a_process_without_the_agent(self):
        bare = self.enterContext(Server([program('puppet')]))
        for verb in ('status', 'snapshot', 'on', 'off'):
            self.fail_with(r'\(puppet\) does not carry the agent', verb,
                           bare.pid)

    def test_a_zombie(self):
        child = subprocess.Popen(['true'])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.fail_with('has ended', 'snapshot', child.pid)
        child.wait()

    def test_a_stopped_process(self):
        host = self.host()
        os.kill(host.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, host.pid, os.WSTOPPED)
        done = leakagent('snapshot', host.pid)
        self.assertEqual(done.returncode, 1)
        self.assertIn('is stopped', done.stderr)
        os.kill(host.pid, signal.SIGCONT)
        self.assertTrue(self.succeed('snapshot', host.pid))

    if os.geteuid() == 0:  # a process of another user
        def test_no_permission(self):
            host = self.host()
            other = {'user': NOBODY,
                     'command': copy_installed(self.directory)[0]}
            for verb in ('status', 'snapshot', 'on', 'off'):
                self.fail_with('not allowed to look into', verb, host.pid,
                               **other)
            done = leakagent('list', **other)
            self.assertEqual(done.returncode, 0)
            self.assertNotIn(str(host.pid), done.stdout.split())


class BadAgentTest(LeakagentTest):
    """What is in a page is somebody else's: tests/programs/fake_agent.c."""

    def fake(self, manner):
        fake = self.enterContext(Server([program('fake_agent'), manner]))
        fake.wait_output('ready')
        return fake.pid

    def test_ends_when_asked(self):
        for verb in ('snapshot', 'on', 'off'):
            self.fail_with('ended before it answered', verb, self.fake('dies'))

    def test_executes_when_asked(self):
        """Nobody answers what its last program was asked for."""
        for manner in 'executes', 'again':
            for verb in ('snapshot', 'on', 'off', 'status'):
                self.fail_with('replaced its program', verb,
                               self.fake(manner))

    def test_refuses(self):
        pid = self.fake('refuses')
        for verb in ('snapshot', 'on', 'off'):
            self.fail_with('could not: No space left', verb, pid)

    def test_a_page_that_is_taken_away(self):
        for verb in ('status', 'snapshot', 'on', 'off'):
            self.fail_with('took its control page away', verb,
                           self.fake('shrinks'))

    def test_results_that_are_none(self):
        self.fail_with('could not: for a reason', 'on', self.fake('foreign'))

    def test_pages_that_are_none(self):
        for manner, reason in (('unfinished', 'is starting'),
                               ('short', 'does not carry')):
            pid = self.fake(manner)
            for verb in ('status', 'snapshot'):
                self.fail_with(reason, verb, pid)

    def test_text_without_an_end(self):
        pid = self.fake('hostile')
        status = self.succeed('status', pid).splitlines()
        fields = {line[:14].strip(): line[15:] for line in status}
        self.assertEqual(fields['command'], 'x' * 64)
        self.assertEqual(fields['problem'],
                         '\\x1b[2J\\x0a' + 'x' * (256 - 5))
        self.assertEqual(self.succeed('snapshot', pid), 'x' * 2048 + '\n')
