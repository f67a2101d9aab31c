"""`iota destinations`: what is configured, and whether a test alert arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli import iota
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


def test_only_the_destinations_that_are_named_are_tested(service: WebService) -> None:
    assert run("--test", "file").exit_code == 0
    assert service.posted == []
    unknown = run("--test", "chats")
    assert unknown.exit_code == 2
    assert "chats is no destination, there are: file, chat" in unknown.output
