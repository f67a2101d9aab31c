"""Fixtures of the road's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iota_dagster.platform import Platform
from tests.road.stores import Stores
from tests.road.world import World
from tests.road.zygote import Zygote


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> World:
    """An empty installation, once on each kind of store."""
    return World.at(tmp_path, store_url)


@pytest.fixture
def opened() -> Iterator[Callable[[World], Platform]]:
    """Opens platforms, and closes their stores when the test ends."""
    platforms: list[Platform] = []

    def open_(world: World) -> Platform:
        platforms.append(world.open())
        return platforms[-1]

    yield open_
    for platform in platforms:
        platform.database.dispose()


@pytest.fixture
def platform(world: World, opened: Callable[[World], Platform]) -> Platform:
    """The installation's platform."""
    return opened(world)


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Starts processes that a test may kill."""
    with Zygote() as zygote:
        yield zygote


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Worlds to copy, on each kind of store."""
    server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    return Stores(tmp_path_factory.mktemp(request.param), server)
