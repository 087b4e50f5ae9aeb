"""Each call that the agent makes, of the system and of libraries, fails in
turn: the host runs as without the agent, and ends so. And at each of them the
process is killed: no half file has a snapshot's name.

Here some of the calls are tried, in tests/hosts all of them. What is left out
there, too, is said where it is.
"""

import contextlib
import errno
import re
import signal
import subprocess

from tests.support import figures, snapshots
from tests.support.servers import (AGENT, DEADLINE, HostTest, Result,
                                   environment, files, program, run)

STDIN = 'alloc 54321\nsnapshot a\nalloc 10\nsnapshot b\n'
LIBRARY = program('libfaults.so')
HEADER = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h'
FAILED, KILLED = 'calls made to fail', 'kills in the middle of a snapshot'
# What these are known to fail with; others do with EPERM, as filters of system
# calls refuse them.
USUAL = {'mmap': 'ENOMEM', 'openat': 'EMFILE', 'open': 'EMFILE', 'read': 'EIO',
         'write': 'ENOSPC', 'linkat': 'EIO', 'clone3': 'EAGAIN',
         'pthread_create': 'EAGAIN', 'pthread_key_create': 'EAGAIN',
         'pthread_setspecific': 'ENOMEM', 'memfd_create': 'ENFILE',
         'renameat2': 'EIO', '__register_atfork': 'ENOMEM'}
# No kernel and no sensible filter lets them fail: hosts would not live with it.
CANNOT = ('getpid', 'gettid', 'getppid')
# Refused each time, they leave the agent only /tmp, which is everybody's.
WHERE = ('faccessat', 'faccessat2')
# File systems that cannot link nameless files: snapshots have a temporary name.
NAMED = {'FAULTS_REFUSE': 'access', 'FAULTS_ERRNO': str(errno.ENOENT)}


def names_of_calls():
    with open(HEADER) as header:
        return dict(reversed(pair) for pair in
                    re.findall(r'#define __NR_(\w+) (\d+)', header.read()))


def number_of(name, error=None):
    return getattr(errno, error or USUAL.get(name, 'EPERM'))


class Faults(HostTest):
    host = [program('puppet')]
    names = names_of_calls()
    every = 4  # one of so many calls is tried
    left_out = ()  # calls whose failures this host is right to notice

    def setUp(self):
        super().setUp()
        self.plain = run(self.host, stdin=STDIN)
        self.log = self.directory / 'log'
        self.spare = self.folder('spare')  # where its folder cannot be had

    # ---- one run ----

    def under_ptrace(self, *how, extra=None):
        """A run of faults.c; what it put in its log as (call, thread)."""
        variables = environment(self.snapshots, extra={
            'TMPDIR': str(self.spare), **(extra or {})})
        preload = variables.pop('LD_PRELOAD')
        if extra:
            preload += ':' + LIBRARY
        done = subprocess.run(
            [program('faults'), preload, self.log, *map(str, how), *self.host],
            input=STDIN, text=True, capture_output=True, timeout=DEADLINE,
            env=variables)
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return (Result(done.returncode, done.stdout, done.stderr),
                [(self.names[call], thread) for call, thread in lines])

    def in_library(self, **variables):
        self.log.write_text('')
        extra = {f'FAULTS_{key.upper()}': str(value)
                 for key, value in variables.items()}
        extra.update(FAULTS_LOG=str(self.log), TMPDIR=str(self.spare))
        done = run(self.host, self.snapshots, stdin=STDIN,
                   preload_after=[LIBRARY], extra=extra)
        return done, self.log.read_text().split()

    # ---- what must hold of it ----

    @contextlib.contextmanager
    def trying(self, what, **which):
        """One try: yields a list that is given how many calls it was."""
        times, broken = [], True
        with self.subTest(**which):
            try:
                yield times
                broken = False
            finally:
                figures.count(what, sum(times), sum(times) * broken)

    def assertLives(self, done):
        self.assertEqual(done[:2], self.plain[:2])
        self.assertRegex(done.stderr, r'\A(leakagent: [^\n]+\n)*\Z')
        self.assertLessEqual(done.stderr.count('no snapshot'), 1)

    def assertNoneHalf(self, temporaries=False):
        """Of the files that came since the last time; those that are whole
        are removed."""
        for path in [*self.snapshots.iterdir(), *self.spare.iterdir()]:
            if temporaries and path.suffix == '.tmp':
                self.assertRegex(path.stem, snapshots.NAME)
                continue
            self.assertRegex(path.name, snapshots.NAME)
            snapshots.load(path)
            path.unlink()

    def assertSwept(self):
        """The next process that writes there removes what has no name."""
        run(self.host, self.snapshots, stdin='')
        self.assertEqual([*self.snapshots.iterdir()], files(self.snapshots))

    def chosen(self, calls):
        """(number, call, thread) of those to be tried: of rt_sigprocmask,
        which comes around every lock, one in eight."""
        found = [(number, *call) for number, call in enumerate(calls, 1)
                 if call[0] not in CANNOT + self.left_out
                 and (call[0] != 'rt_sigprocmask' or number % 8 == 0)]
        return found[::self.every]


