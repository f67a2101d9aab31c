"""The decoder: every form, every kind of damage, and the accounting of ordinals."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import zlib
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iota_dagster.core.reading import content, json_text
from iota_dagster.core.reading.content import Content, Window
from iota_dagster.core.reading.decode import Damage, DecodeLimits, Decoder
from iota_dagster.core.reading.scan import Scanner

WINDOWS = (1, 7, 64, 1 << 20)
some = settings(max_examples=30)


class Trickle(io.BytesIO):
    """A stream that answers every read with fewer bytes than asked for."""

    def __init__(self, data: bytes, at_most: int) -> None:
        super().__init__(data)
        self._at_most = at_most

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, self._at_most))


@dataclass
class Decoded:
    records: list[bytes]
    damages: list[Damage]
    ends: list[int]
    decoder: Decoder

    @property
    def reasons(self) -> list[str]:
        return [damage.reason for damage in self.damages]


def decode(data: bytes, window: int = 1 << 20, at_most: int = 1 << 20, **limits: int) -> Decoded:
    """All of an object, with the accounting checked: each ordinal once, in file order, each at its offset."""
    decoder = Decoder(Trickle(data, at_most), DecodeLimits(**limits), window_bytes=window)
    found: list[tuple[int, int]] = []
    records: list[bytes] = []
    damages: list[Damage] = []
    ends: list[int] = []
    plain = unpacked(data)
    for chunk in decoder:
        assert len(chunk.ordinals) == len(chunk.records)
        here = [(ordinal, chunk.offset(n)) for n, ordinal in enumerate(chunk.ordinals)]
        for (_, offset), record in zip(here, chunk.records, strict=True):
            assert plain is None or plain[offset : offset + len(record)] == record
        here += [(damage.ordinal, damage.byte_offset) for damage in chunk.damages]
        found += sorted(here)
        records += chunk.records
        ends += [chunk.offset(n) + len(record) for n, record in enumerate(chunk.records)]
        damages += chunk.damages
    assert [ordinal for ordinal, _ in found] == list(range(decoder.records))
    assert [offset for _, offset in found] == sorted(offset for _, offset in found)
    assert all(type(json.loads(record.decode())) is dict for record in records)
    return Decoded(records, damages, ends, decoder)


def unpacked(data: bytes) -> bytes | None:
    """The plain content, or None where gzip is damaged."""
    try:
        while data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None
    return data


# Every form.

texts = st.one_of(
    st.text(max_size=8), st.sampled_from(['},{"', "]}", "}{", '}\n{"a"', '\\"', '"Records"', "é☃", "{[", "\\"])
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["eventVersion", "a", "Records", 'q"', "é"])


def _no_wrapper(record: dict[str, Any]) -> bool:
    return not isinstance(record.get("Records"), list)


objects = st.lists(st.dictionaries(keys, values, max_size=4).filter(_no_wrapper), max_size=12)


@st.composite
def written(draw: st.DrawFn) -> tuple[list[bytes], bytes]:
    """Records as bytes, and a content that holds them in some form."""
    indent = draw(st.sampled_from([None, 1, 4]))
    ascii_only = draw(st.booleans())
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]))
    form = draw(st.sampled_from(["records", "array", "lines", "concatenated", "documents"]))

    def dump(thing: Any) -> bytes:
        flat = form == "lines"
        return json.dumps(
            thing, indent=None if flat else indent, ensure_ascii=ascii_only, separators=separators
        ).encode()

    records = [dump(record) for record in draw(objects)]
    between = draw(st.sampled_from([b",", b", ", b",\n", b" ,\r\n  "]))
    if form == "records":
        return records, _wrapper(draw(st.integers(0, 3)), between.join(records))
    if form == "array":
        return records, b"[" + between.join(records) + b"]"
    if form == "lines":
        end = draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
        bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
        return records, bom + b"".join(record + end for record in records)
    if form == "concatenated":
        return records, draw(st.sampled_from([b"", b"\n", b" "])).join(records)
    half = len(records) // 2
    return records, b"".join(
        _wrapper(draw(st.integers(0, 3)), between.join(part)) for part in (records[:half], records[half:])
    )


def _wrapper(kind: int, inside: bytes) -> bytes:
    return (
        (b'{"Records":[', b'{ "Records" : [\n', b'{"next":{"Records":[{}]},"Records":[', b'{"Records":[')[kind]
        + inside
        + (b"]}", b"\n] }\n", b"]}", b'],"token":"]}","more":[{"x":1}]}')[kind]
    )


@st.composite
def packed(draw: st.DrawFn, plain: bytes) -> bytes:
    """The content as it might be stored: plain, gzipped, in members, or twice."""
    form = draw(st.sampled_from(["plain", "gzip", "members", "twice"]))
    if form == "plain":
        return plain
    if form == "members":
        cut = draw(st.integers(0, len(plain)))
        return gzip.compress(plain[:cut]) + gzip.compress(plain[cut:])
    return gzip.compress(gzip.compress(plain)) if form == "twice" else gzip.compress(plain)


@some
@given(written(), st.data(), st.integers(1, 300), st.integers(1, 300))
def test_records_come_back_byte_for_byte_whatever_the_form(
    pair: tuple[list[bytes], bytes], data: st.DataObject, window: int, at_most: int
) -> None:
    records, plain = pair
    decoded = decode(data.draw(packed(plain)), window, at_most)
    assert decoded.records == records
    assert decoded.damages == []
    assert decoded.decoder.content_bytes == len(plain)
    assert decoded.decoder.content_sha256 == hashlib.sha256(plain).hexdigest()


def before(cut: int, plain: bytes) -> int:
    """How many records of a content end before it is cut."""
    return sum(end <= cut for end in decode(plain).ends)


@some
@given(written(), st.data(), st.integers(1, 300))
def test_a_truncated_content_keeps_the_records_before_the_cut(
    pair: tuple[list[bytes], bytes], data: st.DataObject, window: int
) -> None:
    records, plain = pair
    cut = data.draw(st.integers(0, len(plain)))
    decoded = decode(plain[:cut], window)
    assert decoded.records == records[: before(cut, plain)]
    assert len(decoded.damages) <= 1


@some
@given(written(), st.data(), st.integers(1, 300))
def test_a_truncated_gzip_keeps_the_records_before_the_cut(
    pair: tuple[list[bytes], bytes], data: st.DataObject, window: int
) -> None:
    records, plain = pair
    stored = gzip.compress(plain)
    rest = stored[: data.draw(st.integers(2, len(stored) - 1))]
    decoded = decode(rest, window)
    left = zlib.decompressobj(wbits=31).decompress(rest)
    assert decoded.records == records[: before(len(left), plain)]
    assert decoded.reasons == ["truncated"]


@some
@given(written(), st.data(), st.integers(1, 300), st.booleans())
def test_flipped_bytes_never_raise_and_every_ordinal_is_accounted_for(
    pair: tuple[list[bytes], bytes], data: st.DataObject, window: int, zipped: bool
) -> None:
    stored = bytearray(gzip.compress(pair[1]) if zipped else pair[1])
    for place in data.draw(st.lists(st.integers(0, max(0, len(stored) - 1)), max_size=4)) if stored else []:
        stored[place] = data.draw(st.integers(0, 255))
    decode(bytes(stored), window)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_random_bytes_never_raise(stored: bytes, window: int) -> None:
    decode(stored, window)
    decode(b"[" + stored, window)
    decode(b'{"Records":[{"a":1},' + stored, window)
    decode(b"\x1f\x8b" + stored, window)


@given(st.text(alphabet='{}[]",:\\ a1\n', max_size=40), st.integers(1, 50))
def test_what_is_found_does_not_depend_on_the_window(text: str, window: int) -> None:
    whole, pieces = decode(b"[" + text.encode()), decode(b"[" + text.encode(), window)
    assert whole.records == pieces.records
    assert whole.reasons == pieces.reasons


@pytest.mark.parametrize("window", WINDOWS)
def test_many_windows_of_records_are_split_exactly(window: int) -> None:
    shape = {"eventVersion": "1.08", "list": [{"x": 1}, {"eventVersion": "}"}]}
    records = [json.dumps(shape | {"n": n, "text": "},{" * (n % 7)}) for n in range(400)]
    for body in ('{"Records":[' + ",".join(records) + "]}", "\n".join(records), "".join(records)):
        assert decode(body.encode(), max(window, 40)).records == [record.encode() for record in records]


def test_an_empty_object_has_no_records_and_no_damage() -> None:
    for data in (b"", b" \n", b"\xef\xbb\xbf", gzip.compress(b""), b'{"Records":[]}', b"[]"):
        assert decode(data).decoder.records == 0


def test_an_object_without_a_list_of_records_is_itself_a_record() -> None:
    for data in (b'{"Records": 3}', b'{"x": {"Records": [1]}}', b'{"s": "Records", "t": ["Records"]}'):
        assert decode(data).records == [data]


def test_a_second_records_list_in_one_wrapper_is_read_too() -> None:
    assert decode(b'{"Records":[{"a":1}],"Records":[{"a":2}]}').records == [b'{"a":1}', b'{"a":2}']


# Damage to one value.


@pytest.mark.parametrize("window", WINDOWS)
def test_a_broken_record_in_a_list_is_isolated(window: int) -> None:
    decoded = decode(b'[{"a":1},{"a":,"b":[{"a":9}]},{"a":3}]', window)
    assert decoded.records == [b'{"a":1}', b'{"a":3}']
    assert [(d.ordinal, d.byte_offset, d.reason, d.data) for d in decoded.damages] == [
        (1, 9, "invalid_json", b'{"a":,"b":[{"a":9}]}')
    ]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_record_with_a_lost_quote_does_not_swallow_its_neighbours(window: int) -> None:
    decoded = decode(b'{"Records":[{"a":"x},{"a":"y"},{"a":"z"}]}', window)
    assert decoded.records == [b'{"a":"y"}', b'{"a":"z"}']
    assert [damage.data for damage in decoded.damages] == [b'{"a":"x}']


@pytest.mark.parametrize("window", WINDOWS)
def test_a_bad_line_is_isolated(window: int) -> None:
    decoded = decode(b'{"a":1}\n{"a":"x}\noops\n{"a":3}\n"text"\n{"a":4', window)
    assert decoded.records == [b'{"a":1}', b'{"a":3}']
    assert [(damage.reason, damage.data.rstrip()) for damage in decoded.damages] == [
        ("invalid_json", b'{"a":"x}\noops'),
        ("not_an_object", b'"text"'),
        ("truncated", b'{"a":4'),
    ]


def test_one_bad_record_among_many_costs_only_itself() -> None:
    records = [b'{"eventVersion":"1.08","n":%d,"pad":"%s"}' % (n, b"x" * 200) for n in range(2000)]
    for n in (0, 777, 1999):
        for bad in (records[n][:-30], records[n][:-1] + b",}", b'"' + records[n]):
            broken = [*records[:n], bad, *records[n + 1 :]]
            decoded = decode(b'{"Records":[' + b",".join(broken) + b"]}", 1 << 16)
            assert len(decoded.records) >= 1998
            assert decoded.records[:n] == records[:n]
            assert decoded.records[-1] == records[-1] or n == 1999


def test_elements_that_are_no_objects_are_told_one_by_one() -> None:
    decoded = decode(b'{"Records":[{"a":1},2,"x",null,[{"b":1}],true]}')
    assert decoded.records == [b'{"a":1}']
    assert [damage.data for damage in decoded.damages] == [b"2", b'"x"', b"null", b'[{"b":1}]', b"true"]
    assert set(decoded.reasons) == {"not_an_object"}


@pytest.mark.parametrize(
    "record",
    [
        b'{"a":NaN}',
        b'{"a":1,}',
        b'{"a":"\x01"}',
        b'{"a":"\\ud800"}',
        b'{"a":01}',
        b"{'a':1}",
        b'{"a":"\\x"}',
        b'{"a" 1}',
    ],
)
def test_what_json_does_not_allow_is_no_record(record: bytes) -> None:
    assert decode(b'[{"a":1},' + record + b',{"a":3}]').reasons == ["invalid_json"]


def test_invalid_utf8_is_damage_of_its_record_only() -> None:
    decoded = decode('[{"a":"é"},{"a":"'.encode() + b'\xff"},{"a":"\xed\xa0\x80"},{"a":4}]')
    assert decoded.records == ['{"a":"é"}'.encode(), b'{"a":4}']
    assert decoded.reasons == ["invalid_utf8", "invalid_utf8"]


@pytest.mark.parametrize("depth", [101, 5000])
def test_deep_nesting_is_refused_and_the_rest_is_read(depth: int) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    wide = b'{"a":[' + b",".join([b"{}"] * 5000) + b"]}"
    decoded = decode(b"[" + b",".join([wide, deep, b'{"x":"%s"}' % (b"[" * 200)]) + b"]")
    assert decoded.records == [wide, b'{"x":"%s"}' % (b"[" * 200)]
    assert decoded.reasons == ["too_deep"]


@pytest.mark.parametrize("window", [64, 1 << 20])
@pytest.mark.parametrize("text", [b'{"a":"%s"}', b'{"a":["%s\\"",{}]}', b'{"Records":1,"a":"%s\\\\"}'])
def test_a_record_over_the_limit_is_passed_over(window: int, text: bytes) -> None:
    large = text % (b"x}{" * 5000)
    for body in (b'[{"b":1},%s,{"b":2}]', b'{"b":1}\n%s\n{"b":2}', b'{"b":1}%s{"b":2}'):
        decoded = decode(body % large, window, at_most=window, record_bytes=1000)
        assert decoded.records == [b'{"b":1}', b'{"b":2}']
        assert [(damage.reason, damage.size) for damage in decoded.damages] == [("record_too_large", len(large))]
        assert large.startswith(decoded.damages[0].data)


def test_a_record_over_the_limit_that_never_ends_is_one_damage() -> None:
    decoded = decode(b'[{"b":1},{"a":"' + b"x" * 5000, 64, at_most=64, record_bytes=1000)
    assert decoded.records == [b'{"b":1}']
    assert decoded.reasons == ["record_too_large"]


def test_a_wrapper_with_much_before_its_list_is_still_a_wrapper() -> None:
    body = b'{"note":"' + b"x" * 5000 + b'","Records":[{"a":1}]}'
    for at_most in (*range(40, 60), 1 << 20):
        assert decode(body, 64, at_most, record_bytes=1000).records == [b'{"a":1}']


# Damage to the object.


@pytest.mark.parametrize("data", [b"2 1234 eni-1 ACCEPT\n3 x\n", b"\x00\x01\x02", b"hello {not json}", b"PAR1" * 9])
def test_what_is_no_json_at_all_is_one_damage(data: bytes) -> None:
    for window in WINDOWS:
        decoded = decode(data, window)
        assert decoded.reasons == ["not_json"]
        assert (decoded.damages[0].data, decoded.damages[0].size) == (data, len(data))


def test_a_long_text_is_sampled_and_still_hashed_whole() -> None:
    text = b"no json here\n" * 10_000
    decoded = decode(text, 4096, record_bytes=10_000)
    assert decoded.damages[0].size == len(text)
    assert text.startswith(decoded.damages[0].data)
    assert decoded.decoder.content_sha256 == hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize("body", [b'[{"a":1}', b'[{"a":1},', b'{"Records":[{"a":1}]', b'{"Records":[{"a":1}],"x":"'])
def test_a_list_without_its_end_is_told(body: bytes) -> None:
    decoded = decode(body)
    assert (decoded.records, decoded.reasons) == ([b'{"a":1}'], ["truncated"])


def _lines(count: int) -> bytes:
    source = random.Random(3)
    return b"".join(b'{"n":%d,"noise":"%x"}\n' % (n, source.getrandbits(256)) for n in range(count))


def test_a_truncated_gzip_tells_where_it_ends() -> None:
    plain = _lines(5000)
    decoded = decode(gzip.compress(plain)[:-5000])
    assert 4000 < len(decoded.records) < 5000
    assert decoded.reasons == ["truncated"]
    end = decoded.damages[0].byte_offset
    assert plain[:end].rstrip().endswith(decoded.records[-1])


def test_a_bad_checksum_loses_no_record() -> None:
    plain = _lines(3000)
    stored = gzip.compress(plain)
    decoded = decode(stored[:-8] + b"\0\0\0\0" + stored[-4:])
    assert decoded.records == plain.split(b"\n")[:-1]
    assert decoded.reasons == ["corrupt_gzip"]


def test_a_bad_block_keeps_what_came_before_it() -> None:
    plain = _lines(5000)
    stored = bytearray(gzip.compress(plain))
    middle = len(stored) // 2
    stored[middle : middle + 64] = b"\xff" * 64
    decoded = decode(bytes(stored))
    assert len(decoded.records) > 2000
    assert "corrupt_gzip" in decoded.reasons


def test_a_member_too_long_to_keep_still_gives_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_SALVAGE_BYTES", 1000)
    stored = gzip.compress(_lines(5000))
    decoded = decode(stored[:-8] + bytes(8))
    assert len(decoded.records) > 3000
    assert decoded.reasons == ["corrupt_gzip"]


@pytest.mark.parametrize("tail", [b"\0" * 700, b"garbage", b"\x1f"])
def test_bytes_behind_the_gzip_are_damage_and_the_records_are_kept(tail: bytes) -> None:
    decoded = decode(gzip.compress(b'[{"a":1}]') + tail)
    assert decoded.records == [b'{"a":1}']
    assert [(d.reason, d.data, d.size) for d in decoded.damages] == [("trailing_bytes", tail, len(tail))]


def test_a_lost_end_and_bytes_behind_the_gzip_are_both_told() -> None:
    assert decode(gzip.compress(b'[{"a":1}') + b"garbage").reasons == ["truncated", "trailing_bytes"]


def test_gzip_in_gzip_in_gzip_is_not_opened() -> None:
    stored = gzip.compress(gzip.compress(gzip.compress(b'[{"a":1}]')))
    assert Decoder(io.BytesIO(stored)).records == 0
    assert [damage.reason for chunk in Decoder(io.BytesIO(stored)) for damage in chunk.damages] == ["not_json"]


def test_an_object_too_large_as_stored_keeps_what_was_read() -> None:
    decoded = decode(_lines(5000), compressed_bytes=100_000)
    assert len(decoded.records) > 100
    assert decoded.reasons == ["too_large"]


def test_an_object_too_large_decompressed_keeps_what_was_read() -> None:
    decoded = decode(gzip.compress(_lines(5000)), decompressed_bytes=200_000)
    assert len(decoded.records) > 100
    assert decoded.reasons == ["too_large"]


def test_a_gzip_bomb_is_stopped_by_its_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_RATIO_FROM", 1 << 20)
    bomb = gzip.compress(gzip.compress(b'{"a":1}\n' * (1 << 18)))
    decoded = decode(bomb, ratio=500)
    assert decoded.decoder.content_bytes <= 1 << 20
    assert decoded.reasons == ["too_large"]


def test_an_error_of_the_stream_passes_through() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(Decoder(Broken()))


@pytest.mark.parametrize("window", [1 << 12, 1 << 20])
def test_many_tiny_values_come_in_bounded_chunks(window: int) -> None:
    chunks = list(Decoder(io.BytesIO(b"[" + b"1," * 20_000 + b"{}]"), window_bytes=window))
    assert max(len(chunk.records) + len(chunk.damages) for chunk in chunks) <= 4096
    assert sum(len(chunk.damages) for chunk in chunks) == 20_000


# The helpers whose guesses the decoder lives on.


@given(values, st.sampled_from(["", ",", "]", " {", '\n"x"', "x"]))
def test_the_first_value_is_found_exactly_or_not_at_all(value: Any, following: str) -> None:
    for indent in (None, 2):
        text = json.dumps([value], indent=indent).encode()
        found = json_text.first_value(b"  " + text + following.encode(), 2)
        assert found == text


@given(values, st.data())
def test_every_beginning_of_a_value_is_known_as_one(value: Any, data: st.DataObject) -> None:
    text = json.dumps([value]).encode()
    assert json_text.is_beginning(text[: data.draw(st.integers(0, len(text)))])


@given(values, st.data())
def test_an_extent_fed_in_pieces_ends_where_the_value_ends(value: Any, data: st.DataObject) -> None:
    text = json.dumps([value], ensure_ascii=False).encode()
    stored, extent, at, end = text + b"]}", json_text.Extent(), 0, None
    while end is None:
        piece = stored[at : at + data.draw(st.integers(3, 9))]
        end = extent.feed(piece)
        at += extent.consumed if end is None else end
    assert at == len(text)
    assert extent.deepest == _depth([value])


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


@some
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6000)), min_size=1, max_size=6), st.integers(1, 30))
def test_the_cheap_test_for_nesting_agrees_with_counting(shapes: list[tuple[int, int]], limit: int) -> None:
    records = [b'{"p":"%s","a":' % (b"x" * pad) + b"[" * depth + b"]" * depth + b"}" for depth, pad in shapes]
    records = [record.replace(b":}", b":0}") for record in records]
    found = json_text.deeper_than(limit, b",".join(records), records)
    assert found == [n for n, (depth, _) in enumerate(shapes) if depth + 1 > limit]


def test_brackets_of_a_string_cut_inside_an_escape_are_not_counted() -> None:
    extent = json_text.Extent()
    assert extent.feed(b'["}\\') is None
    assert extent.feed(b'\\"]"]') == 5


def test_a_broken_value_over_the_limit_is_passed_over() -> None:
    large = b'{"a":,"b":"' + b"x" * 5000 + b'"}'
    decoded = decode(b'[{"b":1},' + large + b',{"c":2}]', 64, at_most=64, record_bytes=1000)
    assert decoded.records == [b'{"b":1}', b'{"c":2}']
    assert [(damage.reason, damage.size) for damage in decoded.damages] == [("record_too_large", len(large))]


def test_a_long_tail_of_a_wrapper_is_passed_over() -> None:
    for tail in (b'"x":"' + b"y" * 5000 + b'"}', b'"x":[{"Records":[1]}],"Records":[]}'):
        for at_most in (3, 64):
            decoded = decode(b'{"Records":[{"a":1}],' + tail + b'{"b":2}', 64, at_most, record_bytes=1000)
            assert decoded.records == [b'{"a":1}', b'{"b":2}']
            assert decoded.damages == []


def test_very_many_gzip_members_are_read_like_one() -> None:
    member = gzip.compress(b"\n", mtime=0)
    plain = Content(io.BytesIO(member * 200_000 + gzip.compress(b'{"a":1}')), DecodeLimits())
    assert b"".join(plain) == b"\n" * 200_000 + b'{"a":1}'
    assert plain.fault is None


class Counted(bytes):
    """A window's data that counts the bytes which are taken out of it."""

    taken = 0

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        Counted.taken += len(found) if isinstance(index, slice) else 0
        return found


@pytest.mark.parametrize("bad", [b"{a}\n", b'{"a":01}\n', b"{a\n", b'{"Records":x}\n'])
@pytest.mark.parametrize("end", [b"", b'"Records"'])
def test_every_broken_value_costs_its_own_bytes_and_not_its_window(bad: bytes, end: bytes) -> None:
    data = bad * 50_000
    window = Window(Content(io.BytesIO(b""), DecodeLimits()))
    window.fill(1)
    window.data = Counted(data + end)
    Counted.taken = 0
    scanner = Scanner(window, DecodeLimits(), 1)
    for _ in range(400):
        assert scanner.advance()
        scanner.step()
    assert len(scanner.found.damages) == 400
    assert Counted.taken < 400 * 3 * 4096


@given(
    st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"-", b"1", b".", b"e", b"tru", b" "]))
)
def test_the_beginning_of_a_value_is_what_another_text_can_complete(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    errors = [json_text.error(text), json_text.error(text + b"0")]
    completable = any(not error or "truncated" in error for error in errors)
    assert json_text.is_beginning(text) == json_text.is_beginning(memoryview(text)) == completable
