"""The installation that is examined: its settings, and AWS clients that give up before a check's time is over."""

from __future__ import annotations

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.platform import open_accounts
from iota_dagster.settings import Integration, Settings

_CONNECT, _READ, _ATTEMPTS = 2, 4, 2


class Site:
    """What the checks share: `own`, clients with our own credentials, and `accounts`, those of each integration."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened or connected yet."""
        self.settings = settings
        self.own = ClientFactory(
            ClientOptions(
                endpoint_url=settings.endpoint_url,
                region=settings.region,
                connect_seconds=_CONNECT,
                read_seconds=_READ,
                attempts=_ATTEMPTS,
            )
        )
        self.accounts = open_accounts(settings, own=self.own)

    @property
    def buckets(self) -> list[Integration]:
        """The integrations that read from S3."""
        return [item for item in self.settings.integrations if item.bucket]

    @property
    def uses_aws(self) -> bool:
        """Whether anything of the settings is in AWS."""
        settings = self.settings
        urls = (settings.lake_url, settings.work_url, settings.state_url, settings.spool_url)
        stored = any(url.startswith("s3://") for url in urls)
        return bool(stored or self.buckets or settings.queue_url or settings.glue_database)
