"""Which source reads a record: declared types bind, the key orders the questions, the record's marks decide."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.base import Reading, RecordSource
from iota_dagster.core.sources.classifier import Classifier, Run
from iota_dagster.core.sources.cloudtrail import CloudTrail

TRAIL = b'{"eventVersion":"1.11","userIdentity":{}}'
DOOR = b'{"door":"north"}'


class Doors(RecordSource):
    """As small as a source can be."""

    log_type = "Test.Doors"
    table = "door_events"
    columns = pa.schema([pa.field("door", pa.string(), metadata={"description": "Which door"})])
    marks = "a door at the top level"

    def accepts(self, record: bytes) -> bool:
        return record.startswith(b'{"door"')

    def read(self, record: bytes) -> Reading:
        if record == b'{"door":7}':
            raise RecordRejected("bad_door", "a door has a name")
        when = datetime(2026, 11, 22, 10, tzinfo=UTC)
        return Reading(when, None, None, "eu-west-1", (record.decode(),), {"p_any_usernames": ["ann"]})


TRAILS, DOORS = CloudTrail(), Doors()


def classifier(log_types: tuple[str, ...] | None = None, key: str = "some/object") -> Classifier:
    return Classifier([TRAILS, DOORS], key, log_types)


def runs(records: list[bytes], log_types: tuple[str, ...] | None = None) -> list[Run]:
    return list(classifier(log_types).runs(records))


def test_neighbours_of_one_type_are_one_run() -> None:
    assert runs([TRAIL] * 3) == [(TRAILS, 0, 3)]
    assert runs([]) == []


def test_types_may_change_within_an_object() -> None:
    found = runs([TRAIL, TRAIL, DOOR, b"{}", b"{}", DOOR, TRAIL])
    assert found == [(TRAILS, 0, 2), (DOORS, 2, 3), (None, 3, 4), (None, 4, 5), (DOORS, 5, 6), (TRAILS, 6, 7)]


def test_declared_types_are_binding() -> None:
    assert runs([DOOR, TRAIL], ("AWS.CloudTrail",)) == [(None, 0, 1), (TRAILS, 1, 2)]
    assert runs([DOOR], ()) == [(None, 0, 1)]


def test_the_source_that_expects_the_key_is_asked_first() -> None:
    asked: list[str] = []

    class Nosy(Doors):
        log_type = "Test.Nosy"

        def expects(self, key: str) -> bool:
            return key.startswith("doors/")

        def accepts(self, record: bytes) -> bool:
            asked.append(self.log_type)
            return super().accepts(record)

    first = Classifier([TRAILS, Nosy()], "doors/1", None)
    assert [source.log_type for source, _, _ in first.runs([DOOR]) if source] == ["Test.Nosy"]
    assert asked == ["Test.Nosy"]


def test_a_refusal_says_what_is_looked_for_and_what_is_there() -> None:
    assert classifier().refusal(b'{"schemaType":"ModelInvocationLog","requestId":"r"}') == (
        f"AWS.CloudTrail looks for {TRAILS.marks}; Test.Doors looks for a door at the top level; "
        "its keys: schemaType, requestId"
    )


def test_a_refusal_shows_few_and_short_keys() -> None:
    record = b"{" + b",".join(b'"%s%d":1' % (b"k" * 50, n) for n in range(20)) + b"}"
    assert classifier().refusal(record).endswith(f"its keys: {', '.join(['k' * 40] * 8)}, …")


def test_a_refusal_names_the_type_that_the_integration_leaves_out() -> None:
    words = "it is AWS.CloudTrail, which its integration's log_types leave out"
    assert classifier(("Test.Doors",)).refusal(TRAIL) == words
    assert classifier(("Test.Unknown",)).refusal(b"{}").startswith("its integration names no known log type; ")


def test_a_record_source_reads_one_by_one_into_columns() -> None:
    readings = DOORS.read_many([DOOR, b'{"door":7}', DOOR])
    assert {row: error.reason for row, error in readings.rejected.items()} == {1: "bad_door"}
    assert readings.columns[0].to_pylist() == [DOOR.decode()] * 2
    assert readings.indicators["p_any_usernames"].to_pylist() == [["ann"]] * 2
    assert readings.event_time.to_pylist() == [datetime(2026, 11, 22, 10, tzinfo=UTC)] * 2
    assert (readings.event_id, readings.account, readings.region) == ([None] * 2, [None] * 2, ["eu-west-1"] * 2)
    assert not DOORS.expects("any/key")


@pytest.mark.parametrize("record", [b'"text"', b"{"])
def test_a_refusal_of_what_is_no_object_says_so(record: bytes) -> None:
    assert classifier().refusal(record).endswith("it is no JSON object")
