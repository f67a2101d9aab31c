"""Every log type on the whole road: delivered objects in, rows of its own table out, and rules that see its events."""

from __future__ import annotations

import io
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from iota_dagster.core.arrival.notification import QUEUE
from iota_dagster.core.lake.query import query
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.store.schema import alerts, log_objects, matches, quarantine
from iota_dagster.platform import Platform, open_platform
from iota_dagster.settings import Integration, Settings
from tests.log_objects import RECORDS, objects, records
from tests.road.state import assert_same, check_invariants, lake_rows, state_of
from tests.road.world import NOW, TEN, World, drive

RULES = Path(__file__).parents[2] / "rules"
IOC = "203.0.113.45"
PARQUET = "AWS.VPCFlow/111122223333_vpcflowlogs_eu-west-1_fl-00000000000000003_20261122T1005Z_5a6b7c8d.log.parquet"
FLOWS = pa.table(
    {
        "version": [5, 5, 5],
        "account_id": ["111122223333"] * 3,
        "interface_id": ["eni-0a1b2c3d4e5f60718"] * 3,
        "srcaddr": [IOC, None, "2001:db8::45"],
        "dstaddr": ["10.0.3.17", None, "-"],
        "dstport": pa.array([22, None, 0], pa.int32()),
        "start": [1795341300, 1795341360, 1795341600],
        "action": ["ACCEPT", None, "REJECT"],
        "log_status": ["OK", "NODATA", "OK"],
    }
)
Row = dict[str, Any]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty installation; which kind of store it has makes no difference here."""
    return World.at(tmp_path, f"sqlite:///{tmp_path}/iota.db")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """An installation that all fixtures have come to, for tests that only look."""
    folder = tmp_path_factory.mktemp("done")
    world = World.at(folder, f"sqlite:///{folder}/iota.db")
    with world.opened() as platform:
        world.deliver(platform, delivered(), TEN)
        drive(platform, "run")
        yield platform


def delivered() -> dict[str, Iterable[Row] | bytes]:
    """All fixtures, and flows as Parquet."""
    file = io.BytesIO()
    pq.write_table(FLOWS, file)
    return {**objects(), PARQUET: file.getvalue()}


def expected() -> dict[str, int]:
    """How many records of each log type that makes."""
    return RECORDS | {"AWS.VPCFlow": RECORDS["AWS.VPCFlow"] + len(FLOWS)}


def mixed() -> bytes:
    """The records of all fixtures as lines of one object, mixed, below the header of some flows."""
    (_, header), *_ = records()["AWS.VPCFlow"]
    assert header is not None
    lines = [
        json.dumps(json.loads(record)).encode() if record.startswith(b"{") else record
        for found in records().values()
        for record, above in found
        if above in (None, header)
    ]
    random.Random(5).shuffle(lines)
    return b"\n".join([header, *lines])


def in_mixed() -> Counter[str]:
    """How many records of each log type that object has."""
    header = records()["AWS.VPCFlow"][0][1]
    return Counter(
        {log_type: sum(above in (None, header) for _, above in found) for log_type, found in records().items()}
    )


def rows(platform: Platform) -> dict[str, list[Row]]:
    """The rows of the lake by their log type; each lies in its type's table."""
    found: dict[str, list[Row]] = {}
    for table, _, row in lake_rows(platform):
        if "p_log_type" in row:
            assert table == SOURCES[row["p_log_type"]].table
            found.setdefault(row["p_log_type"], []).append(row)
    return found


def counts(platform: Platform) -> dict[str, int]:
    return {log_type: len(found) for log_type, found in rows(platform).items()}


def objects_of(platform: Platform) -> list[Row]:
    with platform.database.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(log_objects)).mappings()]


def test_every_record_of_every_log_type_ends_as_a_row_of_its_table(done: Platform) -> None:
    check_invariants(done)
    found = rows(done)
    assert {log_type: len(of_type) for log_type, of_type in found.items()} == expected()
    for item in objects_of(done):
        assert (item["status"], item["duplicates"], item["quarantined"]) == ("done", 0, 0), item["key"]
        assert item["records"] == item["rows"] > 0, item["key"]
    for log_type, fixtures in records().items():
        raw = Counter(row["p_raw"].encode() for row in found[log_type] if row["p_source_key"] != PARQUET)
        assert raw == Counter(record for record, _ in fixtures), log_type


def test_objects_that_come_again_add_nothing(world: World, platform: Platform) -> None:
    world.deliver(platform, delivered(), TEN)
    drive(platform, "run")
    before = state_of(platform)
    world.deliver(platform, delivered(), TEN)
    drive(platform, "the same again")
    assert_same(state_of(platform), before)
    drive(platform, "done again", again=True, hours=[TEN])
    assert_same(state_of(platform), before)


def test_copies_under_other_keys_are_duplicates_where_the_vendor_gives_ids(world: World, platform: Platform) -> None:
    world.deliver(platform, delivered(), TEN)
    drive(platform, "run")
    before = counts(platform)
    world.deliver(platform, {f"copies/{key}": content for key, content in delivered().items()}, TEN)
    drive(platform, "copies")
    check_invariants(platform)
    more = {log_type: count - before[log_type] for log_type, count in counts(platform).items()}
    without_ids = {
        "AWS.S3ServerAccess",
        "AWS.VPCFlow",
        "AWS.ALB",
        "AWS.AuroraMySQLAudit",
        "AWS.VPCDns",
        "GitHub.Webhook",
    }
    assert {log_type for log_type, count in more.items() if count == before[log_type]} == {
        *without_ids,
        "Cloudflare.DNS",
    }
    partly = {log_type: count for log_type, count in more.items() if 0 < count < before[log_type]}
    assert partly == {"AWS.WAFWebACL": 3, "Amazon.EKS.Audit": 1, "GitHub.Audit": 1}


