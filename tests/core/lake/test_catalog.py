"""The lake in Glue (moto's server): a reader through the catalog finds what the store says, whoever wrote last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.aws.glue import GlueCatalog
from iota_dagster.core.errors import IotaError, Outage, SettingsError, VersionConflict
from iota_dagster.core.hours import Hour, hour_folder, parse_hour_key
from iota_dagster.core.lake.catalog import LakeCatalog, Registered
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.generation import NewFile
from iota_dagster.core.lake.publication import Lake
from iota_dagster.core.lake.tables import lake_tables, table_descriptions
from iota_dagster.core.storage import open_storage
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.lake_catalog import HourChange, TableHour
from tests.aws import Aws, own_session

TEN = parse_hour_key("2026-11-22-10:00")
SCHEMA = pa.schema([("eventName", pa.string()), ("p_batch", pa.string())])
TABLES = {"events": SCHEMA, "matches": SCHEMA}
NOTHING = Registered((), {}, (), ())
URL = "s3://example-lake/lake"


@dataclass(frozen=True)
class Installation:
    """A store, a Glue database of its own, and the catalog over both."""

    database: Database
    glue: GlueCatalog
    catalog: LakeCatalog
    clients: ClientFactory

    def switch(self, table: str = "events", hour: Hour = TEN) -> None:
        """Publish an hour, or let it have its next generation."""
        with suppress(VersionConflict), self.database.begin() as connection:
            state = lake_catalog.read_hour(connection, table, hour)
            now, fresh = datetime.now(UTC), state.version > 0
            generation = lake_catalog.allocate_generation(connection, table, hour, now) if fresh else 0
            change = HourChange(state.version, generation, (), fresh)
            lake_catalog.apply(connection, {(table, hour): change}, now)
            return
        self.switch(table, hour)

    def current(self, table: str = "events", hour: Hour = TEN) -> str:
        """Where the partition of an hour has to point to, by the store."""
        with self.database.read() as connection:
            generation = lake_catalog.read_hour(connection, table, hour).generation
        return f"{URL}/{table}/{hour_folder(hour)}/g={generation}/"

    def there(self, table: str = "events", hour: Hour = TEN) -> str | None:
        """Where it points to."""
        return self.glue.partitions(table, [hour]).get(hour)

    def neighbour(self) -> LakeCatalog:
        """Another process over the same store and the same Glue."""
        return LakeCatalog(self.database, GlueCatalog(self.clients.glue(), self.glue.database), URL, TABLES)


@pytest.fixture(scope="module")
def clients(aws: Aws) -> ClientFactory:
    """Clients of this module's own: the tests listen to their calls."""
    return ClientFactory(ClientOptions(endpoint_url=aws.endpoint, attempts=1), own_session)


@contextmanager
def installed(url: str, aws: Aws, clients: ClientFactory) -> Iterator[Installation]:
    database = Database(url)
    database.migrate()
    glue = GlueCatalog(clients.glue(), aws.name("lake").replace("-", "_"))
    yield Installation(database, glue, LakeCatalog(database, glue, URL, TABLES), aws.clients)
    database.dispose()


@pytest.fixture
def here(aws: Aws, clients: ClientFactory, tmp_path: Path) -> Iterator[Installation]:
    with installed(f"sqlite:///{tmp_path}/iota.db", aws, clients) as installation:
        yield installation


@pytest.fixture
def anywhere(aws: Aws, clients: ClientFactory, store_url: str) -> Iterator[Installation]:
    """An installation on each kind of store."""
    with installed(store_url, aws, clients) as installation:
        yield installation


@contextmanager
def before_each_call(clients: ClientFactory, action: Callable[[str], None]) -> Iterator[list[str]]:
    """Something happens before each call of Glue; yields the operations."""
    seen: list[str] = []

    def listen(model: Any, **_: Any) -> None:
        seen.append(model.name)
        action(model.name)

    events = clients.glue().meta.events
    events.register("before-call.glue", listen)
    try:
        yield seen
    finally:
        events.unregister("before-call.glue", listen)


