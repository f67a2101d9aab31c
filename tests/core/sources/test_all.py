"""What holds of every log type that iota brings along, asked of the objects in `tests/fixtures/logs`."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from iota_dagster.core.sources.base import INDICATORS, Shape, Source
from iota_dagster.core.sources.built_in import BUILT_IN
from iota_dagster.core.sources.classifier import Classifier
from iota_dagster.core.sources.content_identity import ContentIdentified
from tests.core.sources.accounting import account_for
from tests.core.sources.cases import mutilated, read_safely, rows
from tests.log_objects import RECORDS, Record, below, objects, records

each_source = pytest.mark.parametrize("source", BUILT_IN, ids=lambda source: source.log_type)


def writings(record: bytes) -> Iterator[bytes]:
    """The record in other ways that say the same: of a line there is none, of an object there are many."""
    yield record
    if record.startswith(b"{"):
        value = json.loads(record)
        for number, indent in enumerate((None, 2, "\t")):
            yield json.dumps(shuffled(value, random.Random(number)), indent=indent).encode()


def shuffled(value: Any, chance: random.Random) -> Any:
    """The value with the keys of all its objects in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], chance) for key in chance.sample(list(value), len(value))}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def by_header(found: Sequence[Record]) -> dict[bytes | None, list[bytes]]:
    """The records by the header that they lie below."""
    groups: defaultdict[bytes | None, list[bytes]] = defaultdict(list)
    for record, header in found:
        groups[header].append(record)
    return groups


def test_every_log_type_has_fixtures_and_every_fixture_its_log_type() -> None:
    log_types = {source.log_type for source in BUILT_IN}
    assert set(RECORDS) == set(records()) == log_types
    assert {log_type: len(found) for log_type, found in records().items()} == RECORDS


def test_log_types_and_tables_have_names_of_their_own() -> None:
    assert len({source.log_type for source in BUILT_IN}) == len({source.table for source in BUILT_IN}) == len(BUILT_IN)
    assert all(source.exclusive for source in BUILT_IN)


@each_source
def test_a_record_is_accepted_by_its_type_alone_however_it_is_written(source: Source) -> None:
    for record, header in records()[source.log_type]:
        for written in writings(record):
            accepting = [other.log_type for other in BUILT_IN if below(other, header).accepts(written)]
            assert accepting == [source.log_type], written


@each_source
def test_a_record_that_is_refused_is_told_what_every_type_of_its_shape_looks_for(source: Source) -> None:
    odd = b'{"what":1}' if source.shape is Shape.JSON else b"what"
    assert not source.accepts(odd)
    assert f"{source.log_type} looks for {source.marks}" in Classifier(BUILT_IN, "", None).explained(odd)


@each_source
def test_the_schema_is_described_and_keeps_clear_of_the_envelope(source: Source) -> None:
    assert source.description
    assert source.marks
    assert all((column.metadata or {}).get(b"description") and column.nullable for column in source.columns)
    names = [name.lower() for name in source.columns.names]  # Glue knows no case
    assert len(names) == len(set(names))
    assert not [name for name in names if name.startswith("p_") or name in ("year", "month", "day", "hour")]
    assert set(source.texts.values()) <= set(source.columns.names)


@each_source
def test_a_record_reads_alone_as_it_reads_among_others(source: Source) -> None:
    for header, found in by_header(records()[source.log_type]).items():
        reader = below(source, header)
        together = rows(reader, *found)
        assert [rows(reader, record)[0] for record in found] == together
        assert rows(reader, *found[::-1]) == together[::-1]


@each_source
def test_a_record_means_the_same_however_it_is_written(source: Source) -> None:
    for record, header in records()[source.log_type]:
        whole, *others = (rows(below(source, header), written)[0] for written in writings(record))
        for other in others:
            assert comparable(other) == comparable(whole)
            assert isinstance(source, ContentIdentified) or other.get("id") == whole.get("id")


