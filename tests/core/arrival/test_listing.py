"""Listing delivery hours: every layout of folders and names, as few listings as can be, and nothing left out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.arrival.listing import Bounds, DeliveryHours, Page, walk
from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.aws.s3_listing import S3Folders
from iota_dagster.core.errors import ObjectRefused, Outage, SettingsError
from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.model import ObjectRef
from iota_dagster.core.objects import Objects
from tests.aws import Aws, own_session

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOON = hour_of(datetime(2024, 3, 14, 12, tzinfo=UTC))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
TRAIL = (
    "AWSLogs/o-a1b2c3d4e5/{account}/CloudTrail/{region}/{time:%Y/%m/%d}/"
    "{account}_CloudTrail_{region}_{time:%Y%m%dT%H%MZ}_x.json.gz"
)


class Bucket:
    """A bucket's listing as S3 answers it, kept in a list; it counts what it is asked."""

    def __init__(self, keys: Iterable[str], page: int = 1000, modified: datetime = LONG_AGO) -> None:
        self.keys, self._page, self._modified = sorted(keys), page, modified
        self.asked: list[tuple[str, str | None, str | None]] = []
        self._lock = threading.Lock()

    def page(self, folder: str, token: str | None, after: str | None) -> Page:
        with self._lock:
            self.asked.append((folder, token, after))
        start = max(token or "", after or "")
        entries: list[str] = []
        for key in self.keys:
            if key.startswith(folder):
                below, slash, _ = key[len(folder) :].partition("/")
                entry = folder + below + slash
                if entry > start and entry not in entries[-1:]:
                    entries.append(entry)
        shown, more = entries[: self._page], len(entries) > self._page
        return Page(
            tuple(ObjectRef("bucket", key, "etag", 1, None, self._modified) for key in shown if key[-1] != "/"),
            tuple(key for key in shown if key[-1] == "/"),
            shown[-1] if more else None,
        )

    def find(self, hours: Iterable[Hour], prefix: str = "", **bounds: int) -> list[str]:
        return sorted(ref.key for ref in walk(self, "bucket", prefix, DeliveryHours(hours), Bounds(**bounds)))

    def folders(self) -> set[str]:
        return {folder for folder, _, _ in self.asked}


def times(first: Hour, count: int, step: int = 1) -> list[datetime]:
    return [hour_start(hour) + timedelta(minutes=5) for hour in range(first, first + count * step, step)]


def test_only_the_days_that_can_hold_the_hours_are_listed() -> None:
    keys = [
        TRAIL.format(account=account, region=region, time=time)
        for account in ("111122223333", "444455556666")
        for region in ("eu-west-1", "us-east-1")
        for time in times(NOON - 24 * 400, 500, step=24)
    ]
    bucket = Bucket(keys)
    found = bucket.find([NOON], "AWSLogs/")
    assert found == [key for key in keys if "20240314T12" in key]
    assert len(found) == 4
    days = {folder.split("/", 5)[5] for folder in bucket.folders() if folder.count("/") == 8}
    assert days == {"2024/03/13/", "2024/03/14/"}
    assert len(bucket.asked) == 2 + 2 + 2 + 4 * 5


@pytest.mark.parametrize(
    "layout",
    [
        "x/{time:%Y/%m/%d}/f_{time:%Y%m%dT%H%MZ}.gz",
        "x/{time:%Y/%m/%d/%H}/page.json",
        "x/{time:%Y/%m/%d/%H}/stream-1-{time:%Y-%m-%d-%H-%M-%S}-8a0f.gz",
        "x/year={time:%Y}/month={time:%m}/day={time:%d}/hour={time:%H}/part.gz",
        "x/year={time.year}/month={time.month}/day={time.day}/hour={time.hour}/part.gz",
        "aws-region=eu-west-1/year={time:%Y}/month={time:%m}/day={time:%d}/1_vpc_fl-0a_{time:%Y%m%dT%H%MZ}_a.log.gz",
        "x/dt={time:%Y-%m-%d}/hour={time:%H}/part.gz",
        "x/date={time:%Y-%m-%d}/h={time:%H}/part.gz",
        "x/date={time:%Y-%m-%d}/f-{time:%Y-%m-%d-%H-%M-%S}-A",
        "x/{time:%Y-%m-%d}/f_{time:%Y%m%dT%H%MZ}.gz",
        "x/{time:%Y}/logs/{time:%m}/{time:%d}/f_{time:%Y%m%dT%H%MZ}.gz",
        "x/f_{time:%Y%m%dT%H%MZ}.gz",
        "access-{time:%Y-%m-%d-%H-%M-%S}-E568B2907131C0C0",
        "{time:%Y-%m-%d-%H-%M-%S}-E568B2907131C0C0",
    ],
)
@pytest.mark.parametrize("hour", [NOON, hour_of(datetime(2024, 1, 1, tzinfo=UTC))])
def test_an_hour_is_found_in_every_layout(layout: str, hour: Hour) -> None:
    bucket = Bucket((layout.format(time=time) for time in times(hour - 60, 120)), page=7)
    [wanted] = times(hour, 1)
    assert bucket.find([hour]) == [layout.format(time=wanted)]


