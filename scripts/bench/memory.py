"""Memory of the agent: what it has at once, and for each live block."""

import functools
import os
import subprocess

from scripts.bench import launch, setups
from scripts.bench.allocations import newest
from scripts.bench.group import Chart, Column, Group
from tests.support import snapshots

INTERPRETER = '/usr/lib/heaptrack/libexec/heaptrack_interpret'
SETUPS = ('native', 'exact', 'sampled', 'heaptrack')

# case: (title, live blocks, how many times as many there were)
CASES = {
    'empty': ('A program that does nothing', 0, 1),
    '1m': ('1 million live blocks', 1000000, 1),
    '10m': ('10 million live blocks', 10000000, 1),
    'sparse': ('1 million live blocks, the rest of 4 million freed',
               1000000, 4),
}


class Interpreter:
    """heaptrack's second process, which has its tables; use as `with`."""

    def __init__(self, folder):
        self.pipe = folder / 'heaptrack-pipe'
        os.mkfifo(self.pipe)
        self.process = subprocess.Popen(
            [*launch.prefix(), 'sh', '-c', 'exec "$0" <"$1" >/dev/null',
             INTERPRETER, self.pipe], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.communicate()
        self.pipe.unlink()

    def peak_kib(self):
        """Once the program has ended."""
        said, _ = self.process.communicate(timeout=launch.LIMIT)
        return launch.split(said)[1][0]['peak_kib']


def run_program(bench, setup, blocks, sparse):
    command = [setups.PROGRAMS / 'bench_live', blocks, sparse]
    if setup != 'heaptrack':
        output, costs = launch.run(command, setup, bench.folder)
        return {**launch.numbers(output), 'peak_kib': costs[0]['peak_kib']}
    with Interpreter(bench.folder) as other:
        output, costs = launch.run(
            command, setup, bench.folder,
            extra={'DUMP_HEAPTRACK_OUTPUT': other.pipe})
        return {**launch.numbers(output), 'peak_kib': costs[0]['peak_kib'],
                'other_kib': other.peak_kib()}


def once(bench, setup, case):
    _, blocks, sparse = CASES[case]
    found = run_program(bench, setup, blocks, sparse)
    # A second process is wholly the profiler's.
    found['own_kib'] = found['rss_kib'] + found.get('other_kib', 0)
    path = newest(bench.folder)
    if path:
        found['agent_bytes'] = int(
            snapshots.load(path).comments['agent_bytes'])
    if blocks:
        found['own_per_block'] = found['own_kib'] * 1024 / blocks
        if path:
            found['agent_per_block'] = found['agent_bytes'] / blocks
    return found


def run(bench):
    bench.interleave('memory', 1 if bench.quick else 3, [
        (case, setup, functools.partial(once, bench, setup, case))
        for case in CASES for setup in SETUPS])


GROUPS = {
    'memory': Group(
        'Memory',
        'Blocks of 16 to 256 bytes from one callsite. Added is what the kernel '
        'counts as resident before the program ends, and at its peak in '
        'heaptrack\'s second process, which has its tables. Its own figure is '
        'what the agent tells in its snapshot.',
        run, lambda case: CASES[case][0],
        (Column('added bytes per live block', 'own_per_block', 'added'),
         Column('its own figure', 'agent_per_block'),
         Column('added MiB', 'own_kib', 'added', scale=1 / 1024),
         Column('its own figure, MiB', 'agent_bytes', scale=1 / (1 << 20)),
         Column('second process, MiB', 'other_kib', scale=1 / 1024),
         Column('program\'s peak, MiB', 'peak_kib', scale=1 / 1024)),
        Chart('resident bytes added for each live block',
              Column('', 'own_per_block', 'added'))),
}
