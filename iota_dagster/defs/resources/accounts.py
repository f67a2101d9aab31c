"""The accounts as a resource: whose credentials read each integration's bucket, as `iota.yaml` names them."""

from __future__ import annotations

import dagster as dg
from pydantic import Field, PrivateAttr

from iota_dagster.core.aws.accounts import Accounts
from iota_dagster.platform import open_accounts
from iota_dagster.settings import load_settings


class AccountsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The role, region and pace of every integration that has a bucket, for boto3 and pyarrow.

    A role's credentials renew themselves and are shared by all integrations that name it. If it cannot be assumed,
    nothing is read; our own credentials never take its place. What is not set here comes from the settings.
    """

    requests_per_second: float | None = Field(
        default=None, gt=0, description="Most S3 requests a second with a role whose integrations set no limit."
    )
    _accounts: Accounts | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Read the integrations; nothing is connected yet."""
        self._accounts = open_accounts(load_settings(), self.requests_per_second)

    @property
    def accounts(self) -> Accounts:
        """Only inside a run. `.for_integration(name)` gives clients: `.s3()` for boto3, `.arrow_s3()` for pyarrow."""
        if self._accounts is None:
            raise RuntimeError("the accounts are opened by a run")
        return self._accounts
