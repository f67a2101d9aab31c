"""Lines that are read many at once say what they say line by line, whatever clients put into them."""

from __future__ import annotations

from copy import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.alb import SOURCE as ALB
from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.s3_access import SOURCE as S3
from iota_dagster.core.sources.text_source import TextSource
from tests.log_objects import records

ODD = st.sampled_from(
    (
        "-", "", " ", "  ", '"', '""', '" "', "a", "a b", "a  b ", " a", "\\x22", "\\x2d", "\\x0a", "\\xFF", "\\", "é",
        "\t", "\r", "\n", "\0", "\x1f", "\x85", "\u00a0", "[2001:db8::7]:443", "203.0.113.9:1", ":1", "1:", "[]:1",
        "-:1", "GET", "GET x", "GET  x", "- - -", " x HTTP/1.1", "GET a b c",
        "GET https://[2001:db8::7]:443/ HTTP/1.1",
        "GET https://a[b/ HTTP/1.1", "GET a:b://c/d HTTP/1.1", "GET //x://www.example.com:1 -", "CONNECT a:1 HTTP/1.1",
        "arn:aws:acm:eu-west-1:111122223333:x", "arn:::::", "arn:", "1_0", "+1", "1e3", "0x1F", "99999999999999999999",
        "Anonymous", "[", "]", "[06/Feb/2019:00:00:38 +0130]", "tls", "2024", "2024-03-14T09:26:53Z", '"h2","-"', ",",
    )
)  # fmt: skip


def _lines(source: TextSource) -> list[str]:
    return [record.decode() for record, _ in records()[source.log_type]]


@st.composite
def _written(draw: st.DrawFn, lines: list[str]) -> bytes:
    """A line with other tokens in some places, some of them appended."""
    tokens = draw(st.sampled_from(lines)).split(" ")
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(tokens)))
        new = draw(ODD | st.text(max_size=5))
        if draw(st.booleans()):
            new = f'"{new}"'
        tokens[place : place + draw(st.integers(0, 2))] = [new]
    return " ".join(tokens[: draw(st.integers(1, 60))]).encode(errors="replace")


def _said(readings: Readings) -> list[object]:
    indicators = {name: column.to_pylist() for name, column in readings.indicators.items()}
    columns = [(column.type, column.to_pylist()) for column in (readings.event_time, *readings.columns)]
    return [columns, indicators, readings.event_id, readings.account, readings.region, sorted(readings.rejected)]


def assert_alike(source: TextSource, lines: list[bytes]) -> None:
    """Assert that the source reads the lines as it does one by one."""
    exact = copy(source)
    exact._quick = None
    assert _said(source.read_many(lines)) == _said(exact.read_many(lines))


@pytest.mark.parametrize("source", [ALB, S3], ids=lambda source: source.log_type)
@given(data=st.data())
def test_lines_read_together_say_what_they_say_alone(source: TextSource, data: st.DataObject) -> None:
    assert_alike(source, data.draw(st.lists(_written(_lines(source)), max_size=4)))


@pytest.mark.parametrize("source", [ALB, S3], ids=lambda source: source.log_type)
def test_whole_objects_read_together_say_what_their_lines_say_alone(source: TextSource) -> None:
    lines = [line.encode() for line in _lines(source)]
    assert_alike(source, lines)
    assert_alike(source, lines[::-1])


@pytest.mark.parametrize("source", [ALB, S3], ids=lambda source: source.log_type)
def test_most_lines_are_read_together(source: TextSource) -> None:
    lines = [line.encode() for line in _lines(source)]
    assert source._quick is not None
    assert sum(len(part.places) for part in source._quick(lines)) >= len(lines) * 3 // 4