def test_a_published_hour_points_to_its_current_generation(here: Installation) -> None:
    here.switch()
    assert here.catalog.register([("events", TEN)]) == Registered(
        ("events",), {("events", TEN): f"{URL}/events/{hour_folder(TEN)}/g=0/"}, (("events", TEN),), ()
    )
    here.switch()
    again = here.catalog.register([("events", TEN)])
    assert (again.created, again.updated) == ((), (("events", TEN),))
    assert here.there() == here.current() == f"{URL}/events/{hour_folder(TEN)}/g=1/"


def test_what_is_right_already_is_not_written(here: Installation, clients: ClientFactory) -> None:
    here.switch()
    first = here.catalog.register([("events", TEN), ("events", TEN)])
    with before_each_call(clients, lambda _: None) as seen:
        assert here.catalog.register([("events", TEN)]) == replace(first, created=())
    assert seen == ["GetTable", "BatchGetPartition"]


def test_hours_that_were_never_published_and_unknown_tables_are_left_out(
    here: Installation, clients: ClientFactory
) -> None:
    here.switch("of_a_newer_version")
    with here.database.begin() as connection:
        lake_catalog.allocate_generation(
            connection, "events", TEN, datetime.now(UTC)
        )  # an attempt that came to nothing
    wanted = [("events", TEN), ("events", TEN + 1), ("of_a_newer_version", TEN)]
    with before_each_call(clients, lambda _: None) as seen:
        assert here.catalog.register(wanted) == NOTHING
        assert here.catalog.register_all() == NOTHING
    assert seen == []


def test_a_lost_catalog_is_made_again_from_the_store(anywhere: Installation, aws: Aws) -> None:
    keys: list[TableHour] = [(table, TEN + number) for table in TABLES for number in range(3)]
    for table, hour in keys:
        anywhere.switch(table, hour)
    assert anywhere.catalog.register_all().created == tuple(keys)
    aws.clients.glue().delete_database(Name=anywhere.glue.database)
    assert anywhere.catalog.register_all().created == tuple(keys)
    anywhere.switch("events", TEN + 1)
    repaired = anywhere.catalog.register_all()
    assert (repaired.created, repaired.updated) == ((), (("events", TEN + 1),))
    assert len(repaired.partitions) == 6


# ── two runs at once ──


@pytest.mark.parametrize("operation", ["GetTable", "BatchGetPartition", "BatchCreatePartition", "BatchUpdatePartition"])
def test_a_run_with_an_old_generation_does_not_win(here: Installation, clients: ClientFactory, operation: str) -> None:
    here.switch()
    if operation == "BatchUpdatePartition":
        here.catalog.register([("events", TEN)])
        here.switch()
    neighbour = here.neighbour()
    left = [operation]

    def overtake(name: str) -> None:
        if left and name == left[0]:
            left.clear()
            here.switch()
            neighbour.register([("events", TEN)])

    with before_each_call(clients, overtake):
        registered = here.catalog.register([("events", TEN)])
    assert left == []
    assert registered.partitions["events", TEN] == here.current() == here.there()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["nothing", "switch", "switch and register", "register"]), max_size=12))
def test_however_two_runs_interleave_the_store_has_the_last_word(
    here: Installation, clients: ClientFactory, turns: list[str]
) -> None:
    here.switch()
    neighbour = here.neighbour()

    def take_turn(_: str) -> None:
        turn = turns.pop() if turns else "nothing"
        if "switch" in turn:
            here.switch()
        if "register" in turn:
            neighbour.register([("events", TEN)])

    with before_each_call(clients, take_turn):
        here.catalog.register([("events", TEN)])
    assert here.there() == here.current()


