"""Accounts: the credentials with which each integration's bucket is read, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from iota_dagster.core.aws.clients import ClientFactory, Role, role_credentials, session_with
from iota_dagster.core.aws.requests import Pace, RequestCounts
from iota_dagster.core.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow.fs
    from botocore.credentials import RefreshableCredentials
    from mypy_boto3_s3 import S3Client

OWN = "own credentials"
"""Under this name the requests of integrations without a role are counted."""


@dataclass(frozen=True, slots=True)
class Account:
    """How an integration reads: with which role (None: our own credentials), in which region, how fast at most."""

    role: Role | None = None
    region: str | None = None
    requests_per_second: float | None = None


class Accounts:
    """The clients of every integration, by its name; safe to share by threads.

    A role is assumed when something is first asked of it; its credentials renew themselves and are shared by all
    integrations that name it. Where it cannot be assumed, calls fail: our own credentials never step in.
    """

    def __init__(self, accounts: Mapping[str, Account], own: ClientFactory) -> None:
        """`own` has our own credentials, which ask STS for the roles'. Nothing is connected yet.

        Integrations with one role share its pace, the slowest that any of them asks for.
        """
        self._accounts, self._own = dict(accounts), own
        self._counts = {_who(account.role): RequestCounts() for account in accounts.values()}
        self._paces = _paces(self._accounts.values())
        self._credentials: dict[Role, RefreshableCredentials] = {}
        self._factories: dict[tuple[Role | None, str | None], ClientFactory] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> S3Client:
        """The S3 client of an integration."""
        return self.for_integration(name).s3()

    def for_integration(self, name: str) -> ClientFactory:
        """All clients of an integration, and its pyarrow file system (`arrow_s3`); `SettingsError` if there is none."""
        account = self._accounts.get(name)
        if account is None:
            known = ", ".join(sorted(self._accounts)) or "none"
            raise SettingsError(f"no integration {name!r} has a bucket; those that have one: {known}")
        key = account.role, account.region
        with self._lock:
            if key not in self._factories:
                self._factories[key] = self._factory(account)
            return self._factories[key]

    def filesystem(self, name: str) -> pyarrow.fs.S3FileSystem:
        """A pyarrow file system with an integration's credentials of this moment; see `ClientFactory.arrow_s3`.

        pyarrow's requests are neither counted nor paced: they do not pass through botocore.
        """
        return self.for_integration(name).arrow_s3()

    def requests(self) -> Mapping[str, RequestCounts]:
        """The requests by role (its ARN), or `OWN`."""
        return dict(self._counts)

    def _factory(self, account: Account) -> ClientFactory:
        role, who = account.role, _who(account.role)
        options = replace(self._own.options, region=account.region or self._own.options.region, adaptive=True)

        def watch(client: Any) -> None:
            self._counts[who].watch(client)
            if who in self._paces:
                self._paces[who].watch(client)

        if role is None:
            return self._own.sibling(options, watch)
        return ClientFactory(options, lambda: session_with(self._credentials_of(role)), watch)

    def _credentials_of(self, role: Role) -> RefreshableCredentials:
        with self._lock:
            if role not in self._credentials:
                self._credentials[role] = role_credentials(role, self._own)
            return self._credentials[role]


def _who(role: Role | None) -> str:
    return role.arn if role else OWN


def _paces(accounts: Iterable[Account]) -> dict[str, Pace]:
    slowest: dict[str, float] = {}
    for account in accounts:
        if account.requests_per_second:
            who = _who(account.role)
            slowest[who] = min(account.requests_per_second, slowest.get(who, account.requests_per_second))
    return {who: Pace(per_second) for who, per_second in slowest.items()}
