"""User-defined log types beside the built-in ones: who reads a contested record, and what a process knows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core import yaml12
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources import SOURCES, source_of
from iota_dagster.core.sources.base import Source
from iota_dagster.core.sources.built_in import BUILT_IN
from iota_dagster.core.sources.classifier import AskingOrder, Classifier
from iota_dagster.core.sources.okta import SOURCE as OKTA
from iota_dagster.core.sources.registry import Registry, use_log_types
from iota_dagster.core.sources.user_schema import UserSchema
from tests.core.sources import user_types
from tests.core.sources.user_types import APP, DOORS, schema_of

EVENT = b'{"uuid":"1","published":"2025-11-22T10:00:00Z","eventType":"user.session.start","actor":{"id":"00u1"}}'
NARROW = b'{"uuid":"1","published":"2025-11-22T10:00:00Z","eventType":"x","actor":{"id":"00u1"},"own":{"app":"door"}}'
OTHER = b'{"uuid":"1","own":{"app":"door"}}'


def own(folder: Path, name: str, *required: str, values: str = "{}", key: str = "") -> Source:
    """A user's log type of records with these places."""
    fields = "".join(
        f"  - {{name: f{number}, path: {path}, type: json, description: x, required: true}}\n"
        for number, path in enumerate(required)
    )
    text = (
        f"log_type: {name}\nformat: json\ndescription: x\nkey: '{key}'\nmarks: {{values: {values}}}\nfields:\n{fields}"
    )
    return user_types.source_of(folder, text)


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """A wide and a narrow type that overlap each other, and Okta's log, which overlaps both."""
    folder = tmp_path_factory.mktemp("types")
    wide = own(folder, "Own.Wide", "uuid")
    narrow = own(folder, "Own.Narrow", "uuid", "published", "eventType", "actor.id", values="{own.app: door}")
    return [wide, narrow, OKTA]


def readers(sources: list[Source], records: list[bytes], key: str = "any/key") -> list[str | None]:
    classifier = Classifier(sources, key, None)
    runs = classifier.runs(records)
    return [source.log_type if source else None for source, start, stop in runs for _ in range(start, stop)]


def test_the_more_specific_type_reads_a_record_whatever_the_order(types: list[Source]) -> None:
    expected = ["Okta.SystemLog", "Own.Narrow", "Own.Wide", None]
    for sources in itertools.permutations(types):
        for records in itertools.permutations(zip([EVENT, NARROW, OTHER, b"{}"], expected, strict=True)):
            assert readers(list(sources), [record for record, _ in records]) == [name for _, name in records]


@given(records=st.lists(st.sampled_from([EVENT, NARROW, OTHER, b"{}", b"line"]), max_size=12), random=st.randoms())
def test_neither_the_order_of_types_nor_that_of_records_changes_an_answer(
    types: list[Source], records: list[bytes], random: Random
) -> None:
    alone = {record: readers(types, [record])[0] for record in set(records)}
    shuffled = [*types, *(source for source in BUILT_IN if source is not OKTA)]
    order = AskingOrder()
    for _ in range(2):
        random.shuffle(shuffled)
        runs = Classifier(shuffled, "any/key", None, order).runs(records)
        found = [source and source.log_type for source, start, stop in runs for _ in range(start, stop)]
        assert found == [alone[record] for record in records]


def test_a_type_that_expects_the_key_reads_what_it_accepts(tmp_path: Path, types: list[Source]) -> None:
    keyed = own(tmp_path, "Own.Keyed", "uuid", key="^own/")
    assert readers([*types, keyed], [EVENT, NARROW], "own/1") == ["Own.Keyed"] * 2
    assert readers([*types, keyed], [EVENT, NARROW], "other/1") == ["Okta.SystemLog", "Own.Narrow"]


@pytest.fixture
def schemas(tmp_path: Path) -> Iterator[tuple[UserSchema, UserSchema]]:
    yield schema_of(tmp_path, APP), schema_of(tmp_path, DOORS)
    use_log_types(())


def test_what_is_given_last_is_what_a_process_knows(schemas: tuple[UserSchema, UserSchema]) -> None:
    use_log_types(schemas)
    app = source_of("Custom.AppLog")
    assert {"AWS.CloudTrail", "Custom.AppLog", "Custom.Doors"} <= set(SOURCES)
    use_log_types(schemas)
    assert source_of("Custom.AppLog") is app
    use_log_types(schemas[1:])
    with pytest.raises(SettingsError, match=r"unknown log type 'Custom\.AppLog'; known are: .*Custom\.Doors"):
        source_of("Custom.AppLog")
    assert SOURCES.user_types == schemas[1:]


def test_a_changed_definition_takes_the_place_of_the_old_one(
    tmp_path: Path, schemas: tuple[UserSchema, UserSchema]
) -> None:
    use_log_types(schemas)
    seen = SOURCES.values()
    use_log_types([schema_of(tmp_path, APP.replace("name: took", "name: seconds"))])
    assert "seconds" in source_of("Custom.AppLog").columns.names
    assert "took" in next(source for source in seen if source.log_type == "Custom.AppLog").columns.names


def test_one_and_true_are_two_values_of_a_mark(tmp_path: Path) -> None:
    texts = [APP.replace("[audit, access]", value) for value in ("1", "true", "1.0")]
    one, true, point = (schema_of(tmp_path, text) for text in texts)
    assert len({one, true, point, schema_of(tmp_path, texts[0])}) == 3
    assert one != true
    registry = Registry(())
    registry.use([one])
    registry.use([true])
    record = b'{"at": "2025-11-22T10:00:00Z", "request": {"id": "r"}, "kind": true}'
    assert registry["Custom.AppLog"].accepts(record)


def test_a_schema_with_empty_marks_is_the_one_without(tmp_path: Path) -> None:
    bare = schema_of(tmp_path, APP.replace("marks: {values: {kind: [audit, access]}}\n", ""))
    for marks in ("{}", "{values: {}}", "{header: true}"):
        marked = msgspec.convert({**msgspec.to_builtins(bare), "marks": yaml12.load(marks).value}, UserSchema)
        assert (marked, hash(marked)) == (bare, hash(bare))


def test_two_types_of_one_name_are_refused_and_change_nothing(schemas: tuple[UserSchema, UserSchema]) -> None:
    registry = Registry(BUILT_IN)
    registry.use(schemas[:1])
    for wrong in ([schemas[0], schemas[0]], [UserSchema("AWS.WAF2", "json", "x", schemas[0].fields, "waf_events")]):
        with pytest.raises(SettingsError, match="two log types want one name"):
            registry.use(wrong)
    assert registry.user_types == schemas[:1]
    assert len(registry) == len(BUILT_IN) + 1
    assert dict(registry.items()).keys() == registry.keys()
