"""AWS clients with our own credentials: apart from `platform`, which is long to load for a command that only reads."""

from __future__ import annotations

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.settings import Settings


def own_clients(settings: Settings) -> ClientFactory:
    """The clients of the lake, the work files, the queue and the catalog; nothing is connected yet."""
    return ClientFactory(ClientOptions(endpoint_url=settings.endpoint_url, region=settings.region))
