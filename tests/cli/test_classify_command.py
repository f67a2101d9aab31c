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

pytestmark = pytest.mark.usefixtures("here")


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


def test_what_a_log_says_is_no_markup_and_writes_no_screen(tmp_path: Path) -> None:
    odd = tmp_path / "[red]odd.log"
    odd.write_text("hello [/x] world\n[link=http://example.com]here[/link]\n\x1b[2Jclear\n")
    shown = run(str(odd)).stdout
    assert "[red]odd.log: record 0: unclassified: " in shown
    assert "hello [/x] world" in shown
    assert "\x1b" not in shown


def test_records_are_counted_by_their_reason_with_one_example_of_each(tmp_path: Path) -> None:
    odd = tmp_path / "odd.log"
    odd.write_bytes(b"".join(b"line %d\n" % n for n in range(1_500)) + b"\xff\n\xfe\n")
    lines = run(str(odd)).stdout.splitlines()
    assert sum("quarantine, unclassified" in line and "1,500" in line for line in lines) == 1
    assert sum("quarantine, invalid_utf8" in line and " 2 " in line for line in lines) == 1
    first, second = (line for line in lines if line.startswith(f"{odd}: record "))
    assert first.startswith(f"{odd}: record 0: unclassified: AWS.ALB looks for ")
    assert second.startswith(f"{odd}: record 1500: invalid_utf8: ")


FLOW = "2 10.0.0.1 10.0.0.2 ACCEPT OK\n"


@pytest.mark.parametrize("name", ["{}", "${{{}}}"])
def test_the_fields_of_flow_logs_are_named_as_in_the_settings(tmp_path: Path, name: str) -> None:
    path = tmp_path / "flows.log"
    path.write_text(FLOW)
    names = ["version", "srcaddr", "dstaddr", "action", "log-status"]
    [verdict] = verdicts(str(path), "--fields", " ".join(map(name.format, names)))
    assert verdict["log_type"] == "AWS.VPCFlow"


def test_fields_that_are_no_format_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "flows.log"
    path.write_text(FLOW)
    result = CliRunner().invoke(iota, ["classify", str(path), "--fields", "foo bar srcaddr action x"])
    assert result.exit_code == 2
    assert "unknown are: foo, bar, x" in " ".join(result.stderr.replace("│", " ").split())


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
