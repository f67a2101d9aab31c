"""Fixtures for tests of the whole platform: installations, and what they must look like in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.aws import Aws
from tests.platform.installation import Installation
from tests.platform.story import story
from tests.road.state import State
from tests.road.world import drive


@pytest.fixture
def install(aws: Aws, tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """Makes this test's installation; whatever it started ends with the test."""
    made: list[Installation] = []

    def at(**settings: object) -> Installation:
        made.append(Installation.at(tmp_path, aws, **settings))
        return made[-1]

    yield at
    for item in made:
        item.close()


@pytest.fixture
def installation(install: Callable[..., Installation]) -> Installation:
    """An installation that reads one bucket; its daemon is not started yet."""
    return install()


@pytest.fixture(scope="session")
def undisturbed(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """How the story ends where nothing is repeated, nothing runs at once and nothing dies: without Dagster."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        made = Installation.at(tmp_path_factory.mktemp("undisturbed"), aws)
        try:
            made.put(story())
            made.platform.intake.drain(made.platform_queue, 0, 1000)
            drive(made.platform, "undisturbed")
            yield made.state()
        finally:
            made.close()
