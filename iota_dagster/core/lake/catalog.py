"""The lake in Glue: the partition of an event hour points to the hour's current generation.

The store says which generation that is. Two runs may register the same hour at once, one of them with a generation
that has just been replaced: whoever has written reads the store again, and writes again until what it wrote is
current. So the last state always wins, whichever run comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa
import sqlalchemy as sa

from iota_dagster.core.aws.glue import GlueCatalog
from iota_dagster.core.errors import IotaError, Outage, SettingsError
from iota_dagster.core.hours import Hour, parse_hour_folder
from iota_dagster.core.lake.generation import generation_folder
from iota_dagster.core.lake.tables import lake_tables, table_descriptions
from iota_dagster.core.store import lake_upkeep
from iota_dagster.core.store.database import Database, chunked
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.core.store.schema import lake_hours, retired_files


@dataclass(frozen=True, slots=True)
class Registered:
    """What a registration looked at, and what it had to write: nothing, where everything was right already."""

    tables: tuple[str, ...]
    partitions: Mapping[TableHour, str]  # with the location that each points to now
    created: tuple[TableHour, ...]
    updated: tuple[TableHour, ...]


class LakeCatalog:
    """The lake's tables and hours in one Glue database."""

    def __init__(
        self, database: Database, glue: GlueCatalog, lake_url: str, tables: Mapping[str, pa.Schema] | None = None
    ) -> None:
        """Nothing is connected yet. `SettingsError` when the lake is not in S3.

        `tables` takes the place of this version's lake tables.
        """
        if not lake_url.startswith("s3://"):
            raise SettingsError(
                f"glue_database is set, but the lake is at {lake_url}: Glue points at S3 only. Set lake_url to "
                "s3://bucket/prefix, or leave glue_database out"
            )
        self._database, self._glue, self._lake_url = database, glue, lake_url.rstrip("/")
        self._tables = lake_tables() if tables is None else tables

    def register(self, table_hours: Iterable[TableHour]) -> Registered:
        """Make Glue right for some hours of some tables; hours that were never published are left out.

        A table that cannot be registered does not keep the others from it: its error is raised at the end.
        """
        done: list[Registered] = []
        errors: list[IotaError] = []
        for table, group in groupby(sorted(set(table_hours)), key=lambda key: key[0]):
            try:
                done.append(self._register_table(table, [hour for _, hour in group]))
            except Outage:
                raise
            except IotaError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return _together(done)

    def register_all(self) -> Registered:
        """Make Glue right for every hour in the store: after a lost database, and now and then."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(lake_hours.c.table_name, lake_hours.c.hour).where(
                    lake_hours.c.version > 0, lake_hours.c.expired_at.is_(None)
                )
            ).all()
        return self.register([(row.table_name, row.hour) for row in rows])

    def drop_expired(self) -> list[TableHour]:
        """Remove the partitions of the hours that retention has taken out of the lake; those that were there."""
        with self._database.read() as connection:
            hours = lake_upkeep.expired_hours(connection)
        dropped: list[TableHour] = []
        for table, group in groupby(hours, key=lambda key: key[0]):
            if table in self._tables:
                found = self._glue.drop_partitions(table, [hour for _, hour in group])
                dropped += [(table, hour) for hour in sorted(found)]
        return dropped

    def rewritten_hours(self) -> list[TableHour]:
        """The hours whose files were replaced within the readers' grace: Glue may still point to the old ones.

        A batch that was done again may have left an hour altogether, and then nothing else leads to that hour.
        """
        with self._database.read() as connection:
            paths = connection.execute(sa.select(retired_files.c.path)).scalars()
            folders = {path.partition("/g=")[0] for path in paths}
        return sorted((folder.partition("/")[0], parse_hour_folder(folder)) for folder in folders)

    def _register_table(self, table: str, hours: Sequence[Hour]) -> Registered:
        locations = self._locations(table, hours)
        if not locations:
            return _together([])
        glue_table = self._glue.ensure_table(
            table, self._tables[table], f"{self._lake_url}/{table}/", table_descriptions().get(table, "")
        )
        created: set[Hour] = set()
        updated: set[Hour] = set()
        pending = locations
        while pending:
            written = self._glue.put_partitions(glue_table, pending)
            created |= written.created
            updated |= written.updated
            now = self._locations(table, list(pending))
            pending = {hour: place for hour, place in now.items() if place != pending[hour]}
            locations |= pending
        return Registered(
            tables=(table,),
            partitions={(table, hour): place for hour, place in sorted(locations.items())},
            created=tuple((table, hour) for hour in sorted(created)),
            updated=tuple((table, hour) for hour in sorted(updated - created)),
        )

    def _locations(self, table: str, hours: Sequence[Hour]) -> dict[Hour, str]:
        """Where the store says that the hours lie: those that were published and have not expired, of known tables."""
        if table not in self._tables:  # another version's
            return {}
        here = (lake_hours.c.table_name == table) & (lake_hours.c.version > 0) & lake_hours.c.expired_at.is_(None)
        found: dict[Hour, str] = {}
        with self._database.read() as connection:
            for part in chunked(hours):
                rows = connection.execute(
                    sa.select(lake_hours.c.hour, lake_hours.c.generation).where(here, lake_hours.c.hour.in_(part))
                )
                found |= {row.hour: self._location(table, row.hour, row.generation) for row in rows}
        return found

    def _location(self, table: str, hour: Hour, generation: int) -> str:
        folder = generation_folder(table, hour, generation)
        return f"{self._lake_url}/{folder}/"  # the slash at the end keeps g=1 from taking in g=10


def _together(parts: Sequence[Registered]) -> Registered:
    return Registered(
        tables=tuple(table for part in parts for table in part.tables),
        partitions={key: place for part in parts for key, place in part.partitions.items()},
        created=tuple(key for part in parts for key in part.created),
        updated=tuple(key for part in parts for key in part.updated),
    )
