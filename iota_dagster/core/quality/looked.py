"""What has been looked at: of each hour when, and the text that changes with it, as it was then.

It is kept beside id files and filters, and like them it can be lost: then everything is looked at once more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from iota_dagster.core.hours import Hour
from iota_dagster.core.storage import Storage


@dataclass(frozen=True, slots=True)
class Note:
    """A look at an hour: the text that changes with it, and a moment before which nothing was left unseen."""

    mark: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Looked:
    """The notes of one subject: a lake table, or the accounting."""

    state: Storage
    subject: str

    @property
    def path(self) -> str:
        """Where the notes lie in the state storage."""
        return f"quality/{self.subject}.json"

    def read(self) -> dict[Hour, Note]:
        """What was noted by hour; nothing where there are no notes, or none that can be read."""
        try:
            stored = json.loads(self.state.read(self.path)).items()
            return {int(hour): Note(str(mark), datetime.fromisoformat(at)) for hour, (mark, at) in stored}
        except (FileNotFoundError, ValueError, AttributeError, TypeError):
            return {}

    def write(self, notes: Mapping[Hour, Note]) -> None:
        """Take the place of all notes."""
        stored = {str(hour): (note.mark, note.at.isoformat()) for hour, note in sorted(notes.items())}
        self.state.write(self.path, json.dumps(stored).encode())
