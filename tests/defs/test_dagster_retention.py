"""Dagster's own history: superseded runs go, whatever shows an hour's state stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from iota_dagster.defs.dagster_retention import RunsLookedAt, forget_runs, forget_ticks

HOURS = dg.StaticPartitionsDefinition(["nine", "ten"])


@dg.asset(partitions_def=HOURS)
def rows(context: dg.AssetExecutionContext) -> None:
    """Reports a table's hour as the lake does, beside its own."""
    context.log_event(dg.AssetMaterialization("table", partition="shared"))


@dg.asset
def single() -> None:
    """An asset without partitions."""


@dg.op
def nothing() -> None:
    """Materializes nothing."""


@dg.job
def idle() -> None:
    """One op."""
    nothing()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster of the test's own, in files."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as opened:
        yield opened


def run(instance: dg.DagsterInstance, *hours: str) -> list[str]:
    return [dg.materialize([rows], partition_key=hour, instance=instance).run_id for hour in hours]


def here(instance: dg.DagsterInstance) -> set[str]:
    return {item.run_id for item in instance.get_runs()}


def forget(instance: dg.DagsterInstance, **more: bool | int) -> RunsLookedAt:
    return forget_runs(instance, datetime.now(UTC) + timedelta(seconds=1), **more)  # type: ignore[arg-type]


def test_superseded_runs_go_and_the_newest_of_each_hour_stay(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    old = run(instance, "nine", "ten")
    new = run(instance, "nine", "ten")
    assert forget(instance, dry_run=True) == RunsLookedAt(deleted=2, kept=2)
    assert here(instance) == {*old, *new}
    assert forget(instance) == RunsLookedAt(deleted=2, kept=2)
    assert here(instance) == set(new)
    assert instance.get_materialized_partitions(rows.key) == {"nine", "ten"}
    assert not [path for path in tmp_path.rglob("*.db") if path.stem in old]
    assert forget(instance) == RunsLookedAt(deleted=0, kept=2)


def test_a_run_with_the_newest_of_a_reported_table_stays(instance: dg.DagsterInstance) -> None:
    first, second = run(instance, "nine", "ten")
    instance.report_runless_asset_event(dg.AssetMaterialization(rows.key, partition="ten"))
    assert forget(instance).deleted == 0  # its own hour is superseded, the table's is not
    assert here(instance) == {first, second}


def test_a_run_without_materializations_goes_and_one_of_a_single_asset_stays(instance: dg.DagsterInstance) -> None:
    idle.execute_in_process(instance=instance)
    dg.materialize([single], instance=instance)
    newest = dg.materialize([single], instance=instance).run_id
    assert forget(instance) == RunsLookedAt(deleted=2, kept=1)
    assert here(instance) == {newest}


def test_younger_runs_and_running_ones_stay(instance: dg.DagsterInstance) -> None:
    for _ in range(2):
        idle.execute_in_process(instance=instance)
    live = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED).run_id
    assert forget_runs(instance, datetime.now(UTC) - timedelta(days=1)) == RunsLookedAt(0, 0)
    assert forget(instance).deleted == 2
    assert here(instance) == {live}


def test_a_pass_is_bounded_and_the_next_one_goes_on_behind_what_it_kept(instance: dg.DagsterInstance) -> None:
    kept = run(instance, "nine", "ten")
    for _ in range(3):
        idle.execute_in_process(instance=instance)
    assert forget(instance, limit=2) == RunsLookedAt(deleted=0, kept=2)
    assert forget(instance, limit=2) == RunsLookedAt(deleted=2, kept=0)
    assert forget(instance, limit=2) == RunsLookedAt(deleted=1, kept=0)
    assert here(instance) == set(kept)
    assert forget(instance, limit=2) == RunsLookedAt(deleted=0, kept=2)  # from the start again


def test_ticks_are_purged_without_any_sensor_too(instance: dg.DagsterInstance) -> None:
    forget_ticks(instance, datetime.now(UTC))
