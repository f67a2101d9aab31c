"""The nightly pass over everything iota keeps: the same for the job `maintenance` and `iota housekeeping`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from iota_dagster.core.errors import IotaError, SettingsError
from iota_dagster.core.lake.catalog import LakeCatalog
from iota_dagster.core.lake.compaction import CompactionPolicy, compact_due, due
from iota_dagster.core.lake.expiry import OTHERS, Retention, aged, expire_aged
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.recovery.maintenance import Removed
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.core.store.lake_upkeep import HourFiles
from iota_dagster.core.store.upkeep import StoreSize, look_after
from iota_dagster.platform import Platform
from iota_dagster.settings import Settings


@dataclass(frozen=True, slots=True)
class Done:
    """What one pass did, or would do.

    Files that `compacted` and `expired` hours lose are deleted a day later, and counted in `removed` then.
    """

    compacted: list[HourFiles]
    expired: list[HourFiles]
    removed: Removed
    store: StoreSize | None


def retention_of(settings: Settings) -> Retention:
    """The days of the lake's tables; `SettingsError` when there is no such table."""
    known = lake_tables()
    for name in settings.lake_days:
        if name not in known and name != OTHERS:
            raise SettingsError(f"lake_days: {name} is no table of the lake, there are: {', '.join(sorted(known))}, *")
    return Retention(settings.lake_days)


def keep_house(
    platform: Platform, now: datetime, *, dry_run: bool = False, say: Callable[[str], object] = lambda _: None
) -> Done:
    """Bring the catalog up to date, take out what is past its days, throw away what is due, join small files.

    `say` hears of each step as it begins. `ForeignLake` when the store does not know the lake. A dry run changes
    nothing. What the catalog refuses keeps nothing back but the files that it may still point to, and is raised in
    the end. Files are joined last: only that reads the lake's files, and an `Outage` there keeps nothing else back.
    """
    retention = retention_of(platform.settings)
    policy = CompactionPolicy(platform.settings.compact_files)
    if dry_run:
        return Done(
            compacted=due(platform.road.lake, policy, now),
            expired=aged(platform.road.lake, retention, now),
            removed=platform.housekeeping.run(now, dry_run=True),
            store=look_after(platform.settings.store_url, dry_run=True),
        )
    platform.road.lake.require_own()
    catalog = _Catalog(platform.catalog, say)
    catalog.bring_up_to_date()
    say("taking out hours past their days")
    expired = expire_aged(platform.road.lake, retention, now)
    catalog.drop_expired()
    say("throwing away what is due")
    removed = platform.housekeeping.run(now, lake_files=not catalog.problems)
    say("looking after the store")
    store = look_after(platform.settings.store_url)
    say("joining small files")
    compacted = compact_due(platform.road.lake, lake_tables(), policy, now)
    catalog.register([(item.table, item.hour) for item in compacted])
    catalog.tell()
    return Done(compacted, expired, removed, store)


@dataclass(slots=True)
class _Catalog:
    """The catalog, if there is one; what it refuses is kept in `problems`."""

    catalog: LakeCatalog | None
    say: Callable[[str], object]
    problems: list[IotaError] = field(default_factory=list)

    def bring_up_to_date(self) -> None:
        """First: a partition that still points to replaced files must not outlive them."""
        with self._noting():
            if self.catalog is not None:
                registered = self.catalog.register_all()
                self.say(f"catalog: {len(registered.created)} hours created, {len(registered.updated)} updated")

    def register(self, hours: Sequence[TableHour]) -> None:
        with self._noting():
            if self.catalog is not None and hours:
                self.catalog.register(hours)

    def drop_expired(self) -> None:
        with self._noting():
            if self.catalog is not None:
                self.say(f"catalog: {len(self.catalog.drop_expired())} hours dropped")

    def tell(self) -> None:
        """Raise the first problem, if there was any."""
        for problem in self.problems:
            raise problem

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except IotaError as error:
            self.problems.append(error)
