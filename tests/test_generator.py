"""The invented logs: laid out as AWS does, countable, the same every time, and with the attack in them."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.cloudtrail import benchmark_objects
from iota_dagster.core.dedup.identity import vendor_event_id
from iota_dagster.demo.cloudtrail import Generated, LogFile, generate
from iota_dagster.demo.records import ACCOUNTS
from iota_dagster.demo.story import THE_CAST, Cast, story
from iota_dagster.demo.traffic import HOURS, LIVE_STORY, Live, cast, last_day

UNTIL = datetime(2026, 11, 22, 18, tzinfo=UTC)
KEY = re.compile(
    r"AWSLogs/(?:o-[a-z0-9]{10,32}/)?(?P<account>\d{12})/CloudTrail/(?P<region>[a-z]{2}-[a-z]+-\d)/(?P<day>\d{4}/\d\d/\d\d)/"
    r"(?P=account)_CloudTrail_(?P=region)_(?P<time>\d{8}T\d{4}Z)_[A-Za-z0-9]{16}\.json\.gz"
)
DOCUMENTATION = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


@pytest.fixture(scope="module")
def made() -> Generated:
    return generate(until=UNTIL, hours=3, events=3_000)


def objects(folder: Path) -> Iterator[tuple[re.Match[str], list[dict[str, Any]]]]:
    for path in sorted(folder.rglob("*.gz")):
        yield parsed(path.relative_to(folder).as_posix(), path.read_bytes())


def parsed(name: str, body: bytes) -> tuple[re.Match[str], list[dict[str, Any]]]:
    key = KEY.fullmatch(name)
    assert key, name
    return key, json.loads(gzip.decompress(body))["Records"]


def records(files: Iterable[LogFile], *, organization: bool = False) -> list[dict[str, Any]]:
    chosen = [file for file in files if file.organization is organization]
    return [record for file in chosen for record in parsed(file.key, file.body)[1]]


def test_every_event_has_an_id_of_its_own_and_the_counts_are_true(made: Generated) -> None:
    own = [record["eventID"] for record in records(made.files)]
    again = [record["eventID"] for record in records(made.files, organization=True)]
    assert len(own) == len(set(own)) == made.events == 3_000
    assert len(again) == len(set(again)) == made.doubles
    assert set(again) < set(own)
    assert made.records == made.events + made.doubles


def test_a_file_names_its_events_as_the_lake_does(made: Generated) -> None:
    for file in made.files:
        found = parsed(file.key, file.body)[1]
        assert file.events == tuple(vendor_event_id(file.account, record["eventID"]) for record in found)


def test_the_organization_repeats_all_management_events_as_they_are_in_other_files(made: Generated) -> None:
    management = {record["eventID"]: record for record in records(made.files) if record["managementEvent"]}
    again = records(made.files, organization=True)
    assert {record["eventID"]: record for record in again} == management


def test_an_object_is_delivered_some_minutes_after_its_events_and_before_the_end(made: Generated) -> None:
    for file in made.files:
        key, found = parsed(file.key, file.body)
        delivered = datetime.strptime(key["time"], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
        assert key["day"] == f"{delivered:%Y/%m/%d}"
        assert delivered == file.delivered <= UNTIL
        assert ("/o-" in file.key) is file.organization
        for record in found:
            delay = delivered - datetime.fromisoformat(record["eventTime"])
            assert timedelta(minutes=1) < delay < timedelta(minutes=42)
            assert record["recipientAccountId"] == key["account"] == file.account
            assert record["awsRegion"] == key["region"]


def test_the_newest_objects_come_first(made: Generated) -> None:
    moments = [file.delivered for file in made.files]
    assert moments == sorted(moments, reverse=True)


def test_the_noise_is_varied_and_of_the_usual_size(made: Generated) -> None:
    found = records(made.files)
    assert len({(record["eventSource"], record["eventName"]) for record in found}) > 40
    assert {record["recipientAccountId"] for record in found} == set(ACCOUNTS)
    assert {record["userIdentity"]["type"] for record in found} == {"IAMUser", "AssumedRole", "AWSService"}
    assert 0.01 < mean("errorCode" in record for record in found) < 0.05
    assert 900 < mean(len(json.dumps(record, separators=(",", ":"))) for record in found) < 1_500


def test_every_address_is_of_documentation_or_a_service(made: Generated) -> None:
    for address in {record["sourceIPAddress"] for record in records(made.files)}:
        assert address.endswith(".amazonaws.com") or any(ip_address(address) in net for net in DOCUMENTATION)


def test_access_keys_are_examples(made: Generated) -> None:
    keys = {record["userIdentity"].get("accessKeyId") for record in records(made.files)} - {None}
    assert keys
    assert all(re.fullmatch(r"(AKIA|ASIA)[A-Z2-7]{9}EXAMPLE", key) for key in keys)


def test_the_attack_happens_in_its_order_to_one_account(made: Generated) -> None:
    addresses = {THE_CAST.first_address, THE_CAST.second_address}
    attack = [record for record in records(made.files) if record["sourceIPAddress"] in addresses]
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


def test_others_play_the_same_attack_elsewhere() -> None:
    others = Cast(ACCOUNTS[1], "erin", "erin-backup", "203.0.113.1", "203.0.113.2")
    attack = list(story(random.Random(1), UNTIL, cast=others))
    assert {record["recipientAccountId"] for record in attack} == {ACCOUNTS[1]}
    assert {record["userIdentity"]["userName"] for record in attack} == {"erin", "erin-backup"}
    text = json.dumps(attack)
    assert not [name for name in (ACCOUNTS[0], THE_CAST.thief, THE_CAST.first_address) if f'"{name}"' in text]
    assert Counter(record["eventName"] for record in attack) == Counter(
        record["eventName"] for record in story(random.Random(1), UNTIL)
    )


def test_nobody_else_does_what_the_attacker_does(made: Generated) -> None:
    attackers = {THE_CAST.first_address, THE_CAST.second_address}
    others = [record for record in records(made.files) if record["sourceIPAddress"] not in attackers]
    calls = {record["eventName"] for record in others}
    assert not calls & {"CreateAccessKey", "CreateLoginProfile", "AttachUserPolicy", "StopLogging", "DeleteTrail"}
    quiet = [record for record in others if record["userIdentity"].get("userName") == "alice"]
    factors = [record["additionalEventData"]["MFAUsed"] for record in quiet if "additionalEventData" in record]
    assert factors
    assert set(factors) == {"Yes"}


def test_the_same_arguments_make_the_same_bytes() -> None:
    one, two = (generate(until=UNTIL, hours=1, events=300, seed=3) for _ in range(2))
    assert one == two != generate(until=UNTIL, hours=1, events=300, seed=4)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.gz")}


def test_a_short_window_holds_the_whole_attack() -> None:
    made = generate(until=UNTIL, hours=1, events=0)
    times = [datetime.fromisoformat(record["eventTime"]) for record in records(made.files)]
    assert len(times) == made.events == sum(made.story.values())
    assert min(times) >= UNTIL - timedelta(hours=1)


def test_without_an_end_it_happens_just_now() -> None:
    made = generate(hours=3, events=0)
    assert timedelta(minutes=60) < datetime.now(UTC) - made.story_start < timedelta(hours=2)


def test_the_last_day_is_a_day_and_its_attack_ends_within_the_last_hour() -> None:
    made = last_day(UNTIL)
    times = sorted(datetime.fromisoformat(record["eventTime"]) for record in records(made.files))
    assert timedelta(hours=HOURS - 1) < UNTIL - times[0] <= timedelta(hours=HOURS)
    stop = [record for record in records(made.files) if record["eventName"] == "DeleteTrail"]
    assert UNTIL - datetime.fromisoformat(stop[0]["eventTime"]) < timedelta(hours=1)
    assert 300 < len(made.files) < 700


def play(seconds: int, step: int = 4, seed: int = 1) -> list[list[LogFile]]:
    live = Live(seed, UNTIL)
    return [live.tick(UNTIL + timedelta(seconds=second)) for second in range(step, seconds + 1, step)]


def test_live_traffic_plays_the_whole_attack_and_then_another_one() -> None:
    ticks = play(int(LIVE_STORY.total_seconds()) * 2 + 8)
    found = records(file for tick in ticks for file in tick)
    stopped = [record for record in found if record["eventName"] == "StopLogging"]
    assert [record["recipientAccountId"] for record in stopped] == [cast(0).account, cast(1).account]
    assert [record["userIdentity"]["userName"] for record in stopped] == [cast(0).victim, cast(1).victim]
    assert len({record["eventID"] for record in found}) == len(found)


def test_each_live_tick_holds_what_has_just_happened_and_the_organization_repeats_it_in_the_next() -> None:
    before: list[str] = []
    for number, tick in enumerate(play(60), 1):
        own, again = records(tick), records(tick, organization=True)
        now = UNTIL + timedelta(seconds=4 * number)
        assert all(
            timedelta(0) <= now - datetime.fromisoformat(item["eventTime"]) <= timedelta(seconds=6) for item in own
        )
        assert [record["eventID"] for record in again] == before
        before = [record["eventID"] for record in own if record["managementEvent"]]
        assert before
        assert len(tick) <= 2


def test_live_events_are_not_those_of_the_last_day() -> None:
    seed = 494_000
    day = {event for file in generate(until=UNTIL, hours=1, events=500, seed=seed).files for event in file.events}
    live = {event for tick in play(60, seed=seed) for file in tick for event in file.events}
    assert live
    assert not live & day


def test_live_traffic_is_the_same_every_time() -> None:
    assert play(40) == play(40) != play(40, seed=2)


def test_an_hour_of_attacks_has_no_attacker_twice() -> None:
    played = [cast(number) for number in range(60)]
    assert len({(item.account, item.thief) for item in played}) == 60
    assert {item.account for item in played} == set(ACCOUNTS)
    for item in played:
        assert ip_address(item.first_address) in DOCUMENTATION[2]
        assert ip_address(item.second_address) in DOCUMENTATION[2]


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
    assert made.bytes == sum(
        len(json.dumps(record, separators=(",", ":"))) for _, found in objects(tmp_path) for record in found
    )
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
