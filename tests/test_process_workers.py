"""The rule workers that the runs of a process share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from iota_dagster.core.detection.processes.rule_workers import Task
from iota_dagster.process_workers import close_workers, rules_of_a_run
from iota_dagster.settings import Settings
from tests.road.world import LOG_TYPE, World, sign_in


@pytest.fixture(autouse=True)
def _no_worker_stays() -> Iterator[None]:
    yield
    close_workers()


def settings_at(folder: Path) -> Settings:
    world = World.at(folder, f"sqlite:///{folder}/iota.db")
    return Settings(home=world.home, rules=(world.rules,), process_workers=1)


def test_the_same_rules_in_another_folder_are_read_from_there(tmp_path: Path) -> None:
    before, after = rules_of_a_run(settings_at(tmp_path / "before"))(), rules_of_a_run(settings_at(tmp_path / "after"))
    shutil.rmtree(tmp_path / "before")
    workers = after()
    assert workers.pack.version == before.pack.version
    [verdict] = workers.evaluate([Task(LOG_TYPE, [json.dumps(sign_in("a", "198.51.100.1")).encode()])])
    assert [match.rule_id for match in verdict.matches] == ["Test.SignIn"]
    assert workers.broken == []


def test_two_runs_with_the_same_rules_share_their_workers(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    assert rules_of_a_run(settings)() is rules_of_a_run(settings)()
