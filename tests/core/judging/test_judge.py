"""Candidates go to rule workers in portions, and what comes of a batch says how sure it is."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from iota_dagster.core.batch.work import WorkFolder
from iota_dagster.core.detection.key_values import MemoryValues
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.processes.rule_workers import RuleLimits, RuleWorkers
from iota_dagster.core.ingest.ingest import Part
from iota_dagster.core.judging import judge
from iota_dagster.core.sources import source_of

START = datetime(2026, 11, 22, tzinfo=UTC)


@given(sizes=st.lists(st.integers(0, 50), max_size=40), most=st.integers(1, 100), records=st.integers(1, 10))
def test_portions_are_all_rows_in_order_and_none_is_larger_than_it_must_be(
    sizes: list[int], most: int, records: int
) -> None:
    rows = pa.RecordBatch.from_pydict({"p_raw": ["x" * size for size in sizes]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "MOST_BYTES", most)
        patch.setattr(judge, "MOST_RECORDS", records)
        found = [portion.column("p_raw").to_pylist() for portion in judge.portions(rows)]
    assert [text for portion in found for text in portion] == rows.column("p_raw").to_pylist()
    for portion in found:
        assert 1 <= len(portion) <= records
        assert len(portion) == 1 or sum(map(len, portion)) <= most


@pytest.mark.parametrize(
    ("raw", "expected"), [("{}", {"x": 1}), ("{" + " " * 20 + "}", {"x": 1}), ('{ "a":1}', {"x": 1, "a": 1})]
)
def test_a_record_is_spliced_to_json_even_if_it_is_empty_or_has_blanks(raw: str, expected: dict[str, int]) -> None:
    assert json.loads(judge._join(b'{"x":1', raw.encode())) == expected


RULE = "AnalysisType: rule\nRuleID: {0}\nEnabled: true\nFilename: {0}.py\nLogTypes: [AWS.CloudTrail]\nSeverity: Low\n"
REMEMBERS = """\
from panther_detection_helpers.caching import get_string_set, put_string_set

def rule(event):
    if event.get("eventName") == "CreateUser":
        put_string_set("made", "x")
        return False
    return event.get("eventName") == "DeleteUser" and bool(get_string_set("made"))
"""


@dataclass(frozen=True, slots=True)
class Rows(WorkFolder):
    """A folder whose one part is in memory."""

    rows: pa.RecordBatch | None = None

    def masked_part(
        self, index: int, columns: Sequence[str] | None
    ) -> Iterator[tuple[pa.RecordBatch, NDArray[np.bool_]]]:
        assert self.rows is not None
        assert columns is not None
        yield self.rows.select(columns), np.ones(self.rows.num_rows, np.bool_)


def folder(*events: tuple[int, str]) -> Rows:
    """CloudTrail's events as (second, name), as they lie in a batch."""
    source = source_of("AWS.CloudTrail")
    records = [json.dumps({"eventName": name}).encode() for _, name in events]
    columns = dict(zip(source.columns.names, source.read_many(records).columns, strict=True))
    nothing = pa.nulls(len(events), pa.string())
    envelope = {
        "p_raw": pa.array([record.decode() for record in records]),
        "p_event_id": pa.array([f"e{place}" for place in range(len(events))]),
        "p_event_time": pa.array([START + timedelta(seconds=at) for at, _ in events], pa.timestamp("us", "UTC")),
        **dict.fromkeys(("p_account_id", "p_region"), nothing),
        **dict.fromkeys(("p_source_bucket", "p_source_key"), pa.array(["b"] * len(events))),
        "_hour": pa.array([0] * len(events), pa.int64()),
        "_position": pa.array([0] * len(events), pa.int64()),
    }
    rows = pa.record_batch({**columns, **envelope})
    return Rows("w", Path("w"), (Part("p", "AWS.CloudTrail", len(events)),), rows)


def judged(rules: Path, work: Rows, stored: MemoryValues | None = None) -> judge.Judgement:
    workers = RuleWorkers(load_rules([rules]), limits=RuleLimits(call_seconds=0.5))
    try:
        return judge.judge(work, workers, stored or MemoryValues())
    finally:
        workers.close()


def write(rules: Path, name: str, code: str) -> None:
    (rules / f"{name}.yml").write_text(RULE.format(name))
    (rules / f"{name}.py").write_text(code)


def test_a_rule_that_remembers_finds_the_same_when_its_batch_is_judged_again(tmp_path: Path) -> None:
    write(tmp_path, "a", REMEMBERS)
    work, stored = folder((9, "DeleteUser"), (1, "CreateUser"), (0, "DeleteUser")), MemoryValues()
    first = judged(tmp_path, work, stored)
    assert [match.event_id for match in first.matches] == ["e0"]
    assert (first.events, first.unjudged) == (3, frozenset())
    for key, value in first.remembered:
        stored.write(key, value.stamp, value.value, value.expires_at)
    assert judged(tmp_path, work, stored).matches == first.matches


def test_a_judgement_names_the_rules_that_were_not_asked_for_sure(tmp_path: Path) -> None:
    write(tmp_path, "fine", "def rule(event):\n    return True\n\ndef title(event):\n    return 1 / 0\n")
    write(tmp_path, "raises", "def rule(event):\n    return event['x'] == 1\n\ndef unused():\n    pass\n")
    write(tmp_path, "slow", "def rule(event):\n    while True:\n        pass\n")
    write(tmp_path, "absent", "import nothing_of_that_name\n\ndef rule(event):\n    return True\n")
    write(tmp_path, "torn", "def rule(event)\n")
    (tmp_path / "odd.yml").write_text("Name: [\nRuleID: odd\n")
    found = judged(tmp_path, folder((0, "A"), (1, "B")))
    assert found.unjudged >= {"slow", "absent", "torn", "odd"}
    assert "fine" not in found.unjudged


def test_a_file_that_does_not_tell_which_rule_it_is_leaves_all_of_them_uncertain(tmp_path: Path) -> None:
    write(tmp_path, "a", "def rule(event):\n    return True\n")
    assert load_rules([tmp_path]).uncertain == frozenset()
    (tmp_path / "odd.yml").write_text("Name: [\n")
    assert load_rules([tmp_path]).uncertain == {"a"}