def test_an_address_is_found_in_the_logs_of_all_types_at_once(done: Platform) -> None:
    sql = f"SELECT DISTINCT p_log_type FROM all_logs WHERE list_contains(p_any_ip_addresses, '{IOC}')"
    found = query(done.database, done.lake, sql, schemas=lake_tables()).column(0).to_pylist()
    nowhere = {"AWS.BedrockModelInvocation", "GitHub.Webhook", "GCP.GKE"}  # only some of the latter's entries name any
    assert set(found) >= set(RECORDS) - nowhere
    assert set(found).isdisjoint(nowhere - {"GCP.GKE"})


# One object of many types


def test_an_object_may_hold_records_of_all_types(world: World, platform: Platform) -> None:
    world.deliver(platform, {"mixed.log": mixed()}, TEN)
    drive(platform, "run")
    check_invariants(platform)
    assert counts(platform) == in_mixed()


@pytest.fixture
def declared(world: World) -> Iterator[Platform]:
    """The installation with an integration that names its log types."""
    inbox = Integration(name="inbox", path=world.inbox, log_types=("Okta.SystemLog", "AWS.ALB"))
    settings = Settings(
        home=world.home, store_url=world.store_url, rules=(world.rules,), process_workers=1, integrations=(inbox,)
    )
    platform = open_platform(settings)
    yield replace(platform, road=replace(platform.road, clock=lambda: NOW))
    platform.database.dispose()


def test_records_of_types_that_an_integration_does_not_name_are_kept_aside(world: World, declared: Platform) -> None:
    world.deliver(declared, {"mixed.log": mixed()}, TEN)
    drive(declared, "run")
    check_invariants(declared)
    wanted = {log_type: RECORDS[log_type] for log_type in ("Okta.SystemLog", "AWS.ALB")}
    assert counts(declared) == wanted
    with declared.database.read() as connection:
        kept = [dict(row) for row in connection.execute(sa.select(quarantine)).mappings()]
    assert {item["reason"] for item in kept} == {"unclassified"}
    known = [item["detail"].removeprefix("it is ") for item in kept if item["detail"].startswith("it is ")]
    assert Counter(text.partition(",")[0] for text in known) == in_mixed() - Counter(wanted)
    header = mixed().splitlines()[0]  # of no type that is wanted: a line like any other
    assert [bytes(item["sample"]) for item in kept if not item["detail"].startswith("it is ")] == [header]


# Rules


def with_rules(world: World, *names: str) -> None:
    """Put rules of the project, and what they import, in the place of the world's own."""
    shutil.rmtree(world.rules)
    shutil.copytree(RULES / "global_helpers", world.rules / "global_helpers")
    for name in names:
        for suffix in (".py", ".yml"):
            target = world.rules / f"{name}{suffix}"
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(RULES / f"{name}{suffix}", target)


def test_rules_see_lines_as_columns_and_objects_as_the_vendor_wrote_them(world: World, opened: Any) -> None:
    with_rules(world, "aws_aurora/database_dropped", "aws_alb/web_shell_called", "okta/api_token_created")
    platform = opened(world)
    concerned = ("AWS.AuroraMySQLAudit/", "AWS.ALB/", "Okta.SystemLog/")
    world.deliver(platform, {key: content for key, content in objects().items() if key.startswith(concerned)}, TEN)
    drive(platform, "run")
    with platform.database.read() as connection:
        titles = {row.rule_id: row.title for row in connection.execute(sa.select(alerts.c.rule_id, alerts.c.title))}
        hits = Counter(connection.execute(sa.select(matches.c.log_type)).scalars())
    assert titles == {
        "AWS.Aurora.DatabaseDropped": f"admin@{IOC} dropped a database of prod-1",
        "AWS.ALB.WebShellCalled": f"{IOC} runs commands through /shell.php on web",
        "Okta.APIToken.Created": "Ann@example.com created the Okta API token backup-script",
    }
    assert hits == {"AWS.AuroraMySQLAudit": 1, "AWS.ALB": 1, "Okta.SystemLog": 1}


# Events that come in the queue itself


def envelope(name: str, detail: Any) -> str:
    fields = {"id": name, "detail-type": "x", "source": "example", "account": "111122223333", "detail": detail}
    return json.dumps(fields)


def test_events_of_the_queue_end_as_rows_of_the_type_inside(world: World, platform: Platform) -> None:
    types = ["Okta.SystemLog", "AWS.GuardDuty", "AWS.CloudTrail", "GitHub.Webhook"]
    bodies = [
        envelope(f"{log_type}-{number}", json.loads(record))
        for log_type in types
        for number, (record, _) in enumerate(records()[log_type])
    ]
    findings = [json.loads(record) for record, _ in records()["AWS.SecurityFindingFormat"]]
    platform.intake.read_again([*bodies, envelope("findings", {"findings": findings})])
    drive(platform, "run")
    check_invariants(platform)
    assert counts(platform) == {name: RECORDS[name] for name in (*types, "AWS.SecurityFindingFormat")}
    (item,) = objects_of(platform)
    assert (item["integration"], item["status"], item["quarantined"]) == (QUEUE, "done", 0)
