"""The rules of a run, and how long what they remember stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from iota_dagster.core.detection.key_values import Stamp, StoredValue
from iota_dagster.core.store import rule_values
from iota_dagster.core.store.schema import rule_values as stored
from iota_dagster.platform import Platform
from tests.road.world import NOW, World


def test_a_run_reads_the_rules_once_and_the_next_one_notices_a_change(
    world: World, platform: Platform, opened: Callable[[World], Platform]
) -> None:
    before = platform.road.alerting.rules()
    (world.rules / "sign_in.py").write_text("def rule(event):\n    return True\n")
    assert platform.road.alerting.rules() is before
    after = opened(world).road.alerting.rules()
    assert [rule.id for rule in after.pack.rules] == [rule.id for rule in before.pack.rules]
    assert after.pack.version != before.pack.version


def remember(platform: Platform, *values: tuple[str, datetime, datetime]) -> None:
    """Have rules remembered something: (key, time of the event that wrote it, end)."""
    with platform.database.begin() as connection:
        rule_values.save(
            connection,
            [(key, StoredValue(Stamp(written, "e"), {"count": 1}, ends)) for key, written, ends in values],
        )


def remembered(platform: Platform) -> list[str]:
    query = sa.select(stored.c.key).order_by(stored.c.key, stored.c.event_time)
    with platform.database.read() as connection:
        return list(connection.execute(query).scalars())


def test_housekeeping_forgets_what_no_event_young_enough_can_see(platform: Platform) -> None:
    limit = NOW - timedelta(days=platform.settings.rule_values_days)
    hour, year = timedelta(hours=1), timedelta(days=365)
    remember(
        platform,
        ("ended before", limit - 2 * hour, limit - hour),
        ("ends later", limit - 2 * hour, limit + hour),
        ("replaced before", limit - 3 * hour, limit + year),
        ("replaced before", limit - 2 * hour, limit + year),
        ("replaced later", limit - hour, limit + year),
        ("replaced later", limit + hour, limit + year),
    )
    assert platform.housekeeping.run(NOW).rule_values == 2
    assert remembered(platform) == ["ends later", "replaced before", "replaced later", "replaced later"]
    assert platform.housekeeping.run(NOW).rule_values == 0
    assert platform.housekeeping.run(NOW + 2 * year).rule_values == 4
