"""Ids, digests and fingerprints: equal where events are equal, different where they are not."""

from __future__ import annotations

import json
from functools import partial
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.dedup.identity import (
    digest,
    digests,
    fingerprint,
    fingerprints,
    placed_event_id,
    vendor_event_id,
)

words = st.text(alphabet='ab ,:{}[]"\\\n\té1e', max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)
records = st.dictionaries(words, values, max_size=4)


def spaced(value: Any, seed: int) -> bytes:
    """A JSON text of a value with white space between some of its tokens."""
    gap = partial(Random(seed).choice, ("", "", " ", "\n", "\t ", "\r\n"))

    def text(item: Any) -> str:
        if isinstance(item, dict):
            body = ",".join(f"{gap()}{json.dumps(key)}{gap()}:{text(inner)}" for key, inner in item.items())
            return f"{gap()}{{{body}{gap()}}}{gap()}"
        if isinstance(item, list):
            return f"{gap()}[{','.join(map(text, item))}{gap()}]{gap()}"
        return f"{gap()}{json.dumps(item)}{gap()}"

    return text(value).strip().encode()


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@given(records, st.integers(0, 99))
def test_white_space_between_tokens_does_not_change_the_fingerprint(record: dict[str, Any], seed: int) -> None:
    loose = spaced(record, seed)
    assert fingerprint(loose) == fingerprint(compact(record))
    assert fingerprints([compact(record), loose]).tolist() == [fingerprint(loose)] * 2


@given(st.lists(st.builds(spaced, records, st.integers(0, 99)), max_size=5))
def test_many_fingerprints_are_those_of_the_records_one_by_one(several: list[bytes]) -> None:
    assert fingerprints(several).tolist() == [fingerprint(record) for record in several]


def test_fingerprints_of_more_records_than_are_scanned_together_are_the_same() -> None:
    several = [b'{"n":%d}' % n if n % 3 else b'{ "n": %d }' % n for n in range(1000)]
    assert fingerprints(several).tolist() == [fingerprint(record) for record in several]


def test_white_space_inside_a_string_is_content() -> None:
    assert fingerprint(b'{"a":"x y"}') != fingerprint(b'{"a":"xy"}')


def test_a_record_that_is_no_json_has_a_fingerprint_of_its_bytes() -> None:
    assert fingerprint(b"2 1234 eni-1 - -") == fingerprints([b"2 1234 eni-1 - -"])[0]
    assert fingerprint(b"2 1234 eni-1 - -") != fingerprint(b"2 1234 eni-1 -  -")


@given(st.lists(words))
def test_digests_of_a_column_are_those_of_its_ids(ids: list[str]) -> None:
    assert digests("AWS.CloudTrail", ids).to_pylist() == [digest("AWS.CloudTrail", event_id) for event_id in ids]


def test_a_digest_tells_log_types_apart() -> None:
    assert digest("A", "1") != digest("B", "1")
    assert len(digest("A", "1")) == 16


def test_an_account_is_part_of_the_vendors_id() -> None:
    assert vendor_event_id("111122223333", "e") != vendor_event_id("444455556666", "e")


def test_equal_records_at_two_places_are_two_events() -> None:
    places = [("b", "k", 0), ("b", "k", 1), ("b", "l", 0), ("bk", "", 0), ("b", "k1", 0)]
    assert len({placed_event_id(*place, b"{}") for place in places}) == len(places)
    assert placed_event_id("b", "k", 0, b"{}") == placed_event_id("b", "k", 0, b"{}")
    assert placed_event_id("b", "k", 0, b"{}") != placed_event_id("b", "k", 0, b"[]")
