"""Finding the log objects that no message told of: in the integrations' places, by delivery hour."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from iota_dagster.core.arrival.listing import DeliveryHours
from iota_dagster.core.arrival.register import Registered, register_objects
from iota_dagster.core.errors import ObjectError, Outage, SettingsError
from iota_dagster.core.hours import Hour, hours_within
from iota_dagster.core.model import ObjectRef
from iota_dagster.core.store.database import chunked
from iota_dagster.platform import Platform
from iota_dagster.settings import Integration, Settings

SCANNED_TAG = "iota/scanned"
"""On runs whose hours have just been scanned: they need not do it again."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What one integration held: objects listed, those new to the ledger, and what went wrong, if anything did.

    With an error the figures are of what was found before it; scanning again finds the rest.
    """

    integration: str
    listed: int
    new: int
    seconds: float
    error: str | None = None


def scan_hours(
    platform: Platform, hours: Iterable[Hour], integrations: Sequence[str] | None = None
) -> tuple[ScanReport, ...]:
    """Register what the ledger lacks of some delivery hours, integration by integration.

    One that fails (an outage, a bucket or role that refuses, a prefix that is too wide) says so in its report; the
    others go on. `integrations` are names, None means all; `SettingsError` for one that there is not.
    """
    wanted = DeliveryHours(hours)
    return tuple(_scan(platform, item, wanted) for item in chosen(platform.settings, integrations))


def hours_between(settings: Settings, since: datetime, until: datetime) -> range:
    """The delivery hours from one moment to another; `SettingsError` when there are none or they begin too early."""
    hours = hours_within(since, until)
    if since.astimezone(UTC).date() < settings.partitions_start:
        raise SettingsError(
            f"{since:%Y-%m-%d %H:%M} lies before the first hour that can be processed: set partitions_start "
            f"(IOTA_PARTITIONS_START), now {settings.partitions_start}, to an earlier day"
        )
    return hours


def chosen(settings: Settings, names: Sequence[str] | None) -> list[Integration]:
    """The integrations of some names, None means all; `SettingsError` for one that there is not."""
    known = {item.name: item for item in settings.integrations}
    for name in names or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
            raise SettingsError(f"{name} is not an integration, {hint}")
    return list(known.values()) if names is None else [known[name] for name in dict.fromkeys(names)]


def _scan(platform: Platform, item: Integration, hours: DeliveryHours) -> ScanReport:
    started, listed, new, error = time.monotonic(), 0, 0, None
    try:
        for found in _register(platform, item, hours):
            listed, new = listed + found.listed, new + found.new
    except (ObjectError, Outage, SettingsError) as problem:
        error = str(problem)
    return ScanReport(item.name, listed, new, round(time.monotonic() - started, 3), error)


def _register(platform: Platform, item: Integration, hours: DeliveryHours) -> Iterator[Registered]:
    """Register as the listing goes on, so that an error costs only what comes after it."""
    refs: Iterator[ObjectRef] = platform.objects.delivered(item.location, item.prefix, hours)
    for part in chunked(refs, 500):
        yield register_objects(platform.database, part, item.name, item.account, item.region)
