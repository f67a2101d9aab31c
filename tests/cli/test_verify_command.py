"""`iota verify`: against a real S3 server, with digests that are signed and public keys that CloudTrail answers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from iota_dagster.cli.verify import command
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.store import ledger
from iota_dagster.platform import open_platform
from iota_dagster.scanning import scan_hours
from iota_dagster.settings import load_settings
from tests.aws import Answer, Asked, Aws
from tests.core.completeness.digests import TEN, Trail, answer_keys, contents
from tests.road.world import drive

HOUR = timedelta(hours=1)
SPAN = ("--from", "2026-11-22T10", "--to", "2026-11-22T13")


@dataclass
class Place:
    """A bucket that a trail writes into, and the installation that reads it."""

    aws: Aws
    bucket: str
    trail: Trail

    def put(self, key: str, data: bytes, **metadata: str) -> None:
        self.aws.clients.s3().put_object(Bucket=self.bucket, Key=key, Body=data, Metadata=metadata)

    def hours(self, count: int) -> list[str]:
        """So many hours with a file and a digest each; the keys of the files."""
        written = []
        for hour in range(count):
            ((key, text),) = contents([f"file{hour}"], TEN + hour * HOUR + timedelta(minutes=20))
            self.put(key, gzip.compress(text))
            digest = self.trail.digest(TEN + (hour + 1) * HOUR, [(key, text)])
            self.put(digest.key, digest.packed, signature=digest.signature)
            written.append(key)
        return written

    def ingest(self) -> None:
        """Everything that lies there, all the way."""
        platform = open_platform(load_settings())
        scan_hours(platform, range(494_000, 500_000))
        drive(platform, "run")
        platform.database.dispose()

    def drive(self) -> None:
        """What is registered, all the way."""
        platform = open_platform(load_settings())
        drive(platform, "again")
        platform.database.dispose()


@pytest.fixture
def place(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    bucket = aws.bucket("trail")
    settings = {
        "home": "home",
        "rules": ["rules"],
        "process_workers": 1,
        "integrations": [{"name": "trail", "bucket": bucket, "region": "us-east-1"}],
        "endpoint_url": aws.endpoint,
    }
    (tmp_path / "rules").mkdir()
    Path("iota.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with aws.disturbed_by(answer_keys):
        yield Place(aws, bucket, Trail(bucket))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*SPAN, *arguments], catch_exceptions=False)


def shown(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("--json", *arguments).stdout)
    return found


def test_where_all_is_there_the_signatures_are_valid_and_the_exit_code_is_zero(place: Place) -> None:
    place.hours(3)
    place.ingest()
    result = run()
    assert result.exit_code == 0, result.output
    assert "valid" in result.stdout
    found = shown()
    assert found["digests"] == [{"signature": "valid", "why": "", "digests": 3}]
    assert (found["findings"], found["waiting"]) == ([], [])
    (listing,) = found["listings"]
    assert (listing["listed"], listing["lacking"], listing["not_done"]) == (5, 0, {})  # the last digest is of 13:00


def test_what_is_missing_is_fetched_and_found_done_after_that(place: Place) -> None:
    place.hours(3)
    place.ingest()
    ((key, text),) = contents(["file9"], TEN + 3 * HOUR - timedelta(minutes=1))
    digest = place.trail.digest(TEN + 4 * HOUR, [(key, text)])
    place.put(digest.key, digest.packed, signature=digest.signature)
    place.ingest()  # nobody told of the file, which is not there yet
    result = run()
    assert result.exit_code == 1
    assert "missing" in result.stdout
    assert "--fetch registers" in result.stdout
    result = run("--fetch", "--no-listing")
    assert result.exit_code == 1
    assert "it is not in its bucket" in result.stderr

    place.put(key, gzip.compress(text))
    assert shown("--fetch", "--no-listing")["fetched"] == {"registered": 1, "failed": []}
    (finding,) = shown()["findings"]
    assert (finding["kind"], finding["detail"]) == ("not_done", "it is pending")
    place.drive()
    assert run().exit_code == 0


def test_what_lies_there_and_was_never_told_of_is_listed_and_fetched(place: Place) -> None:
    place.hours(1)
    place.ingest()
    place.put("elb/2026/11/22/11/access.log", b"{}\n")
    result = run()
    assert result.exit_code == 1
    assert "not in the ledger" in result.stdout
    (listing,) = shown()["listings"]
    assert (listing["lacking"], listing["registered"]) == (1, 0)
    assert listing["examples"] == [[f"{place.bucket}/elb/2026/11/22/11/access.log", "not registered"]]
    (listing,) = shown("--fetch")["listings"]
    assert (listing["lacking"], listing["registered"]) == (1, 1)
    (listing,) = shown()["listings"]
    assert (listing["lacking"], listing["not_done"]) == (0, {"pending": 1})


def test_a_file_that_was_overwritten_before_it_was_read_is_altered(place: Place) -> None:
    (first, *_) = place.hours(2)
    place.put(first, gzip.compress(b'{"Records": []}'))
    place.ingest()
    result = run()
    assert result.exit_code == 1
    ((kind, key),) = [(item["kind"], item["key"]) for item in shown()["findings"]]
    assert (kind, key) == ("altered", first)


def test_without_the_permission_for_the_keys_hashes_count_and_the_reason_is_told(place: Place) -> None:
    def refused(asked: Asked) -> Answer | None:
        if asked.action != "ListPublicKeys":
            return None
        body = json.dumps({"__type": "AccessDeniedException", "message": "no"}).encode()
        return Answer(400, body, (("Content-Type", "application/x-amz-json-1.1"),))

    place.hours(2)
    place.ingest()
    with place.aws.disturbed_by(refused), place.aws.recording() as asked:
        found = shown()
    assert [item.action for item in asked if item.service == "cloudtrail"] == ["ListPublicKeys"]  # asked once
    ((digest),) = found["digests"]
    assert (digest["signature"], digest["digests"]) == ("unchecked", 2)
    assert "cloudtrail:ListPublicKeys is not answered" in digest["why"]
    assert run().exit_code == 0


def test_a_digest_without_its_signature_is_not_trusted(place: Place) -> None:
    place.hours(1)
    digest = place.trail.digest(TEN + 2 * HOUR, [])
    place.put(digest.key, digest.packed)
    place.ingest()
    ((finding),) = shown()["findings"]
    assert (finding["kind"], finding["detail"]) == ("untrusted", "it carries no signature")


def test_without_digests_the_command_says_so(place: Place) -> None:
    place.put("elb/2026/11/22/11/access.log", b"{}\n")
    result = run("--no-listing")
    assert result.exit_code == 0
    assert "log file validation is off" in " ".join(result.stdout.split())


@pytest.mark.usefixtures("place")
def test_an_integration_that_there_is_not_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="trial is not an integration, did you mean trail"):
        run("--integration", "trial")


def test_nothing_is_registered_unless_asked(place: Place) -> None:
    place.hours(1)
    run()
    platform = open_platform(load_settings())
    with platform.database.read() as connection:
        assert ledger.list_objects(connection) == []
    platform.database.dispose()
