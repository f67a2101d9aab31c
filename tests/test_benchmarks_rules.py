"""The benchmark of rules: what it compares is comparable."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from benchmarks.rules import LOG_TYPE, as_json, copies, events, judge, judge_unrouted, of_log_type
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.routing.values import Values
from iota_dagster.core.detection.rule import RulePack

RULES = Path(__file__).parent.parent / "rules" / "aws_cloudtrail"
EVENTS = 300


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    return events(EVENTS)


@pytest.fixture(scope="module")
def pack() -> RulePack:
    """A few rules, some of which the demo's attack sets off."""
    files = [RULES / f"{name}.yml" for name in ("logging_impaired", "administrator_rights_granted", "root_user_active")]
    return of_log_type(load_rules(files))


def test_events_are_distinct_and_have_their_envelope(records: list[bytes]) -> None:
    assert len(set(records)) == EVENTS
    assert all(record.startswith(f'{{"p_log_type":"{LOG_TYPE}","p_event_id":'.encode()) for record in records)


def test_routed_in_a_worker_and_unrouted_here_give_the_same_matches(pack: RulePack, records: list[bytes]) -> None:
    routed, unrouted = judge(pack, records), judge_unrouted(pack, records)
    assert routed.matches
    assert as_json(routed.matches) == as_json(unrouted.matches)
    assert (routed.failures, unrouted.failures) == (0, 0)


def test_copies_find_the_same_but_silent_ones_nothing(pack: RulePack, records: list[bytes]) -> None:
    once = judge(pack, records).matches
    assert once
    assert all(rule.need for rule in pack.rules if rule.id in {match.rule_id for match in once})
    assert len(judge(copies(pack, 2), records).matches) == 2 * len(once)
    assert len(judge(copies(pack, 2, silent=True), records).matches) == len(once)


def test_a_silent_copy_asks_for_no_text_that_its_rule_asks_for_and_for_no_missing_field(pack: RulePack) -> None:
    asked = Values(frozenset({"a"}), frozenset({"b"}), frozenset({"c"}), absent=True)
    rule = msgspec.structs.replace(pack.rules[0], need={"eventName": asked})
    _, silent = copies(replace(pack, rules=(rule,)), 2, silent=True).rules
    assert silent.need == {"eventName": Values(frozenset({"a1"}), frozenset({"b1"}), frozenset({"c1"}))}
