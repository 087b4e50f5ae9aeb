"""The report: text in Markdown from samples, and nothing else."""

from scripts.bench.samples import spread
from scripts.bench.setups import SETUPS


def number(value):
    """Three digits or so."""
    if value == 0:
        return '0'
    digits = 0 if abs(value) >= 99.5 else 1 if abs(value) >= 9.95 else 2
    text = f'{value:,.{digits}f}'
    return '0' if not float(text.replace(',', '')) else text


def with_range(found):
    """'median (least-greatest)' of a spread."""
    if found is None:
        return ''
    return (f'{number(found.median)} '
            f'({number(found.low)} – {number(found.high)})')


def column_spread(samples, group, case, setup, column):
    """The spread that a table shows there, or None."""
    base = SETUPS[setup].base if setup in SETUPS else None
    if column.kind == 'value':
        values = samples.by_round(group, case, setup, column.name)
    elif base is None:
        return None
    elif column.kind == 'added':
        values = samples.added(group, case, setup, base, column.name)
    else:
        values = samples.times(group, case, setup, base, column.name)
    return spread(value * column.scale for value in values.values())


def title_of(setup):
    return SETUPS[setup].title if setup in SETUPS else setup


def setups_of(samples, group, case):
    """Those that were measured; the known ones in their own order."""
    found = list(dict.fromkeys(r['setup'] for r in samples.records
                               if (r['group'], r['case']) == (group, case)))
    known = list(SETUPS)
    return sorted(found, key=lambda setup: (
        known.index(setup) if setup in known else len(known)))


def table(headings, rows):
    """In Markdown; all columns but the first are aligned to the right."""
    lines = ['| ' + ' | '.join(headings) + ' |',
             '|---|' + '---:|' * (len(headings) - 1)]
    return lines + ['| ' + ' | '.join(row) + ' |' for row in rows]


def case_table(samples, name, group, case):
    rows = []
    for setup in setups_of(samples, name, case):
        rows.append([title_of(setup)] + [
            with_range(column_spread(samples, name, case, setup, column))
            for column in group.columns])
    return table(['', *(column.heading for column in group.columns)], rows)


def group_section(samples, name, group, drawn):
    lines = [f'## {group.title}', '', group.about, '']
    if drawn:
        lines += [f'![{group.title}]({name}.svg)', '']
    for case in samples.cases(name):
        lines += [f'### {group.case_title(case)}', '']
        lines += case_table(samples, name, group, case) + ['']
    return lines


def head(facts):
    versions = ', '.join(f'{name} {version}'
                         for name, version in facts['versions'].items())
    return [
        '# What the agent costs', '',
        f'{facts["processor"]}, {facts["cores"]} cores, '
        f'{facts["memory_gib"]} GiB, {facts["system"]}, Linux '
        f'{facts["kernel"]}; {facts["date"]}, commit {facts["commit"]}; load '
        f'before it began {facts["load_before"]:.2f}'
        + ('; a quick run' if facts['quick'] else '') + '.', '',
        f'{versions}.', '',
        'Runs are interleaved; each number is the median, with the least and '
        'the greatest in parentheses. What is compared is compared within a '
        'round: jemalloc\'s profiling with jemalloc, gperftools\' with '
        'tcmalloc, all others with the program alone. What heaptrack writes '
        'goes to /dev/null: its second process is not counted.', '']


def whole(facts, samples, failures, groups, aims, drawn):
    lines = head(facts)
    for title, texts in (('Not measured', facts['not_measured']),
                         ('Failed', failures)):
        if texts:
            lines += [f'{title}:', '', *(f'- {text}' for text in texts), '']
    lines += aims
    for name, group in groups.items():
        if name in samples.groups():
            lines += group_section(samples, name, group, name in drawn)
    return '\n'.join(lines).rstrip() + '\n'
