"""Which reader an object gets, by its content alone, and what holds for all of them."""

from __future__ import annotations

import gzip
import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iota_dagster.core.reading.content import DecodeLimits
from iota_dagster.core.reading.decode import Decoder
from iota_dagster.core.reading.records import open_records
from tests.core.reading.reader import read

WINDOWS = (1, 7, 1 << 20)
some = settings(max_examples=60)


def parquet(rows: int) -> bytes:
    stored = io.BytesIO()
    pq.write_table(pa.table({"n": list(range(rows)), "action": ["ACCEPT"] * rows}), stored)
    return stored.getvalue()


@pytest.mark.parametrize("window", WINDOWS)
def test_the_first_bytes_decide_and_not_a_name(window: int) -> None:
    for content, records in (
        (b'\xef\xbb\xbf \n {"a":1}', [b'{"a":1}']),
        (b'\n[{"a":1}]', [b'{"a":1}']),
        (b'text\n{"a":1}\n', [b"text", b'{"a":1}']),
        (b'"a","b"\n1,2', [b'"a","b"', b"1,2"]),
        (parquet(1), [b'{"n":0,"action":"ACCEPT"}']),
    ):
        for stored in (content, gzip.compress(content), gzip.compress(gzip.compress(content))):
            whole = read(stored, window)
            assert (whole.records, whole.damages) == (records, [])
            assert whole.content_sha256 == hashlib.sha256(content).hexdigest()
            assert whole.content_bytes == len(content)


@pytest.mark.parametrize(
    "content", [b"", b" \r\n\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0), b"[]", b'{"Records":[]}']
)
def test_an_empty_object_has_no_records_and_no_damage(content: bytes) -> None:
    assert read(content).count == 0


def test_many_blanks_before_the_first_record_hide_no_form() -> None:
    for blanks in (b" " * 50_000, b"\n" * 50_000, b" \n" * 20_000 + b" " * 50_000):
        for limit in (1000, 1 << 20):
            assert read(blanks + b'{"a":\n1}', 64, record_bytes=limit).records == [b'{"a":\n1}']
    assert read(b"\n" * 50_000 + b"text", 64).records == [b"text"]


def test_a_fault_before_the_first_record_is_one_damage() -> None:
    assert read(gzip.compress(b"text" * 100)[:12]).reasons == ["truncated"]
    assert read(b"\x1f\x8b").reasons == ["truncated"]
    assert read(b"text\n" * 100, compressed_bytes=10).reasons == ["too_large"]


def test_json_goes_with_the_header_that_was_configured() -> None:
    assert read(b'{"a":1}', header=b"version").headers == [b"version"]


def test_content_without_wrappers_comes_in_the_decoder_s_own_chunks() -> None:
    body = b'{"Records":[' + b",".join(b'{"eventVersion":"1","n":%d}' % n for n in range(5000)) + b"]}"
    plain, read_whole = Decoder(io.BytesIO(body)), open_records(io.BytesIO(body))
    assert [chunk.ordinals for chunk in plain] == [chunk.ordinals for chunk in read_whole]


class Broken(io.BytesIO):
    """A disk that fails behind some bytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 100_000:
            raise OSError("the disk is gone")
        return super().read(size)


@pytest.mark.parametrize("content", [b"text\n" * 50_000, b'{"a":1}' * 50_000, b"PAR1" * 50_000])
def test_the_stream_s_own_error_passes(content: bytes) -> None:
    with pytest.raises(OSError, match="the disk is gone"):
        list(open_records(Broken(content), DecodeLimits()))


starts = st.sampled_from(
    [b"", b"{", b"[", b'{"Records":[', b"PAR1", b"x\n", b'{"items":[', b"\xef\xbb\xbf", b"\x1f\x8b"]
)


@some
@given(starts, st.binary(max_size=200), st.integers(1, 50), st.booleans())
def test_any_bytes_are_accounted_for(start: bytes, data: bytes, window: int, zipped: bool) -> None:
    content = start + data
    read(gzip.compress(content) if zipped else content, window, record_bytes=50)


forms = st.sampled_from(
    [b"2 eni-1 ACCEPT\n" * 20, b'{"Records":[{"a":1},{"a":2}]}', b'{"a":1}\n' * 20, b'{"items":[{"a":1}],"kind":"k"}']
)


@some
@given(forms, st.data(), st.integers(1, 300))
def test_truncated_and_flipped_gzip_is_accounted_for(content: bytes, data: st.DataObject, window: int) -> None:
    stored = bytearray(gzip.compress(content))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(stored) - 1), max_size=2)):
        stored[bit // 8] ^= 1 << bit % 8
    read(bytes(stored[: data.draw(st.integers(0, len(stored)))]), window)


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (b'[06/Feb/2026:00:00:38 +0000] "GET /"\n[7] b\n', [b'[06/Feb/2026:00:00:38 +0000] "GET /"', b"[7] b"]),
        (b"[error] disk full\n", [b"[error] disk full"]),
        (b'[ \n {"a":1}]', [b'{"a":1}']),
        (b'[[{"a":1}]', []),
        (b"[", []),
    ],
)
@pytest.mark.parametrize("window", [1, 7, 1 << 20])
def test_a_line_may_begin_with_a_bracket(content: bytes, records: list[bytes], window: int) -> None:
    chunks = list(open_records(io.BytesIO(content), window_bytes=window))
    assert [record for chunk in chunks for record in chunk.records] == records
