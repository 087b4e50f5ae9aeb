"""What tests/system/test_faults.py tries of the agent's calls, here with all of
them, and each of them in more ways; and kills at any moment."""

import os
import random
import signal
import time

from tests.support import figures, snapshots
from tests.support.servers import HostTest, Server, files, program, run
from tests.system import test_faults

TIMEOUT = 2400
ERRORS = 'EPERM', 'ENOSYS', 'EINTR', 'ENOMEM'
KILLS = 1000


class SystemCalls(test_faults.SystemCalls):
    every = 1

    def test_each_in_other_ways(self):
        for error in ERRORS:
            self.fail_each(error=error)

    def test_each_without_nameless_files(self):
        self.fail_each(test_faults.NAMED)


class SystemCallsOfHabits(test_faults.SystemCalls):
    """A host that looks at its descriptors, errno, mask and children."""
    every = 1
    host = [program('habits')]
    # What is not closed stays open; and of the calls around the making of a
    # thread libc's own, which a filter would refuse, too, are let through.
    left_out = 'close', 'rt_sigprocmask'


class LibraryCalls(test_faults.LibraryCalls):
    every = 1

    def test_each_in_other_ways(self):
        for error in ERRORS:
            self.fail_each(error)


class Kills(test_faults.Kills):
    every = 1


class KillsAtAnyMoment(HostTest):
    """Of a program that does nothing but write snapshots, while another one, in
    a pid name space of its own, does so, too."""
    # It says how many it has written, and how many it could not.
    script = """
import ctypes, sys, threading
agent = ctypes.CDLL(None)
done = [0, 0]
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
while not ended.wait(0.01):
    done[agent.leakagent_snapshot(b"again") != 0] += 1
print(*done)
"""

    def kill_one(self, **options):
        """As soon as it writes, and a moment later; what it left is whole, but
        for one temporary file at most."""
        with Server([program('puppet')], self.snapshots, keep=0,
                    **options) as host:
            host.tell('snapshot a\n' * 4000)
            host.wait_output('done')
            time.sleep(random.random() * 0.02)
            os.kill(host.pid, signal.SIGKILL)
            host.process.wait()
        left = []
        for path in files(self.snapshots, host.pid):
            snapshots.load(path)
            path.unlink()
        for path in self.snapshots.glob(f'puppet.{host.pid}.*'):
            self.assertEqual(path.suffix, '.tmp')
            left.append(path)
        self.assertLessEqual(len(left), 1)
        return left

    def test_kills(self):
        user = [] if os.geteuid() == 0 else ['-r']
        elsewhere = ['unshare', *user, '--pid', '--fork', '--kill-child']
        half = 0
        with Server([*elsewhere, '/usr/bin/python3', '-c', self.script],
                    self.snapshots, keep=5, only='python3*') as writer:
            writer.wait_for(lambda: files(self.snapshots, 1), 'the other one')
            for number in range(KILLS):
                extra = dict(preload_after=[test_faults.LIBRARY],
                             extra=test_faults.NAMED) if number % 2 else {}
                with self.subTest(number=number):
                    broken = True
                    try:
                        half += len(self.kill_one(**extra))
                        broken = False
                    finally:
                        figures.count(test_faults.KILLED, 1, broken)
            writer.process.stdin.close()
            done = writer.stop(None)
        self.assertEqual((done.status, done.stderr), (0, ''))
        written, failed = map(int, done.stdout.split())
        self.assertGreater(written, KILLS // 10)
        self.assertEqual(failed, 0)
        # Kills did come in the middle, and the next writer swept them away.
        self.assertGreater(half, KILLS // 100)
        run([program('puppet')], self.snapshots)
        self.assertEqual([*self.snapshots.glob('*.tmp')], [])
