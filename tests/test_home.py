"""The home folder and Dagster's settings in it."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.run_coordinator import QueuedRunCoordinator

from iota_dagster import home
from iota_dagster.core.errors import IotaError
from iota_dagster.defs.steps import BACKLOG_TAG
from iota_dagster.home import find_instance, open_instance, prepare_home
from iota_dagster.launcher import LocalRunLauncher
from iota_dagster.settings import Settings, project_file


def test_a_new_home_gets_the_projects_settings(tmp_path: Path) -> None:
    folder = prepare_home(Settings(home=tmp_path / "a" / "b"))
    assert folder == tmp_path / "a" / "b" / "dagster"
    assert (folder / "dagster.yaml").read_text().endswith(project_file("dagster_home/dagster.yaml").read_text())


def test_preparing_again_writes_nothing(tmp_path: Path) -> None:
    copy = prepare_home(Settings(home=tmp_path)) / "dagster.yaml"
    os.utime(copy, (1, 1))
    prepare_home(Settings(home=tmp_path))
    assert copy.stat().st_mtime == 1
    assert [path.name for path in copy.parent.iterdir()] == ["dagster.yaml"]


def test_an_old_copy_is_renewed_unless_somebody_edited_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project.yaml"
    monkeypatch.setattr(home, "project_file", lambda name: project)
    settings = Settings(home=tmp_path / "home")
    project.write_text("one: 1\n")
    copy = prepare_home(settings) / "dagster.yaml"
    project.write_text("two: 2\n")
    prepare_home(settings)
    assert copy.read_text().endswith("\ntwo: 2\n")
    copy.write_text(copy.read_text() + "mine: 3\n")
    project.write_text("four: 4\n")
    prepare_home(settings)
    assert copy.read_text().endswith("\ntwo: 2\nmine: 3\n")


def test_dagster_takes_the_settings_for_low_latency(tmp_path: Path) -> None:
    folder = prepare_home(Settings(home=tmp_path))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert isinstance(instance.run_launcher, LocalRunLauncher)
        assert instance.run_launcher.supports_check_run_worker_health
        assert instance.run_monitoring_poll_interval_seconds == 5
        assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
        assert instance.run_coordinator.dequeue_interval_seconds == 1
        assert instance.get_settings("sensors")["use_threads"] is True
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert Path(instance.root_directory) == folder


@pytest.mark.parametrize("path", ["dagster_home/dagster.yaml", "deploy/aws/dagster.yaml"])
def test_backfills_and_a_backlog_leave_two_runs_to_what_arrives_now(path: str) -> None:
    runs = yaml.safe_load(project_file(path).read_text())["concurrency"]["runs"]
    limits = {item["key"]: item["limit"] for item in runs["tag_concurrency_limits"]}
    assert runs["max_concurrent_runs"] - limits["dagster/backfill"] - limits[BACKLOG_TAG] == 2


def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(IotaError, match=r"file/home/dagster cannot be made ready by user .*IOTA_HOME"):
        prepare_home(Settings(home=tmp_path / "file" / "home"))


def test_without_a_dagster_home_the_state_is_in_the_home_folder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert find_instance(settings) is None
    assert list(tmp_path.iterdir()) == []
    with open_instance(settings) as instance:
        assert Path(instance.root_directory) == tmp_path / "dagster"
    found = find_instance(settings)
    assert found
    with found as instance:
        assert Path(instance.root_directory) == tmp_path / "dagster"


def test_a_dagster_home_goes_before_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, elsewhere = Settings(home=tmp_path / "home"), tmp_path / "elsewhere"
    monkeypatch.setenv("DAGSTER_HOME", str(elsewhere))
    for open_ in (open_instance, find_instance):
        with pytest.raises(IotaError, match=r"DAGSTER_HOME is .*elsewhere, and there is no such folder"):
            open_(settings)
    elsewhere.mkdir()
    for open_ in (open_instance, find_instance):
        found = open_(settings)
        assert found
        with found as instance:
            assert Path(instance.root_directory) == elsewhere
    assert not (tmp_path / "home").exists()


def test_a_dagster_home_that_is_the_home_folders_own_is_made_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with open_instance(Settings(home=tmp_path)):
        assert (tmp_path / "dagster" / "dagster.yaml").exists()
