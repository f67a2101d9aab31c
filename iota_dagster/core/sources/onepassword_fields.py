"""What the events of 1Password's Events API share: the app that somebody used, and where that was."""

from __future__ import annotations

from iota_dagster.core.sources.fields import structure, text
from iota_dagster.core.sources.finders import IP

CLIENT = (
    text("client.app_name", "1Password app, e.g. 1Password Browser"),
    text("client.app_version", "Version of the app"),
    text("client.platform_name", "Browser, or kind of device"),
    text("client.platform_version", "Version of the platform"),
    text("client.os_name", "Operating system"),
    text("client.os_version", "Version of the operating system"),
    text("client.ip_address", "Address it came from", IP),
)
LOCATION = (
    text("location.country", "Country of the address"),
    text("location.region", "Region of the address"),
    text("location.city", "City of the address"),
    structure("location", "Where the address is, with its coordinates (JSON)"),
)
