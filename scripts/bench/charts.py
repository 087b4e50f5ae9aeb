"""Which chart shows which samples."""

from scripts.bench import chart
from scripts.bench.curves import Curve, curves
from scripts.bench.report import column_spread, setups_of, title_of

MODES = {'own': 'each thread frees its own',
         'handover': 'half allocate, half free'}


def colour_of(setup):
    return chart.COLOURS.get(setup, chart.OTHER)


def bar_chart(samples, name, group, subtitles):
    blocks = []
    for case in samples.cases(name):
        bars = [chart.Bar(title_of(setup), colour_of(setup), found)
                for setup in setups_of(samples, name, case)
                if (found := column_spread(samples, name, case, setup,
                                           group.chart.column))]
        if bars:
            blocks.append((group.case_title(case), bars))
    return blocks and chart.bars(group.title, subtitles, blocks,
                                 group.chart.origin, group.chart.logarithmic)


def curve_chart(samples, name, group, subtitles):
    """A panel for each mode: cases are called mode-number."""
    panels = {}
    for case in samples.cases(name):
        mode, count = case.split('-')
        for setup in setups_of(samples, name, case):
            found = column_spread(samples, name, case, setup,
                                  group.chart.column)
            if found:
                panels.setdefault(mode, {}).setdefault(setup, {})[
                    int(count)] = found
    return panels and curves(group.title, subtitles, [
        (MODES[mode], [Curve(title_of(setup), colour_of(setup), points)
                       for setup, points in lines.items()])
        for mode, lines in panels.items()])


def is_curve(samples, name, group):
    """Two points are better told as bars."""
    return group.chart.curve and len(
        {case.split('-')[1] for case in samples.cases(name)}) > 2


def write(folder, samples, facts, groups):
    """One file for each group that was measured; their names."""
    written = []
    for name in samples.groups():
        group = groups[name]
        subtitles = (
            f'{group.chart.heading}; median, and least to greatest',
            f'{facts["processor"]}, {facts["cores"]} cores, {facts["date"]}')
        draw = curve_chart if is_curve(samples, name, group) else bar_chart
        drawing = draw(samples, name, group, subtitles)
        if drawing:
            (folder / f'{name}.svg').write_text(drawing)
            written.append(name)
    return written
