"""Text, a record a line: ends, headers, damage to one line and to the rest."""

from __future__ import annotations

import gzip
import hashlib
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iota_dagster.core.reading.lines import Headers
from tests.core.reading.reader import read

WINDOWS = (1, 7, 64, 1 << 20)
NAMES = b"version account-id srcaddr"
OTHER_NAMES = b"version srcaddr action"
HEADERS = Headers(frozenset({b"vers"}), lambda line: line.startswith(b"version "))
some = settings(max_examples=40)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_line_is_a_record_without_its_end(window: int, end: bytes) -> None:
    lines = [b"2 111122223333 eni-1 203.0.113.%d ACCEPT" % n for n in range(50)]
    for text in (end.join(lines), end.join([*lines, b""]), b"\xef\xbb\xbf" + end.join(lines)):
        whole = read(text, window)
        assert whole.records == lines
        assert all(text[at:].startswith(line) for line, at in zip(lines, whole.offsets, strict=True))
        assert (whole.content_bytes, whole.content_sha256) == (len(text), hashlib.sha256(text).hexdigest())


@pytest.mark.parametrize("window", WINDOWS)
def test_blank_lines_are_nothing_and_other_white_space_stays(window: int) -> None:
    assert read(b"\n  \r\na\n\n \t\n b \n\n", window).records == [b"a", b" b "]


@pytest.mark.parametrize("window", WINDOWS)
def test_the_indentation_of_the_first_line_stays(window: int) -> None:
    assert read(b"\n \n\t first\nsecond", window).records == [b"\t first", b"second"]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_header_is_no_record_and_holds_until_the_next_one(window: int) -> None:
    text = b"\n".join([b"0", NAMES, b"1", b"", b"2", NAMES, b"3", OTHER_NAMES, b"4", b"versatile", b""])
    whole = read(text, window, headers=HEADERS, header=b"configured")
    assert whole.records == [b"0", b"1", b"2", b"3", b"4", b"versatile"]
    assert whole.headers == [b"configured", NAMES, NAMES, NAMES, OTHER_NAMES, OTHER_NAMES]
    assert whole.damages == []


def test_members_of_gzip_may_each_begin_with_their_header() -> None:
    stored = gzip.compress(NAMES + b"\n1\n") + gzip.compress(OTHER_NAMES + b"\n2\n")
    whole = read(stored, headers=HEADERS)
    assert (whole.records, whole.headers) == ([b"1", b"2"], [NAMES, OTHER_NAMES])


def test_lines_that_cannot_be_headers_are_not_asked_about() -> None:
    asked: list[bytes] = []

    def is_header(line: bytes) -> bool:
        asked.append(line)
        return True

    headers = Headers(frozenset({b"vers"}), is_header)
    read(NAMES + b"\n" + b"2 111122223333 203.0.113.7\n" * 1000, headers=headers)
    assert set(asked) == {NAMES}


@pytest.mark.parametrize("window", WINDOWS)
def test_a_bad_line_is_isolated(window: int) -> None:
    whole = read(b"a\nb\xff\n\0\0\nc\0d\n\xc3\xa9\n", window)
    assert whole.records == [b"a", b"\xc3\xa9"]
    assert [(bad.ordinal, bad.byte_offset, bad.reason, bad.data) for bad in whole.damages] == [
        (1, 2, "invalid_utf8", b"b\xff"),
        (2, 5, "not_text", b"\0\0"),
        (3, 8, "not_text", b"c\0d"),
    ]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_json_object_among_the_lines_is_a_record_unless_it_is_too_deep(window: int) -> None:
    deep = b'{"a":' + b"[" * 200 + b"]" * 200 + b"}"
    whole = read(b'text\n{"a":1}\n{broken\n' + deep + b"\ntext [" + b"[" * 200, window)
    assert whole.records == [b"text", b'{"a":1}', b"{broken", b"text [" + b"[" * 200]
    assert whole.reasons == ["too_deep"]


@pytest.mark.parametrize("window", [*WINDOWS, 1 << 24])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_of_ten_megabytes_is_passed_over(window: int, end: bytes) -> None:
    large = b"x" * (10 << 20 if window > 1000 else 5000)
    whole = read(b"a\n\xef\xbb\xbf" + large + end + b"b\n" * bool(end), window, record_bytes=1000)
    assert whole.records == [b"a"] + [b"b"] * bool(end)
    assert [(bad.reason, bad.size, bad.byte_offset) for bad in whole.damages] == [("record_too_large", len(large), 5)]
    assert large.startswith(whole.damages[0].data)


