"""User-defined log types of lines: separated values with and without a header, and patterns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.reading.records import open_records
from iota_dagster.core.sources import user_text
from iota_dagster.core.sources.base import HeadedSource, Source
from iota_dagster.core.sources.classifier import Classifier
from iota_dagster.core.sources.headers import headers_within
from iota_dagster.core.sources.user_text import UserLines
from tests.core.sources.cases import columns, indicators, read_safely, rows
from tests.core.sources.user_types import DOORS, GATE, PLAIN, source_of

HEADER = "Zeit;Name;Tür Nr"


def read(source: Source, text: str) -> list[str | None]:
    """Who reads each record of an object, by its log type."""
    found: list[str | None] = []
    classifier = Classifier([source], "any/key", None)
    for chunk in open_records(io.BytesIO(text.encode()), headers=headers_within([source], [source.log_type])):
        for reader, start, stop in classifier.runs(chunk.records, chunk.header):
            found += [reader.log_type if reader else None] * (stop - start)
    return found


def below(source: Source, header: str) -> Source:
    assert isinstance(source, HeadedSource)
    assert source.is_header(header.encode())
    assert header.encode()[:4] in source.header_starts
    return source.below(header.encode())


def test_a_line_is_read_by_the_header_above_it(tmp_path: Path) -> None:
    doors = below(source_of(tmp_path, DOORS), HEADER)
    (found,) = rows(doors, b"22.11.2025 11:00:00;Ann;7")
    assert columns(found) == {"at": datetime(2025, 11, 22, 10, tzinfo=UTC), "who": "Ann", "door": 7}
    assert indicators(found) == {"usernames": ["Ann"]}


def test_columns_may_stand_in_any_order_with_more_after_them(tmp_path: Path) -> None:
    source = source_of(tmp_path, DOORS)
    for header, line in (
        ("Tür Nr;Zeit;Name", "7;22.11.2025 11:00:00;Ann"),
        ("Name;Zeit;Tür Nr;Note", "Ann;22.11.2025 11:00:00;7;late"),
        ('"Name";"Zeit";"Tür Nr"', '"Ann";22.11.2025 11:00:00;"7"'),
    ):
        (found,) = rows(below(source, header), line.encode())
        assert (columns(found)["who"], columns(found)["door"]) == ("Ann", 7)


@pytest.mark.parametrize(
    "header", ["Zeit;Name", "Zeit;Name;Tür Nr;Name", "22.11.2025 11:00:00;Ann;7", '"Zeit;Name;Tür Nr']
)
def test_what_lacks_or_doubles_a_column_is_no_header(tmp_path: Path, header: str) -> None:
    source = source_of(tmp_path, DOORS)
    assert isinstance(source, HeadedSource)
    assert not source.is_header(header.encode())


def test_an_object_with_a_header_is_read_whole_and_one_without_not_at_all(tmp_path: Path) -> None:
    source = source_of(tmp_path, DOORS)
    lines = "22.11.2025 11:00:00;Ann;7\r\n22.11.2025 11:00:01;;7\r\n22.11.2025 11:00:02;Bob;8\r\n"
    assert read(source, f"{HEADER}\r\n{lines}") == ["Custom.Doors", None, "Custom.Doors"]
    assert read(source, lines) == [None, None, None]
    readings = source.read_many([b"22.11.2025 11:00:00;Ann;7"])
    assert [error.reason for error in readings.rejected.values()] == ["missing_header"]


@pytest.mark.parametrize("names", [("a", "b", "c"), ("id", "at"), ("ab", "c"), ("Zeit", "x")])
def test_the_beginnings_of_all_headers_are_known(tmp_path: Path, names: tuple[str, ...]) -> None:
    fields = "".join(f"  - {{name: {name}, type: text, description: x}}\n" for name in names)
    source = source_of(tmp_path, f"log_type: Custom.A\nformat: csv\ndescription: x\nfields:\n{fields}")
    for header in (names, names[::-1], tuple(f'"{name}"' for name in names)):
        below(source, ",".join(header))
    below(source, ",".join([*names, "further"]))


def test_lines_without_a_header_have_exactly_the_columns_of_the_schema(tmp_path: Path) -> None:
    plain = source_of(tmp_path, PLAIN)
    line = b'2025-11-22T10:00:00Z,x,"a, ""quoted"" note"'
    assert plain.accepts(line)
    assert columns(rows(plain, line)[0])["note"] == 'a, "quoted" note'
    refused = [b"2025-11-22T10:00:00Z,x", b"a,b,c,d", b",x,y", b'a,b,"open', b'{"a":1,"b":2,"c":3}', b""]
    assert not any(map(plain.accepts, refused))


def test_a_pattern_takes_whole_lines_apart(tmp_path: Path) -> None:
    gate = source_of(tmp_path, GATE)
    with_source, without = rows(
        gate, b"2025-11-22T10:00:00Z [WARN] from 203.0.113.7 opened: yes", b"2025-11-22T10:00:01Z [INFO] quiet"
    )
    assert columns(with_source) == {
        "at": datetime(2025, 11, 22, 10, tzinfo=UTC),
        "level": "WARN",
        "source": "203.0.113.7",
        "message": "opened: yes",
    }
    assert indicators(with_source) == {"ip_addresses": ["203.0.113.7"]}
    assert columns(without)["message"] == "quiet"
    assert not gate.accepts(b"2025-11-22T10:00:01Z INFO quiet")
    assert not gate.accepts(b"before 2025-11-22T10:00:01Z [INFO] quiet")


def test_a_line_longer_than_an_undecided_pattern_may_see_is_of_no_type(tmp_path: Path) -> None:
    gate = source_of(tmp_path, GATE.replace("(?P<at>\\S+) ", "(?P<at>.*?) "))
    assert "of at most 2,048 characters" in gate.marks
    assert gate.accepts(b"a [WARN] " + b"x" * 2_000)
    assert not gate.accepts(b"a [WARN] " + b"x" * 2_048)
    assert source_of(tmp_path, GATE).accepts(b"a [WARN] " + b"x" * 2_048)


def test_a_record_of_several_lines_is_tried_on_a_pattern_only_if_that_costs_no_more_than_one(tmp_path: Path) -> None:
    several = b"a [WARN]  \n more"
    spaced = GATE.replace(")? (?P<message>", ")?\\s+(?P<message>")
    assert not source_of(tmp_path, spaced).accepts(several)
    assert source_of(tmp_path, spaced).accepts(several.replace(b"\n", b""))
    assert source_of(tmp_path, spaced.replace("'(?P<at>", "'(?s)(?P<at>")).accepts(several)


@pytest.mark.parametrize("text", [DOORS, PLAIN, GATE], ids=["headed", "plain", "pattern"])
def test_a_line_that_was_accepted_is_not_taken_apart_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    source = source_of(tmp_path, text)
    lines = source.below(HEADER.encode()) if isinstance(source, HeadedSource) else source
    assert isinstance(lines, UserLines)
    split, seen = lines._split, list[str]()

    def counted(line: str) -> Sequence[str | None] | None:
        seen.append(line)
        return split(line)

    monkeypatch.setattr(lines, "_split", counted)
    samples = [b"22.11.2025 11:00:0%d;Ann;7", b"2025-11-22T10:00:0%dZ,x,y", b"2025-11-22T10:00:0%dZ [INFO] quiet"]
    records = [sample % number for sample in samples for number in range(9)]
    mine = [record for record in records if lines.accepts(record)]
    assert len(seen) == len(records)
    assert lines.read_many(mine).rejected == {}
    assert len(seen) == len(records)
    assert lines.read_many(mine).rejected == {}
    assert len(seen) == len(records) + len(mine)  # what was read is forgotten


def test_lines_that_are_accepted_and_never_read_do_not_heap_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_text, "_MOST_KEPT", 5)
    plain = source_of(tmp_path, PLAIN)
    assert isinstance(plain, UserLines)
    records = [b"2025-11-22T10:00:00Z,x,%d" % number for number in range(13)] + [
        b"2025-11-22T10:00:00Z,x," + b"y" * 3000
    ]
    assert all(map(plain.accepts, records))
    assert len(plain._kept) <= 5
    assert [columns(row)["note"] for row in rows(plain, *records)] == [*map(str, range(13)), "y" * 3000]


def test_long_lines_that_wait_to_be_read_are_bounded_by_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_text, "_MOST_KEPT_BYTES", 5_000)
    plain = source_of(tmp_path, PLAIN)
    assert isinstance(plain, UserLines)
    records = [b"2025-11-22T10:00:00Z,x,%04d" % number + b"y" * 1_000 for number in range(13)]
    for _ in range(3):
        assert all(map(plain.accepts, records))
        assert 0 < sum(map(len, plain._kept)) <= 5_000
        assert not plain.read_many(records).rejected
        assert not plain._kept
    assert all(map(plain.accepts, records[:4]))
    assert len(plain._kept) == 4  # what was read is no longer counted


ANY_LINE = st.binary(max_size=40) | st.sampled_from(
    [
        b"22.11.2025 11:00:00;Ann;7",
        b"2025-11-22T10:00:00Z,x,y",
        b"2025-11-22T10:00:01Z [INFO] quiet",
        b";;",
        b",,",
    ]
)


@pytest.fixture(scope="module", params=[DOORS, PLAIN, GATE], ids=["headed", "plain", "pattern"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source_of(tmp_path_factory.mktemp("types"), request.param)


@given(records=st.lists(ANY_LINE, max_size=8))
def test_no_line_makes_it_stumble(source: Source, records: list[bytes]) -> None:
    read_safely(source, records)
    if isinstance(source, HeadedSource):
        read_safely(source.below(HEADER.encode()), records)


@given(records=st.lists(ANY_LINE, max_size=8))
def test_what_is_accepted_is_read(source: Source, records: list[bytes]) -> None:
    reader = source.below(HEADER.encode()) if isinstance(source, HeadedSource) else source
    assert not reader.read_many([record for record in records if reader.accepts(record)]).rejected
