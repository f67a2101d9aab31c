"""What a person sees of the assets: pictures, tables, descriptions of columns, and a log with run and batch."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import dagster as dg
import pytest

from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.observability.pictures import INLINE
from iota_dagster.definitions import defs
from iota_dagster.defs.assets import ASSETS
from iota_dagster.defs.assets.tables import TABLES
from iota_dagster.defs.resources import resources
from iota_dagster.home import prepare_home
from iota_dagster.ingesting import register_path
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.cli.logs import RULE, START, packed, record, write

HOUR = "2025-03-01-10:00"
TAGS = {"dagster/partition": HOUR}


class Seen(NamedTuple):
    """A run of one hour in which one rule matched, and an hour of a table materialized by hand."""

    run_id: str
    metadata: Mapping[str, Mapping[str, dg.MetadataValue]]  # by asset
    by_hand: Mapping[str, dg.MetadataValue]
    log: list[dict[str, Any]]  # the JSON lines of the run


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    place = tmp_path_factory.mktemp("seen")
    early = START - timedelta(minutes=5)
    write(place / "logs", 1, packed([record(1, start=early), *map(record, range(60, 65)), record(99, "StopLogging")]))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOME": str(place / "home"), "RULES": f"[{RULE}]", "LOG_FORMAT": "json"}.items():
            patch.setenv(f"IOTA_{name}", value)
        yield look(place, patch)


def look(place: Path, patch: pytest.MonkeyPatch) -> Seen:
    settings = load_settings()
    register_path(open_platform(settings), place / "logs")
    with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance:
        with patch.context() as captured:
            stderr = io.StringIO()
            captured.setattr(sys, "stderr", stderr)
            ran = defs.resolve_job_def("ingest").execute_in_process(instance=instance, tags=TAGS, partition_key=HOUR)
        table = next(one for one in TABLES if one.key.path == ["cloudtrail_events"])
        hand = dg.materialize([table], instance=instance, partition_key=HOUR, resources=resources())
    lines = [json.loads(line) for line in stderr.getvalue().splitlines() if line.startswith("{")]
    return Seen(ran.run_id, shown(ran), shown(hand)["cloudtrail_events"], lines)


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Mapping[str, dg.MetadataValue]]:
    assert result.success
    found = [event.materialization for event in result.get_asset_materialization_events()]
    return {item.asset_key.to_user_string(): item.metadata for item in found if item.partition == HOUR}


def texts(picture: object) -> list[str | None]:
    """What is written in a picture, which the UI shows where it stands."""
    assert isinstance(picture, dg.MarkdownMetadataValue)
    assert picture.md_str is not None
    assert len(picture.md_str) < INLINE
    svg = base64.b64decode(picture.md_str.rpartition("base64,")[2].removesuffix(")"))
    return [text.text for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def rows(table: object) -> list[dict[str, object]]:
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(item.data) for item in table.records]


def test_events_are_shown_over_the_hour_of_the_run_and_the_one_before(seen: Seen) -> None:
    assert texts(seen.metadata["events"]["batch_events_over_time"]) == [
        "from 2025-03-01 09:00, at most 6 in 2 min",
        *("09:00", "09:30", "10:00", "10:30"),
    ]


def test_an_hour_of_a_table_is_shown_by_the_minute(seen: Seen) -> None:
    assert texts(seen.by_hand["events_over_time"])[0] == "from 2025-03-01 10:00, at most 6 in 1 min"


def test_a_run_shows_what_it_adds_to_an_hour_of_a_table(seen: Seen) -> None:
    added = seen.metadata["cloudtrail_events"]["batch_events_over_time"]
    assert texts(added)[0] == "from 2025-03-01 10:00, at most 6 in 1 min"


def test_ages_are_shown_where_people_wait_for_events(seen: Seen) -> None:
    assert texts(seen.metadata["lake"]["batch_event_age"])[0] == "7 by age, at most 7"
    assert texts(seen.metadata["alerts"]["batch_match_age"])[0] == "1 by age, at most 1"


def test_a_run_shows_its_batches_log_types_and_alerts(seen: Seen) -> None:
    (claimed,) = rows(seen.metadata["raw_logs"]["claimed"])
    assert (claimed["delivery_hour"], claimed["objects"], claimed["done_again"]) == (HOUR, 1, False)
    assert rows(seen.metadata["events"]["log_types"]) == [{"log_type": "AWS.CloudTrail", "events": 7, "event_hours": 2}]
    (alert,) = rows(seen.metadata["alerts"]["newest_alerts"])
    assert alert["alert"]


def test_each_fact_of_a_batch_is_a_line_with_run_hour_and_batch(seen: Seen) -> None:
    (claimed,) = rows(seen.metadata["raw_logs"]["claimed"])
    facts = {line["step"]: line for line in seen.log if line.get("batch") == claimed["batch"]}
    assert facts.keys() == {"raw_logs", "events", "lake", "alerts"}
    assert {(line["run"], line["hour"], line["level"]) for line in facts.values()} == {(seen.run_id, HOUR, "INFO")}
    assert (facts["events"]["records"], facts["events"]["rows"], facts["alerts"]["alerts"]) == (7, 7, 1)


def test_what_dagster_logs_of_a_run_is_json_as_well(seen: Seen) -> None:
    assert {line["run"] for line in seen.log} == {seen.run_id}
    assert {"STEP_START", "ASSET_MATERIALIZATION", "STEP_SUCCESS"} <= {line.get("event") for line in seen.log}


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.key.to_user_string())
def test_every_asset_says_what_it_is_and_whose(asset: dg.AssetsDefinition) -> None:
    (spec,) = asset.specs
    assert spec.description
    assert spec.group_name in {"ingest", "detect", "lake", "tables"}
    assert spec.owners
    assert spec.kinds


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.key.to_user_string())
def test_every_column_of_a_table_is_described(table: dg.AssetsDefinition) -> None:
    (spec,) = table.specs
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [column.name for column in schema.columns] == lake_tables()[table.key.to_user_string()].names
    assert not [column.name for column in schema.columns if not column.description]
