"""What every kind of destination shares: its settings' base, and what it may use to be opened."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, SecretStr

from iota_dagster.core.alerting.destination import Destination, Unavailable
from iota_dagster.core.aws.clients import ClientFactory
from iota_dagster.core.errors import Outage
from iota_dagster.settings_types import Model, Name

Secret = Callable[[], str]
"""Gets a secret when it is needed."""
_AGAIN = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Means:
    """What destinations may use: `secret` reads one from AWS Secrets Manager, `clients` have our own credentials."""

    secret: Callable[[str], str]
    clients: ClientFactory


class DestinationSettings(Model):
    """The settings of one destination; a kind adds `type`, a literal that tells it from the others, and its own."""

    name: Name = Field(description="The name that routing and rules use.")

    @property
    def file(self) -> Path | None:
        """The file of this host that it writes, if it does."""
        return None

    @abstractmethod
    def open(self, means: Means) -> Destination:
        """What sends there. Nothing is read, imported or connected yet."""

    def chosen_secret(self, given: SecretStr | None, named: str | None, means: Means) -> Secret:
        """The secret that is `given`, or the one that is only `named`; `Unavailable` while it cannot be read."""
        if given is not None:
            return given.get_secret_value
        if named is None:
            raise ValueError(f"{self.name}: there is no secret")
        return _NamedSecret(self.name, named, means.secret)


class _NamedSecret:
    """A secret that is read when it is needed; one that cannot be read is asked for again after a minute.

    A service that hangs is waited for by the first of many deliveries then, and not by each.
    """

    def __init__(self, destination: str, name: str, read: Callable[[str], str]) -> None:
        self._destination, self._name, self._read = destination, name, read
        self._failed: tuple[float, str] | None = None

    def __call__(self) -> str:
        if self._failed and time.monotonic() - self._failed[0] < _AGAIN:
            raise Unavailable(self._failed[1])
        try:
            return self._read(self._name)
        except Outage as error:
            self._failed = time.monotonic(), f"{self._destination}: {error}"
            raise Unavailable(self._failed[1]) from error


def either(name: str, given: object, named: object, key: str) -> None:
    """Refuse a destination with both or none of `key` and `key`_secret."""
    if (given is None) == (named is None):
        raise ValueError(f"{name}: expected either {key} or {key}_secret")
