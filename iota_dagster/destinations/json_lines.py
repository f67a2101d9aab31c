"""A file with one JSON object per line and alert: for a person with `tail -f`, a log shipper, or a test.

The members of a line and their order are those of `core.alerting.destination.payload`, `delivery_id` first. The text is
ASCII, so a line ends at its newline and nowhere else. Every line is on the disk before it counts as sent. Processes of
one host may share the file, and it may be rotated by renaming.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from iota_dagster.core.alerting.destination import payload
from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.model import Delivery
from iota_dagster.destinations.base import DestinationSettings, Means
from iota_dagster.settings_types import LocalPath


class JsonLines(DestinationSettings):
    """A destination: one JSON line per alert, appended to a file."""

    type: Literal["json_lines"] = Field(description="Always `json_lines`.")
    path: LocalPath = Field(description="The file; its folder is created.")

    @property
    def file(self) -> Path:
        """The file of this host that it writes."""
        return self.path

    def open(self, means: Means) -> JsonLinesFile:
        """What appends to the file."""
        return JsonLinesFile(self.name, self.path)


@dataclass(frozen=True, slots=True)
class JsonLinesFile:
    """Appends alerts to the file `path`; its folders are made when needed."""

    name: str
    path: Path

    def send(self, delivery: Delivery) -> None:
        """Append the alert's line; all of it or, on a full disk, nothing."""
        line = json.dumps(payload(delivery), separators=(",", ":")).encode() + b"\n"
        try:
            with self._locked() as file:
                _append(file, line)
        except OSError as error:
            raise DeliveryFailed(f"{self.name}: cannot write {self.path}: {error.strerror or error}") from error

    def was_delivered(self, delivery: Delivery) -> bool:
        """Whether the file has the delivery's line, whole."""
        start = _start(delivery)
        try:
            with self.path.open("rb") as lines:
                return any(line.startswith(start) and _is_whole(line) for line in lines)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DeliveryFailed(f"{self.name}: cannot read {self.path}: {error.strerror or error}") from error

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file under a lock that other processes and threads respect."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            if is_new:
                _sync_folder(self.path.parent)
        finally:
            os.close(file)


def _append(file: int, line: bytes) -> None:
    """One write, then to the disk. What a crash left of an earlier line is closed first, so that it stays alone."""
    size = os.fstat(file).st_size
    torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
    text = b"\n" + line if torn else line
    try:
        if os.write(file, text) != len(text):
            raise OSError("no space left for the whole line")
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _start(delivery: Delivery) -> bytes:
    return json.dumps({"delivery_id": delivery.id}, separators=(",", ":")).encode()[:-1] + b","


def _is_whole(line: bytes) -> bool:
    """Whether a line was written to its end: a torn one holds the id, but has told nobody anything."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Make a new file's name as durable as its content."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
