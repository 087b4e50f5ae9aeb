"""The aims, and what was measured of each.

Every aim is a function of the samples alone. One whose runs were not made
gives no line; one whose setup is missing is shown as not measured.
"""

import collections

from scripts.bench import pairs, programs, servers, snapshot
from scripts.bench.report import number, table
from scripts.bench.samples import spread

# value: a Spread or None; limit: in the same unit; say: a number as text
Aim = collections.namedtuple('Aim', 'what aim value limit say')


def part(value):
    """Of what another costs: 1/8."""
    return f'1/{number(1 / value)}' if value > 0 else number(value)


def fold(value):
    return f'{value:.2f}×'


def unit(name):
    return lambda value: f'{number(value)} {name}'


def paired(above, below):
    """The spread of quotients of two {round: number}."""
    return spread(above[i] / below[i] for i in above if below.get(i, 0) > 0)


def thread_cases(samples):
    """[(case, words)] of those with several threads; at least of two."""
    found = [case for case in samples.cases('threads') if case != 'own-1']
    return [(case, pairs.thread_title(case))
            for case in found or ('own-2', 'handover-2')]


def pairs_aims(samples):
    def added(case, setup, base='native', group='micro'):
        return samples.added(group, case, setup, base, 'cpu_ns')

    def threads(case, setup):
        return added(case, setup, group='threads')

    deep = added('depth26', 'exact')
    ours, theirs = (added('depth26', setup, base) for setup, base in (
        ('sampled', 'native'), ('jemalloc-sampled', 'jemalloc')))
    return [
        Aim('exact: added to a pair, over heaptrack\'s', '≤ 1/8',
            paired(deep, added('depth26', 'heaptrack')), 1 / 8, part),
        Aim('exact: the same, two threads', '≤ 1/16',
            paired(threads('own-2', 'exact'), threads('own-2', 'heaptrack')),
            1 / 16, part),
        Aim('exact: the same, 200,000 live blocks', '≤ 1/5',
            paired(added('live200k', 'exact'),
                   added('live200k', 'heaptrack')), 1 / 5, part),
        Aim('exact: added at 60 frames, over 26', '≤ 1.5×',
            paired(added('depth60', 'exact'), deep), 1.5, fold),
        Aim('exact: added to a pair', '≤ 25 ns (the goal)',
            spread(deep.values()), 25, unit('ns')),
        *(Aim(f'exact: added with {words}, over 1', '≤ 1.3×',
              paired(threads(case, 'exact'), threads('own-1', 'exact')),
              1.3, fold) for case, words in thread_cases(samples)),
        Aim('sampled: added to a pair', '≤ 3 ns',
            spread(ours.values()), 3, unit('ns')),
        Aim('sampled: more than jemalloc\'s sampling adds', '≤ 0 ns',
            spread(ours[i] - theirs[i] for i in ours if i in theirs), 0,
            unit('ns')),
    ]


def program_aims(samples):
    found = []
    for setup, limits in (('exact', (1.15, 1.35)), ('sampled', (1.03, 1.03))):
        for group, cases, limit in zip(
                ('servers', 'programs'), (servers.SERVERS, programs.PROGRAMS),
                limits):
            found += [Aim(f'{setup}: CPU time of {words[0]}', f'≤ {limit}×',
                          spread(samples.times(group, case, setup, 'native',
                                               'cpu_us').values()),
                          limit, fold) for case, words in cases.items()]
    return found


def memory_aims(samples):
    def added(case, name, scale):
        return spread(value * scale for value in samples.added(
            'memory', case, 'exact', 'native', name).values())

    return [Aim(f'exact: memory of a live block, {words}', '≤ 24 bytes',
                added(case, 'own_per_block', 1), 24, unit('bytes'))
            for case, words in (('1m', '1 million'), ('10m', '10 million'))
            ] + [Aim('exact: memory of an empty program', '≤ 16 MiB',
                     added('empty', 'own_kib', 1 / 1024), 16, unit('MiB'))]


def snapshot_aims(samples):
    during = snapshot.DURING['exact']

    def longest(setup):
        return samples.spread('snapshots', 'gaps', setup, 'held_us')

    def greatest(name, scale):
        values = samples.by_round('snapshots', 'gaps', during, name).values()
        return spread([max(values) * scale] if values else [])

    without = longest('exact')
    beside = f' ({without.high / 1000:.2f} ms without)' if without else ''
    return [
        Aim(f'a thread held up by a snapshot, at the longest{beside}',
            '≤ 1 ms', greatest('held_us', 1e-3), 1, unit('ms')),
        Aim('CPU time of a snapshot, at most', '≤ 0.5 s',
            greatest('cpu_us', 1e-6), 0.5, unit('s')),
        Aim('added to /bin/true', '≤ 5 ms', spread(
            value / 1000 for value in samples.added(
                'startup', 'true', 'exact', 'native', 'wall_us').values()),
            5, unit('ms')),
    ]


AIMS = (('micro', pairs_aims), ('servers', program_aims),
        ('memory', memory_aims), ('snapshots', snapshot_aims))


def aims(samples):
    return [aim for _, function in AIMS for aim in function(samples)]


def met(aim):
    return aim.value is not None and aim.value.median <= aim.limit


def row(aim):
    if aim.value is None:
        return [aim.what, aim.aim, 'not measured', '']
    return [aim.what, aim.aim, aim.say(aim.value.median),
            'yes' if met(aim) else 'no']


def section(samples, whole):
    """In Markdown. whole: also what was not measured."""
    rows = [row(aim) for aim in aims(samples) if whole or aim.value]
    if not rows:
        return []
    return ['## Aims', '',
            *table(['', 'aim', 'measured', 'met'], rows), '']
