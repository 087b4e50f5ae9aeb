"""Real programs, as Debian ships them, at a real job: without the agent and
with it, and what is seen of the two must be the same.

RealHost.both() runs a session twice, in a working folder of the same name, and
compares exit status, output, the files that are in the folder afterwards (a
core among them, where a process could leave one), and the descriptors that
look_at() found open. What differs between any two runs (times, pids, ports) is
scrubbed first. Then it reads the first and the last snapshot of each process,
whose figures must make sense, one of each program with leakdiff, and of some
with Go's pprof.
"""

import collections
import ctypes
import http.client
import os
import pathlib
import re
import resource
import shutil
import signal

from tests.support import figures, pprof, snapshots
from tests.support.servers import (AGENT, HostTest, ROOT, Result, Server,
                                   answers, children_of, files, leakdiff_json,
                                   requested, sleeps, wait_for)

INTERVAL = '200ms'
CORE = 1 << 20
PR_SET_CHILD_SUBREAPER = 36


def user_for(name):
    """Servers that refuse to be root run as this one then."""
    return name if os.geteuid() == 0 else None


def scrubbed(text):
    """Without the numbers and random names that no two runs share."""
    text = re.sub(r'0x[0-9a-f]+', '0', text)
    return re.sub(r'\d+', '0', text)


def in_any_order(text):
    """As scrubbed(), for what several processes or threads write."""
    return sorted(' '.join(line.split())
                  for line in scrubbed(text).splitlines())


def fetch(port, path='/', times=1, **headers):
    """What an HTTP server answers to so many requests: each answer once."""
    answers = set()
    for _ in range(times):
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
        connection.request('GET', path, headers=headers)
        reply = connection.getresponse()
        answers.add(f'{reply.status} {reply.read().decode()[:200]}')
        connection.close()
    return f'{path}: {sorted(answers)}\n'


def descriptors(pid):
    """[(number, what it is)] of a process."""
    found = []
    for entry in pathlib.Path('/proc', str(pid), 'fd').glob('*'):
        try:
            found.append((int(entry.name), scrubbed(os.readlink(entry))))
        except FileNotFoundError:
            pass  # closed by now
    return sorted(found)


def descriptors_in_any_order(pid):
    """As descriptors(), of one whose threads open files side by side."""
    found = descriptors(pid)
    return [number for number, _ in found], sorted(what for _, what in found)


def family(pid):
    """It and all processes below it."""
    return [pid, *children_of(pid)]


def adopt_orphans():
    """Processes below this one whose parents end become its children. It
    begins with none: earlier tests may have killed parents of some."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1):
        raise OSError('prctl')
    kill_children()


def endings(meanwhile=lambda: None):
    """How all children of this process end, each way once."""
    found = set()

    def gone():
        meanwhile()
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid:
            found.add(f'ended with {os.waitstatus_to_exitcode(status)}\n')
        return False
    wait_for(gone, 'the end of all')
    return ''.join(sorted(found))


def kill_children():
    """Those, too, that they are just making."""
    def kill():
        for pid in children_of(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # reaped by its parent
    endings(meanwhile=kill)


def leave_cores():
    """What crashes from now on leaves a file, where the system does that."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    small = CORE if most == resource.RLIM_INFINITY else min(CORE, most)
    resource.setrlimit(resource.RLIMIT_CORE, (small, most))


