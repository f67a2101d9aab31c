"""`iota classify`: what would become of every record of a file, as an object of that name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli import iota
from tests.cli.logs import ACCOUNT, packed, record, write


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOTA_HOME", str(tmp_path / "home"))


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(iota, ["classify", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def verdicts(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*arguments, "--json").stdout.splitlines()]


def test_a_record_has_its_type_its_id_and_its_time(tmp_path: Path) -> None:
    path = write(tmp_path, 1, packed([record(1), record(2, eventTime="2025-03-01T10:00:02.250Z"), {"door": "north"}]))
    first, second, third = verdicts(str(path))
    assert first == {
        "file": str(path),
        "ordinal": 0,
        "log_type": "AWS.CloudTrail",
        "event_id": f"{ACCOUNT}:00000000-0000-4000-8000-000000000001",
        "event_time": "2025-03-01T10:00:01Z",
    }
    assert second["event_time"] == "2025-03-01T10:00:02.250Z"
    assert set(third) == {"file", "ordinal", "quarantined"}
    assert third["quarantined"].startswith("unclassified: ")
    assert "AWS.CloudTrail looks for eventVersion" in third["quarantined"]


def test_a_record_without_a_time_says_so_and_is_known_by_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, 1, packed([record(1, eventTime=None), record(1, eventTime=None)]))
    one, other = verdicts(str(path))
    assert one["event_time"] is other["event_time"] is None
    assert one["event_id"] != other["event_id"]


def test_damage_has_its_place_and_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "odd.json.gz"
    path.write_bytes(gzip.compress(b'{"Records":[{"a":1},{"b":x}]}'))
    assert [(item["ordinal"], item["quarantined"].split(":")[0]) for item in verdicts(str(path))] == [
        (0, "unclassified"),
        (1, "invalid_json"),
    ]


def test_only_the_declared_types_are_taken(tmp_path: Path) -> None:
    path = write(tmp_path, 1, packed([record(1)]))
    [verdict] = verdicts(str(path), "--log-type", "Okta.SystemLog")
    assert "it is AWS.CloudTrail, which its integration's log_types leave out" in verdict["quarantined"]


def test_a_digest_has_no_records(tmp_path: Path) -> None:
    path = tmp_path / f"{ACCOUNT}_CloudTrail-Digest_eu-central-1_trail_eu-central-1_20250301T100000Z.json.gz"
    path.write_bytes(gzip.compress(b'{"logFiles":[]}'))
    assert verdicts(str(path)) == []


def test_a_person_sees_counts_and_nothing_that_steers_the_screen(tmp_path: Path) -> None:
    path = write(tmp_path, 1, packed([record(n) for n in range(3)]))
    odd = tmp_path / "odd.json"
    odd.write_bytes(b'{"\\u001b[31mred":1}')
    shown = run(str(path), str(odd)).stdout
    assert "3" in shown
    assert "AWS.CloudTrail" in shown
    assert "\x1b[31m" not in shown
