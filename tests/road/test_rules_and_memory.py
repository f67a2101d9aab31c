"""The rules of a run, and how long what they remember stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from iota_dagster.core.detection.key_values import Stamp, StoredValue
from iota_dagster.core.lake.alert_matches import TABLE
from iota_dagster.core.store import rule_values
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.schema import matches
from iota_dagster.core.store.schema import rule_values as stored
from iota_dagster.platform import Platform
from tests.road.state import lake_rows
from tests.road.world import NOW, TEN, World, drive, sign_in


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


@pytest.mark.parametrize(
    "broken",
    ["def rule(event):\n    raise ValueError('a bad day')\n", "import nowhere\n\ndef rule(event):\n    return False\n"],
)
def test_a_rule_that_fails_when_an_hour_is_done_again_takes_nothing_back(
    world: World, platform: Platform, opened: Callable[[World], Platform], broken: str
) -> None:
    """That it found nothing says nothing: its matches, their rows in the lake and its alert stay."""
    world.deliver(platform, {"a": [sign_in("one", "198.51.100.1"), sign_in("two", "198.51.100.2")]}, TEN)
    drive(platform, "first")
    before = matches_of(platform, "Test.SignIn")
    assert len(before) == 2
    (world.rules / "sign_in.py").write_text(broken)
    later = opened(world)
    drive(later, "again", again=True, hours=[TEN])
    assert matches_of(later, "Test.SignIn") == before
    with later.database.read() as connection:
        assert [(item.status, item.matches) for item in list_alerts(connection, rule_id="Test.SignIn")] == [
            ("open", 1)
        ] * 2
    (world.rules / "sign_in.py").write_text("def rule(event):\n    return False\n")
    mended = opened(world)
    drive(mended, "mended", again=True, hours=[TEN])
    assert matches_of(mended, "Test.SignIn") == []


def matches_of(platform: Platform, rule_id: str) -> list[tuple[str, str]]:
    """Event and title of a rule's matches in the lake; those in the store are the same."""
    rows = [row for table, _, row in lake_rows(platform) if table == TABLE and row["rule_id"] == rule_id]
    found = sorted((row["event_id"], row["title"]) for row in rows)
    with platform.database.read() as connection:
        kept = connection.execute(sa.select(matches.c.event_id, matches.c.title).where(matches.c.rule_id == rule_id))
        assert sorted((row.event_id, row.title) for row in kept) == found
    return found
