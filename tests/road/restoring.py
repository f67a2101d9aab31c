"""Taking a backup, and going back to it: restored and repaired, as an operator would do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from iota_dagster.core.recovery.repair import Repair, Repaired
from iota_dagster.core.store.backup import backup, restore
from iota_dagster.core.store.schema import retired_files
from iota_dagster.platform import Platform
from tests.road.world import NOW, World

Opened = Callable[[World], Platform]


def back_up(world: World, file: Path) -> Path:
    """A backup of the store as it is now."""
    backup(world.store_url, file, replace=True)
    return file


def delete_retired(platform: Platform) -> None:
    """What housekeeping does a day later."""
    with platform.database.read() as connection:
        paths = connection.execute(sa.select(retired_files.c.path)).scalars().all()
    for path in paths:
        platform.lake.delete(path)


def go_back(world: World, platform: Platform, file: Path) -> None:
    """Restore a backup; nobody uses the platform any more."""
    platform.database.dispose()
    restore(world.store_url, file, replace=True)


def repaired(platform: Platform) -> Repaired:
    """Repair without any problem."""
    found = Repair(platform.road.lake, platform.state, platform.intake.spool).run(NOW)
    assert found.problems == []
    return found
