"""A backfill by Dagster's own daemon over hours that are empty or done, while one of them gets a new object."""

from __future__ import annotations

import time

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from iota_dagster.core.hours import hour_key
from iota_dagster.core.store import ledger
from iota_dagster.definitions import defs
from iota_dagster.defs.assets import ROAD
from tests.aws import Asked
from tests.platform.gate import gates
from tests.platform.installation import PATIENCE, Installation
from tests.platform.story import NOW, key_of
from tests.platform.waiting import wait_until
from tests.road.world import content, drive, record, sign_in

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning"),  # Dagster's own call
]
SPAN = range(NOW - 26, NOW)
"""More hours than one run takes."""
HOURS = (NOW - 26, NOW - 20, *range(NOW - 4, NOW))
"""Those of them that hold something."""
LIVE = key_of(NOW - 3, "live")
BACKFILL = "of-a-day-and-two-hours"
TOTALS = ("objects", "records", "rows", "duplicates", "quarantined")


@pytest.fixture
def done(installation: Installation) -> Installation:
    """An installation that has read what some hours hold."""
    for hour in HOURS:
        for number in range(2):
            own = [record(f"{hour}-{number}-{event}", hour, event) for event in range(4)]
            copies = [record(f"{hour - 1}-{number}-0", hour - 1, 0), sign_in(f"{hour}", "198.51.100.7", hour)]
            installation.put({key_of(hour, f"object{number}"): content([*own, *copies])})
    installation.platform.intake.drain(installation.platform_queue, 0, 1000)
    drive(installation.platform, "before the backfill")
    assert installation.platform.catalog is not None
    installation.platform.catalog.register_all()
    return installation


def submit(instance: dg.DagsterInstance) -> None:
    """Ask for a backfill of all assets by delivery hour, as the UI does."""
    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=BACKFILL,
            asset_graph=defs.get_repository_def().asset_graph,
            partition_names=[hour_key(hour) for hour in SPAN],
            asset_selection=[asset.key for asset in ROAD],
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    )


def status(installation: Installation) -> BulkActionStatus:
    backfill = installation.instance.get_backfill(BACKFILL)
    assert backfill is not None
    return backfill.status


def is_done(installation: Installation, key: str) -> bool:
    """Whether an object has come to its end."""
    return installation.objects().get(key, {}).get("status") == "done"


def shown(installation: Installation, hour: int) -> dict[str, object]:
    """The hour's totals as the UI shows them: those of the newest materialization of `events`."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey("events"), asset_partitions=[hour_key(hour)])
    (found,) = installation.instance.fetch_materializations(wanted, limit=1).records
    assert found.asset_materialization is not None
    return {name: found.asset_materialization.metadata[f"hour_{name}"].value for name in TOTALS}


def test_a_backfill_ends_well_and_changes_nothing_while_an_object_comes_into_one_of_its_hours(
    done: Installation,
) -> None:
    before = done.state()
    submit(done.instance)

    def is_backfills(asked: Asked) -> bool:
        return (
            asked.method == "GET"
            and asked.path.startswith(f"/{done.bucket}/")
            and asked.path.endswith("object0.json.gz")
        )

    with gates(done.aws, is_backfills) as (closed,):
        done.daemon.start()
        closed.wait_for(1, done.told)
        done.put({LIVE: content([record("live-1", NOW - 3), record("live-2", NOW - 3)])})
        live = wait_until(lambda: is_done(done, LIVE), "the live object is done", PATIENCE, done.told)
        closed.open()
        ended = wait_until(lambda: status(done) is not BulkActionStatus.REQUESTED, "it ends", PATIENCE, done.told)
    print(f"the live object was done after {live:.1f} s, the backfill ended {ended:.1f} s later")
    assert status(done) is BulkActionStatus.COMPLETED_SUCCESS
    done.wait_for(done.objects())
    after = done.state()
    assert before.lake - after.lake == {}
    assert (after.lake - before.lake).total() == 2
    assert (after.matches, after.alerts, after.deliveries) == (before.matches, before.alerts, before.deliveries)
    assert after.lines == before.lines
    with done.platform.database.read() as connection:
        totals = {hour: ledger.hour_totals(connection, hour) for hour in HOURS}
    assert {hour: shown(done, hour) for hour in HOURS} == {
        hour: {name: total[name] for name in TOTALS} for hour, total in totals.items()
    }
    assert done.daemon.stop() == []
