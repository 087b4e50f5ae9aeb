"""Signals, those of the host and the agent's: neither gets into the other's way.
"""

import collections
import os
import pathlib
import re
import signal

from tests.support import snapshots
from tests.support.servers import (ROOT, HostTest, Server, files, leakagent,
                                   program, run)

MANUAL = ROOT / 'conf' / 'leakagent.ini'
NEVER_CALLED = {'__libc_start_main', '_Exit', '__asan_default_options'}


class Waiting(HostTest):
    """System calls in which threads wait."""

    def outcomes(self, text):
        return dict(re.findall('^(.*): (.*)$', text, re.M))

    def test_unasked_snapshots_interrupt_nothing(self):
        """Nor do those that are asked for without a signal."""
        native = run([program('waiting_calls')])
        with Server([program('waiting_calls')], self.snapshots,
                    interval='10ms', keep=0) as host:
            host.wait_output('waiting')
            for _ in range(10):
                leakagent('snapshot', host.pid)
            host.process.stdin.close()
            done = host.stop(None)
        self.assertEqual(done, native)
        self.assertEqual(set(self.outcomes(done.stdout).values()),
                         {'as it should'})
        reasons = [snapshots.load(path).comments['reason']
                   for path in files(self.snapshots)]
        self.assertEqual(reasons.count('request'), 10)
        self.assertGreater(reasons.count('timer'), 1)

    def test_the_manual_names_what_a_signal_interrupts(self):
        done = run([program('waiting_calls'), int(signal.SIGUSR2)],
                   self.snapshots)
        self.assertEqual((done.status, done.stderr), (0, ''))
        outcomes = self.outcomes(done.stdout)
        self.assertGreater(list(outcomes.values()).count('as it should'), 10)
        text = ' '.join(re.findall('^; (.*)$', MANUAL.read_text(), re.M))
        manual = re.search('SA_RESTART(.*?)growth:', text)[1]
        for call, outcome in outcomes.items():
            if outcome != 'as it should':
                self.assertEqual(outcome, 'interrupted', call)
                self.assertRegex(manual, rf'\b{re.escape(call.split()[0])}\b')


class Usr2(HostTest):
    def test_signalfd(self):
        done = self.run_both([program('own_signal'), 'signalfd'])
        self.assertIn('handled 3', done.stdout)
        with Server([program('own_signal'), 'signalfd'],
                    self.folder('again')) as host:
            host.wait_output('handled 3')
            self.assertIn('taken-by-host', leakagent('status', host.pid))
            taken = snapshots.load(leakagent('snapshot', host.pid).strip())
            self.assertEqual(taken.comments['signal'], 'taken-by-host')
            host.process.stdin.close()
            self.assertEqual(host.stop(None).status, 0)

    def test_every_signal_is_blocked(self):
        """By all threads, since before the start: all but the signal works."""
        script = ('import os, signal, sys\n'
                  'every = range(1, signal.NSIG)\n'
                  'signal.pthread_sigmask(signal.SIG_BLOCK, every)\n'
                  'os.execv(sys.argv[1], sys.argv[1:])')

        def named(reason):
            return [path for path in files(self.snapshots, command='puppet')
                    if snapshots.load(path).comments['reason'] == reason]
        with Server(['/usr/bin/python3', '-c', script, program('puppet')],
                    self.snapshots, interval='50ms', growth='10M', only='puppet',
                    keep=0) as host:
            host.tell('alloc 1000')
            host.wait_output('done alloc 1000\n')
            os.kill(host.pid, signal.SIGUSR2)
            host.wait_for(lambda: named('timer'), 'the timer')
            host.tell('alloc 11000000')
            host.wait_for(lambda: named('growth'), 'growth')
            taken = snapshots.load(leakagent('snapshot', host.pid).strip())
            host.process.stdin.close()
            self.assertEqual(host.stop(None).status, 0)
        self.assertEqual(taken.comments['signal'], 'taken-by-host')
        self.assertEqual(taken.through('puppet_alloc').inuse_space, 11001000)
        self.assertEqual(named('signal'), [])
        self.assertEqual(len(named('exit')), 1)


class Errno(HostTest):
    def test_every_function(self):
        for options in ({}, {'exit': 'always', 'sample': '10'},
                        {'growth': '1000'}):
            with self.subTest(options):
                self.snapshots = self.folder(f'{len(options)}-{options}')
                self.run_both([program('errnos')], **options)

    def test_none_is_left_out(self):
        """Each that the agent stands in front of is called, but for those that
        do not return and those that no program calls."""
        names = re.findall(r'\b(\w+);', (ROOT / 'agent' / 'exports.map')
                           .read_text().partition('local:')[0])
        source = pathlib.Path(ROOT / 'tests' / 'programs' / 'errnos.cc')
        called = source.read_text()
        symbols = run(['nm', '-D', program('errnos')]).stdout
        for name in set(names) - NEVER_CALLED:
            with self.subTest(name):
                self.assertTrue(re.search(rf'\b{name}\b', called) or
                                re.search(rf' U {name}\b', symbols))


class Handlers(HostTest):
    def check(self, name, *arguments, allocator=None, **options):
        """Each line of figures that the program prints: a function, and what it
        has made comes to."""
        preload = {'preload_after': [allocator]} if allocator else {}
        command = [program(name), *arguments]
        plain = run(command, **preload)
        done = run(command, self.snapshots, **preload, **options)
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertEqual((plain.status, plain.stderr), (0, ''))
        snapshot, = (each for each in map(snapshots.load,
                                          files(self.snapshots))
                     if each.comments['reason'] == 'call:books')
        self.assertEqual(snapshot.comments['drops'], '0')
        found = collections.defaultdict(lambda: snapshots.NOTHING)
        for stack, values in snapshot.stacks(program(name)).items():
            found[stack[:1]] += values
        books = re.findall(r'^(\w+) (\d+) (\d+) (\d+) (\d+)$', done.stdout,
                           re.M)
        self.assertTrue(books)
        for function, *figures in books:
            with self.subTest(function):
                self.assertEqual(found[function,],
                                 tuple(map(int, figures)))
        return plain.stdout, done.stdout

    def test_timers(self):
        """A thousand times a second in each thread, and in each other."""
        for options in ({}, {'growth': '1M'}):
            with self.subTest(options):
                self.snapshots = self.folder(f'{len(options)}')
                self.check('timers', 300, **options)

    def test_new_handlers(self):
        # mimalloc's operator new aborts where there is no memory.
        for allocator in (None, 'libjemalloc.so.2',
                          'libtcmalloc_minimal.so.4'):
            with self.subTest(allocator):
                self.snapshots = self.folder(str(allocator))
                plain, watched = self.check('new_handlers',
                                            allocator=allocator)
                self.assertEqual(plain, watched)
                self.assertIn('handled 803, caught 801\n', watched)


class Libc(HostTest):
    def test_what_it_does_on_its_own(self):
        self.run_both([program('of_libc')])
