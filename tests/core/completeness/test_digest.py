"""CloudTrail's digests: what they say is read exactly, and a signature holds for one text, place and predecessor."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.completeness.digest import DigestUnreadable, log_folder, parse_digest, read_digest
from iota_dagster.core.completeness.signature import CannotCheck, SignatureState, check_signature, verifies
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import LogObject, ObjectStatus
from tests.core.completeness.digests import FINGERPRINT, TEN, Trail, Written, contents, digest_key, log_key, public_key

BUCKET = "example-trail-bucket"
ITEM = LogObject(1, BUCKET, "k", "e", 1, "trail", None, None, 1, ObjectStatus.DONE, "digest")


class Source:
    """A signature and the keys that CloudTrail knows."""

    def __init__(self, signature: str | None, keys: dict[str, bytes] | None) -> None:
        self._signature, self._keys = signature, keys

    def signature(self, item: LogObject) -> str | None:
        return self._signature

    def public_key(self, item: LogObject, fingerprint: str, moment: datetime) -> bytes | None:
        if self._keys is None:
            raise CannotCheck("the role may not")
        return self._keys.get(fingerprint)


def two() -> tuple[Written, Written]:
    trail = Trail(BUCKET)
    first = trail.digest(TEN + timedelta(hours=1), contents(["a", "b"], TEN))
    return first, trail.digest(TEN + timedelta(hours=2), [])


def state(digest: Written, source: Source) -> tuple[SignatureState, str]:
    found = check_signature(parse_digest(digest.text, digest.sha256), ITEM, source)
    return found.state, found.why


def test_a_digest_names_its_files_and_its_predecessor(tmp_path: Path) -> None:
    first, second = two()
    (tmp_path / "d").write_bytes(first.packed)
    digest = read_digest(tmp_path / "d")
    assert (digest.sha256, digest.previous, digest.end) == (first.sha256, None, TEN + timedelta(hours=1))
    assert [(item.key, item.sha256) for item in digest.files] == [
        (key, hashlib.sha256(text).hexdigest()) for key, text in contents(["a", "b"], TEN)
    ]
    following = parse_digest(second.text, second.sha256)
    assert following.previous is not None
    assert (following.previous.key, following.previous.sha256) == (first.key, first.sha256)
    assert following.start == digest.end


def test_the_signatures_of_a_chain_are_valid() -> None:
    for digest in two():
        assert state(digest, Source(digest.signature, {FINGERPRINT: public_key()})) == (SignatureState.VALID, "")


def test_a_signature_holds_for_no_other_digest() -> None:
    first, second = two()
    found, why = state(second, Source(first.signature, {FINGERPRINT: public_key()}))
    assert (found, "does not fit" in why) == (SignatureState.INVALID, True)


def test_what_cannot_be_checked_says_why_and_what_is_lacking_is_invalid() -> None:
    first, _ = two()
    assert state(first, Source(first.signature, None)) == (SignatureState.UNCHECKED, "the role may not")
    assert state(first, Source(None, {FINGERPRINT: public_key()}))[0] is SignatureState.INVALID
    assert "no public key" in state(first, Source(first.signature, {}))[1]


@given(st.binary(max_size=300), st.text(max_size=300), st.binary(max_size=400))
def test_no_signature_and_no_key_raises(text: bytes, signature: str, key: bytes) -> None:
    assert not verifies(text, signature, key)
    assert not verifies(text, signature, public_key())


@given(
    st.binary(max_size=200)
    | st.builds(
        lambda value: json.dumps(value).encode(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["awsAccountId", "logFiles", "digestEndTime", "x"]), inner, max_size=3
                )
            ),
        ),
    )
)
def test_whatever_is_no_digest_is_told_as_such(data: bytes) -> None:
    with pytest.raises(DigestUnreadable):
        parse_digest(data, "0" * 64)


@pytest.mark.parametrize(
    "change",
    [
        {"hashAlgorithm": "MD5"},
        {"hashValue": "abc"},
        {"hashValue": "g" * 64},
    ],
)
def test_a_hash_that_cannot_be_compared_makes_a_digest_unreadable(change: dict[str, str]) -> None:
    first, _ = two()
    values = json.loads(first.text)
    values["logFiles"][0] |= change
    with pytest.raises(DigestUnreadable, match="no SHA-256 of AWSLogs/"):
        parse_digest(json.dumps(values).encode(), "0" * 64)


@pytest.mark.parametrize("name", ["digestStartTime", "digestEndTime"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_utc_has_not_makes_a_digest_unreadable(name: str, moment: str) -> None:
    first, _ = two()
    values = json.loads(first.text) | {name: moment}
    with pytest.raises(DigestUnreadable, match="no digest file"):
        parse_digest(json.dumps(values).encode(), "0" * 64)


def test_a_digest_begins_and_ends_near_the_hour_of_its_name() -> None:
    digest = parse_digest(two()[0].text, "0" * 64)
    for hours in (-23, 0, 23):
        digest.require_near(hour_of(digest.end) + hours)
    for hours in (-25, 26):
        with pytest.raises(DigestUnreadable, match="under a name of 2026-11-2"):
            digest.require_near(hour_of(digest.end) + hours)


def test_a_digest_that_is_cut_off_or_too_large_is_unreadable(tmp_path: Path) -> None:
    first, _ = two()
    (tmp_path / "d").write_bytes(first.packed[:-20])
    with pytest.raises(DigestUnreadable, match="truncated"):
        read_digest(tmp_path / "d")


def test_in_a_copy_of_the_bucket_the_files_are_looked_for_in_the_copy() -> None:
    _, second = two()
    digest = parse_digest(second.text, second.sha256)
    assert digest.previous is not None
    for key, before in (
        (second.key, digest.previous.key),
        (f"copy/{second.key}", f"copy/{digest.previous.key}"),
        (second.key.removeprefix("AWSLogs/"), digest.previous.key.removeprefix("AWSLogs/")),
    ):
        (found,) = digest.listed_from("replica", key)
        assert (found.bucket, found.key) == ("replica", before)


def test_a_digest_under_another_name_was_put_there() -> None:
    _, second = two()
    with pytest.raises(DigestUnreadable, match="lies elsewhere"):
        parse_digest(second.text, second.sha256).listed_from(BUCKET, digest_key(TEN + timedelta(hours=5)))


def test_digest_and_logs_name_the_same_folder() -> None:
    for prefix in ("", "org/", "a/b/AWSLogs/o-abc123/"):
        folder = log_folder(prefix + digest_key(TEN))
        assert folder is not None
        assert folder == log_folder(prefix + log_key(TEN, "a"))
        assert (prefix + log_key(TEN, "a")).startswith(folder)
    assert log_folder("elasticloadbalancing/2026/11/22/x.gz") is None
