"""Runs host programs and servers with and without the agent.

run() is for programs that end by themselves; Server for those that are told
to. Both use a temporary folder per test, leave nothing running, and give back
what the program wrote and how it ended. HostTest is the test case that owns
the folder. The deadline only turns a hang into a failure: no test depends on
how fast anything is.
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from tests.support import figures, snapshots, verified

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get('BUILD', 'build')
AGENT = BUILD / 'libleakagent.so'
LEAKDIFF = BUILD / 'leakdiff'
PROGRAMS = BUILD / 'tests' / 'programs'
DEADLINE = 180

Result = collections.namedtuple('Result', 'status stdout stderr')


def program(name):
    return str(PROGRAMS / name)


def environment(directory=None, preload_after=(), preload_before=(),
                extra=None, agent=AGENT, **options):
    """For a host: with the agent writing into directory, or without it."""
    result = {key: value for key, value in os.environ.items()
              if not key.startswith('LEAKAGENT_') and key != 'LD_PRELOAD'}
    preload = [*preload_before, *preload_after]
    if directory is not None:
        preload.insert(len(preload_before), agent)
        settings = {'conf': ROOT / 'conf' / 'leakagent.ini', 'dir': directory,
                    'interval': 0, **verified.OPTIONS, **options}
        result.update({f'LEAKAGENT_{key.upper()}': str(value)
                       for key, value in settings.items() if value is not None})
    if preload:
        result['LD_PRELOAD'] = ':'.join(map(str, preload))
    result.update(extra or {})
    return result


def run(command, directory=None, stdin='', cwd=None, **options):
    """Runs it to its end. directory: where the agent writes; None: no agent."""
    if directory is not None:
        figures.ran(command[0])
    done = subprocess.run([str(word) for word in command], input=stdin,
                          text=True, cwd=cwd, timeout=DEADLINE,
                          capture_output=True, errors='replace',
                          env=environment(directory, **options))
    return Result(done.returncode, done.stdout, done.stderr)


def wait_for(condition, what):
    """The first true value of condition(); fails after the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f'waited {DEADLINE} s for {what}')


def free_ports(count):
    """So many different ones."""
    with contextlib.ExitStack() as probes:
        ports = []
        for _ in range(count):
            probe = probes.enter_context(socket.socket())
            probe.bind(('127.0.0.1', 0))
            ports.append(probe.getsockname()[1])
        return ports


def free_port():
    return free_ports(1)[0]


