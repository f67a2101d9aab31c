"""Fixtures of the domain's tests: a whole installation, where a test needs more than a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iota_dagster.platform import Platform
from tests.road.world import World


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> World:
    """An empty installation, once on each kind of store."""
    return World.at(tmp_path, store_url)


@pytest.fixture
def platform(world: World) -> Iterator[Platform]:
    """The installation's platform."""
    with world.opened() as platform:
        yield platform
