"""What has been looked at: of each hour the text that changes with it, as it was then.

It is kept beside id files and filters, and like them it can be lost: then everything is looked at once more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from iota_dagster.core.hours import Hour
from iota_dagster.core.storage import Storage


@dataclass(frozen=True, slots=True)
class Looked:
    """The notes of one subject: a lake table, or the accounting."""

    state: Storage
    subject: str

    @property
    def path(self) -> str:
        """Where the notes lie in the state storage."""
        return f"quality/{self.subject}.json"

    def read(self) -> dict[Hour, str]:
        """What was noted by hour; nothing where there are no notes, or none that can be read."""
        try:
            return {int(hour): str(mark) for hour, mark in json.loads(self.state.read(self.path)).items()}
        except (FileNotFoundError, ValueError, AttributeError):
            return {}

    def write(self, marks: Mapping[Hour, str]) -> None:
        """Take the place of all notes."""
        self.state.write(self.path, json.dumps({str(hour): mark for hour, mark in sorted(marks.items())}).encode())