class RealHost(HostTest):
    interval = INTERVAL
    options = {}  # of the agent, for all sessions

    def setUp(self):
        super().setUp()
        leave_cores()
        self.inside = collections.Counter()  # snapshots by look_inside()
        self.work = self.directory / 'work'
        # Where any user can read them, wherever the checkout is.
        self.agent = shutil.copy(AGENT, self.directory)
        self.conf = shutil.copy(ROOT / 'conf' / 'leakagent.ini', self.directory)

    # ---- hosts ----

    def host(self, command, directory, extra=None, **options):
        """A server, or a program that ends by itself: see Server."""
        settings = {'interval': self.interval, 'agent': self.agent,
                    'conf': self.conf, **self.options, **options}
        own = {'HOME': str(self.work), 'LC_ALL': 'C.UTF-8', **(extra or {})}
        return Server(command, directory, cwd=self.work, extra=own, **settings)

    def job(self, command, directory, stdin='', **options):
        """Runs a program to its end."""
        with self.host(command, directory, **options) as host:
            try:
                host.process.stdin.write(stdin)
                host.process.stdin.close()
            except BrokenPipeError:  # it may end without reading
                pass
            return host.stop(None)

    def daemon(self, command, directory, port, talk, pid_file='pid',
               stop=signal.SIGTERM, each=descriptors, **options):
        """One that goes on in the background and writes its pid into a file:
        talk() to it gives what is seen of it. Tells how it began and, since
        all that it leaves behind are ours, how everything of it ended."""
        adopt_orphans()
        self.addCleanup(kill_children)
        file = self.work / pid_file
        # It may still belong to the group that is killed at the end.
        with self.host(command, directory, **options) as launcher:
            begun = launcher.stop(None)
            wait_for(lambda: file.exists() and file.read_text(),
                     f'a pid of what began so: {begun}')
            wait_for(lambda: answers(port), 'its port')
            seen = talk()
            pid = int(file.read_text())  # it may have replaced itself
            self.look_at(pid, each)
            self.look_inside(pid, directory)
            os.kill(pid, stop)
            return begun._replace(stdout=f'{begun.stdout}{seen}{endings()}')

    def look_at(self, pid, each=descriptors, below=False):
        """Notes, for both(), which descriptors a process has open, and, where
        they begin with the same ones every time, those below it, alike ones
        once. Connections may still be closing, whenever it gets to that: it
        looks until nothing changes, as often as it finds them with nothing to
        do, or, the second time, until they are those of the first."""
        place = len(self.descriptors)
        looks = []

        def settled():
            pids = family(pid) if below else [pid]
            idle = all(map(sleeps, pids))
            look = sorted(set(map(str, map(each, pids))))
            if self.plain_descriptors is not None:
                looks.append(look)
                return look == self.plain_descriptors[place]
            if idle or not looks:
                looks.append(look)
            return len(looks) > 20 and len(set(map(str, looks[-20:]))) == 1
        try:
            wait_for(settled, 'the same descriptors')
        except TimeoutError:
            pass
        self.descriptors.append(looks[-1])

    def look_inside(self, pid, directory):
        """Asks a running process and those below it for a snapshot each: each
        writes under its own pid, and something is live in it. Does nothing
        where no agent writes into a directory."""
        for each in family(pid) if directory else ():
            try:
                path = wait_for(lambda: requested(each), 'a snapshot')
            except AssertionError:
                if os.path.exists(f'/proc/{each}/exe'):
                    raise
                continue  # it has ended by now
            snapshot = snapshots.load(path)
            self.assertEqual(snapshot.comments['pid'], str(each))
            self.assertGreater(snapshot.total('heap').inuse_space, 0,
                               snapshot.path)
            self.inside[snapshot.comments['command']] += 1

    # ---- both runs ----

    def both(self, session, scrub=scrubbed, expect=0, same_files=True):
        """session(directory) returns a Result; that of the second run is given
        back."""
        seen = []
        self.plain_descriptors = None
        for directory in (None, self.snapshots):
            self.work.mkdir()
            self.work.chmod(0o777)
            self.descriptors = []
            result = session(directory)
            seen.append([result.status, scrub(result.stdout),
                         scrub(result.stderr),
                         self.files_made() if same_files else None,
                         self.descriptors])
            self.assertEqual(result.status, expect, result)
            shutil.rmtree(self.work)
            self.plain_descriptors = self.descriptors
        for name, plain, watched in zip(
                ('status', 'stdout', 'stderr', 'files', 'descriptors'), *seen):
            self.assertEqual(plain, watched, name)
        self.readable = self.read_all()
        return result

    def both_jobs(self, command, stdin='', prepare=None, expect=0,
                  scrub=scrubbed, **options):
        def session(directory):
            if prepare:
                prepare()
            return self.job(command, directory, stdin, **options)
        return self.both(session, scrub=scrub, expect=expect)

    def files_made(self):
        return sorted({scrubbed(str(path.relative_to(self.work)))
                       for path in self.work.rglob('*')})

    # ---- snapshots ----

    def read_all(self):
        """{command: the last snapshot of each of its processes}."""
        series = collections.defaultdict(list)
        for path in files(self.snapshots):
            series[path.name.rsplit('.', 4)[0]].append(path)
        found = collections.defaultdict(list)
        for paths in series.values():
            ends = [snapshots.load(path)
                    for path in [*paths[:-1][:1], paths[-1]]]
            self.check_sense(ends)
            found[ends[-1].comments['command']].append(ends[-1])
        left = [path.name for path in self.snapshots.iterdir()
                if not snapshots.NAME.fullmatch(path.name)]
        self.assertEqual(left, [])
        self.assertTrue(found, 'no snapshot was written')
        figures.count('their processes', len(series))
        for command, of_it in found.items():
            report = leakdiff_json('--by', 'stack', '--top', '5',
                                   of_it[-1].path)
            self.assertTrue(report['snapshots'], command)
        return found

    def check_sense(self, series):
        """The first and the last of a process, which may have executed another
        program meanwhile."""
        before = {}
        for snapshot in series:
            self.assertEqual(snapshot.comments['drops'], '0', snapshot.path)
            for sample in snapshot.samples:
                values = sample.values
                self.assertGreaterEqual(values.inuse_objects, 0, snapshot.path)
                self.assertGreaterEqual(values.inuse_space, 0, snapshot.path)
                self.assertGreaterEqual(values.alloc_objects,
                                        values.inuse_objects, snapshot.path)
                self.assertGreaterEqual(values.alloc_space,
                                        values.inuse_space, snapshot.path)
            for kind in 'heap', 'mmap', 'thread':
                key = snapshot.comments['start'], kind
                now = snapshot.total(kind)
                then = before.get(key, now)
                self.assertGreaterEqual(now.alloc_objects, then.alloc_objects,
                                        snapshot.path)
                self.assertGreaterEqual(now.alloc_space, then.alloc_space,
                                        snapshot.path)
                before[key] = now

    def tracked(self, command, least=1):
        """The last snapshots of a program's processes, one of which has
        allocated so many blocks; Go's pprof reads one of them."""
        self.assertIn(command, sorted(self.readable))
        found = self.readable[command]
        most = max(snapshot.total('heap').alloc_objects for snapshot in found)
        self.assertGreaterEqual(most, least, command)
        raw = pprof.pprof(self.directory, '-raw', found[-1].path)
        self.assertIn('inuse_space', raw)
        return found

    def live_at_end(self, command):
        """Heap bytes in that one of its processes which had most."""
        return max(snapshot.total('heap').inuse_space
                   for snapshot in self.readable[command])
