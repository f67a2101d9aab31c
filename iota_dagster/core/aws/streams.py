"""Reading the body of an S3 answer into a file, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import HTTPClientError, IncompleteReadError

if TYPE_CHECKING:
    from botocore.response import StreamingBody

_CHUNK = 1 << 20
_ATTEMPTS = 3


def copy_stream(open_body: Callable[[], StreamingBody], target: BinaryIO, limit: int | None = None) -> bool:
    """Copy a body into an empty file; False when it is longer than `limit` bytes.

    botocore retries a call but not the reading of its answer: a body that breaks off is asked for again, whole, at
    most three times in all; the last error is then raised.
    """
    for attempt in range(_ATTEMPTS):
        target.seek(0)
        target.truncate()
        try:
            return _copy(open_body(), target, limit)
        except (HTTPClientError, IncompleteReadError):
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _copy(body: StreamingBody, target: BinaryIO, limit: int | None) -> bool:
    copied = 0
    for chunk in body.iter_chunks(_CHUNK):
        copied += len(chunk)
        if limit is not None and copied > limit:
            body.close()
            return False
        target.write(chunk)
    return True
