"""What keys say, by the shapes that AWS services and people give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.arrival.object_key import KeyFacts, KeyKind, parse_object_key
from iota_dagster.core.hours import hour_key

TRAIL = "123456789012_CloudTrail_us-east-1_20230710T1205Z_x9kHmzMa7cx6l9wM.json.gz"


def hour(key: str) -> str | None:
    found = parse_object_key(key).delivery_hour
    return None if found is None else hour_key(found)


@pytest.mark.parametrize(
    "prefix",
    ["", "logs/", "a/b c/d/", "AWSLogs/x/", "2020/01/02/03/", "year=2020/month=01/day=02/hour=03/"],
)
@pytest.mark.parametrize("organization", ["", "o-a1b2c3d4e5/"])
def test_a_cloudtrail_key_is_read_behind_any_prefix(prefix: str, organization: str) -> None:
    key = f"{prefix}AWSLogs/{organization}123456789012/CloudTrail/us-east-1/2023/07/10/{TRAIL}"
    facts = parse_object_key(key)
    assert facts == KeyFacts("123456789012", "us-east-1", facts.delivery_hour, KeyKind.LOG)
    assert hour(key) == "2023-07-10-12:00"


@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "ap-southeast-12", "us-iso-east-1"])
def test_regions_of_every_partition_are_known(region: str) -> None:
    assert parse_object_key(f"AWSLogs/123456789012/CloudTrail/{region}/2023/07/10/x.json.gz").region == region


@pytest.mark.parametrize(("service", "kind"), [("CloudTrail-Digest", "digest"), ("CloudTrail-Insight", "insight")])
def test_digests_and_insights_are_told_from_logs(service: str, kind: str) -> None:
    name = f"123456789012_{service}_eu-west-1_trail_us-east-1_20230710T120530Z.json.gz"
    for key in (f"p/AWSLogs/123456789012/{service}/eu-west-1/2023/07/10/{name}", name):
        facts = parse_object_key(key)
        assert (facts.kind, facts.account, facts.region) == (kind, "123456789012", "eu-west-1")
        assert hour(key) == "2023-07-10-12:00"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "AWSLogs/123456789012/CloudTrail/",
        "AWSLogs/123456789012/CloudTrail/us-east-1/2023/",
        "AWSLogs/123456789012/ELBAccessLogTestFile",
        "AWSLogs/123456789012/Config/ConfigWritabilityCheckFile",
        "exports/aws-logs-write-test",
        "table/_SUCCESS",
        "table_$folder$",
    ],
)
def test_folder_markers_and_test_files_are_skipped(key: str) -> None:
    assert parse_object_key(key).kind is KeyKind.SKIP


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("AWSLogs/1/vpcflowlogs/eu-west-1/2021/02/03/1_vpcflowlogs_eu-west-1_fl-0a_20210203T0455Z_ab12.log.gz", "04"),
        ("1_elasticloadbalancing_us-east-2_app.my-lb.1234_20210203T0455Z_10.0.0.1_2nhjokg7.log.gz", "04"),
        ("access-logs/2021-02-03-04-05-06-E568B2907131C0C0", "04"),
        ("access-logs2021-02-03-04-05-06-E568B2907131C0C0", "04"),
        ("stream/2021/02/03/04/stream-1-2021-02-03-05-06-07-8a0f4b1e.gz", "05"),
        ("x/year=2021/month=2/day=3/hour=4/part-0.gz", "04"),
        ("x/dt=2021-02-03/hour=04/part-0.gz", "04"),
        ("okta/2021/02/03/04/page.json", "04"),
    ],
)
def test_the_delivery_hour_is_found_where_the_service_writes_it(key: str, expected: str) -> None:
    assert hour(key) == f"2021-02-03-{expected}:00"


@pytest.mark.parametrize(
    "key",
    ["logs/file.json", "x/2021/02/03/file.json", "x/2021/02/file.json", "20210203.json", "x/12021/02/03/04/f.json"],
)
def test_a_key_without_an_hour_has_none(key: str) -> None:
    assert hour(key) is None


@pytest.mark.parametrize(
    "key",
    [
        "a_20210230T0455Z_b.gz",
        "a_20210203T2455Z_b.gz",
        "a_20210203T0460Z_b.gz",
        "a_00000203T0455Z_b.gz",
        "a_19690203T0455Z_b.gz",
        "2021-13-03-04-05-06-A",
        "x/2021/02/30/04/f.gz",
        "x/year=2021/month=0/day=3/hour=4/f.gz",
        "x/2021/02/03/٠٤/f.gz",
    ],
)
def test_an_impossible_date_names_no_hour(key: str) -> None:
    assert hour(key) is None


def test_an_impossible_name_leaves_the_folders_to_tell() -> None:
    assert hour("x/2021/02/03/04/a_20210230T0455Z_b.gz") == "2021-02-03-04:00"


def test_hive_style_folders_tell_account_and_region() -> None:
    facts = parse_object_key(
        "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=eu-west-1/f.parquet"
    )
    assert (facts.account, facts.region) == ("123456789012", "eu-west-1")


def test_the_name_tells_account_and_region_where_the_folders_do_not() -> None:
    facts = parse_object_key(f"exports/{TRAIL}")
    assert (facts.account, facts.region) == ("123456789012", "us-east-1")


def test_a_key_of_another_service_has_no_account() -> None:
    assert parse_object_key("okta/page-1.json") == KeyFacts(None, None, None, KeyKind.LOG)


parts = st.sampled_from(
    [
        "AWSLogs",
        "123456789012",
        "CloudTrail",
        "/",
        "/",
        "2021",
        "02",
        "31",
        "_",
        "T",
        "Z",
        "year=",
        "hour=99",
        "o-a",
        "é",
    ]
)


@given(st.text() | st.lists(parts).map("".join))
def test_no_key_raises(key: str) -> None:
    facts = parse_object_key(key)
    assert facts.kind in KeyKind
    assert facts.account is None or len(facts.account) == 12
