"""Figures for the UI: harmless texts, bounded tables, links only where they lead somewhere."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.aws.requests import RequestCounts
from iota_dagster.defs import figures
from iota_dagster.defs.ingest_figures import request_figures
from iota_dagster.settings import Settings


@given(st.text(max_size=2_000))
def test_no_text_can_be_long_or_steer_a_screen(text: str) -> None:
    shown = figures.plain(text)
    assert shown.isprintable()
    assert len(shown) <= figures.LONGEST * 10  # an escape is ten characters at most
    if text.isprintable() and len(text) <= figures.LONGEST:
        assert shown == text


def test_a_long_key_keeps_its_beginning_and_its_files_name() -> None:
    shown = figures.plain("bucket/" + "x" * 1_000 + "/name.json.gz")
    assert shown.startswith("bucket/xxx")
    assert shown.endswith("…" + "x" * 136 + "/name.json.gz")
    assert len(shown) == figures.LONGEST


def test_a_table_is_cut_and_an_empty_one_is_left_out() -> None:
    shown = figures.table("many", ({"number": number} for number in range(1_000)), limit=3)["many"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert [record.data["number"] for record in shown.records] == [0, 1, 2]
    assert figures.table("none", ()) == {}


def test_places_are_links_only_where_they_lead_somewhere(tmp_path: Path) -> None:
    aws, own = (
        Settings(home=tmp_path, region="eu-central-1"),
        Settings(home=tmp_path, endpoint_url="http://127.0.0.1:1"),
    )
    link = figures.place(aws, "s3://logs/AWSLogs/1111 2222", "us-east-1")
    assert link == dg.MetadataValue.url(
        "https://console.aws.amazon.com/s3/buckets/logs?region=us-east-1&prefix=AWSLogs/1111%202222/"
    )
    assert (
        figures.place(aws, "s3://logs").value
        == "https://console.aws.amazon.com/s3/buckets/logs?region=eu-central-1&prefix="
    )
    assert figures.place(own, "s3://logs/a") == dg.MetadataValue.path("s3://logs/a")
    assert figures.place(aws, "file:///var/logs/a") == dg.MetadataValue.path("/var/logs/a")
    assert figures.place(aws, "/var/lake") == dg.MetadataValue.path("/var/lake")


@pytest.mark.parametrize(("status", "throttled", "failed"), [(200, 0, 0), (503, 1, 0), (403, 0, 1)])
def test_requests_are_shown_by_role(status: int, throttled: int, failed: int) -> None:
    counts = RequestCounts()
    counts._answered("response-received.s3.GetObject", {"status_code": status}, None)
    shown = request_figures({"arn:aws:iam::111122223333:role/logs": counts})
    assert [shown[name].value for name in ("requests", "requests_throttled", "requests_failed")] == [
        1,
        throttled,
        failed,
    ]
    by_role = shown["requests_by_role"]
    assert isinstance(by_role, dg.TableMetadataValue)
    assert by_role.records[0].data["role"] == "arn:aws:iam::111122223333:role/logs"
    assert request_figures({"nobody": RequestCounts()}) == {}
