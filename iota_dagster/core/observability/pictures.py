"""Small pictures as SVG text: bars over time, and over classes.

They are made for Dagster's UI, which draws a Markdown text of fewer than `INLINE` characters where it stands and hides
a longer one behind a button: so a picture is an outline, a few labels, and nothing else. Inside `<img>` no script runs;
labels are escaped all the same.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

INLINE = 1000
"""Characters of Markdown from which on the UI shows a button instead."""
BARS = 60
"""Most bars of a picture; of more values neighbours are added up."""
LABELS = 12
"""Most labels below the bars."""
LONGEST = 80
"""Characters of a text; the rest is cut off."""

_WIDTH, _BASE, _HEIGHT = 360, 76, 88
_ROOM = 64  # height of the highest bar; above it stands the caption
_HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" '
    'font-size="10" fill="#888">'  # grey and blue are seen on white and on black
)
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Label = tuple[float, str]
"""A text below the bars, and where it begins: 0 is the left end, 1 the right one."""


def timeline(values: Sequence[int], labels: Sequence[Label], caption: str) -> str:
    """Counts of equal spans of time, from left to right, as one outline; below zero counts as zero."""
    bars = _merged([max(value, 0) for value in values])
    return _picture([(height, 1) for height in _heights(bars)], labels, caption)


def histogram(values: Sequence[int], names: Sequence[str], caption: str) -> str:
    """Counts of classes, a bar with a gap behind it for each, and the classes' names below; of more than `LABELS`
    classes the last ones are left out.
    """
    shown = [max(value, 0) for value in values[:LABELS]]
    outline = [part for height in _heights(shown) for part in ((height, 4), (0, 1))]
    labels = [(index / max(len(shown), 1), name) for index, name in enumerate(names[: len(shown)])]
    return _picture(outline, labels, caption)


def markdown(svg: str, alternative: str) -> str:
    """A picture as a Markdown image; `alternative` is what is read aloud, our own words."""
    return f"![{alternative}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _merged(values: Sequence[int]) -> list[int]:
    """At most `BARS` values: neighbours added up."""
    width = -(-len(values) // BARS) or 1
    return [sum(values[start : start + width]) for start in range(0, len(values), width)]


def _heights(values: Sequence[int]) -> list[int]:
    """The bars' heights; what is not zero is seen."""
    largest = max(values, default=0)
    return [-(-value * _ROOM // largest) if value else 0 for value in values]


def _picture(outline: Sequence[tuple[int, int]], labels: Sequence[Label], caption: str) -> str:
    """Heights with their widths, in units of the picture's width over all of them."""
    texts = "".join(
        f'<text x="{min(max(place, 0.0), 1.0) * _WIDTH:.0f}" y="{_HEIGHT - 2}">{_escaped(text)}</text>'
        for place, text in labels[:LABELS]
    )
    path = f'<path fill="#48c" d="M0 {_BASE}{"".join(_steps(outline))}V{_BASE}H0"/>'
    return f'{_HEAD}<text y="9">{_escaped(caption)}</text>{path}{texts}</svg>'


def _steps(outline: Sequence[tuple[int, int]]) -> Iterator[str]:
    """The outline as path commands, one for neighbours of the same height."""
    unit = _WIDTH / max(sum(width for _, width in outline), 1)
    for height, parts in groupby(outline, key=lambda part: part[0]):
        yield f"V{_BASE - height}h{sum(width for _, width in parts) * unit:.4g}"


def _escaped(text: str) -> str:
    return escape(_NO_XML.sub("", text[:LONGEST]))