@each_source
def test_a_record_is_the_same_one_whatever_whitespace_it_is_written_with(source: Source) -> None:
    for record, header in records()[source.log_type]:
        written = json.dumps(json.loads(record), indent=2).encode() if record.startswith(b"{") else record
        found = [row.get("id") for row in rows(below(source, header), record, written)]
        assert found[0] == found[1]


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its id and what a record's spelling may change: JSON texts, the order of what was found."""
    found = {name: sorted(value) for name, value in row.items() if name in INDICATORS}
    columns = {name: value for name, value in row.items() if name.startswith("column ") and not is_json(value)}
    return found | columns | {name: row.get(name) for name in ("time", "account", "region")}


def is_json(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("{", "["))


@each_source
def test_what_is_read_of_a_fixture_is_worth_a_row(source: Source) -> None:
    """A fixture that nothing is read of would test nothing."""
    found = [
        row
        for header, group in by_header(records()[source.log_type]).items()
        for row in rows(below(source, header), *group)
    ]
    assert sum("time" in row for row in found) >= 2
    assert any(name in row for row in found for name in INDICATORS)
    filled = {name for row in found for name in row if name.startswith("column ")}
    assert len(filled) >= len(source.columns) / 3, sorted(filled)


# Whatever comes


@each_source
@hypothesis_settings(max_examples=50)
@given(data=st.data())
def test_no_damage_to_a_record_breaks_the_reading_or_its_neighbours(source: Source, data: st.DataObject) -> None:
    record, header = data.draw(st.sampled_from(records()[source.log_type]))
    reader = below(source, header)
    changed = mutilated(json.loads(record)) if record.startswith(b"{") else st.just(record)
    harmed = data.draw(changed | changed.flatmap(damaged))
    read_safely(reader, [harmed, *by_header(records()[source.log_type])[header], harmed])
    readings = reader.read_many([harmed])
    if not readings.rejected:
        assert rows(reader, harmed, record)[1:] == rows(reader, record)


def damaged(record: bytes) -> st.SearchStrategy[bytes]:
    """The record itself, cut off, with a part twice or missing, or a bit turned; always text, as readers give it."""
    places = st.tuples(st.integers(0, len(record)), st.integers(0, len(record))).map(sorted)
    cut = places.map(lambda at: record[at[0] : at[1]])
    missing = places.map(lambda at: record[: at[0]] + record[at[1] :])
    twice = places.map(lambda at: record[: at[1]] + record[at[0] :])
    turned = st.tuples(st.integers(0, max(len(record) - 1, 0)), st.integers(0, 7)).map(lambda it: turn(record, *it))
    return (st.just(record) | cut | missing | twice | turned).map(lambda it: it.decode(errors="replace").encode())


def turn(record: bytes, at: int, bit: int) -> bytes:
    return record[:at] + bytes([record[at] ^ 1 << bit]) + record[at + 1 :] if record else record


@hypothesis_settings(max_examples=100)
@given(data=st.data())
def test_no_damage_to_an_object_loses_a_record(data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(list(objects().values())))
    plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    start, end = data.draw(st.tuples(st.integers(0, len(plain)), st.integers(0, len(plain))).map(sorted))
    for harmed in (plain[start:end], plain[:start] + plain[end:], plain[:end] + plain[start:]):
        account_for(harmed)
    account_for(content[: data.draw(st.integers(0, len(content)))])


# Who reads what does not depend on the order in which it is asked


@hypothesis_settings(max_examples=25)
@given(sources=st.permutations(BUILT_IN), seed=st.randoms(use_true_random=False))
def test_the_order_of_the_registry_and_of_the_records_changes_nothing(
    sources: list[Source], seed: random.Random
) -> None:
    whole = [(record, header, log_type) for log_type, found in records().items() for record, header in found]
    seed.shuffle(whole)
    classifier = Classifier(sources, "any/key", None)
    found = Counter(
        (source.log_type if source else None, log_type)
        for record, header, log_type in whole
        for source, _, _ in classifier.runs([record], header)
    )
    assert found == Counter({(log_type, log_type): count for log_type, count in RECORDS.items()})


@each_source
def test_an_object_is_accounted_for_whatever_its_key_says(source: Source) -> None:
    found: Counter[str] = Counter()
    for key, content in objects().items():
        if key.startswith(f"{source.log_type}/"):
            found += account_for(content, "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/22/x.json.gz")
    assert found == {source.log_type: RECORDS[source.log_type]}