def answers(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


def files(directory, pid=None, command=None):
    """The snapshots in a folder as paths, oldest first."""
    found = []
    for path in pathlib.Path(directory).iterdir():
        match = snapshots.NAME.fullmatch(path.name)
        if (match and pid in (None, int(match['pid']))
                and command in (None, match['command'])):
            found.append((int(match['pid']), int(match['sequence']), path))
    return [path for _, _, path in sorted(found)]


def children_of(pid):
    """The pids of all live processes below one."""
    below = collections.defaultdict(list)
    for entry in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            fields = (entry / 'stat').read_text().rpartition(')')[2].split()
        except OSError:
            continue
        below[int(fields[1])].append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        found += below[queue[0]]
        queue += below[queue.pop(0)]
    return found


def sleeps(pid):
    """Whether none of its threads has anything to do; so do those that end."""
    for stat in pathlib.Path('/proc', str(pid), 'task').glob('*/stat'):
        try:
            if stat.read_text().rpartition(')')[2].split()[0] in 'RD':
                return False
        except OSError:
            pass
    return True


def leakdiff(*arguments):
    return subprocess.run([str(LEAKDIFF), *map(str, arguments)], text=True,
                          capture_output=True, timeout=DEADLINE)


def leakdiff_json(*arguments):
    done = leakdiff('--format', 'json', *arguments)
    if done.returncode:
        raise AssertionError(f'leakdiff: {done.returncode}: {done.stderr}')
    return json.loads(done.stdout)


def leakagent(*arguments):
    """What scripts/leakagent prints; it must succeed."""
    done = subprocess.run([str(ROOT / 'scripts' / 'leakagent'),
                           *map(str, arguments)], text=True,
                          capture_output=True, timeout=DEADLINE)
    if done.returncode or done.stderr:
        raise AssertionError(f'leakagent {arguments}: {done}')
    return done.stdout


def requested(pid):
    """The file of a snapshot that was asked for; None while the agent of a new
    process, or program, is starting."""
    try:
        return leakagent('snapshot', pid).strip()
    except AssertionError as error:
        if not re.search('starting|replaced its program|does not carry',
                         str(error)):
            raise
        return None


class Server:
    """A program that runs until it is told to end; use as `with`."""

    def __init__(self, command, directory=None, cwd=None, port=None, user=None,
                 **options):
        self.directory = directory
        self.port = port
        if directory is not None:
            figures.ran(command[0])
        self.output = tempfile.TemporaryFile('w+', errors='replace')
        self.errors = tempfile.TemporaryFile('w+', errors='replace')
        self.process = subprocess.Popen(
            [str(word) for word in command], cwd=cwd, stdin=subprocess.PIPE,
            stdout=self.output, stderr=self.errors, text=True, user=user,
            env=environment(directory, **options), start_new_session=True)
        self.pid = self.process.pid

    def __enter__(self):
        if self.port is not None:
            self.wait_for(lambda: answers(self.port), 'its port')
        return self

    def __exit__(self, *exception):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.stdin.close()
        self.process.wait()
        self.output.close()
        self.errors.close()

    def wait_for(self, condition, what):
        def or_dead():
            value = condition()
            if not value and self.process.poll() is not None:
                raise AssertionError(
                    f'ended with {self.process.returncode} before {what}: '
                    f'{self.read(self.output)}{self.read(self.errors)}')
            return value
        return wait_for(or_dead, what)

    def read(self, file):
        """What was written so far, without moving the writer's place."""
        with open(f'/proc/self/fd/{file.fileno()}', errors='replace') as copy:
            return copy.read()

    def wait_output(self, pattern):
        return self.wait_for(
            lambda: re.search(pattern, self.read(self.output)), pattern)

    def tell(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def snapshot(self, pid=None):
        """Asks by signal; the new file of that process. Without an agent there
        is none, and None is returned, so that both can be driven alike."""
        if self.directory is None:
            return None
        pid = pid or self.pid
        before = set(files(self.directory, pid))
        os.kill(pid, signal.SIGUSR2)
        return self.wait_for(
            lambda: next((path for path in files(self.directory, pid)
                          if path not in before), None),
            f'a snapshot of {pid}')

    def request(self, pid=None):
        """As snapshot(), for hosts that have another use for the signal."""
        if self.directory is None:
            return None
        return self.wait_for(lambda: requested(pid or self.pid),
                             f'the agent in {pid}')

    def stop(self, number=signal.SIGTERM):
        """Signals it unless number is None, and waits for its end."""
        if number is not None:
            os.kill(self.pid, number)
        status = self.process.wait(DEADLINE)
        return Result(status, self.read(self.output), self.read(self.errors))


class Puppet(Server):
    """puppet.c, obeying."""

    def __init__(self, directory, path=program('puppet'), **options):
        super().__init__([path], directory, **options)
        self.commands = 0

    def obey(self, command):
        self.commands += 1
        self.tell(command)
        self.wait_for(lambda: self.read(self.output).count('done ') ==
                      self.commands, command)

    def finish(self):
        self.process.stdin.close()
        return self.stop(None)


class HostTest(unittest.TestCase):
    """Owns a temporary folder: self.directory, and self.snapshots in it."""

    maxDiff = None

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='leakagent-'))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        if verified.ON:
            self.addCleanup(verified.check, self.directory, self)
        self.directory.chmod(0o755)
        self.snapshots = self.folder('snapshots')

    def folder(self, name):
        path = self.directory / name
        path.mkdir()
        path.chmod(0o777)
        return path

    def run_both(self, command, **options):
        """Without and with the agent: all that is seen must be the same."""
        plain = run(command, None, stdin=options.get('stdin', ''),
                    cwd=options.get('cwd'), extra=options.get('extra'))
        watched = run(command, self.snapshots, **options)
        self.assertEqual(plain, watched)
        return watched

    def assertSameRun(self, session):
        """session(directory) runs a host and returns a Result. Numbers in what
        it printed are not compared: they are times, pids and ports."""
        def scrubbed(result):
            return Result(result.status, *(re.sub(r'\d+', '0', text)
                                           for text in result[1:]))
        plain = session(None)
        watched = session(self.snapshots)
        self.assertEqual(scrubbed(plain), scrubbed(watched))

    def only_snapshot(self, **which):
        found = files(self.snapshots, **which)
        self.assertEqual(len(found), 1, found)
        return snapshots.load(found[0])
