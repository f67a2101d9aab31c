"""The invented logs: laid out as AWS does, countable, the same every time, and with the attack in them."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iota_dagster.demo import story
from iota_dagster.demo.benchmark import benchmark_objects
from iota_dagster.demo.cloudtrail import Generated, generate
from iota_dagster.demo.noise import KINDS
from iota_dagster.demo.records import ACCOUNTS

UNTIL = datetime(2026, 11, 22, 18, tzinfo=UTC)
KEY = re.compile(
    r"AWSLogs/(?:o-[a-z0-9]{10,32}/)?(?P<account>\d{12})/CloudTrail/(?P<region>[a-z]{2}-[a-z]+-\d)/(?P<day>\d{4}/\d\d/\d\d)/"
    r"(?P=account)_CloudTrail_(?P=region)_(?P<time>\d{8}T\d{4}Z)_[A-Za-z0-9]{16}\.json\.gz"
)
DOCUMENTATION = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    return generate(tmp_path_factory.mktemp("logs"), until=UNTIL, hours=3, events=3_000)


def objects(folder: Path) -> Iterator[tuple[re.Match[str], list[dict[str, Any]]]]:
    for path in sorted(folder.rglob("*.gz")):
        key = KEY.fullmatch(path.relative_to(folder).as_posix())
        assert key, path
        yield key, json.loads(gzip.decompress(path.read_bytes()))["Records"]


def records(folder: Path) -> list[dict[str, Any]]:
    return [record for _, found in objects(folder) for record in found]


def test_every_event_has_an_id_of_its_own_and_the_counts_are_true(made: Generated) -> None:
    own = [record["eventID"] for record in records(made.accounts)]
    again = [record["eventID"] for record in records(made.organization)]
    assert len(own) == len(set(own)) == made.events == 3_000
    assert len(again) == len(set(again)) == made.doubles
    assert set(again) < set(own)
    assert made.records == made.events + made.doubles
    assert made.objects == len(list(made.accounts.parent.rglob("*.gz")))


def test_the_organization_repeats_all_management_events_as_they_are_in_other_files(made: Generated) -> None:
    management = {record["eventID"]: record for record in records(made.accounts) if record["managementEvent"]}
    assert {record["eventID"]: record for record in records(made.organization)} == management


@pytest.mark.parametrize("trail", ["accounts", "organization"])
def test_an_object_is_delivered_some_minutes_after_its_events_and_before_the_end(made: Generated, trail: str) -> None:
    for key, found in objects(getattr(made, trail)):
        delivered = datetime.strptime(key["time"], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
        assert key["day"] == f"{delivered:%Y/%m/%d}"
        assert delivered <= UNTIL
        for record in found:
            delay = delivered - datetime.fromisoformat(record["eventTime"])
            assert timedelta(minutes=1) < delay < timedelta(minutes=17)
            assert (record["recipientAccountId"], record["awsRegion"]) == (key["account"], key["region"])


def test_the_noise_is_varied_and_of_the_usual_size(made: Generated) -> None:
    found = records(made.accounts)
    assert len({(record["eventSource"], record["eventName"]) for record in found}) > 40
    assert {record["recipientAccountId"] for record in found} == set(ACCOUNTS)
    assert {record["userIdentity"]["type"] for record in found} == {"IAMUser", "AssumedRole", "AWSService"}
    assert 0.01 < mean("errorCode" in record for record in found) < 0.05
    assert 900 < mean(len(json.dumps(record, separators=(",", ":"))) for record in found) < 1_500


def test_every_address_is_of_documentation_or_a_service(made: Generated) -> None:
    for address in {record["sourceIPAddress"] for record in records(made.accounts)}:
        assert address.endswith(".amazonaws.com") or any(ip_address(address) in net for net in DOCUMENTATION)


def test_access_keys_are_examples(made: Generated) -> None:
    keys = {record["userIdentity"].get("accessKeyId") for record in records(made.accounts)} - {None}
    assert all(re.fullmatch(r"(AKIA|ASIA)[A-Z2-7]{9}EXAMPLE", key) for key in keys)


def test_the_attack_happens_in_its_order_to_one_account(made: Generated) -> None:
    addresses = {story.FIRST_ADDRESS, story.SECOND_ADDRESS}
    attack = [record for record in records(made.accounts) if record["sourceIPAddress"] in addresses]
    attack.sort(key=lambda record: record["eventTime"])
    assert Counter(record["eventName"] for record in attack) == made.story
    assert {record["recipientAccountId"] for record in attack} == {ACCOUNTS[0]}
    names = [record["eventName"] for record in attack]
    milestones = ["ConsoleLogin", "ListUsers", "CreateAccessKey", "AttachUserPolicy", "GetSecretValue", "StopLogging"]
    assert [name for name in dict.fromkeys(names) if name in milestones] == milestones
    assert made.story_start == datetime.fromisoformat(attack[0]["eventTime"])
    login = [record for record in attack if record["eventName"] == "ConsoleLogin"]
    assert [record["responseElements"]["ConsoleLogin"] for record in login] == ["Failure"] * 6 + ["Success"]
    assert login[-1]["additionalEventData"]["MFAUsed"] == "No"


def test_nobody_else_does_what_the_attacker_does(made: Generated) -> None:
    calls = {kind.call.split(":")[1] for kind in KINDS}
    assert not calls & {"CreateAccessKey", "CreateLoginProfile", "AttachUserPolicy", "StopLogging", "DeleteTrail"}
    quiet = [record for record in records(made.accounts) if record["userIdentity"].get("userName") == "alice"]
    assert all(record["additionalEventData"]["MFAUsed"] == "Yes" for record in quiet if "additionalEventData" in record)


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        generate(tmp_path / name, until=UNTIL, hours=1, events=300, seed=3)
    generate(tmp_path / "other", until=UNTIL, hours=1, events=300, seed=4)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") != contents(tmp_path / "other")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.gz")}


def test_a_short_window_holds_the_whole_attack(tmp_path: Path) -> None:
    made = generate(tmp_path, until=UNTIL, hours=1, events=0)
    times = [datetime.fromisoformat(record["eventTime"]) for record in records(made.accounts)]
    assert len(times) == made.events == sum(made.story.values())
    assert min(times) >= UNTIL - timedelta(hours=1)


def test_without_an_end_it_happens_just_now(tmp_path: Path) -> None:
    made = generate(tmp_path, hours=2, events=0)
    assert timedelta(minutes=60) < datetime.now(UTC) - made.story_start < timedelta(hours=2)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    events=st.integers(0, 900),
    per_object=st.integers(20, 200),
    duplicates=st.floats(0, 0.3),
    seed=st.integers(0, 3),
)
def test_the_benchmark_counts_its_events_and_doubles(
    tmp_path_factory: pytest.TempPathFactory, events: int, per_object: int, duplicates: float, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("benchmark")
    made = benchmark_objects(folder, events, per_object, duplicates, seed)
    found = list(objects(folder))
    ids = Counter(record["eventID"] for _, lines in found for record in lines)
    assert len(found) == made.objects == -(-events // per_object)
    assert (ids.total(), len(ids), ids.total() - len(ids)) == (made.records, made.events, made.doubles)
    assert made.records == events
    assert made.doubles <= round(duplicates * events)
    if events >= 8 * per_object:  # enough objects have one before them
        assert made.doubles == pytest.approx(duplicates * events, abs=3)


def test_the_benchmark_doubles_its_share_in_later_objects_of_the_same_account(tmp_path: Path) -> None:
    made = benchmark_objects(tmp_path, 10_000, per_object=500)
    assert (made.objects, made.records, made.doubles) == (20, 10_000, 500)
    seen: dict[str, tuple[str, str, Any]] = {}
    for key, found in sorted(objects(tmp_path), key=lambda item: item[0]["time"]):
        for record in found:
            first = seen.setdefault(record["eventID"], (key["account"], key["time"], record))
            assert first[0] == record["recipientAccountId"] == key["account"]
            assert first[2] == record
    assert made.bytes == sum(len(json.dumps(record, separators=(",", ":"))) for record in records(tmp_path))
    assert 1_050 < made.bytes / made.records < 1_400


def test_benchmark_events_are_spread_over_the_hours_before_their_delivery(tmp_path: Path) -> None:
    benchmark_objects(tmp_path, 2_000, per_object=100, hours=4, duplicates=0)
    for key, found in objects(tmp_path):
        delivered = datetime.strptime(key["time"], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
        delays = [delivered - datetime.fromisoformat(record["eventTime"]) for record in found]
        assert timedelta(0) <= min(delays) <= max(delays) <= timedelta(minutes=16)
    assert len({key["time"][:11] for key, _ in objects(tmp_path)}) == 4


def test_benchmark_objects_are_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        benchmark_objects(tmp_path / name, 500, per_object=100, seed=9)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
