"""The short table for the README: one row a workload, one column a setup."""

from scripts.bench import memory, pairs, programs, servers
from scripts.bench.report import number, table
from scripts.bench.samples import spread

COLUMNS = {'native': 'without', 'forward': 'empty hook', 'exact': 'exact',
           'sampled': 'sampled', 'heaptrack': 'heaptrack'}


def median(values):
    found = spread(values.values())
    return found and found.median


def added_cell(samples, group, case, setup, name, scale=1):
    """The base's own number, and for others what they add to it."""
    if setup == 'native':
        value = median(samples.by_round(group, case, setup, name))
        return '' if value is None else number(value * scale)
    value = median(samples.added(group, case, setup, 'native', name))
    return '' if value is None else f'{value * scale:+.0f}' if abs(
        value * scale) >= 9.95 else f'{value * scale:+.1f}'


def times_cell(samples, group, case, setup):
    if setup == 'native':
        value = median(samples.by_round(group, case, setup, 'cpu_us'))
        return '' if value is None else f'{value / 1e6:.1f} s'
    value = median(samples.times(group, case, setup, 'native', 'cpu_us'))
    return '' if value is None else f'{value:.2f}×'


def pair_rows(samples):
    cases = [('micro', case, words[0]) for case, words in pairs.MICRO.items()]
    cases += [('threads', case, pairs.thread_title(case))
              for case in samples.cases('threads') if case != 'own-1']
    return [[f'ns of a malloc and free: {words}'] + [
        added_cell(samples, group, case, setup, 'cpu_ns')
        for setup in COLUMNS] for group, case, words in cases]


def program_rows(samples):
    return [[f'CPU of {words[0]}'] + [
        times_cell(samples, group, case, setup) for setup in COLUMNS]
        for group, cases in (('servers', servers.SERVERS),
                             ('programs', programs.PROGRAMS))
        for case, words in cases.items()]


def other_rows(samples):
    rows = [[f'bytes for a live block: {words[0]}', ''] + [
        added_cell(samples, 'memory', case, setup, 'own_per_block')
        for setup in list(COLUMNS)[1:]]
        for case, words in memory.CASES.items() if words[1]]
    return rows + [['ms of /bin/true'] + [
        added_cell(samples, 'startup', 'true', setup, 'wall_us', 1e-3)
        for setup in COLUMNS]]


def text(facts, samples):
    rows = [row for make in (pair_rows, program_rows, other_rows)
            for row in make(samples) if any(row[1:])]
    versions = facts['versions']
    lines = table(['', *COLUMNS.values()], rows)
    return '\n'.join([
        f'{facts["processor"]}, {facts["cores"]} cores, {facts["system"]}, '
        f'{facts["date"]}, commit {facts["commit"]}; heaptrack '
        f'{versions.get("heaptrack", "missing")}. Sampled is at 512 KiB; what '
        'is added has a sign.', '', *lines])