class SystemCalls(Faults):
    def fail_each(self, extra=None, error=None):
        _, calls = self.under_ptrace('list', extra=extra)
        failed = 0
        for number, name, thread in self.chosen(calls):
            with self.trying(FAILED, number=number, call=name,
                             thread=thread) as times:
                done, did = self.under_ptrace('fail', number,
                                              number_of(name, error),
                                              extra=extra)
                # Threads run as they like: it may be another, or none.
                times.append(len(did))
                failed += len(did)
                if not {call for call, _ in did} & {*self.left_out}:
                    self.assertLives(done)
                self.assertNoneHalf(temporaries=True)
        self.assertGreater(failed, 150 // self.every)

    def test_each(self):
        self.fail_each()

    def test_each_kind_is_refused(self):
        """From the first to the last of its kind, as filters do."""
        _, calls = self.under_ptrace('list')
        numbers = {name: number for number, name in self.names.items()}
        refused = 0
        for name in sorted({name for name, _ in calls}
                            - {*CANNOT, *WHERE, *self.left_out}):
            with self.trying(FAILED, call=name) as times:
                done, did = self.under_ptrace('refuse', numbers[name],
                                              number_of(name))
                times.append(len(did))  # some it makes only now and then
                refused += bool(did)
                self.assertLives(done)
                self.assertNoneHalf(temporaries=True)
        self.assertGreater(refused, 20)


class LibraryCalls(Faults):
    def fail_each(self, error=None):
        done, calls = self.in_library()
        self.assertEqual(done, self.plain)
        for number, name in [*enumerate(calls, 1)][::self.every]:
            with self.trying(FAILED, number=number, call=name) as times:
                times.append(1)
                done, _ = self.in_library(fail=number,
                                          errno=number_of(name, error))
                self.assertLives(done)
                self.assertNoneHalf(temporaries=True)
        self.assertGreater(len(calls), 100)

    def test_each(self):
        self.fail_each()

    def test_each_function_is_refused(self):
        _, calls = self.in_library()
        for name in sorted({*calls} - {*WHERE}):
            with self.trying(FAILED, function=name) as times:
                times.append(calls.count(name))
                done, _ = self.in_library(refuse=name, errno=number_of(name))
                self.assertLives(done)
                self.assertNoneHalf(temporaries=True)


class Kills(Faults):
    def kill_at_each(self, extra=None):
        _, calls = self.under_ptrace('list', extra=extra)
        for number, name, thread in self.chosen(calls):
            if thread != 'agent':
                continue
            with self.trying(KILLED, number=number, call=name) as times:
                done, _ = self.under_ptrace('kill', number, 0, extra=extra)
                times.append(done.status == -signal.SIGKILL)
                self.assertNoneHalf(temporaries=extra is not None)
        self.assertSwept()

    def test_at_each_call(self):
        self.kill_at_each()

    def test_at_each_call_without_nameless_files(self):
        self.kill_at_each(NAMED)
