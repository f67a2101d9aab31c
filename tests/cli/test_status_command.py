"""`iota status`: one screen, the same as JSON, and again and again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from iota_dagster.cli import status
from iota_dagster.core.errors import Outage
from iota_dagster.core.observability.status import Status, StatusReader
from iota_dagster.core.store.database import Database
from iota_dagster.settings import load_settings
from tests.road.world import TEN, UNKNOWN, World, drive, record, sign_in

pytestmark = pytest.mark.usefixtures("here")

EVIL = "x\x1b[31m\nHIGH\u202e"


@pytest.fixture
def world(here: None, tmp_path: Path) -> World:
    """An installation with an event, an alert, something in quarantine and something that waits."""
    world = World.at(tmp_path, load_settings().store_url)
    with world.opened() as platform:
        world.deliver(platform, {"one": [record("calm"), sign_in("loud", EVIL), UNKNOWN]}, TEN)
        drive(platform, "run")
        world.deliver(platform, {"two": [record("later")]}, TEN)
    return world


def run(*arguments: str) -> Result:
    return CliRunner().invoke(status.command, list(arguments), catch_exceptions=False)


def answer() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("--json").stdout)
    return found


def test_a_new_installation_has_a_status() -> None:
    result = run()
    assert result.exit_code == 0
    assert "0 objects pending" in result.stdout
    assert answer()["backlog"]["pending"] == 0


@pytest.mark.usefixtures("world")
def test_the_screen_shows_lag_backlog_failures_sources_and_alerts() -> None:
    text = run().stdout
    for words in ("from event to commit", "2 events of 3 records", "1 objects pending", "inbox", "HIGH", "alerts_file"):
        assert words in text
    assert "records and 0 whole objects" in text


@pytest.mark.usefixtures("world")
def test_what_an_attacker_wrote_steers_no_terminal_and_makes_no_line_of_its_own() -> None:
    shown = (run().stdout, run("--json").stdout)
    assert not any(char in text for text in shown for char in "\x1b\u202e")
    assert not [line for line in shown[0].splitlines() if line.startswith("HIGH")]


@pytest.mark.usefixtures("world")
def test_json_has_the_same_facts_in_plain_types() -> None:
    found = answer()
    assert found["last_hour"]["rows"] == 2
    [batch] = found["last_batches"]
    assert batch["event_to_committed_seconds"] == found["event_to_committed"]["median_seconds"]
    assert found["alerts"][0]["sent_to"] == ["alerts_file"]
    assert found["sources"][0]["last_event"] == "2026-11-22T10:05:00Z"
    assert found["places"]["lake"].endswith("lake")


def test_a_password_of_the_store_is_not_shown() -> None:
    settings = load_settings()
    url = "postgresql://iota:secret@db.example.com/iota?password=secret"
    places = dict(status.places(settings.model_copy(update={"store_url": url})))
    assert "secret" not in places["store"]
    assert "db.example.com" in places["store"]


@pytest.mark.usefixtures("world")
def test_watching_looks_again_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("iota_dagster.cli.status.time.sleep", wait)
    result = run("--watch")
    assert result.exit_code == 0
    assert waits == [status.SECONDS] * 3


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_screen_of_any_width_will_do(width: int) -> None:
    database = Database(load_settings().store_url)
    console = Console(width=width, record=True, quiet=True)
    console.print(status.page(StatusReader(database, ["inbox"]).look(), load_settings()))
    database.dispose()


def test_a_watch_outlives_an_outage_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look(reader: StatusReader) -> Status:
        looks.append(len(looks))
        if len(looks) == 1:
            raise Outage("the store did not answer")
        raise KeyboardInterrupt

    monkeypatch.setattr(StatusReader, "look", look)
    monkeypatch.setattr("iota_dagster.cli.status.time.sleep", lambda _: None)
    result = run("--watch")
    assert (result.exit_code, len(looks)) == (0, 2)


def test_watching_and_json_do_not_go_together() -> None:
    assert run("--watch", "--json").exit_code == 2