def test_folders_with_an_hour_are_left_out_unless_they_are_neighbours() -> None:
    bucket = Bucket(f"x/{time:%Y/%m/%d/%H}/page.json" for time in times(NOON - 100, 200))
    bucket.find([NOON])
    hours = {folder for folder in bucket.folders() if folder.count("/") == 5}
    assert hours == {"x/2024/03/14/11/", "x/2024/03/14/12/", "x/2024/03/14/13/"}


def test_a_file_without_an_hour_may_be_delivered_the_day_after_its_folder() -> None:
    for modified in (datetime(2024, 3, 14, 23, 59, tzinfo=UTC), datetime(2024, 3, 15, 1, 30, tzinfo=UTC)):
        bucket = Bucket(["okta/2024/03/14/page.json"], modified=modified)
        assert bucket.find([hour_of(modified)]) == ["okta/2024/03/14/page.json"]
        assert bucket.find([hour_of(modified) - 1]) == []


def test_a_file_named_after_the_hour_behind_its_folder_is_found() -> None:
    key = "x/2024/03/13/23/stream-1-2024-03-14-00-01-02-8a0f.gz"
    assert Bucket([key]).find([hour_of(datetime(2024, 3, 14, tzinfo=UTC))]) == [key]


def test_digests_and_insights_are_found_as_well() -> None:
    keys = [
        f"AWSLogs/111122223333/{kind}/eu-west-1/2024/03/14/111122223333_{kind}_x_eu-west-1_20240314T123000Z.json.gz"
        for kind in ("CloudTrail-Digest", "CloudTrail-Insight")
    ]
    assert Bucket(keys).find([NOON]) == keys


def test_a_flat_folder_is_not_listed_whole() -> None:
    keys = [
        f"access/{time:%Y-%m-%d-%H-%M-%S}-{number:04}" for time in times(NOON - 24 * 730, 900 * 24) for number in (1, 2)
    ]
    bucket = Bucket(keys)
    assert bucket.find([NOON, NOON + 1], "access/") == [
        key for key in keys if key[7:20] in ("2024-03-14-12", "2024-03-14-13")
    ]
    assert len(bucket.asked) <= 6  # of the 44 pages


def test_a_flat_folder_of_many_senders_is_read_sender_by_sender() -> None:
    keys = [
        f"{account}_CloudTrail_{region}_{time:%Y%m%dT%H%MZ}_x.json.gz"
        for account in ("111122223333", "444455556666")
        for region in ("eu-west-1", "us-east-1")
        for time in times(NOON - 24 * 60, 24 * 90)
    ]
    bucket = Bucket(keys, page=100)
    assert bucket.find([NOON]) == [key for key in keys if "20240314T12" in key]
    assert len(bucket.asked) < 30  # of 87 pages


def test_a_folder_among_dated_files_is_not_jumped_over() -> None:
    dated = [f"{time:%Y-%m-%d-%H-%M-%S}-A" for time in times(NOON - 24 * 800, 1000, step=24)]
    inside = [f"{folder}/2024-03-14-12-00-00-B" for folder in ("111122223333", "202444445555", "2024", "987654321098")]
    other = ["2024-report_20240314T1200Z.csv", "notes_20240314T1200Z.txt"]
    bucket = Bucket([*dated, *inside, *other], page=10)
    expected = [*inside, *other, *(key for key in dated if key.startswith("2024-03-14-12"))]
    assert bucket.find([NOON]) == sorted(expected)


