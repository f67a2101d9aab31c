"""The file of JSON lines: its format, its care for torn lines, and doubles."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iota_dagster.core.alerting.destination import Destination, payload
from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.destinations.json_lines import JsonLinesFile
from tests.core.alerting.cases import a_delivery


@pytest.fixture
def file(tmp_path: Path) -> JsonLinesFile:
    return JsonLinesFile("file", tmp_path / "alerts" / "alerts.jsonl")


def test_a_line_has_the_documented_members_in_their_order(file: JsonLinesFile) -> None:
    destination: Destination = file
    destination.send(a_delivery(title="Müller\u2028signed in"))
    (text,) = file.path.read_text("ascii").splitlines()
    assert list(json.loads(text).items()) == [
        ("delivery_id", "d1"),
        ("alert_id", "a1"),
        ("rule_id", "Console.NoMFA"),
        ("severity", "HIGH"),
        ("title", "Müller\u2028signed in"),
        ("dedup", "alice"),
        ("description", ""),
        ("runbook", ""),
        ("reference", ""),
        ("matches", 1),
        ("first_event_time", "2026-11-22T10:00:00.000000Z"),
        ("last_event_time", "2026-11-22T10:01:30.000000Z"),
        ("log_type", "AWS.CloudTrail"),
        ("context", {"user": "alice"}),
    ]


def test_alerts_are_appended_and_found_again(file: JsonLinesFile) -> None:
    assert not file.was_delivered(a_delivery("d1"))
    for name in ("d1", "d2"):
        file.send(a_delivery(name))
    assert file.was_delivered(a_delivery("d1"))
    assert file.was_delivered(a_delivery("d2"))
    assert not file.was_delivered(a_delivery("d"))
    assert len(file.path.read_text().splitlines()) == 2


@pytest.mark.parametrize("kept", [1, 30, -2])
def test_a_torn_last_line_does_not_count_and_does_not_spoil_the_next(file: JsonLinesFile, kept: int) -> None:
    file.send(a_delivery("d1"))
    file.path.write_bytes(file.path.read_bytes()[:kept])
    assert not file.was_delivered(a_delivery("d1"))
    file.send(a_delivery("d1"))
    assert file.was_delivered(a_delivery("d1"))
    torn, whole = file.path.read_text().splitlines()
    assert json.loads(whole) == payload(a_delivery("d1"))
    assert whole.startswith(torn)


def test_a_line_that_lacks_only_its_newline_was_delivered(file: JsonLinesFile) -> None:
    file.send(a_delivery("d1"))
    file.path.write_bytes(file.path.read_bytes().rstrip(b"\n"))
    assert file.was_delivered(a_delivery("d1"))
    file.send(a_delivery("d2"))
    assert [json.loads(line)["delivery_id"] for line in file.path.read_text().splitlines()] == ["d1", "d2"]


def test_an_alert_that_speaks_of_another_delivery_does_not_count_as_it(file: JsonLinesFile) -> None:
    file.send(a_delivery("d1", title='{"delivery_id":"d2",', context={"delivery_id": "d2"}))
    assert not file.was_delivered(a_delivery("d2"))


def test_many_writers_at_once_write_whole_lines(file: JsonLinesFile) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: file.send(a_delivery(f"d{n}", context={"x": "y" * 5_000})), range(40)))
    lines = file.path.read_text().splitlines()
    assert {json.loads(line)["delivery_id"] for line in lines} == {f"d{n}" for n in range(40)}
    assert len(lines) == 40


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "alerts").write_text("a file where a folder should be")
    blocked = JsonLinesFile("file", tmp_path / "alerts" / "alerts.jsonl")
    with pytest.raises(DeliveryFailed, match=r"^file: cannot write .*alerts\.jsonl: File exists") as failure:
        blocked.send(a_delivery())
    assert failure.value.retry_helps
    with pytest.raises(DeliveryFailed, match=r"^file: cannot read .*: Not a directory"):
        blocked.was_delivered(a_delivery())


def test_a_full_disk_leaves_no_half_line(file: JsonLinesFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.send(a_delivery("d1"))
    before, write = file.path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda handle, text: write(handle, text[:10]))
    with pytest.raises(DeliveryFailed, match="no space left"):
        file.send(a_delivery("d2"))
    assert file.path.read_bytes() == before
