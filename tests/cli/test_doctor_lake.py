"""`iota doctor` on store and lake: whether they belong together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iota_dagster.core.lake.ownership import MARKER, adopt
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import metadata
from iota_dagster.doctor import examine
from iota_dagster.doctor_checks import ownership
from iota_dagster.doctor_checks.finding import Finding
from iota_dagster.doctor_checks.site import Site
from iota_dagster.platform import Platform
from iota_dagster.settings import Settings
from tests.road.world import NINE, NOW, World, drive, record


@pytest.fixture
def platform(tmp_path: Path, store_url: str) -> Iterator[Platform]:
    """An installation that has processed an hour."""
    world = World.at(tmp_path, store_url)
    with world.opened() as platform:
        world.deliver(platform, {"a": [record("a", NINE)]}, NINE)
        drive(platform, "first")
        yield platform


def look(settings: Settings, **changes: Path | str) -> Finding:
    made = Settings.model_validate({"home": settings.home, "store_url": settings.store_url} | changes)
    [found] = examine(ownership.checks(Site(made)))
    return found


def test_store_and_lake_that_belong_together_are_well(platform: Platform) -> None:
    found = look(platform.settings)
    assert (found.status, found.found) == ("ok", "the lake names this store")


def test_a_host_without_the_lakes_url_is_told_before_it_works(platform: Platform, tmp_path: Path) -> None:
    found = look(platform.settings, lake_url=tmp_path / "elsewhere")
    assert found.status == "failed"
    assert "names files that are not in the lake" in found.found
    assert not (tmp_path / "elsewhere" / MARKER).exists()


def test_another_hosts_rows_that_are_not_in_this_lake_are_found(platform: Platform, tmp_path: Path) -> None:
    """Both hosts began with lakes of their own before the store knew a file."""
    other = World(tmp_path, tmp_path / "other", platform.settings.store_url, tmp_path)
    with other.opened() as opened:
        adopt(opened.database, opened.lake, NOW)
        opened.road.lake.require_own()
    found = look(platform.settings, lake_url=tmp_path / "other" / "lake")
    assert found.status == "failed"
    assert "lacks files that the store names" in found.found


def test_another_stores_lake_is_found(platform: Platform, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/other.db"
    fresh = Database(url)
    fresh.migrate()
    fresh.dispose()
    found = look(platform.settings, store_url=url)
    assert found.status == "failed"
    assert "belongs to another store" in found.found


def test_a_new_installation_is_well_and_nothing_is_made(platform: Platform, tmp_path: Path) -> None:
    url, lake = f"sqlite:///{tmp_path}/other.db", tmp_path / "elsewhere"
    assert look(platform.settings, store_url=url).status == "skipped"
    assert not (tmp_path / "other.db").exists()
    empty = Database(url)
    with empty.begin():
        pass
    empty.dispose()
    assert look(platform.settings, store_url=url).status == "skipped"
    with platform.database.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    assert "nobody's yet" in look(platform.settings, lake_url=lake).found
    assert not (lake / MARKER).exists()