def test_a_time_that_is_none_or_not_the_delivery_hour_makes_no_jump() -> None:
    impossible = [f"{number}-2024-02-30-12-00-00-A_20240314T1205Z.gz" for number in range(9)]
    elsewhere = [f"2024-03-{day:02}-09-00-00_20240314T1205Z.gz" for day in range(1, 9)]
    assert Bucket([*impossible, *elsewhere], page=2).find([NOON]) == sorted([*impossible, *elsewhere])


@pytest.mark.parametrize(
    "folder", ["2024/13/", "year=2024/month=0/", "dt=2024-02-30/", "1234-05/", "month=03/", "14/", "2024x/"]
)
def test_a_folder_that_is_no_date_is_entered(folder: str) -> None:
    key = f"{folder}f_20240314T1205Z.gz"
    assert Bucket([key]).find([NOON]) == [key]


def test_a_date_in_the_configured_prefix_leaves_nothing_out() -> None:
    key = "2020/01/02/AWSLogs/111122223333/CloudTrail/x/2024/03/14/f_20240314T1205Z.gz"
    for prefix in ("2020/01/02/", "2020/01/02/AWSLogs/", "2020/01/02/AWS"):
        assert Bucket([key]).find([NOON], prefix) == [key]


def test_a_prefix_that_ends_within_a_name_is_one() -> None:
    bucket = Bucket([f"{folder}/2024/03/14/f_20240314T1205Z.gz" for folder in ("logs", "logs-old", "other")])
    assert bucket.find([NOON], "logs") == [
        "logs-old/2024/03/14/f_20240314T1205Z.gz",
        "logs/2024/03/14/f_20240314T1205Z.gz",
    ]
    assert "other/" not in bucket.folders()


def test_too_many_folders_are_an_error_that_says_what_to_set() -> None:
    bucket = Bucket(f"data/{number:05}-uploads/file" for number in range(200))
    with pytest.raises(SettingsError, match=r"bucket/: more than 100 folders .*data/.*Set the integration's `prefix`"):
        bucket.find([NOON], folders=100)
    assert len(bucket.asked) == 2


def test_folders_without_an_end_are_an_error_that_names_them() -> None:
    bucket = Bucket(["p/" + "deep/" * 30 + "file"])
    with pytest.raises(SettingsError, match=r"bucket/p/: p/deep/.* more than 16 folders deep"):
        bucket.find([NOON], "p/")


def test_listing_stops_where_its_reader_does() -> None:
    bucket = Bucket(f"{number:04}/f_20240314T1205Z.gz" for number in range(500))
    refs = walk(bucket, "bucket", "", DeliveryHours([NOON]))
    next(refs)
    refs.close()  # type: ignore[attr-defined]
    assert len(bucket.asked) < 50


layouts = st.sampled_from(
    [
        TRAIL,
        "{time:%Y-%m-%d-%H-%M-%S}-A",
        "flat/{account}_x_{time:%Y%m%dT%H%MZ}_a.gz",
        "fire/{time:%Y/%m/%d/%H}/s-{time:%Y-%m-%d-%H-%M-%S}-a",
        "hive/year={time.year}/month={time.month}/day={time.day}/hour={time.hour}/a",
        "d/dt={time:%Y-%m-%d}/{account}_{time:%Y%m%dT%H%MZ}",
    ]
)
moments = st.datetimes(datetime(2023, 12, 20), datetime(2024, 1, 20))
accounts = st.sampled_from(["111122223333", "202312345678", "20240101"])


@given(
    st.lists(
        st.builds(
            lambda layout, time, account: layout.format(time=time, account=account, region="r"),
            layouts,
            moments,
            accounts,
        ),
        max_size=60,
    ),
    st.sets(st.integers(hour_of(datetime(2023, 12, 20)), hour_of(datetime(2024, 1, 20))), min_size=1, max_size=30),
    st.integers(1, 9),
)
def test_a_walk_finds_what_listing_everything_would(keys: list[str], hours: set[Hour], page: int) -> None:
    bucket = Bucket(set(keys), page)
    wanted = DeliveryHours(hours)
    assert bucket.find(hours) == [key for key in bucket.keys if wanted.hold(ObjectRef("bucket", key))]


# ── through Objects: S3 and local folders ──