def test_many_processes_that_switch_and_register_end_with_the_current_generation(anywhere: Installation) -> None:
    neighbours = [anywhere.neighbour() for _ in range(4)]
    anywhere.switch()

    def work(catalog: LakeCatalog) -> None:
        for _ in range(5):
            anywhere.switch()
            catalog.register([("events", TEN)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, neighbours))
    assert anywhere.there() == anywhere.current()


# ── failures ──


def test_a_table_that_cannot_be_registered_does_not_stop_the_others(here: Installation) -> None:
    here.switch("events")
    here.switch("matches")
    here.glue.ensure_table("events", pa.schema([("eventName", pa.int64())]), f"{URL}/events/", "")
    with pytest.raises(IotaError, match="column eventname is bigint there and string in the lake"):
        here.catalog.register([("events", TEN), ("matches", TEN)])
    assert here.there("matches") == here.current("matches")


def test_an_outage_is_raised_at_once(here: Installation) -> None:
    here.switch()
    nowhere = ClientFactory(ClientOptions(endpoint_url="http://127.0.0.1:9", attempts=1), own_session)
    catalog = LakeCatalog(here.database, GlueCatalog(nowhere.glue(), "lake"), URL, TABLES)
    with pytest.raises(Outage, match=r"lake\.events: .*127\.0\.0\.1:9"):
        catalog.register([("events", TEN)])


def test_a_lake_in_a_folder_cannot_be_in_glue(here: Installation, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"the lake is at file://{tmp_path}: .*Set lake_url"):
        LakeCatalog(here.database, here.glue, f"file://{tmp_path}")


# ── with files ──


@pytest.fixture
def lake(here: Installation, aws: Aws, tmp_path: Path) -> Lake:
    return Lake(here.database, open_storage(f"s3://{aws.bucket('lake')}/lake", aws.clients), tmp_path)


def publish(lake: Lake, batch: str, *hours: Hour) -> None:
    """Make a batch's rows one event in each of the hours, and none elsewhere."""
    files = {}
    for hour in hours:
        path = lake.scratch / f"{batch}-{hour}-{len(hours)}.parquet"
        pq.write_table(pa.table([[f"{batch}-{hour}"], [batch]], schema=SCHEMA), path)
        files["events", hour] = NewFile.of(path, 1)
    lake.publish(batch, files, ["events"], lambda _: True)


def read(catalog: LakeCatalog, aws: Aws, hour: Hour = TEN) -> list[str]:
    """The events that an engine finds where the hour's partition points to."""
    location = catalog.register([("events", hour)]).partitions["events", hour].removeprefix("s3://")
    bucket, _, prefix = location.partition("/")
    found = aws.clients.s3().list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    filesystem = aws.clients.arrow_s3()
    tables = [pq.read_table(f"{bucket}/{item['Key']}", filesystem=filesystem) for item in found]
    return sorted(name for table in tables for name in table["eventName"].to_pylist())


def test_a_reader_through_the_catalog_finds_each_row_once(here: Installation, lake: Lake, aws: Aws) -> None:
    catalog = LakeCatalog(here.database, here.glue, lake.storage.url, TABLES)
    publish(lake, "a", TEN)
    assert read(catalog, aws) == [f"a-{TEN}"]
    publish(lake, "b", TEN, TEN + 1)
    assert read(catalog, aws) == [f"a-{TEN}", f"b-{TEN}"]
    assert catalog.rewritten_hours() == []
    assert compact(lake, "events", TEN, SCHEMA)
    assert read(catalog, aws) == [f"a-{TEN}", f"b-{TEN}"]
    publish(lake, "b", TEN)  # done again: it leaves the second hour
    assert catalog.rewritten_hours() == [("events", TEN), ("events", TEN + 1)]
    assert read(catalog, aws, TEN + 1) == []
    assert read(catalog, aws) == [f"a-{TEN}", f"b-{TEN}"]


def test_every_lake_table_has_a_description() -> None:
    assert lake_tables().keys() == table_descriptions().keys()
    assert all(table_descriptions().values())
