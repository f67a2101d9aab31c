"""Is everything here? Digests, listings and rhythms, over a platform: for `iota verify` and for Dagster's checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from iota_dagster.core.arrival.listing import DeliveryHours
from iota_dagster.core.arrival.register import Origin, register_objects
from iota_dagster.core.completeness.alarms import Alarms
from iota_dagster.core.completeness.comparison import Comparison, compare
from iota_dagster.core.completeness.findings import Finding, Kind, Silence
from iota_dagster.core.completeness.freshness import Rhythm, rhythm
from iota_dagster.core.completeness.listing import Listing, Tally, reconcile
from iota_dagster.core.completeness.reading import DigestReader, Reading
from iota_dagster.core.errors import ObjectError, Outage, SettingsError
from iota_dagster.core.hours import hour_of, hour_start
from iota_dagster.core.store import completeness as store
from iota_dagster.platform import Platform
from iota_dagster.scanning import chosen
from iota_dagster.settings import Integration

WATCHED_HOURS = 7 * 24
"""How long the files of a digest are looked for, and an alert can be withdrawn."""
PATIENCE = timedelta(hours=1)
"""How long after a digest's end its files have time to be told of and done."""
KEPT_HOURS = 14 * 24
"""How long digests are kept in the store once they are read; their objects stay in the ledger."""
LATE_HOURS = 2
"""Digests of an hour are delivered in the next one, or in that after it."""


@dataclass(frozen=True, slots=True)
class DigestReport:
    """What was read now, how many digests there are by (signature's state, why), and what is wrong."""

    reading: Reading
    states: Mapping[tuple[str, str], int]
    comparison: Comparison

    def of(self, *kinds: Kind) -> list[Finding]:
        """The findings of some kinds."""
        return [item for item in self.comparison.findings if item.kind in kinds]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of missing objects: registered as pending, and those that cannot be had, with the reason."""

    registered: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Freshness:
    """The rhythm of each integration (None: too few objects to know one), and those that are silent."""

    rhythms: Mapping[str, Rhythm | None]
    silences: tuple[Silence, ...]


def verify_digests(platform: Platform, hours: range) -> DigestReport:
    """Read the digests of some delivery hours, as far as they are done, and compare what they list with the ledger.

    Digests come in the hour after the one that they list; those of two hours more are read.
    """
    since, until = hour_start(hours[0]), hour_start(hours[-1] + 1)
    reading = _read_all(_reader(platform), range(hours[0], hours[-1] + 1 + LATE_HOURS))
    with platform.database.read() as connection:
        found = compare(connection, since, until + timedelta(hours=LATE_HOURS))
        states = store.digest_states(connection, since, until + timedelta(hours=LATE_HOURS))
    return DigestReport(reading, states, found)


def watch_digests(platform: Platform, now: datetime) -> DigestReport:
    """Read what is new of the last week, compare it all with the ledger, and bring the alerts in line.

    Files of a digest that ended less than an hour ago have that time to come.
    """
    hours = range(hour_of(now) - WATCHED_HOURS, hour_of(now) + 1)
    since = hour_start(hours[0])
    reading = _reader(platform).read_new(hours)
    with platform.database.read() as connection:
        found = compare(connection, since, now - PATIENCE)
        states = store.digest_states(connection, since, now)
    _alarms(platform).of_findings(found, since, now)
    with platform.database.begin() as connection:
        store.forget_before(connection, hour_of(now) - KEPT_HOURS)
    return DigestReport(reading, states, found)


def watch_freshness(platform: Platform, now: datetime) -> Freshness:
    """Learn the rhythm of every integration, and bring the alerts on those that are silent in line."""
    rhythms = {item.name: _rhythm(platform, item.name, now) for item in platform.settings.integrations}
    silent = [(name, found) for name, found in rhythms.items() if found is not None and found.is_silent(now)]
    silences = tuple(Silence(name, found.last, found.allowed) for name, found in silent)
    _alarms(platform).of_silences(silences, now)
    return Freshness(rhythms, silences)


def verify_listings(
    platform: Platform, hours: range, integrations: Sequence[str] | None = None, *, fetch: bool
) -> tuple[Listing, ...]:
    """List the integrations' places for some delivery hours and compare them with the ledger, each by itself.

    `fetch` registers what the ledger lacks. One that cannot be listed says so; its counts are of what came before.
    """
    wanted = DeliveryHours(hours)
    return tuple(_listing(platform, item, wanted, fetch) for item in chosen(platform.settings, integrations))


def fetch_missing(platform: Platform, findings: Iterable[Finding]) -> Fetched:
    """Look for the missing objects in their buckets and register those that are there."""
    registered, failed = 0, []
    for item in findings:
        if item.kind is Kind.MISSING:
            try:
                found = platform.objects.head(item.bucket, item.key)
            except (ObjectError, Outage) as error:
                failed.append(str(error))
                continue
            registered += register_objects(platform.database, [found], item.integration).new
    return Fetched(registered, tuple(failed))


def _read_all(reader: DigestReader, hours: range) -> Reading:
    """Read look after look, as long as there are more that were not tried."""
    whole = Reading()
    while True:
        found = reader.read_new(hours)
        whole = Reading(whole.digests + found.digests, whole.files + found.files, found.waiting, found.is_complete)
        if found.is_complete:
            return whole


def _reader(platform: Platform) -> DigestReader:
    from iota_dagster.core.aws.digest_signatures import DigestSignatures  # botocore: only where digests are read

    scratch = platform.settings.scratch / "digests"
    return DigestReader(
        platform.database, platform.objects, DigestSignatures(platform.accounts), scratch, platform.road.clock
    )


def _alarms(platform: Platform) -> Alarms:
    alerting = platform.road.alerting
    return Alarms(platform.database, alerting.route, alerting.notify_within)


def _rhythm(platform: Platform, name: str, now: datetime) -> Rhythm | None:
    with platform.database.read() as connection:
        return rhythm(connection, name, now)


def _listing(platform: Platform, item: Integration, hours: DeliveryHours, fetch: bool) -> Listing:
    tally, origin = Tally(item.name), Origin(item.name, item.account, item.region)
    try:
        refs = platform.objects.delivered(item.location, item.prefix, hours)
        reconcile(platform.database, refs, origin, tally, fetch=fetch)
    except (ObjectError, Outage, SettingsError) as problem:
        return tally.result(str(problem))
    return tally.result()
