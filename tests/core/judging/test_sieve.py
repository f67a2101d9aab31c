"""The sieve by columns must never keep an event from a rule that matches it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.routing.values import NEVER, Need, Values, is_never
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.judging.sieve import Sieve
from iota_dagster.core.sources import source_of
from iota_dagster.core.sources.cloudtrail import CloudTrail

SOURCE = CloudTrail()
NAME, KIND = 'event.get("eventName")', 'event.deep_get("userIdentity", "type")'
BODIES = (
    f'{NAME} == "A"',
    f'{NAME} in ("A", "B") and event.get("errorCode") is None',
    f'{NAME}.startswith("A")',
    'event.get("eventName", "").startswith("B")',
    'event.get("eventName", "A") == "A"',
    f'({NAME} or "") in ("", "B")',
    'event.get("EVENTNAME") == "A"',
    'event.get("eventSource") == "A"',
    'event.get("errorCode", "A").startswith("A")',
    'event.get("eventType") == "A" and event.get("userAgent") == "B"',
    f'{KIND} == "A"',
    f'({KIND} or "B") == "B"',
    f'{KIND}.startswith("A")',
    'event.udm("source_ip") is None',
    f'{NAME} == "É" or {NAME} == ""',
)
KEYS = st.sampled_from(
    [
        '"eventName"',
        '"EventName"',
        '"EVENTNAME"',
        '"\\u0065ventName"',
        '"eventSource"',
        '"EVENTSOURCE"',
        '"errorCode"',
        '"ErrorCode"',
        '"eventType"',
        '"userAgent"',
        '"other"',
        '"\u0130"',
    ]
)
LITERALS = st.sampled_from(
    ['"A"', '"B"', '"AB"', '"C"', '""', "null", "5", '["A"]', '{"eventName":"A"}', '"\\u0041"', '"É"', '"\\ud800"']
)
TYPE_KEYS = st.sampled_from(['"type"', '"Type"', '"t\\u0079pe"', '"userName"'])


def as_object(pairs: Sequence[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"


IDENTITIES = st.one_of(
    st.just("null"),
    LITERALS,
    st.lists(st.tuples(TYPE_KEYS, LITERALS), max_size=3).map(as_object),
)
RECORDS = st.builds(
    lambda pairs, identity, key: as_object([*pairs, *([(key, identity)] if identity else [])]).encode(),
    st.lists(st.tuples(KEYS, LITERALS), max_size=4),
    st.none() | IDENTITIES,
    st.sampled_from(['"userIdentity"', '"UserIdentity"', '"useridentit\\u0079"']),
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> RulePack:
    folder = tmp_path_factory.mktemp("rules")
    for number, body in enumerate(BODIES):
        (folder / f"r{number}.py").write_text(f"def rule(event):\n    return {body}\n")
        (folder / f"r{number}.yml").write_text(
            f"AnalysisType: rule\nRuleID: R.{number}\nEnabled: true\nFilename: r{number}.py\n"
            "LogTypes: [AWS.CloudTrail]\nSeverity: Low\n"
        )
    pack = load_rules([folder])
    assert pack.errors == ()
    return pack


def rows_of(records: Sequence[bytes]) -> tuple[pa.RecordBatch, list[bytes]]:
    """The rows that CloudTrail's source makes of records, and the records that it takes."""
    readings = SOURCE.read_many(records)
    taken = [record for position, record in enumerate(records) if position not in readings.rejected]
    columns = dict(zip(SOURCE.columns.names, readings.columns, strict=True))
    return pa.record_batch({**columns, "p_raw": pa.array([record.decode() for record in taken])}), taken


@given(
    records=st.lists(RECORDS, max_size=12),
    chosen=st.sets(st.integers(0, len(BODIES) - 1), min_size=1, max_size=4),
)
def test_no_event_that_a_rule_matches_is_sieved_out(loaded: RulePack, records: list[bytes], chosen: set[int]) -> None:
    rules = [loaded.rules[number] for number in chosen]
    rows, taken = rows_of(records)
    sieve = Sieve([{} if is_never(rule.need) else rule.need for rule in rules], SOURCE.texts)
    assert set(sieve.fields) <= set(SOURCE.columns.names)
    passed = sieve.mask(rows)
    for match in Engine(rules, routed=False).evaluate("AWS.CloudTrail", taken).matches:
        assert passed[match.index], (taken[match.index], match.rule_id)


