"""Bars with whiskers as SVG. Nothing of it measures."""

import collections
import html
import math

# One thing to draw: a Spread under a label, in a colour.
Bar = collections.namedtuple('Bar', 'label colour spread')

COLOURS = {
    'native': '#8c8c8c', 'forward': '#b8b8b8', 'exact': '#0b6bb8',
    'sampled': '#63b3ed', 'heaptrack': '#d1495b', 'jemalloc': '#b5a642',
    'jemalloc-sampled': '#edae49', 'jemalloc-exact': '#c77d0a',
    'tcmalloc': '#7a9e7e', 'gperftools': '#3d7a46',
}
OTHER = '#5d5d81'
WIDTH, LEFT, RIGHT = 860, 300, 110
LINE, TOP, GAP = 22, 80, 34
STYLE = ('font-family="DejaVu Sans, Helvetica, sans-serif" font-size="13" '
         'fill="#222"')


def text(x, y, words, **attributes):
    more = ''.join(f' {name.replace("_", "-")}="{value}"'
                   for name, value in attributes.items())
    return (f'<text x="{x:.1f}" y="{y:.1f}"{more}>'
            f'{html.escape(str(words))}</text>')


def line(x1, y1, x2, y2, colour='#d0d0d0', width=1, more=''):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-width="{width}"{more}/>')


def document(height, title, subtitles, parts):
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
        f'height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}" {STYLE}>',
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>',
        text(16, 26, title, font_size=17, font_weight='bold'),
        *(text(16, 46 + 18 * i, words, fill='#555')
          for i, words in enumerate(subtitles)), *parts, '</svg>', ''])


class Scale:
    """From values to places between two ends."""

    def __init__(self, low, high, start, end, logarithmic=False):
        self.logarithmic = logarithmic
        if logarithmic:
            low = 10.0 ** math.floor(math.log10(max(low, 1)))
            high = 10.0 ** math.ceil(math.log10(max(high, 10)))
        self.low, self.high = low, high
        self.start, self.end = start, end

    def place(self, value):
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.logarithmic:
            low, high, value = map(math.log10, (low, high, value))
        return self.start + (value - low) / (high - low) * (
            self.end - self.start)

    def ticks(self):
        if self.logarithmic:
            exponents = range(round(math.log10(self.low)),
                              round(math.log10(self.high)) + 1)
            return [10 ** exponent for exponent in exponents]
        step = nice_step((self.high - self.low) / 6)
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor(self.high / step + 1e-9) - first
        return [(first + i) * step for i in range(count + 1)]


def nice_step(least):
    """1, 2 or 5 times a power of ten, not below."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(f * power for f in (1, 2, 5, 10) if f * power >= least * .999)


def brief(value):
    """An axis or a bar's number."""
    if value and abs(value) < 0.005:
        return '0'
    if abs(value) >= 100:
        return f'{value:,.0f}'
    return f'{value:.1f}' if abs(value) >= 10 else f'{value:.2f}'


def tick_text(value):
    return f'{value:,.0f}' if abs(value) >= 1000 else f'{round(value, 6):g}'


def bars(title, subtitles, blocks, origin=0, logarithmic=False):
    """blocks: [(heading, [Bar])]. The number at a bar is its median."""
    spreads = [bar.spread for _, block in blocks for bar in block]
    low = min([origin, *(found.low for found in spreads)])
    high = max([*(found.high for found in spreads), origin + 1e-9])
    if not logarithmic:
        low = origin if low >= origin else low
        high = max(high, origin + nice_step((high - low) / 6))
    scale = Scale(low, high, LEFT, WIDTH - RIGHT, logarithmic)
    parts, y = [], TOP
    for heading, block in blocks:
        y += GAP - LINE / 2
        parts.append(text(16, y, heading, font_weight='bold', stroke='white',
                          stroke_width=5, paint_order='stroke'))
        y += LINE / 2
        for bar in block:
            parts += one_bar(bar, y, scale, origin)
            y += LINE
    axis = [part for value in scale.ticks()
            for part in (line(scale.place(value), TOP, scale.place(value), y),
                         text(scale.place(value), y + 18, tick_text(value),
                              text_anchor='middle', fill='#555'))]
    return document(y + 34, title, subtitles, axis + parts)


def one_bar(bar, y, scale, origin):
    zero = scale.place(origin)
    end, low, high = map(scale.place, (bar.spread.median, bar.spread.low,
                                       bar.spread.high))
    middle = y + LINE / 2
    return [
        text(LEFT - 10, middle + 4.5, bar.label, text_anchor='end'),
        f'<rect x="{min(zero, end):.1f}" y="{y + 3:.1f}" '
        f'width="{max(abs(end - zero), 1.5):.1f}" height="{LINE - 6}" '
        f'fill="{bar.colour}"/>',
        line(low, middle, high, middle, '#222', 1.5),
        *(line(x, middle - 4, x, middle + 4, '#222', 1.5) for x in (low, high)),
        text(max(high, end, zero) + 8, middle + 4.5, brief(bar.spread.median))]
