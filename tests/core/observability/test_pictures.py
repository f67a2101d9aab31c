"""Pictures: valid XML whatever the texts are, small whatever the numbers are, and seen where there is something."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.observability import pictures
from iota_dagster.core.observability.event_times import LAG_NAMES

LARGEST = 10_000
SVG = "{http://www.w3.org/2000/svg}"
counts = st.lists(st.integers(-(10**6), 10**18), max_size=400)
texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)


def parsed(svg: str) -> ElementTree.Element:
    """The picture as a browser has to read it: well-formed, of four kinds of elements, without anything active."""
    root = ElementTree.fromstring(svg)
    assert {element.tag for element in root.iter()} <= {f"{SVG}svg", f"{SVG}path", f"{SVG}text"}
    assert {name for element in root.iter() for name in element.attrib} <= {
        *("width", "height", "font-family", "font-size", "fill", "d", "x", "y")
    }
    return root


def outline(svg: str) -> list[float]:
    """Heights of the bars, neighbours of the same height once."""
    path = parsed(svg).find(f"{SVG}path")
    assert path is not None
    return [76 - float(y) for y in re.findall(r"V(\d+)h", path.attrib["d"])]


@given(counts, st.lists(st.tuples(st.floats(), texts), max_size=30), texts)
def test_a_timeline_is_valid_and_small_whatever_it_shows(
    values: list[int], labels: list[tuple[float, str]], caption: str
) -> None:
    svg = pictures.timeline(values, labels, caption)
    assert len(parsed(svg).findall(f"{SVG}text")) <= pictures.LABELS + 1
    assert len(svg.encode()) <= LARGEST
    assert all(0 <= height <= 64 for height in outline(svg))


@given(counts, st.lists(texts, max_size=400), texts)
def test_a_histogram_is_valid_and_small_whatever_it_shows(values: list[int], names: list[str], caption: str) -> None:
    svg = pictures.histogram(values, names, caption)
    parsed(svg)
    assert len(svg.encode()) <= LARGEST


@given(st.lists(st.integers(0, 10**12), min_size=60, max_size=60))
def test_the_pictures_of_the_ui_are_shown_where_they_stand(values: list[int]) -> None:
    labels = [(index / 4, text) for index, text in enumerate(["10:00", "10:15", "10:30", "10:45"])]
    caption = f"from 2026-11-22 10:00, at most {10**12:,} in 1 min; {10**12:,} at other times"
    assert len(pictures.markdown(pictures.timeline(values, labels, caption), "events over time")) < pictures.INLINE
    caption = f"{10**12:,} by age, at most {10**12:,}"
    svg = pictures.histogram(values[: len(LAG_NAMES)], LAG_NAMES, caption)
    assert len(pictures.markdown(svg, "events by their age")) < pictures.INLINE


def test_one_event_among_millions_is_seen() -> None:
    assert outline(pictures.timeline([0, 1, 0, 5_000_000], (), "")) == [0, 1, 0, 64]


def test_of_many_values_neighbours_are_added_up() -> None:
    assert outline(pictures.timeline([1, 1] * 60 + [1, 3], (), "")) == [48, 64]


def test_bars_of_a_histogram_have_gaps_and_names() -> None:
    svg = pictures.histogram([2, 4], ["1m", "<more>"], "two & four")
    assert outline(svg) == [32, 0, 64, 0]
    assert [(text.get("x"), text.text) for text in parsed(svg).iter(f"{SVG}text")] == [
        (None, "two & four"),
        ("0", "1m"),
        ("180", "<more>"),
    ]


def test_an_image_in_markdown_holds_the_picture_itself() -> None:
    svg = pictures.timeline([1], (), "one")
    start, data = pictures.markdown(svg, "events").split(",")
    assert start == "![events](data:image/svg+xml;base64"
    assert base64.b64decode(data.removesuffix(")")).decode() == svg