def objects(aws: Aws, bucket: str, *prefixes: str, asked: list[str] | None = None) -> Objects:
    """A reader of one bucket whose integrations are called like their prefixes; it notes whose client it asks for."""
    notes = [] if asked is None else asked

    def client_for(integration: str) -> S3Client:
        notes.append(integration)
        return aws.clients.s3()

    def integration_of(found: str, key: str) -> str | None:
        inside = [prefix for prefix in prefixes if found == bucket and key.startswith(prefix)]
        return max(inside, key=len, default=None)

    return Objects(integration_of, client_for, 1000)


def test_the_hours_of_a_bucket_are_found_over_many_pages(aws: Aws) -> None:
    bucket, s3 = aws.bucket(), aws.clients.s3()
    inside = [TRAIL.format(account="111122223333", region="r", time=time) for time in times(NOON - 2, 6)]
    flat = [f"AWSLogs/{time:%Y-%m-%d-%H-%M-%S}-A b+c%20é" for time in times(NOON - 30, 60)]
    for key in [*inside, *flat, "AWSLogs/2024/", "AWSLogs/z/"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else b"x")
    found = sorted(walk(S3Folders(s3, bucket, 7), bucket, "AWSLogs/", DeliveryHours([NOON, NOON + 3])), key=str)
    wanted = [key for key in flat if "03-14-12" in key or "03-14-15" in key] + [inside[2], inside[5]]
    assert sorted(ref.key for ref in found) == sorted(wanted)
    for ref in found:
        head = s3.head_object(Bucket=bucket, Key=ref.key)
        assert (f'"{ref.etag}"', ref.size, ref.last_modified) == (head["ETag"], 1, head["LastModified"])


def test_what_belongs_to_the_longer_prefix_of_another_integration_is_left_to_it(aws: Aws) -> None:
    bucket = aws.bucket()
    for key in ("a_20240314T1205Z.gz", "team/b_20240314T1205Z.gz"):
        aws.clients.s3().put_object(Bucket=bucket, Key=key, Body=b"x")
    asked: list[str] = []
    reader = objects(aws, bucket, "", "team/", asked=asked)
    assert [ref.key for ref in reader.delivered(bucket, "", DeliveryHours([NOON]))] == ["a_20240314T1205Z.gz"]
    assert [ref.key for ref in reader.delivered(bucket, "team/", DeliveryHours([NOON]))] == ["team/b_20240314T1205Z.gz"]
    assert asked == ["", "team/"]  # each with its own role


def test_a_bucket_that_is_not_there_or_not_configured_is_refused(aws: Aws) -> None:
    with pytest.raises(ObjectRefused, match="does not exist"):
        list(objects(aws, "no-such-bucket", "").delivered("no-such-bucket", "", DeliveryHours([NOON])))
    with pytest.raises(ObjectRefused, match="no integration"):
        list(objects(aws, "ours", "").delivered("theirs", "", DeliveryHours([NOON])))


def test_a_service_that_does_not_answer_is_an_outage() -> None:
    clients = ClientFactory(ClientOptions(endpoint_url="http://127.0.0.1:1", attempts=1), own_session)
    with pytest.raises(Outage, match="bucket/AWSLogs"):
        list(walk(S3Folders(clients.s3(), "bucket"), "bucket", "AWSLogs/", DeliveryHours([NOON])))


def test_a_local_folder_is_searched_by_hour_and_reads_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("x/a_20240314T1205Z.gz", "x/b_20240314T1105Z.gz", "old.json", "now.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"content")
    for name, moment in (("now.json", hour_start(NOON)), ("old.json", LONG_AGO)):
        os.utime(tmp_path / name, (moment.timestamp(), moment.timestamp()))
    read: list[str] = []
    opened: Callable[..., Any] = Path.open

    def noted(path: Path, *mode: str) -> Any:
        read.append(str(path.relative_to(tmp_path)))
        return opened(path, *mode)

    monkeypatch.setattr(Path, "open", noted)
    reader = Objects(lambda bucket, key: "local", lambda _: pytest.fail("no client is needed"), 1000)
    found = [ref.key for ref in reader.delivered(f"file://{tmp_path}", "", DeliveryHours([NOON]))]
    assert found == read == ["now.json", "x/a_20240314T1205Z.gz"]