def test_the_needs_that_the_sieve_is_tested_with_are_derived_from_the_rules(loaded: RulePack) -> None:
    fields = {field for rule in loaded.rules for field in rule.need}
    assert {"eventName", "eventSource", "errorCode", "eventType", "userIdentity.type"} <= fields


def passed(needs: Sequence[Need], *records: Mapping[str, object]) -> list[bool]:
    rows, _ = rows_of([json.dumps(record).encode() for record in records])
    mask = Sieve(needs, SOURCE.texts).mask(rows)
    assert mask.dtype == np.bool_
    return list(map(bool, mask))


def test_what_no_rule_needs_is_sieved_out() -> None:
    name = {"eventName": Values(frozenset({"A"}), frozenset({"Get"}))}
    records = [{"eventName": name} for name in ("A", "a", "B", "GetX", "X")]
    assert passed([name], *records) == [True, False, False, True, False]
    source = {"eventSource": Values(frozenset({"s3"}))}
    assert passed([name, source], {"eventName": "B", "eventSource": "s3"}, {"eventName": "B"}) == [True, False]


def test_an_absent_field_is_told_from_one_in_another_spelling() -> None:
    need = {"errorCode": Values(frozenset({"A"}))}
    assert passed([need], {"x": 1}, {"ERRORCODE": "A"}, {"errorCode": None}) == [False, True, True]
    assert passed([{"errorCode": Values(absent=True)}], {"x": 1}, {"errorCode": "A"}) == [True, False]


def test_without_rules_nothing_passes_and_a_rule_without_needs_lets_everything_pass() -> None:
    assert passed([], {"eventName": "A"}) == [False]
    assert passed([{}, {"eventName": Values(frozenset({"A"}))}], {"eventName": "B"}) == [True]
    assert passed([{"requestID": Values(frozenset({"A"}))}], {"eventName": "B"}) == [True]
    assert is_never(NEVER)


OKTA = source_of("Okta.SystemLog")
OTHER_BODIES = (
    'str(event.get("eventType")) == "True"',
    'str(event.get("eventType")) == "5"',
    '"a&b" in event.get("eventType")',
    '"\'x\'" in str(event.get("eventType"))',
    'event.get("eventType") == "true"',
    'event.get("eventType", "").startswith("5")',
)
OTHER_VALUES = ("true", "5", "5.0", '["a\\u0026b"]', '{"x": 1}', '"true"', '"5x"', '"a&b"', '"[x"', "null", '"b"')


def test_what_is_no_text_is_not_sieved_by_the_json_that_its_column_holds(tmp_path: Path) -> None:
    for number, body in enumerate(OTHER_BODIES):
        (tmp_path / f"r{number}.py").write_text(f"def rule(event):\n    return {body}\n")
        (tmp_path / f"r{number}.yml").write_text(
            f"AnalysisType: rule\nRuleID: R.{number}\nEnabled: true\nFilename: r{number}.py\n"
            "LogTypes: [Okta.SystemLog]\nSeverity: Low\n"
        )
    rules = load_rules([tmp_path]).rules
    records = [
        f'{{"uuid":"u","published":"2026-11-22T10:00:00Z","eventType":{value}}}'.encode() for value in OTHER_VALUES
    ]
    readings = OKTA.read_many(records)
    assert not readings.rejected
    columns = dict(zip(OKTA.columns.names, readings.columns, strict=True))
    rows = pa.record_batch({**columns, "p_raw": pa.array([record.decode() for record in records])})
    found = Engine(rules, routed=False).evaluate("Okta.SystemLog", records).matches
    assert {match.rule_id for match in found} == {rule.id for rule in rules}
    for match in found:
        sieve = Sieve([rule.need for rule in rules if rule.id == match.rule_id], OKTA.texts)
        assert sieve.mask(rows)[match.index], (records[match.index], match.rule_id)
    assert not Sieve([{"eventType": Values(frozenset({"a"}))}], OKTA.texts).mask(rows)[-1]
