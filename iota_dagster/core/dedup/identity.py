"""Who an event is (DESIGN §5): its id, the digest that stands for it in filters and id files, and its fingerprint.

`p_log_type`, `p_event_id` and `p_raw` of a lake row are enough to compute digest and fingerprint again, exactly: so an
id file can be rebuilt from the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec
import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

DIGEST_BYTES = 16
_SPACE = ord(" ")
_SCANNED_TOGETHER = 256  # few enough to stay in the processor's cache


def _among(characters: bytes) -> NDArray[np.bool_]:
    table = np.zeros(256, np.bool_)
    table[list(characters)] = True
    return table


_OPENS, _CLOSES, _SEPARATOR = _among(b"{["), _among(b"}]"), _among(b",:")
_STRUCTURE = _OPENS | _CLOSES | _SEPARATOR
_ENDS_VALUE = _among(b'"}]0123456789el \t\r\n')  # true, false, null end in e or l


def vendor_event_id(account: str, vendor_id: str) -> str:
    """The id of an event that its vendor names: the account is part of it, or one tenant could suppress another's."""
    return f"{account}:{vendor_id}"


def placed_event_id(bucket: str, key: str, ordinal: int, record: bytes) -> str:
    """The id of an event without a vendor's id: a hash of where it stands and what it says.

    Two equal lines of one object are two events, so that such an event is never collapsed across objects.
    """
    place = f"{len(bucket)}:{bucket}{len(key)}:{key}{ordinal}:".encode()
    return blake2b(place + record, digest_size=DIGEST_BYTES).hexdigest()


def digest(log_type: str, event_id: str) -> bytes:
    """16 uniform bytes that stand for (log type, event id)."""
    return blake2b(f"{log_type}\0{event_id}".encode(), digest_size=DIGEST_BYTES).digest()


def digests(log_type: str, event_ids: Iterable[str]) -> pa.FixedSizeBinaryArray:
    """`digest` of many ids of one log type, as an Arrow column."""
    start = blake2b(f"{log_type}\0".encode(), digest_size=DIGEST_BYTES)

    def one(event_id: str) -> bytes:
        state = start.copy()
        state.update(event_id.encode())
        return state.digest()

    joined = b"".join(map(one, event_ids))
    kind, size = pa.binary(DIGEST_BYTES), len(joined) // DIGEST_BYTES
    return pa.FixedSizeBinaryArray.from_buffers(kind, size, [None, pa.py_buffer(joined)])


def fingerprint(record: bytes) -> int:
    """64 bits of what a record says: equal for copies that differ only in whitespace outside of strings.

    A record that is no JSON is taken byte for byte. It tells copies of one event apart and guards nothing: no
    cryptographic hash.
    """
    try:
        return xxhash.xxh3_64_intdigest(msgspec.json.format(record, indent=-1))
    except msgspec.MsgspecError:
        return xxhash.xxh3_64_intdigest(record)


def fingerprints(records: Sequence[bytes]) -> NDArray[np.uint64]:
    """`fingerprint` of many records; those that are compact already, nearly all, are hashed as they are."""
    prints = np.fromiter(map(xxhash.xxh3_64_intdigest, records), np.uint64, len(records))
    for start in range(0, len(records), _SCANNED_TOGETHER):
        for row in _perhaps_spaced(records[start : start + _SCANNED_TOGETHER]):
            prints[start + row] = fingerprint(records[start + row])
    return prints


def _perhaps_spaced(records: Sequence[bytes]) -> list[int]:
    """The records that may have whitespace outside of strings: all that have some, and few others.

    Of two neighbouring JSON tokens one is structural. So such whitespace follows `{` or `[`, precedes `}` or `]`, or
    stands beside a comma or colon that itself follows the end of a value.
    """
    content = np.frombuffer(b"".join((b"{", *records, b"}")), np.uint8)
    spaces = np.flatnonzero(content <= _SPACE)
    spaces = spaces[_STRUCTURE[content[spaces - 1]] | _STRUCTURE[content[spaces + 1]]]  # leaves few to look at closely
    before, after = content[spaces - 1], content[spaces + 1]
    separated = (_SEPARATOR[before] & _ENDS_VALUE[content[spaces - 2]]) | (_SEPARATOR[after] & _ENDS_VALUE[before])
    suspects = spaces[_OPENS[before] | _CLOSES[after] | separated]
    if not len(suspects):
        return []
    ends = np.cumsum(np.fromiter(map(len, records), np.int64, len(records)))
    rows: list[int] = np.unique(np.searchsorted(ends, suspects - 1, side="right")).tolist()
    return rows
