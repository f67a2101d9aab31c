"""Id files: the exact ids that one batch committed to one event hour.

An id is a 16-byte digest and an 8-byte fingerprint. In arrays the digest is two words, `hi` and `lo`, read big-endian,
so that the order of (hi, lo) is the order of the digest's bytes; `print` is the fingerprint. A file holds them sorted
and each digest once:

    bytes 0-7    magic, `iotaids` and a line feed          bytes 16-23  number of records
    bytes 8-11   version of this format, 1                 bytes 24-31  zero
    bytes 12-15  bytes per record, 24                      then         records: hi, lo, print

All numbers are unsigned and little-endian. A file is known by the SHA-256 of all its bytes, which stands in the store
beside its name; whatever does not verify is lost, and an id file that is lost can be made again from the lake.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iota_dagster.core.errors import IotaError
from iota_dagster.core.storage import Storage, local_disk

ID = np.dtype([("hi", "<u8"), ("lo", "<u8"), ("print", "<u8")])
"""One id; arrays of it are typed `NDArray[np.void]`."""

_HEADER = struct.Struct("<8sIIQQ")
_MAGIC, _VERSION = b"iotaids\n", 1


class IdFileLost(IotaError):
    """An id file is missing or is not the one that was written; it can be made again from the lake."""

    def __init__(self, path: str, why: str) -> None:
        """`why` in a few words."""
        super().__init__(f"id file {path}: {why}")
        self.path, self.why = path, why


def make_ids(digests: bytes | memoryview, prints: NDArray[np.uint64]) -> NDArray[np.void]:
    """Ids of digests (16 bytes each, one after the other) and fingerprints, in the order given."""
    words = np.frombuffer(digests, dtype=">u8").reshape(-1, 2)
    ids = np.empty(len(words), dtype=ID)
    ids["hi"], ids["lo"], ids["print"] = words[:, 0], words[:, 1], prints
    return ids


def sorted_ids(ids: NDArray[np.void]) -> NDArray[np.void]:
    """The ids in order of their digests."""
    hi = ids["hi"]
    order = np.argsort(hi)
    if np.any(hi[order[1:]] == hi[order[:-1]]):  # much slower, and next to never needed
        order = np.lexsort((ids["lo"], hi))
    return ids[order]


def write(storage: Storage, path: str, ids: NDArray[np.void]) -> str:
    """Write an id file; its SHA-256 in hex. `ValueError` unless the ids are sorted and each digest is there once."""
    content = encode(ids)
    storage.write(path, content)
    return checksum(content)


def read(storage: Storage, path: str, sha256: str) -> NDArray[np.void]:
    """The ids of a file, read-only, memory-mapped where the storage is local; `IdFileLost`."""
    content = _content(storage, path)
    if checksum(content) != sha256:
        raise IdFileLost(path, f"{len(content):,} bytes with another SHA-256 than {sha256}")
    return _decode(content, path)


def encode(ids: NDArray[np.void]) -> bytes:
    """The bytes of an id file; `ValueError` unless the ids are sorted and each digest is there once."""
    hi, lo = ids["hi"], ids["lo"]
    if not np.all((hi[1:] > hi[:-1]) | ((hi[1:] == hi[:-1]) & (lo[1:] > lo[:-1]))):
        raise ValueError("the ids of an id file must be sorted by their digest, without repetition")
    return _HEADER.pack(_MAGIC, _VERSION, ID.itemsize, len(ids), 0) + ids.astype(ID, copy=False).tobytes()


def checksum(content: bytes | mmap.mmap) -> str:
    """The SHA-256 of a file's bytes in hex."""
    return hashlib.sha256(content).hexdigest()


def find(stored: NDArray[np.void], wanted: NDArray[np.void]) -> NDArray[np.intp]:
    """For each wanted id (any order) the index of its digest in sorted `stored`, or -1."""
    hi, lo = np.ascontiguousarray(stored["hi"]), stored["lo"]
    index = np.searchsorted(hi, wanted["hi"])
    found = np.full(len(wanted), -1, dtype=np.intp)
    open_rows = np.arange(len(wanted))
    # One round, and one more for every digest that shares its first half with its neighbour: next to never.
    while True:
        open_rows = open_rows[index[open_rows] < len(hi)]
        open_rows = open_rows[hi[index[open_rows]] == wanted["hi"][open_rows]]
        if not len(open_rows):
            return found
        hit = lo[index[open_rows]] == wanted["lo"][open_rows]
        found[open_rows[hit]] = index[open_rows[hit]]
        open_rows = open_rows[~hit]
        index[open_rows] += 1


def _content(storage: Storage, path: str) -> bytes | mmap.mmap:
    local = storage.local_path(path)
    try:
        # `exists` also makes sure that the storage itself is there: an unmounted disk loses no file.
        return _mapped(local, path) if local and storage.exists(path) else storage.read(path)
    except FileNotFoundError:
        raise IdFileLost(path, "there is no such file") from None


def _mapped(local: Path, path: str) -> mmap.mmap:
    with local_disk(local), local.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise IdFileLost(path, "the file is empty") from None


def _decode(content: bytes | mmap.mmap, path: str) -> NDArray[np.void]:
    """The records. The checksum has been verified, so that only another version can be read here by mistake."""
    if len(content) < _HEADER.size:
        raise IdFileLost(path, f"{len(content)} bytes are too short")
    magic, version, size, count, _ = _HEADER.unpack_from(content)
    if (magic, version, size) != (_MAGIC, _VERSION, ID.itemsize):
        raise IdFileLost(path, "it is no id file of a version known here")
    if len(content) != _HEADER.size + count * size:
        raise IdFileLost(path, f"{len(content):,} bytes do not hold {count:,} ids")
    return np.frombuffer(content, dtype=ID, offset=_HEADER.size)
