"""Curves over numbers of threads as SVG, in panels side by side."""

import collections

from scripts.bench.chart import (LINE, TOP, WIDTH, Scale, document, line, text,
                                 tick_text)

# points: {x: Spread}
Curve = collections.namedtuple('Curve', 'label colour points')

LEFT, RIGHT, BETWEEN, BOTTOM = 64, 16, 36, 380


def curves(title, subtitles, panels):
    """panels: [(heading, [Curve])]; they share a logarithmic upward axis and
    the legend below them."""
    found = [one for _, lines in panels for curve in lines
             for one in curve.points.values()]
    top = TOP + 34
    up = Scale(min(one.median for one in found),
               max(one.high for one in found), BOTTOM, top, True)
    width = (WIDTH - LEFT - RIGHT - BETWEEN * (len(panels) - 1)) / len(panels)
    parts = [text(LEFT - 8, up.place(value) + 4.5, tick_text(value),
                  text_anchor='end', fill='#555') for value in up.ticks()]
    for i, (heading, lines) in enumerate(panels):
        left = LEFT + i * (width + BETWEEN)
        parts.append(text(left, TOP + 14, heading, font_weight='bold'))
        parts += panel(lines, left, left + width, up)
    legend = {curve.label: curve.colour for _, lines in panels
              for curve in lines}
    return document(BOTTOM + 60 + LINE * ((len(legend) + 1) // 2), title,
                    subtitles, parts + keys(legend))


def panel(lines, left, right, up):
    xs = sorted({x for curve in lines for x in curve.points})
    across = Scale(0, max(len(xs) - 1, 1), left + 20, right - 20)
    parts = [line(left, up.place(value), right, up.place(value))
             for value in up.ticks()]
    for i, x in enumerate(xs):
        parts.append(text(across.place(i), BOTTOM + 20,
                          f'{x} threads' if i == len(xs) - 1 else x,
                          text_anchor='middle', fill='#555'))
    for curve in lines:
        places = [(across.place(xs.index(x)), one)
                  for x, one in sorted(curve.points.items())]
        parts += drawn(places, curve.colour, up)
    return parts


def drawn(places, colour, up):
    parts = [line(x1, up.place(one.median), x2, up.place(other.median), colour,
                  2.5) for (x1, one), (x2, other) in zip(places, places[1:])]
    for x, one in places:
        parts.append(line(x, up.place(one.low), x, up.place(one.high), colour,
                          1.5))
        parts.append(f'<circle cx="{x:.1f}" cy="{up.place(one.median):.1f}" '
                     f'r="4" fill="{colour}"/>')
    return parts


def keys(legend):
    parts = []
    for i, (label, colour) in enumerate(legend.items()):
        x = LEFT + (i % 2) * (WIDTH - LEFT) / 2
        y = BOTTOM + 48 + (i // 2) * LINE
        parts.append(line(x, y, x + 30, y, colour, 3))
        parts.append(text(x + 40, y + 4.5, label))
    return parts
