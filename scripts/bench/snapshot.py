"""Large snapshots: whom they hold up, what they cost, and to compare two.

A program has 1 million live blocks from 100,000 distinct stacks of 30 frames
(bench_stacks.c). One thread of it allocates; it measures the longest gap
between two operations, while snapshots are taken and while none are.
"""

import functools
import os
import pathlib
import signal
import time

from scripts.bench import launch, setups
from scripts.bench.group import Chart, Column, Group
from tests.support import snapshots
from tests.support.pprof import go_environment
from tests.support.servers import LEAKDIFF, Server, children_of, files, wait_for

STACKS, BLOCKS = 100000, 10
WINDOW_MS = 1500
DURING = {'exact': 'leakagent, exact, snapshots',
          'sampled': 'leakagent, sampled, snapshots'}


class Host:
    """bench_stacks in a setup; use as `with`."""

    def __init__(self, bench, setup):
        self.folder = bench.folder
        self.server = Server([*launch.prefix(None, 1, setups.environment(
            setup, bench.folder)), setups.PROGRAMS / 'bench_stacks', STACKS,
            BLOCKS])

    def __enter__(self):
        self.server.__enter__()
        self.server.wait_output('ready')
        self.pid = children_of(self.server.pid)[0]
        return self

    def __exit__(self, *exception):
        self.server.__exit__(*exception)

    def agent_cpu_us(self):
        """CPU so far of the threads that are not the program's own."""
        total = 0
        for task in pathlib.Path(f'/proc/{self.pid}/task').iterdir():
            own = (int(task.name) == self.pid
                   or (task / 'comm').read_text().strip() == 'gaps')
            if not own:
                total += int((task / 'schedstat').read_text().split()[0])
        return total / 1000

    def gaps(self, meanwhile=lambda: {}):
        """What the program tells of a window, and what the caller adds."""
        said = len(self.server.read(self.server.output))
        self.server.tell(f'gaps {WINDOW_MS}')
        time.sleep(0.1)
        found = meanwhile()
        text = self.server.wait_for(
            lambda: self.server.read(self.server.output)[said:],
            'what it measured')
        return {**launch.numbers(text), **found}

    def snapshot(self):
        """Takes one: what it cost, and its file."""
        before = set(files(self.folder))
        cpu = self.agent_cpu_us()
        start = time.monotonic()
        os.kill(self.pid, signal.SIGUSR2)
        while set(files(self.folder)) == before:
            if time.monotonic() - start > launch.LIMIT:
                raise launch.Failed('no snapshot came')
            time.sleep(0.001)
        waited = time.monotonic() - start
        path = (set(files(self.folder)) - before).pop()
        wait_for(lambda: not self.busy(), 'the end of the snapshot')
        own = int(snapshots.load(path).comments['agent_bytes'])
        return {'file_ms': waited * 1000, 'cpu_us': self.agent_cpu_us() - cpu,
                'file_bytes': path.stat().st_size, 'agent_bytes': own}, path

    def busy(self):
        """Whether the agent's thread took CPU in a while just now."""
        cpu = self.agent_cpu_us()
        time.sleep(0.05)
        return self.agent_cpu_us() != cpu

    def grow(self):
        self.server.tell('grow')
        self.server.wait_output('grown')


def take(bench, number, setup):
    """A program's life in a setup, with snapshots where there is an agent."""
    with Host(bench, setup) as host:
        bench.samples.add('snapshots', 'gaps', setup, number, host.gaps())
        if setup not in DURING:
            return
        for i in range(2):
            found = host.gaps(lambda: host.snapshot()[0])
            bench.samples.add('snapshots', 'gaps', DURING[setup],
                              2 * number + i, found)


def run(bench):
    for number in range(1 if bench.quick else 3):
        bench.say(f'snapshots: round {number + 1}')
        for setup in ('native', *DURING):
            if setup not in bench.absent:
                bench.attempt(f'snapshots, {setup}',
                              functools.partial(take, bench, number, setup))
                bench.clean()


def compare(bench):
    """leakdiff against pprof on two snapshots of that size."""
    keep = bench.folder / 'compared'
    keep.mkdir()
    with Host(bench, 'exact') as host:
        old = host.snapshot()[1].rename(keep / 'old.pb.gz')
        host.grow()
        new = host.snapshot()[1].rename(keep / 'new.pb.gz')
    commands = {
        'leakdiff OLD NEW': [LEAKDIFF, old, new],
        'go tool pprof -top -diff_base=OLD NEW':
            ['go', 'tool', 'pprof', '-top', f'-diff_base={old}', new]}
    go = {key: value for key, value in go_environment(keep).items()
          if os.environ.get(key) != value}
    bench.interleave('compare', 2 if bench.quick else 5, [
        ('compare', title, lambda command=command: launch.run(
            command, 'native', bench.folder, extra=go)[1][0])
        for title, command in commands.items()])


GROUPS = {
    'snapshots': Group(
        'Snapshots of 1 million blocks and 100,000 callsites',
        'The longest time between two operations of a thread that allocates, '
        f'in {WINDOW_MS / 1000:g} s: of all, and of those in which the kernel '
        'gave its core to no other thread. The time from the request for a '
        'snapshot until its file is whole, and the CPU time of the agent\'s '
        'thread for it.',
        run, lambda case: 'Gaps and costs',
        (Column('longest gap, ms', 'gap_us', scale=1e-3),
         Column('not preempted, ms', 'held_us', scale=1e-3),
         Column('times preempted', 'preempted'),
         Column('to the file, ms', 'file_ms'),
         Column('CPU s', 'cpu_us', scale=1e-6),
         Column('file MB', 'file_bytes', scale=1e-6),
         Column('agent MiB', 'agent_bytes', scale=1 / (1 << 20))),
        Chart('the longest gap without preemption, ms',
              Column('', 'held_us', scale=1e-3))),
    'compare': Group(
        'Comparing two such snapshots', 'Without symbols to be fetched.',
        compare, lambda case: '100,000 callsites',
        (Column('wall ms', 'wall_us', scale=1e-3),
         Column('CPU ms', 'cpu_us', scale=1e-3),
         Column('peak MiB', 'peak_kib', scale=1 / 1024)),
        Chart('ms from start to end', Column('', 'wall_us', scale=1e-3))),
}
