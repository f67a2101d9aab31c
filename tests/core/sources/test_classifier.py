"""Which source reads a record: declared types bind, the key orders the questions, the record's marks decide."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.base import Source
from iota_dagster.core.sources.built_in import BUILT_IN
from iota_dagster.core.sources.classifier import AskingOrder, Classifier, Run
from iota_dagster.core.sources.cloudtrail import CloudTrail
from iota_dagster.core.sources.fields import Layout, moment, text
from iota_dagster.core.sources.finders import USER
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import Marks

TRAIL = b'{"eventVersion":"1.11","userIdentity":{}}'
DOOR = b'{"door":"north"}'


class Doors(JsonSource):
    """As small as a source can be."""

    def __init__(self, log_type: str = "Test.Doors", key: str | None = None, **marks: bytes) -> None:
        layout = Layout((text("door", "Which door", USER), moment("at", "When it was opened")), time=("at",))
        super().__init__(log_type, "doors", layout, Marks({"door": b'"', **marks}), description="Doors", key=key)


class Gates(Doors):
    """What a user defines: it may accept what another type accepts."""

    exclusive = False


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
        def accepts(self, record: bytes) -> bool:
            asked.append(self.log_type)
            return super().accepts(record)

    first = Classifier([TRAILS, Nosy("Test.Nosy", "^doors/")], "doors/1", None)
    assert [source.log_type for source, _, _ in first.runs([DOOR]) if source] == ["Test.Nosy"]
    assert asked == ["Test.Nosy"]


def test_a_refusal_says_what_is_looked_for_and_what_is_there() -> None:
    record = b'{"schemaType":"ModelInvocationLog","requestId":"r"}'
    assert classifier().refusal(record) == "no log type has its marks; its keys: schemaType, requestId"
    assert classifier().explained(record) == (
        f"AWS.CloudTrail looks for {TRAILS.marks}; Test.Doors looks for door at the top level; "
        "its keys: schemaType, requestId"
    )


def test_a_refusal_shows_few_and_short_keys() -> None:
    record = b"{" + b",".join(b'"%s%d":1' % (b"k" * 50, n) for n in range(20)) + b"}"
    assert classifier().refusal(record).endswith(f"its keys: {', '.join(['k' * 40] * 8)}, …")


def test_a_refusal_is_short_however_many_types_are_known() -> None:
    everything = Classifier(BUILT_IN, "some/object", None)
    for record in (b"{" + b",".join(b'"%s%d":1' % (b"k" * 50, n) for n in range(20)) + b"}", b"x" * 10_000):
        assert len(everything.refusal(record)) < 450 < len(everything.explained(record))


def test_a_refusal_names_the_type_that_the_integration_leaves_out() -> None:
    words = "it is AWS.CloudTrail, which its integration's log_types leave out"
    assert classifier(("Test.Doors",)).refusal(TRAIL) == classifier(("Test.Doors",)).explained(TRAIL) == words
    assert (
        classifier(("Test.Unknown",))
        .explained(b"{}")
        .startswith("its integration names no known log type whose record is a JSON object; ")
    )


def test_a_type_is_its_declarations() -> None:
    readings = DOORS.read_many([b'{"door":"ann","at":1763805600}', b"{", b'{"door":7,"at":"never"}'])
    assert {row: error.reason for row, error in readings.rejected.items()} == {1: "unreadable"}
    assert readings.columns[0].to_pylist() == ["ann", "7"]
    assert readings.indicators["p_any_usernames"].to_pylist() == [["ann"], ["7"]]
    assert readings.event_time.to_pylist() == [datetime(2025, 11, 22, 10, tzinfo=UTC), None]
    assert (readings.event_id, readings.account, readings.region) == ([None] * 2,) * 3
    assert not DOORS.expects("any/key")


def test_the_more_specific_of_two_types_reads_a_record() -> None:
    narrow, wide = Gates("Own.Narrow", floor=b"2"), Gates("Own.Wide")
    records = [b'{"door":"a"}', b'{"door":"b","floor":2}', b'{"door":"c"}']
    for sources in ([narrow, wide], [wide, narrow]):
        found = [(source, start) for source, start, _ in Classifier(sources, "any/key", None).runs(records)]
        assert found == [(wide, 0), (narrow, 1), (wide, 2)]


def test_of_two_equally_specific_types_the_one_that_expects_the_key_reads_a_record_then_the_first_by_name() -> None:
    last, first = Gates("Own.Last", key="^gates/"), Gates("Own.First")
    assert list(Classifier([last, first], "gates/1", None).runs([DOOR])) == [(last, 0, 1)]
    assert list(Classifier([last, first], "doors/1", None).runs([DOOR])) == [(first, 0, 1)]


@given(st.lists(st.sampled_from([DOOR, TRAIL, b'{"door":"b","floor":2}', b"{}", b"text"]), max_size=12), st.randoms())
def test_no_order_of_asking_changes_an_answer(records: list[bytes], random: Random) -> None:
    sources: list[Source] = [TRAILS, DOORS, Gates("Own.Narrow", floor=b"2"), Gates("Own.Wide")]
    expected = [run[0] for record in records for run in Classifier(sources, "any/key", None).runs([record])]
    order = AskingOrder()
    for _ in range(3):
        random.shuffle(sources)
        classifier = Classifier(sources, "any/key", None, order)
        assert [run[0] for run in classifier.runs(records) for _ in range(run[1], run[2])] == expected


NAMES = [
    "version", "account-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end",
    "action", "log-status", "vpc-id", "subnet-id", "type", "region", "az-id", "instance-id", "flow-direction",
    "tcp-flags", "interface-id",
]  # fmt: skip
NLB = (
    b"tls 2.0 2025-11-22T10:00:00 net/web/c6e77e28c25b2234 g3d4b5e8bb8464cd 203.0.113.7:51341 10.0.0.1:443 5 2 98 246 "
    b"- arn:aws:acm:eu-west-1:111122223333:certificate/a - ECDHE-RSA-AES128-SHA tlsv12 - web.example.com - - - -"
)
LINES = [NLB, b" ".join(b"%d" % n for n in range(22)), b"a line", DOOR, TRAIL, b'{"srcaddr":"10.0.0.1","dstaddr":"-"}']


@given(
    st.lists(st.sampled_from(LINES), max_size=8),
    st.permutations(NAMES),
    st.sampled_from(["any/key", "vpcflowlogs/1", "/elasticloadbalancing/1"]),
    st.randoms(),
)
def test_no_order_of_asking_changes_who_reads_the_lines_below_a_header(
    records: list[bytes], names: list[str], key: str, random: Random
) -> None:
    header = " ".join(names).encode()
    sources: list[Source] = [*BUILT_IN, Gates("Own.Gates"), Gates("Own.Flows", srcaddr=b'"', dstaddr=b'"')]
    alone = {line: next(Classifier(sources, key, None).runs([line], header))[0] for line in LINES}
    order = AskingOrder()
    for _ in range(3):
        random.shuffle(sources)
        found = Classifier(sources, key, None, order).runs(records, header)
        assert [source for source, start, stop in found for _ in range(start, stop)] == [alone[it] for it in records]


def test_a_line_that_bears_marks_is_not_taken_for_one_that_has_as_many_fields_as_the_header() -> None:
    header, flow = " ".join(NAMES).encode(), LINES[1]
    assert len(NAMES) == len(NLB.split()) == len(flow.split())
    found = Classifier(BUILT_IN, "any/key", None).runs([flow, NLB, flow], header)
    assert [source and source.log_type for source, _, _ in found] == ["AWS.VPCFlow", "AWS.ALB", "AWS.VPCFlow"]


def test_a_key_is_looked_at_once_for_each_type() -> None:
    asked: list[str] = []

    class Nosy(Gates):
        def expects(self, key: str) -> bool:
            asked.append(self.log_type)
            return False

    names = [f"Own.Gates{n}" for n in range(20)]
    found = Classifier([Nosy(name) for name in names], "any/key", None)
    for header in (None, b"srcaddr dstaddr", b"srcaddr dstaddr action"):
        assert len(list(found.runs([DOOR, TRAIL, DOOR], header))) == 3
    assert asked == names


def test_who_succeeded_last_is_asked_first_and_who_failed_often_is_asked_late() -> None:
    order = AskingOrder()
    asked: list[Source] = [DOORS, TRAILS]
    list(Classifier(asked, "any/key", None, order).runs([TRAIL]))
    order.sort(asked)
    assert asked == [TRAILS, DOORS]


@pytest.mark.parametrize("record", [b'"text"', b"2 111122223333 eni-1"])
def test_a_refusal_of_a_line_shows_its_beginning(record: bytes) -> None:
    assert classifier().refusal(record).endswith(f"the line begins {record.decode()!r}")
