"""Reading the body of an S3 answer into a file, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from botocore.exceptions import FlexibleChecksumError, HTTPClientError, IncompleteReadError

if TYPE_CHECKING:
    from botocore.response import StreamingBody

_CHUNK = 1 << 20
_ATTEMPTS = 3

_T = TypeVar("_T")


def copy_stream(open_body: Callable[[], StreamingBody], target: BinaryIO, limit: int | None = None) -> bool:
    """Copy a body into an empty file; False when it is longer than `limit` bytes.

    A body that breaks off, or is not what its checksum says, is asked for again, whole, at most three times in all;
    the last error is then raised.
    """

    def copy() -> bool:
        if target.tell():  # the rest of an attempt in vain
            target.seek(0)
            target.truncate()
        return _copy(open_body(), target, limit)

    return _again(copy)


def copy_part(open_body: Callable[[], StreamingBody], file: int, start: int) -> int:
    """Copy a body into an open file from a position on, asking again as `copy_stream` does; how many bytes it had."""

    def copy() -> int:
        position = start
        for chunk in open_body().iter_chunks(_CHUNK):
            _write_at(file, chunk, position)
            position += len(chunk)
        return position - start

    return _again(copy)


def _again(copy: Callable[[], _T]) -> _T:
    """botocore retries a call but not the reading of its answer."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return copy()
        except (FlexibleChecksumError, HTTPClientError, IncompleteReadError):
            continue
    return copy()


def _copy(body: StreamingBody, target: BinaryIO, limit: int | None) -> bool:
    copied = 0
    for chunk in body.iter_chunks(_CHUNK):
        copied += len(chunk)
        if limit is not None and copied > limit:
            body.close()
            return False
        target.write(chunk)
    return True


def _write_at(file: int, data: bytes, position: int) -> None:
    while data:  # a write may take less than it was given
        written = os.pwrite(file, data, position)
        data, position = data[written:], position + written
