"""`iota scan`: what no message told of is in the ledger afterwards, and one integration's trouble is its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from iota_dagster.cli.scan import command
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.hours import hour_of
from iota_dagster.core.store import ledger
from iota_dagster.platform import open_platform
from iota_dagster.scanning import scan_hours
from iota_dagster.settings import load_settings
from tests.aws import Aws
from tests.cli.logs import START, packed, record, write

HOUR = hour_of(START)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def configure(*integrations: Mapping[str, str], **more: str) -> None:
    settings = {"home": "home", "integrations": list(integrations)} | more
    Path("iota.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def known() -> dict[str, dict[str, Any]]:
    """The ledger's objects by the number in their names."""
    platform = open_platform(load_settings())
    with platform.database.read() as connection:
        rows = ledger.list_objects(connection)
    platform.database.dispose()
    return {row["key"][-9:-8]: row for row in rows}


def upload(aws: Aws, bucket: str, folder: Path, prefix: str = "") -> None:
    for path in folder.rglob("*.gz"):
        key = prefix + str(path.relative_to(folder))
        aws.clients.s3().put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def test_what_the_ledger_lacks_is_registered_once(aws: Aws, tmp_path: Path) -> None:
    bucket = aws.bucket()
    for number in range(4):
        write(tmp_path / "s3", number, packed([record(number)]), START + timedelta(hours=number))
    upload(aws, bucket, tmp_path / "s3", "org/")
    configure({"name": "trail", "bucket": bucket, "prefix": "org/"}, endpoint_url=aws.endpoint)
    result = run("--from", "2025-03-01T11", "--to", "2025-03-01T14:00+01:00", "--json")
    assert result.exit_code == 0, result.stderr
    shown = json.loads(result.stdout)
    assert (shown["from"], shown["to"]) == ("2025-03-01T11:00Z", "2025-03-01T13:00Z")
    [report] = shown["integrations"]
    assert report.pop("seconds") >= 0
    assert report == {"integration": "trail", "listed": 2, "new": 2, "error": None}
    rows = known()
    assert {number: row["delivery_hour"] for number, row in rows.items()} == {"1": HOUR + 1, "2": HOUR + 2}
    assert {(row["integration"], row["status"], row["account"]) for row in rows.values()} == {
        ("trail", "pending", "111122223333")
    }

    shown = json.loads(run("--from", "2025-03-01", "--to", "2025-03-02", "--json").stdout)
    assert [(report["listed"], report["new"]) for report in shown["integrations"]] == [(4, 2)]
    assert len(known()) == 4


def test_one_integration_that_fails_is_told_and_the_others_are_scanned(aws: Aws, tmp_path: Path) -> None:
    write(tmp_path / "logs", 1, packed([record(1)]))
    configure(
        {"name": "gone", "bucket": "a-bucket-that-is-gone"},
        {"name": "unplugged", "path": "nowhere"},
        {"name": "folder", "path": "logs", "account": "444455556666", "region": "eu-west-1"},
        endpoint_url=aws.endpoint,
    )
    result = run("--from", "2025-03-01T10", "--to", "2025-03-01T11")
    assert result.exit_code == 1
    assert "gone: a-bucket-that-is-gone/: the bucket does not exist" in result.stderr
    assert "unplugged: " in result.stderr
    assert "is its disk mounted?" in result.stderr
    assert result.stdout.count("failed") == 2
    assert result.stdout.count("complete") == 1
    assert "iota backfill --only-new --from 2025-03-01T10:00Z --to 2025-03-01T11:00Z" in result.stdout
    assert [(row["integration"], row["account"]) for row in known().values()] == [("folder", "111122223333")]

    result = run("--from", "2025-03-01T10", "--to", "2025-03-01T11", "--integration", "folder", "--json")
    assert result.exit_code == 0
    assert [(report["listed"], report["new"]) for report in json.loads(result.stdout)["integrations"]] == [(1, 0)]


def test_the_last_24_hours_are_scanned_unless_others_are_named(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    write(tmp_path / "logs", 1, packed([record(1)]), now - timedelta(hours=23))
    write(tmp_path / "logs", 2, packed([record(2)]), now - timedelta(hours=26))
    configure({"name": "folder", "path": "logs"})
    assert run("--json").exit_code == 0
    assert set(known()) == {"1"}
    configure({"name": "folder", "path": "logs", "account": "444455556666"})
    assert "backfill" in run("--from", f"{now - timedelta(hours=27):%Y-%m-%dT%H:%M:%S}").stdout
    assert set(known()) == {"1", "2"}
    assert "backfill" not in run().stdout


@pytest.mark.parametrize("moment", ["yesterday", "2025-02-30", "2025-03-01T25", "9999-12-31T23:00-23:00"])
def test_a_time_that_is_none_is_a_usage_error(moment: str) -> None:
    result = run("--from", moment)
    assert result.exit_code == 2
    assert moment in result.stderr
    assert "2026-11-22T10" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--from", "2025-03-02", "--to", "2025-03-02"), "nothing lies between"),
        (("--from", "2019-12-31T23:00", "--to", "2025-03-02"), "IOTA_PARTITIONS_START"),
        (("--integration", "foldr"), "did you mean folder?"),
        (("--integration", "other"), "there are: folder"),
    ],
)
def test_a_span_or_a_name_that_cannot_be_scanned_is_told(arguments: tuple[str, ...], complaint: str) -> None:
    configure({"name": "folder", "path": "logs"})
    with pytest.raises(SettingsError) as caught:
        run(*arguments)
    assert complaint in str(caught.value)


def test_without_integrations_there_is_nothing_to_scan() -> None:
    configure()
    with pytest.raises(SettingsError, match="no integrations are configured"):
        run()


def test_a_run_may_scan_any_hours(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / "logs", number, packed([record(number)]), START + timedelta(hours=number))
    configure({"name": "folder", "path": "logs"})
    platform = open_platform(load_settings())
    assert [(report.listed, report.new) for report in scan_hours(platform, [HOUR, HOUR + 3])] == [(2, 2)]
    assert [(report.listed, report.new) for report in scan_hours(platform, [HOUR, HOUR + 1], ["folder"])] == [(2, 1)]
    assert scan_hours(platform, [], []) == ()
    platform.database.dispose()
