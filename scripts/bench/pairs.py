"""What one malloc and free costs, with one thread and with several."""

import functools

from scripts.bench import launch, setups
from scripts.bench.group import Chart, Column, Group

JEMALLOC = ('jemalloc', 'jemalloc-sampled', 'jemalloc-exact')
TCMALLOC = ('tcmalloc', 'gperftools')

# case: (title, options of bench_pairs, setups)
MICRO = {
    'depth26': ('26 frames deep, 1,024 live blocks', {},
                (*setups.OURS, 'heaptrack', *JEMALLOC, *TCMALLOC)),
    'depth60': ('60 frames deep', {'depth': 60},
                (*setups.OURS, 'heaptrack', *JEMALLOC)),
    'live200k': ('200,000 live blocks', {'live': 200000},
                 (*setups.OURS, 'heaptrack', *JEMALLOC)),
    'swing8': ('8 of 26 frames left and entered anew before each pair',
               {'swing': 8}, (*setups.OURS, 'heaptrack', 'jemalloc',
                              'jemalloc-sampled')),
}
THREAD_SETUPS = (*setups.OURS, 'heaptrack', 'jemalloc', 'jemalloc-sampled')
COLUMNS = (Column('CPU ns per pair', 'cpu_ns'),
           Column('added', 'cpu_ns', 'added'),
           Column('wall ns per pair', 'wall_ns'),
           Column('peak MiB', 'peak_kib', scale=1 / 1024))

ADDED = 'CPU ns added to a malloc and free'


def pair(bench, setup, options):
    """One run of bench_pairs: what it tells, and its memory."""
    options = {'ms': 60 if bench.quick else 150, **options}
    words = [f'{name}={value}' for name, value in options.items()]
    output, costs = launch.run([setups.PROGRAMS / 'bench_pairs', *words],
                               setup, bench.folder)
    return {**launch.numbers(output), 'peak_kib': costs[0]['peak_kib']}


def measure(bench, group, cases):
    bench.interleave(group, 3 if bench.quick else 9, [
        (case, setup, functools.partial(pair, bench, setup, options))
        for case, (_, options, chosen) in cases.items() for setup in chosen])


def thread_counts(cores):
    """1, 2, 4, ... and all."""
    return sorted({1 << i for i in range(8) if 1 << i <= cores} | {cores})


def thread_cases(cores):
    cases = {}
    for count in thread_counts(cores):
        cases[f'own-{count}'] = (thread_title(f'own-{count}'),
                                 {'threads': count}, THREAD_SETUPS)
    for count in thread_counts(cores):
        if count % 2 == 0:
            case = f'handover-{count}'
            cases[case] = (thread_title(case),
                           {'threads': count, 'handover': 1, 'live': 4096},
                           THREAD_SETUPS)
    return cases


def thread_title(case):
    mode, count = case.split('-')
    if count == '1':
        return '1 thread'
    return f'{count} threads, ' + (
        'each of which frees its own' if mode == 'own' else
        'half of which allocate what the other half frees')


GROUPS = {
    'micro': Group(
        'malloc and free in pairs',
        'Blocks of 16 to 256 bytes; each pair frees one of the live blocks, '
        'chosen at random, and allocates another, in one thread. gperftools '
        'keeps at most 32 frames, all others the whole stack.',
        lambda bench: measure(bench, 'micro', MICRO),
        lambda case: MICRO[case][0], COLUMNS,
        Chart(ADDED, COLUMNS[1], logarithmic=True)),
    'threads': Group(
        'Threads',
        'The same pairs, 26 frames deep, 1,024 live blocks each, with every '
        'thread on a core of its own. Two that hand over have 4,096 blocks '
        'between them, and wait for each other by the 1,024. CPU is summed '
        'over the threads.',
        lambda bench: measure(bench, 'threads',
                              thread_cases(len(bench.cores))),
        thread_title, COLUMNS,
        Chart(ADDED, COLUMNS[1], logarithmic=True, curve=True)),
}
