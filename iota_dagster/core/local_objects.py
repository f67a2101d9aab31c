"""Log objects in a local folder: the folder is the bucket, the relative path the key, a hash of the bytes the etag."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from iota_dagster.core.errors import ObjectMissing, ObjectRefused, ObjectSuperseded, ObjectTooLarge, Outage
from iota_dagster.core.model import LogObject, ObjectRef
from iota_dagster.core.storage import local_disk

SCHEME = "file://"
_CHUNK = 1 << 20
_log = logging.getLogger(__name__)


class LocalObjects:
    """Reads objects of `file:///folder` buckets (taken as they stand, no percent-decoding); see `ObjectReader`."""

    def __init__(self, largest: int) -> None:
        """`largest` bounds one object's bytes."""
        self._largest = largest

    def head(self, bucket: str, key: str) -> ObjectRef:
        """See `ObjectReader.head`. Reads the whole file: its etag is a hash of its bytes."""
        with self._opened(bucket, key) as file:
            status = os.fstat(file.fileno())
            etag = _copy(file, None)
        return ObjectRef(bucket, key, etag, status.st_size, None, datetime.fromtimestamp(status.st_mtime, UTC))

    def fetch(self, object: LogObject, target: Path) -> None:
        """See `ObjectReader.fetch`: the bytes are hashed while they are copied."""
        with self._opened(object.bucket, object.key) as file:
            size = os.fstat(file.fileno()).st_size
            if size > self._largest:
                raise ObjectTooLarge(object.bucket, object.key, f"{size:,} bytes; the limit is {self._largest:,}")
            with local_disk(target), target.open("wb") as copy:
                etag = _copy(file, copy)
        if etag != object.etag:
            raise ObjectSuperseded(object.bucket, object.key, "the file has other content than the one registered")

    def list(
        self, bucket: str, prefix: str, wanted: Callable[[ObjectRef], bool] = lambda ref: True
    ) -> Iterator[ObjectRef]:
        """See `ObjectReader.list`. Skips hidden files and folders, and symbolic links that leave the folder.

        Linked folders are not entered: their files are found where they are. A file that may not be read comes
        without an etag, so that reading it tells why. `wanted` sees key and last modification before a file is hashed.
        """
        root = _root(bucket)
        for key in _keys(root, "", prefix):
            if not wanted(ObjectRef(bucket, key, last_modified=_modified(root / key))):
                continue
            try:
                yield self.head(bucket, key)
            except ObjectRefused:
                if _is_inside(root, root / key):
                    yield ObjectRef(bucket, key)
            except ObjectMissing:
                continue

    @contextmanager
    def _opened(self, bucket: str, key: str) -> Iterator[BinaryIO]:
        root = _root(bucket)
        path = root / key
        if "\0" in key or key.startswith("/") or ".." in key.split("/") or not _is_inside(root, path):
            raise ObjectRefused(bucket, key, "the key leaves its folder")
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its writer
                raise ObjectMissing(bucket, key, "it is no regular file")
            with path.open("rb") as file:
                yield file
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ObjectMissing(bucket, key, "there is no such file") from error
        except PermissionError as error:
            raise ObjectRefused(bucket, key, "the file may not be read") from error
        except OSError as error:
            raise Outage(f"{bucket}/{key}: {error.strerror or error}") from error


def _root(bucket: str) -> Path:
    root = Path(bucket.removeprefix(SCHEME))
    if not root.is_absolute():
        raise ObjectRefused(bucket, "", f"a local bucket is {SCHEME} and an absolute folder")
    if not root.is_dir():
        raise Outage(f"{bucket}: the folder is not there; is its disk mounted?")
    return root


def _is_inside(root: Path, path: Path) -> bool:
    """Whether a path, all symbolic links followed, is below the root; a loop of links is not."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False


def _keys(root: Path, folder: str, prefix: str) -> Iterator[str]:
    """The keys below a folder ("" or "a/") that start with `prefix`, in order."""
    try:
        entries = [entry for entry in os.scandir(root / folder) if _is_shown(entry, folder)]
    except FileNotFoundError:  # removed meanwhile
        return
    except PermissionError as error:
        user = os.geteuid()
        raise ObjectRefused(f"{SCHEME}{root}", folder, f"the folder may not be read by user {user}") from error
    except OSError as error:
        raise Outage(f"{root / folder}: {error.strerror or error}") from error
    named = {f"{e.name}/" if e.is_dir(follow_symlinks=False) else e.name: e for e in entries}
    for name in sorted(named):
        key = folder + name
        if name.endswith("/"):
            if key.startswith(prefix) or prefix.startswith(key):
                yield from _keys(root, key, prefix)
        elif key.startswith(prefix) and _is_file(named[name]):
            yield key


def _modified(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:  # removed meanwhile, as reading it will tell
        return None


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a loop of symbolic links
        return False


def _is_shown(entry: os.DirEntry[str], folder: str) -> bool:
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        _log.warning("skipped %r in %r: its name is no UTF-8", os.fsencode(entry.name), folder)
        return False
    return not entry.name.startswith(".")


def _copy(file: BinaryIO, target: BinaryIO | None) -> str:
    """Hash a file to its end and copy it; the etag."""
    digest = hashlib.blake2b(digest_size=16)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        if target:
            target.write(chunk)
    return digest.hexdigest()
