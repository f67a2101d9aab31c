"""Where iota keeps what it writes: a local folder or an `s3://` prefix, behind one small interface.

The lake, the work files and the state (id files, bloom filters) each are one `Storage`. Paths are relative, POSIX,
and name files only: a folder exists where a file is in it. Every write is whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from iota_dagster.core.errors import Outage, SettingsError

if TYPE_CHECKING:
    import pyarrow.fs

    from iota_dagster.core.aws.clients import ClientFactory


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a listing; `modified` is aware UTC."""

    path: str
    size: int
    modified: datetime


class Storage(Protocol):
    """Files under one root. All methods raise `Outage` when the storage does not answer or does not let us.

    A missing *root* (bucket, folder) is such an outage too and never reads as "no such file": nothing may be taken
    for lost because a disk is not mounted. Instances may be shared by threads.
    """

    @property
    def url(self) -> str:
        """The root, as `file:///folder` or `s3://bucket/prefix`."""
        ...

    def read(self, path: str) -> bytes:
        """A file's bytes; `FileNotFoundError` when there is none."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Put a file, durable and atomic: readers see the old one or the new one, whole."""
        ...

    def upload(self, path: str, source: Path) -> None:
        """Put a local file, as `write` does. It may become a hard link: do not write to `source` afterwards."""
        ...

    def download(self, path: str, target: Path) -> None:
        """Fetch a file into a local one of the caller's own; `FileNotFoundError` when there is none.

        After any other error the target may hold a part of it.
        """
        ...

    def copy(self, source: str, target: str) -> None:
        """Copy inside the storage without moving bytes through here, atomic, replacing.

        `FileNotFoundError` without a source. The copy's `modified` may be the source's.
        """
        ...

    def delete(self, path: str) -> None:
        """Remove a file; a missing one is fine."""
        ...

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """All files whose path starts with `prefix` (any text: "" is all, "a/b" finds "a/b/c" and "a/bc"), in order."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        ...

    def local_path(self, path: str) -> Path | None:
        """Where the file is (or would be) on this machine, to be read only; None when it is not local."""
        ...

    def arrow(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """A pyarrow file system and the root in it. Ask again for each query: its credentials do not refresh."""
        ...


def open_storage(url: str, clients: ClientFactory) -> Storage:
    """The storage at `s3://bucket/prefix`, `file:///folder` or a plain folder, which is created.

    `clients` is used for `s3://` only, and then at the first call, not here. A `file://` URL is taken as it stands
    (no percent-decoding). `SettingsError` for any other form.
    """
    scheme, separator, rest = url.partition("://")
    if scheme == "s3" and separator:
        # Local installations never pay for the import of botocore.
        from iota_dagster.core.aws.s3_storage import S3Storage

        return S3Storage(url, clients)
    if not separator or scheme == "file":
        from iota_dagster.core.local_storage import LocalStorage

        return LocalStorage(Path(rest if separator else url))
    raise SettingsError(f"{url!r} is no storage: give a folder, file:///folder or s3://bucket/prefix")


def checked_path(path: str) -> str:
    """The path itself; `ValueError` when it is absolute, empty, or has `.`, `..`, empty or backslash parts."""
    parts = path.split("/")
    if "\\" in path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"{path!r} is no path inside a storage: it must be relative, without '..' or empty parts")
    return path


def checked_prefix(prefix: str) -> str:
    """The prefix itself, which may be empty or end with a slash; `ValueError` as `checked_path`."""
    if prefix:
        checked_path(prefix.removesuffix("/"))
    return prefix


@contextmanager
def local_disk(path: Path) -> Iterator[None]:
    """Errors of a local file that is being written (disk full, folder gone) as `Outage`: no stored file is to blame."""
    try:
        yield
    except OSError as error:
        raise Outage(f"{path}: {error.strerror or error}") from error