@pytest.mark.parametrize("window", WINDOWS)
def test_the_limit_of_a_line_is_exact(window: int) -> None:
    for around in (b"%s\n", b"%s\r\n", b"\xef\xbb\xbf%s\r\n", b"%s"):
        for size in (19, 20, 21, 22, 26):
            whole = read(around % (b"x" * size), window, record_bytes=20)
            assert (whole.records, whole.reasons) == (
                ([b"x" * size], []) if size <= 20 else ([], ["record_too_large"])
            ), (around, size)


def test_a_long_run_of_blanks_is_no_record() -> None:
    assert read(b"a\n" + b" " * 5000 + b"\nb", 64, record_bytes=1000).records == [b"a", b"b"]


def _text(count: int) -> bytes:
    source = random.Random(3)
    return b"".join(b"2 111122223333 eni-%x ACCEPT OK\n" % source.getrandbits(64) for _ in range(count))


@pytest.mark.parametrize("window", WINDOWS)
def test_a_truncated_gzip_gives_the_whole_lines_and_one_damage(window: int) -> None:
    plain = _text(300)
    whole = read(gzip.compress(plain)[:-200], window)
    assert len(whole.records) > 200
    assert whole.records == plain.split(b"\n")[: len(whole.records)]
    assert whole.reasons == ["truncated"]


def test_a_bad_checksum_loses_no_line() -> None:
    plain = _text(300)
    stored = gzip.compress(plain)
    whole = read(stored[:-8] + bytes(4) + stored[-4:])
    assert whole.reasons == ["corrupt_gzip"]
    assert [*whole.records, whole.damages[0].data] == plain.split(b"\n")[:-1]  # the last one may go on: who knows


def test_bytes_behind_the_gzip_are_damage_and_the_last_line_is_kept() -> None:
    whole = read(gzip.compress(b"a\nb") + b"rubbish")
    assert (whole.records, whole.reasons) == ([b"a", b"b"], ["trailing_bytes"])


def test_a_text_over_the_limit_for_objects_keeps_the_lines_before_it() -> None:
    whole = read(gzip.compress(_text(20_000)), decompressed_bytes=300_000)
    assert len(whole.records) > 1000
    assert whole.reasons == ["too_large"]


pieces = st.sampled_from(
    [b"\n", b"\r", b"\r\n", b" ", b"a", b"2 3", NAMES, OTHER_NAMES, b"\xef\xbb\xbf", b"\xff", b"\0", b"{", b'{"a":1}']
)
texts = st.lists(pieces, max_size=25).map(b"".join).map(lambda text: b"x" + text)


@given(texts, st.integers(1, 60), st.integers(3, 40))
def test_what_is_found_does_not_depend_on_the_window(text: bytes, window: int, limit: int) -> None:
    whole = read(text, headers=HEADERS, record_bytes=limit)
    assert read(text, window, headers=HEADERS, record_bytes=limit).found == whole.found


@given(texts)
def test_a_line_alone_says_the_same_as_among_others(text: bytes) -> None:
    expected = [line.removesuffix(b"\r").removeprefix(b"\xef\xbb\xbf") for line in text.split(b"\n")]
    whole = read(text)
    assert whole.count == sum(bool(line.strip()) for line in expected)
    assert all(record in expected for record in whole.records)


@some
@given(st.binary(max_size=300), st.integers(1, 50), st.booleans())
def test_any_bytes_are_accounted_for(data: bytes, window: int, zipped: bool) -> None:
    text = b"x" + data
    read(gzip.compress(text) if zipped else text, window, record_bytes=30)


@some
@given(st.data(), st.integers(1, 500))
def test_flipped_bits_of_a_gzipped_text_are_accounted_for(data: st.DataObject, window: int) -> None:
    stored = bytearray(gzip.compress(_text(30) + json.dumps({"a": 1}).encode()))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(stored) - 1), min_size=1, max_size=3)):
        stored[bit // 8] ^= 1 << bit % 8
    read(bytes(stored[: data.draw(st.integers(0, len(stored)))]), window)
