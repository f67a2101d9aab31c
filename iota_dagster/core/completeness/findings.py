"""What is not as it should be, as values: of a log object, of a digest, of an integration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong with a log object or with a digest."""

    MISSING = "missing"  # a digest lists it, the ledger has never heard of it
    NOT_DONE = "not_done"  # registered, and not processed yet, or not processable
    ALTERED = "altered"  # its content is not what the digest says
    UNLISTED = "unlisted"  # it lies among the logs and no digest lists it
    UNTRUSTED = "untrusted"  # a digest: its signature is invalid, or it cannot be read


TAMPERING = (Kind.MISSING, Kind.ALTERED, Kind.UNLISTED, Kind.UNTRUSTED)
"""The kinds that fail the check and tell people; what is only not done yet is told by its status."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One object and what is wrong with it; `moment` is the end of the digest, or the hour, that says so."""

    kind: Kind
    integration: str
    bucket: str
    key: str
    moment: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Silence:
    """An integration that has written nothing for longer than `allowed`."""

    integration: str
    last: datetime
    allowed: timedelta

    @property
    def since(self) -> datetime:
        """From when on its silence was news."""
        return self.last + self.allowed
