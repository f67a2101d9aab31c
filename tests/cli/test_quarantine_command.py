"""`iota quarantine`: what could not be processed is shown with its bytes, and replayed when it can be."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli import iota
from iota_dagster.core.errors import IotaError
from tests.cli.logs import packed, record, write

pytestmark = pytest.mark.usefixtures("used_home", "here")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(iota, arguments, catch_exceptions=False)


def answer(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_damaged_file_keeps_its_good_records_and_its_repaired_version_is_a_new_object(tmp_path: Path) -> None:
    whole = packed([record(number) for number in range(40)])
    damaged = write(tmp_path / "logs", 1, whole[:-60])
    first = answer("ingest", "logs")
    kept = first["events"]
    assert first["quarantined"] == 1
    assert 0 < kept < 40
    assert first["records"] == kept + 1

    [counted] = answer("quarantine", "list")
    assert (counted["reason"], counted["items"], counted["objects"]) == ("truncated", 1, 1)
    [item] = answer("quarantine", "list", "--reason", "truncated")
    assert item["key"].endswith(damaged.name)
    shown = answer("quarantine", "show", str(item["id"]))
    assert (shown["ordinal"], shown["delivery_hour"]) == (kept, "2025-03-01-10:00")
    assert shown["sample"].startswith('{"eventVersion"')
    text = run("quarantine", "show", str(item["id"])).stdout
    assert all(word in text for word in ("truncated", damaged.name, "eventVersion"))
    assert "truncated" in run("quarantine", "list").stdout

    # Nothing has changed in the file, so doing it again says the same.
    assert answer("quarantine", "retry", "--reason", "truncated")["left"] == {"truncated": 1}

    damaged.write_bytes(whole)
    repaired = answer("ingest", "logs")
    assert (repaired["objects"], repaired["events"], repaired["duplicates"]) == (1, 40 - kept, kept)
    assert {(row["status"], row["objects"]) for row in answer("objects")} == {("done", 2)}

    # The old content is gone: nothing is replaced by less, and what is missing is named.
    retried = run("quarantine", "retry", "--reason", "truncated", "--json")
    figures = json.loads(retried.stdout)
    assert (figures["events"], figures["left"]) == (0, {"truncated": 1})
    assert damaged.name in retried.stderr
    [problem] = figures["problems"]
    assert problem == retried.stderr.splitlines()[-1]


def test_an_empty_quarantine_says_so() -> None:
    assert run("quarantine", "list").stdout == "the quarantine is empty\n"
    assert answer("quarantine", "list") == []


@pytest.mark.parametrize("arguments", [("show", "99"), ("retry", "99"), ("drop", "99", "--yes"), ("export", "99")])
def test_an_item_that_is_not_there_is_a_clear_error(arguments: tuple[str, ...]) -> None:
    with pytest.raises(IotaError, match=r"no item 99.*iota quarantine list"):
        run("quarantine", *arguments)


def test_nothing_is_done_where_one_of_several_items_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "odd.json").write_bytes(b'{"door":"north"}\n{"door":"south"}\n')
    answer("ingest", "logs")
    first, second = answer("quarantine", "list", "--reason", "unclassified", "--limit", "0")
    for verb in ("retry", "drop"):
        with pytest.raises(IotaError, match=r"no item 98, 99:"):
            run("quarantine", verb, str(first["id"]), "99", "98", *(["--yes"] if verb == "drop" else []))
    assert answer("quarantine", "list", "--reason", "unclassified") == [first, second]
    assert run("quarantine", "list", "--reason", "unclassified", "--limit", "-5").exit_code == 2


@pytest.mark.parametrize("arguments", [(), ("1", "--reason", "truncated")])
def test_retry_wants_either_numbers_or_a_reason(arguments: tuple[str, ...]) -> None:
    result = run("quarantine", "retry", *arguments)
    assert result.exit_code == 2
    assert "--reason" in result.stderr


def test_what_is_exported_is_whole_and_what_is_dropped_is_counted_still(tmp_path: Path) -> None:
    write(tmp_path / "logs", 1, packed([record(1)])[:-12] + b"\xff" * 4)
    (tmp_path / "logs" / "odd.json").write_bytes(b'{"door":"north"}\n{"door":"s\xfcd"}\n')
    first = answer("ingest", "logs")
    exported = [json.loads(line) for line in run("quarantine", "export").stdout.splitlines()]
    assert len(exported) == first["quarantined"] > 2
    by_reason = {item["reason"]: item for item in exported}
    assert by_reason["unclassified"]["sample"] == '{"door":"north"}'
    assert by_reason["unclassified"]["detail"] == "no log type has its marks; its keys: door"
    assert (
        "\n                AWS.CloudTrail looks for"
        in run("quarantine", "show", str(by_reason["unclassified"]["id"])).stdout
    )
    assert base64.b64decode(by_reason["invalid_utf8"]["sample_base64"]) == b'{"door":"s\xfcd"}'

    said = run("quarantine", "export", "--reason", "unclassified", "--output", "items.jsonl")
    assert "1 item written to items.jsonl" in said.stdout
    assert json.loads(Path("items.jsonl").read_text()) == by_reason["unclassified"]

    item = by_reason["unclassified"]["id"]
    assert run("quarantine", "drop", str(item)).exit_code == 1  # nobody answered
    assert answer("quarantine", "drop", str(item), "--yes") == {"dropped": 1}
    with pytest.raises(IotaError, match=f"no item {item}:"):
        run("quarantine", "drop", str(item), "--yes")
    assert "unclassified" not in {row["reason"] for row in answer("quarantine", "list")}
    retried = answer("quarantine", "retry", "--reason", "invalid_utf8")
    assert retried["left"]["unclassified"] == 1  # done again, it still is nothing that anybody knows


def test_a_reason_that_nothing_has_is_told_from_an_empty_quarantine(tmp_path: Path) -> None:
    write(tmp_path / "logs", 1, packed([record(number) for number in range(9)])[:-60])
    answer("ingest", "logs")
    shown = run("quarantine", "list", "--reason", "truncatd").stdout
    assert shown == "nothing is in quarantine for the reason truncatd; there are: truncated\n"
