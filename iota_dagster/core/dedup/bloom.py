"""A pybloom-live filter over event ids, with bulk operations.

pybloom's `BloomFilter` sizes the filter, holds its bits and writes its bytes. Its own hashing (SHA-family digests of
`str(key)`, one key at a time) is replaced: an id is a uniform 128-bit digest already, so the bit of each slice follows
from its two halves by double hashing, and NumPy computes it for many ids at once on the filter's own bit array. The
filter's scalar operations see the same bits: `(hi, lo) in filter.bits` is what `might_contain` says.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pybloom_live import BloomFilter

_SMALLEST = 4096
_CHUNK = 1 << 16  # ids at a time: their working arrays stay in the processor's cache


def capacity_for(count: int, largest: int) -> int:
    """The capacity of a new filter for `count` ids: a power of two, at least twice as many, at most `largest`."""
    return min(largest, max(_SMALLEST, 1 << (2 * count - 1).bit_length()))


class IdFilter:
    """A bloom filter over ids. Filled beyond its capacity it only answers "perhaps" more often."""

    def __init__(self, bits: BloomFilter) -> None:
        """Take over a pybloom filter whose bits were set by an `IdFilter`."""
        self.bits = bits
        # Not a bound method: a reference cycle would keep megabytes until the next garbage collection.
        self.bits.make_hashes = partial(_indices, int(bits.num_slices), int(bits.bits_per_slice))

    @classmethod
    def sized(cls, capacity: int, error_rate: float) -> IdFilter:
        """An empty filter that keeps to `error_rate` up to `capacity` ids."""
        return cls(BloomFilter(capacity, error_rate))

    @classmethod
    def from_bytes(cls, data: bytes) -> IdFilter:
        """The filter of `to_bytes`; `ValueError` when the bytes are none."""
        try:
            return cls(BloomFilter.fromfile(io.BytesIO(data)))
        except struct.error as error:
            raise ValueError(f"no bloom filter: {error}") from error

    def to_bytes(self) -> bytes:
        """The filter in pybloom's own file format."""
        file = io.BytesIO()
        self.bits.tofile(file)
        return file.getvalue()

    @property
    def capacity(self) -> int:
        """How many ids the filter was sized for."""
        return int(self.bits.capacity)

    @property
    def error_rate(self) -> float:
        """The share of false "perhaps" when filled to capacity."""
        return float(self.bits.error_rate)

    def __len__(self) -> int:
        """How many ids were added."""
        return int(self.bits.count)

    def add(self, ids: NDArray[np.void]) -> None:
        """Add ids (dtype `id_files.ID`); unlike pybloom's scalar `add`, never refuses when full."""
        octets = np.frombuffer(self.bits.bitarray, dtype=np.uint8)
        for start in range(0, len(ids), _CHUNK):
            index, step = self._start(ids[start : start + _CHUNK])
            for piece in range(self.bits.num_slices):
                byte, bit = self._places(index, piece)
                np.bitwise_or.at(octets, byte, np.left_shift(np.uint8(1), bit))
                index = self._next(index, step)
        self.bits.count += len(ids)

    def might_contain(self, ids: NDArray[np.void]) -> NDArray[np.bool_]:
        """For each id: False when it was surely never added, else True."""
        octets = np.frombuffer(self.bits.bitarray, dtype=np.uint8)
        perhaps = np.zeros(len(ids), dtype=np.bool_)
        for start in range(0, len(ids), _CHUNK):
            rows = self._survivors(octets, ids[start : start + _CHUNK])
            perhaps[start + rows] = True
        return perhaps

    def _survivors(self, octets: NDArray[np.uint8], ids: NDArray[np.void]) -> NDArray[np.intp]:
        """The rows whose bits are all set; each slice is asked only for the rows that passed those before."""
        rows = np.arange(len(ids))
        index, step = self._start(ids)
        for piece in range(self.bits.num_slices):
            byte, bit = self._places(index, piece)
            passed = np.flatnonzero(octets[byte] >> bit & 1)
            rows, step = rows[passed], step[passed]
            index = self._next(index[passed], step)
        return rows

    def _start(self, ids: NDArray[np.void]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Each id's bit in the first slice, and how far it moves from slice to slice."""
        size = np.uint64(self.bits.bits_per_slice)
        return ids["hi"] % size, ids["lo"] % (size - np.uint64(1)) + np.uint64(1)

    def _next(self, index: NDArray[np.uint64], step: NDArray[np.uint64]) -> NDArray[np.uint64]:
        size = np.uint64(self.bits.bits_per_slice)
        moved = index + step
        return moved - size * (moved >= size)

    def _places(self, index: NDArray[np.uint64], piece: int) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
        """Byte and bit (little-endian, as pybloom's bit array is) of an index in a slice."""
        place = index + np.uint64(piece * self.bits.bits_per_slice)
        return (place >> np.uint64(3)).astype(np.intp), (place & np.uint64(7)).astype(np.uint8)


def _indices(slices: int, size: int, key: tuple[int, int]) -> Iterator[int]:
    """The bits of one id, (hi, lo), for pybloom's scalar operations: the same as those of the bulk operations."""
    hi, lo = int(key[0]), int(key[1])
    index, step = hi % size, lo % (size - 1) + 1
    for _ in range(slices):
        yield index
        index = (index + step) % size
