"""What every kind of destination shares: its settings' base, and what it may use to be opened."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, SecretStr

from iota_dagster.core.alerting.destination import Destination
from iota_dagster.core.aws.clients import ClientFactory
from iota_dagster.core.errors import DeliveryFailed, Outage
from iota_dagster.settings_types import Model, Name

Secret = Callable[[], str]
"""Gets a secret when it is needed."""


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
        """The secret that is `given`, or the one that is only `named`; `DeliveryFailed` while it cannot be read."""
        if given is not None:
            return given.get_secret_value

        def read() -> str:
            try:
                return means.secret(str(named))
            except Outage as error:
                raise DeliveryFailed(f"{self.name}: {error}") from error

        return read


def either(name: str, given: object, named: object, key: str) -> None:
    """Refuse a destination with both or none of `key` and `key`_secret."""
    if (given is None) == (named is None):
        raise ValueError(f"{name}: expected either {key} or {key}_secret")
