"""What the agent adds to the life of the shortest program."""

import functools
import statistics

from scripts.bench import launch, setups
from scripts.bench.group import Chart, Column, Group

SETUPS = (*setups.OURS, 'heaptrack')


def once(bench, setup):
    """Medians of some runs in a row."""
    _, costs = launch.run(['/bin/true'], setup, bench.folder,
                          times=5 if bench.quick else 20)
    return {name: statistics.median(cost[name] for cost in costs)
            for name in costs[0]}


def run(bench):
    bench.interleave('startup', 5 if bench.quick else 15, [
        ('true', setup, functools.partial(once, bench, setup))
        for setup in SETUPS])


GROUPS = {
    'startup': Group(
        'Start and end',
        '/bin/true, from fork to its end, the snapshot at exit included.',
        run, lambda case: '/bin/true',
        (Column('wall ms', 'wall_us', scale=1e-3),
         Column('added', 'wall_us', 'added', scale=1e-3),
         Column('CPU ms', 'cpu_us', scale=1e-3),
         Column('peak MiB', 'peak_kib', scale=1 / 1024)),
        Chart('ms added to /bin/true',
              Column('', 'wall_us', 'added', scale=1e-3))),
}
