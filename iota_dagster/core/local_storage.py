"""A `Storage` in a local folder: atomic by rename, durable by fsync, cheap by hard links.

New content is written to `.tmp/` under the root and renamed into place, so that a crash leaves nothing half-written
where a reader looks. What a crash leaves in `.tmp/` is removed after a day by the next process that opens the storage.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.fs

from iota_dagster.core.errors import Outage
from iota_dagster.core.storage import StoredFile, checked_path, checked_prefix, local_disk

_TEMPORARY = ".tmp"
_LEFT_OVER_SECONDS = 24 * 3600
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}
_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalStorage:
    """Files under one folder of this machine; see `Storage`."""

    def __init__(self, root: Path) -> None:
        """Create the folder where needed; `Outage` when that is impossible."""
        self._root = root.expanduser().absolute()
        self.url = f"file://{self._root}"
        with self._faults(""):
            (self._root / _TEMPORARY).mkdir(parents=True, exist_ok=True)
            self._remove_left_overs()

    def read(self, path: str) -> bytes:
        """See `Storage.read`."""
        with self._faults(path):
            return self._at(path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """See `Storage.write`."""

        def fill(temporary: Path) -> None:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())

        self._put(path, fill)

    def upload(self, path: str, source: Path) -> None:
        """See `Storage.upload`: a hard link on the same file system, else a copy."""
        origin = source.resolve(strict=True)
        self._put(path, lambda temporary: _link_or_copy(origin, temporary))

    def download(self, path: str, target: Path) -> None:
        """See `Storage.download`: always a copy, which the caller may change."""
        with self._faults(path):
            source = self._at(path).open("rb")
        with source, local_disk(target), target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)

    def copy(self, source: str, target: str) -> None:
        """See `Storage.copy`: a hard link (files are replaced, never written in place), else a copy."""
        origin = self._at(source)
        with self._faults(source):
            if not origin.is_file():
                raise FileNotFoundError(source)
        self._put(target, lambda temporary: _link_or_copy(origin, temporary))

    def delete(self, path: str) -> None:
        """See `Storage.delete`; folders left empty go too."""
        at = self._at(path)
        with suppress(FileNotFoundError), self._faults(path):
            at.unlink()
        with suppress(OSError):
            for folder in at.relative_to(self._root).parents[:-1]:
                (self._root / folder).rmdir()

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """See `Storage.list`."""
        folder, _, start = checked_prefix(prefix).rpartition("/")
        if not self._root.is_dir():
            raise self._gone()
        yield from self._walk(f"{folder}/" if folder else "", start)

    def exists(self, path: str) -> bool:
        """See `Storage.exists`."""
        with self._faults(path):
            if self._at(path).is_file():
                return True
        if not self._root.is_dir():
            raise self._gone()
        return False

    def local_path(self, path: str) -> Path | None:
        """See `Storage.local_path`."""
        return self._at(path)

    def arrow(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """See `Storage.arrow`."""
        return pyarrow.fs.LocalFileSystem(), str(self._root)

    def _at(self, path: str) -> Path:
        if checked_path(path).split("/", 1)[0] == _TEMPORARY:
            raise ValueError(f"{path!r}: {_TEMPORARY} is the storage's own")
        return self._root / path

    def _put(self, path: str, fill: Callable[[Path], None]) -> None:
        """Fill a temporary file and rename it into place."""
        target, temporary = self._at(path), self._root / _TEMPORARY / uuid.uuid4().hex
        with self._faults(path, writing=True):
            try:
                fill(temporary)
                self._place(temporary, target)
            finally:
                # Also needed after success: renaming one hard link onto another of the same file does nothing.
                temporary.unlink(missing_ok=True)

    def _place(self, temporary: Path, target: Path) -> None:
        for _ in range(10):
            self._make_folder(target.parent)
            try:
                os.replace(temporary, target)
            except FileNotFoundError:  # a neighbour's delete removed the folder while it was empty
                continue
            with suppress(FileNotFoundError):  # or deleted this file already, and the folder with it
                _sync_folder(target.parent)
            return
        raise OSError(errno.ENOENT, "the folder was removed again and again", str(target.parent))

    def _make_folder(self, folder: Path) -> None:
        """Make a folder under the root, durably: the name of a new folder is an entry in its parent."""
        if folder == self._root or folder.is_dir():
            return
        self._make_folder(folder.parent)
        with suppress(FileExistsError, FileNotFoundError):  # a neighbour was faster; or _place tries again
            folder.mkdir()
            _sync_folder(folder.parent)

    def _walk(self, folder: str, start: str) -> Iterator[StoredFile]:
        """The files below a folder ("" or "a/") whose rest of the path begins with `start`, in order of the path."""
        try:
            entries = list(os.scandir(self._root / folder))
        except _NO_FILE:  # no such folder, or removed meanwhile
            return
        except OSError as error:
            raise self._outage(folder, error) from error
        named = {f"{e.name}/" if e.is_dir() else e.name: e for e in entries if folder or e.name != _TEMPORARY}
        for name in sorted(name for name in named if name.startswith(start)):
            if name.endswith("/"):
                yield from self._walk(folder + name, "")
            else:
                with suppress(FileNotFoundError):
                    stat = named[name].stat()
                    yield StoredFile(folder + name, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def _remove_left_overs(self) -> None:
        oldest = time.time() - _LEFT_OVER_SECONDS
        for entry in os.scandir(self._root / _TEMPORARY):
            with suppress(OSError):
                if entry.stat().st_ctime < oldest:  # ctime: a linked file keeps the mtime of its source
                    os.unlink(entry.path)

    @contextmanager
    def _faults(self, path: str, writing: bool = False) -> Iterator[None]:
        """The operating system's errors in the words of `Storage`."""
        try:
            yield
        except _NO_FILE as error:
            if writing or not self._root.is_dir():
                raise self._outage(path, error) from error
            raise FileNotFoundError(errno.ENOENT, "no such file", f"{self.url}/{path}") from error
        except OSError as error:
            raise self._outage(path, error) from error

    def _outage(self, path: str, error: OSError) -> Outage:
        return Outage(f"{self.url}/{path}: {error.strerror or error}")

    def _gone(self) -> Outage:
        return Outage(f"{self.url}: the folder is not there; is its disk mounted?")


def _link_or_copy(source: Path, temporary: Path) -> None:
    """A hard link where the file system can, else a copy; its bytes on disk."""
    try:
        os.link(source, temporary)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, temporary)
    _sync(temporary, os.O_RDONLY)


def _sync_folder(folder: Path) -> None:
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
