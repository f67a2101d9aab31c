"""`glue_partitions` in Dagster: after a run, a batch done again, a compaction by hand, and without Glue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from iota_dagster.cli import iota
from iota_dagster.core.aws.glue import GlueCatalog
from iota_dagster.core.hours import Hour, hour_folder, hour_key, parse_hour_key
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.database import Database
from iota_dagster.definitions import defs
from iota_dagster.defs import steps
from iota_dagster.settings import load_settings
from tests.aws import Answer, Asked, Aws, s3_error
from tests.cli.logs import RULE, START, packed, record, write

HOUR, NEXT = "2025-03-01-10:00", "2025-03-01-11:00"


@pytest.fixture
def glue(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GlueCatalog:
    """A lake in S3 and a Glue database for it, both in this test's settings."""
    database = aws.name("lake").replace("-", "_")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IOTA_RULES", f"[{RULE}]")
    monkeypatch.setenv("IOTA_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("IOTA_LAKE_URL", f"s3://{aws.bucket('lake')}/lake")
    monkeypatch.setenv("IOTA_GLUE_DATABASE", database)
    return GlueCatalog(aws.clients.glue(), database)


@pytest.fixture
def instance(glue: GlueCatalog, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Two delivery hours, read; the second one also holds events of the first event hour."""
    ingest(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path / "home" / "dagster")) as opened:
        yield opened


def ingest(folder: Path) -> None:
    write(folder / "logs", 1, packed([record(number) for number in range(20)]))
    new = [record(number, "StopLogging", START + timedelta(hours=1)) for number in range(25, 28)]
    write(folder / "logs", 2, packed([record(20), *new]), START + timedelta(hours=1))
    CliRunner().invoke(iota, ["ingest", str(folder / "logs")], catch_exceptions=False)


def figures(instance: dg.DagsterInstance, partition: str) -> dict[str, object]:
    wanted = dg.AssetRecordsFilter(dg.AssetKey("glue_partitions"), asset_partitions=[partition])
    found = instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
    assert found is not None
    return {name: value.value for name, value in found.metadata.items()}


def run(instance: dg.DagsterInstance, *assets: str) -> None:
    """Materialize assets by hand, for both hours."""
    job = dg.define_asset_job("by_hand", selection=dg.AssetSelection.assets(*assets))
    chosen = dg.Definitions(assets=defs.assets, jobs=[job], resources=defs.resources).resolve_job_def("by_hand")
    tags = {"dagster/asset_partition_range_start": HOUR, "dagster/asset_partition_range_end": NEXT}
    assert chosen.execute_in_process(instance=instance, tags=tags).success


def generations(glue: GlueCatalog, table: str) -> dict[Hour, str]:
    """The last folder of what each hour's partition points to."""
    hours = [parse_hour_key(HOUR), parse_hour_key(NEXT)]
    return {hour: place.rstrip("/").rpartition("/")[2] for hour, place in glue.partitions(table, hours).items()}


def test_a_run_registers_the_event_hours_that_it_wrote(instance: dg.DagsterInstance, glue: GlueCatalog) -> None:
    assert set(generations(glue, "cloudtrail_events").values()) == {"g=0"}
    assert len(generations(glue, "cloudtrail_events")) == 2
    assert list(generations(glue, "alert_matches")) == [parse_hour_key(NEXT)]
    shown = figures(instance, NEXT)
    assert (shown["tables"], shown["partitions"]) == (2, 3)


def denied_hour(table: str, hour: str) -> Callable[[Asked], Answer | None]:
    """What S3 says of the lake where one hour of a table may not be written."""
    folder = f"/{table}/{hour_folder(parse_hour_key(hour))}/"
    answer = s3_error(403, "AccessDenied")
    return lambda asked: answer if (asked.service, asked.method) == ("s3", "PUT") and folder in asked.path else None


@pytest.mark.parametrize("table", ["cloudtrail_events", "alert_matches"])
def test_a_batch_that_cannot_be_published_keeps_no_other_from_the_catalog_nor_its_alerts_from_the_store(
    glue: GlueCatalog, aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setattr(steps, "OUTAGE_SECONDS", 0)
    with aws.disturbed_by(denied_hour(table, NEXT)):
        ingest(tmp_path)
    assert HOUR in {hour_key(hour) for hour in generations(glue, "cloudtrail_events")}
    database = Database(load_settings().store_url)
    with database.read() as connection:
        assert len(list_alerts(connection)) == 1
    database.dispose()
    ingest(tmp_path)
    assert set(generations(glue, table)) >= {parse_hour_key(NEXT)}


def test_registering_alone_again_writes_nothing(instance: dg.DagsterInstance) -> None:
    run(instance, "glue_partitions")
    shown = figures(instance, NEXT)
    assert (shown["partitions"], shown["partitions_created"], shown["partitions_updated"]) == (3, 0, 0)


def test_compaction_by_hand_switches_the_partition(instance: dg.DagsterInstance, glue: GlueCatalog) -> None:
    run(instance, "cloudtrail_events")
    found = generations(glue, "cloudtrail_events")
    assert found == {parse_hour_key(HOUR): "g=1", parse_hour_key(NEXT): "g=0"}


def test_without_a_glue_database_the_asset_says_so_and_succeeds(
    glue: GlueCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IOTA_GLUE_DATABASE")
    ingest(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path / "home" / "dagster")) as instance:
        assert figures(instance, HOUR) == {"glue_database": "not set", "partitions": 0}
