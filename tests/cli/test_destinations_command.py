"""`iota destinations`: what is configured, and whether a test alert arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from iota_dagster.cli import iota
from iota_dagster.core.alerting import outbox
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import alerts, deliveries
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.core.alerting.cases import an_alert, at
from tests.web_service import WebService, web_service


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebService]:
    with web_service() as service:
        config = tmp_path / "iota.yaml"
        config.write_text(
            "home: .\n"
            "destinations:\n"
            "  - {type: json_lines, name: file, path: alerts.jsonl}\n"
            f"  - {{type: slack, name: chat, url: '{service.url}'}}\n"
            "routing: {CRITICAL: [chat, file], HIGH: [chat], MEDIUM: [], LOW: []}\n"
        )
        monkeypatch.setenv("IOTA_CONFIG", str(config))
        yield service


def run(*arguments: str) -> Result:
    return CliRunner().invoke(iota, ["destinations", *arguments])


def test_destinations_are_listed_with_the_severities_that_go_there(service: WebService) -> None:
    result = run()
    assert result.exit_code == 0
    assert [line.split(maxsplit=2) for line in result.output.splitlines()] == [
        ["file", "json_lines", "CRITICAL"],
        ["chat", "slack", "HIGH, CRITICAL"],
    ]
    assert service.posted == []


def test_a_test_alert_reaches_every_destination(service: WebService, tmp_path: Path) -> None:
    result = run("--test", "--json")
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["error"] for line in result.output.splitlines()] == [None, None]
    (line,) = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert json.loads(line)["rule_id"] == "iota.Test"
    (posted,) = service.posted
    assert "A test of iota" in posted.body.decode()


def test_a_test_alert_that_does_not_arrive_says_why_and_stops_no_other(service: WebService) -> None:
    service.status, service.answer = 404, b"no_service"
    result = run("--test")
    assert result.exit_code == 1
    first, second = result.output.splitlines()
    assert first.endswith("→ arrived")
    assert second.endswith("→ chat: 127.0.0.1 answers 404 Not Found: no_service")


def give_up(folder: Path, *alert_ids: str) -> None:
    """Deliveries to the chat that were given up, the first one made at ten o'clock."""
    database = Database(f"sqlite:///{folder}/iota.db")
    database.migrate()
    with database.begin() as connection:
        for number, name in enumerate(alert_ids):
            connection.execute(sa.insert(alerts), asdict(an_alert(name)))
            outbox.put(connection, {name: ["chat"]}, at(number))
        connection.execute(sa.update(deliveries).values(status="failed", attempts=31))
    database.dispose()


def test_what_was_given_up_can_be_sent_again(service: WebService, tmp_path: Path) -> None:
    give_up(tmp_path, "a1", "a2")
    result = run("--retry")
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()
    assert first.endswith("→ alerts to be sent again: 0")
    assert second.endswith("→ alerts to be sent again: 2, the oldest of 2026-11-22T10:00:00Z")
    platform = open_platform(load_settings())
    assert platform.road.deliver().sent == 2
    platform.database.dispose()
    assert len(service.posted) == 2
    (again,) = run("--retry", "--json", "chat").output.splitlines()
    assert (json.loads(again)["retried"], json.loads(again)["oldest"]) == (0, None)


def test_only_the_destinations_that_are_named_are_tried_again(service: WebService, tmp_path: Path) -> None:
    give_up(tmp_path, "a1")
    assert run("--retry", "file").output.endswith("again: 0\n")
    assert run("--retry", "chat").output.endswith("again: 1, the oldest of 2026-11-22T10:00:00Z\n")


def waiting_for(folder: Path, name: str, *alert_ids: str) -> None:
    """Deliveries that wait for a destination."""
    database = Database(f"sqlite:///{folder}/iota.db")
    database.migrate()
    with database.begin() as connection:
        for alert_id in alert_ids:
            connection.execute(sa.insert(alerts), asdict(an_alert(alert_id)))
            outbox.put(connection, {alert_id: [name]}, at(0))
    database.dispose()


def test_what_waits_for_a_destination_that_was_removed_can_be_given_up_at_once_and_is_no_failure(
    service: WebService, tmp_path: Path
) -> None:
    waiting_for(tmp_path, "old", "a1", "a2")
    assert (run("--give-up", "old").output, run("--give-up", "--json", "old").output) == (
        f"{'old':<24} → alerts given up: 2\n",
        '{"name": "old", "given_up": 0}\n',
    )
    platform = open_platform(load_settings())
    assert platform.road.deliver().total.retried == 0
    platform.database.dispose()
    status = CliRunner().invoke(iota, ["status"]).output
    assert "old is no destination any more, 2 alerts not sent there" in status
    assert "given up" not in status


def test_a_destination_that_the_settings_have_is_not_given_up(service: WebService, tmp_path: Path) -> None:
    waiting_for(tmp_path, "chat", "a1")
    for arguments, words in (
        (["--give-up", "chat"], "chat: the settings still have it"),
        (["--give-up"], "--give-up needs the names"),
        (["--give-up", "--retry", "old"], "--give-up goes with neither"),
    ):
        result = run(*arguments)
        assert (result.exit_code, words in result.output) == (2, True), result.output
    platform = open_platform(load_settings())
    assert platform.road.deliver().sent == 1
    platform.database.dispose()


def test_a_destination_is_tested_before_it_is_tried_again(service: WebService) -> None:
    result = run("--test", "--retry")
    assert result.exit_code == 2
    assert "--test and --retry do not go together" in result.output


def test_only_the_destinations_that_are_named_are_tested(service: WebService) -> None:
    assert run("--test", "file").exit_code == 0
    assert service.posted == []
    unknown = run("--test", "chats")
    assert unknown.exit_code == 2
    assert "chats is no destination, there are: file, chat" in unknown.output
