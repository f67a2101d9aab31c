"""The lake as a pandas DataFrame: what types a notebook gets, and that nobody else pays for pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from iota_dagster.core.lake.query import QueryError
from iota_dagster.ingesting import ingest_paths
from iota_dagster.notebook import query
from iota_dagster.settings import Settings
from tests.cli.logs import packed, record, write


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with five events."""
    folder = tmp_path_factory.mktemp("notebook")
    write(folder / "logs", 1, packed([record(number) for number in range(5)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("IOTA_HOME", str(folder / "home"))
        assert ingest_paths([folder / "logs"]).events == 5
    return Settings(home=folder / "home")


def test_times_are_aware_and_lists_are_lists(lake: Settings) -> None:
    frame = query("SELECT * FROM cloudtrail_events ORDER BY p_event_time", settings=lake)
    assert len(frame) == 5
    assert str(frame["p_event_time"].dt.tz) == "UTC"
    assert frame["p_event_time"][0] == pd.Timestamp("2025-03-01T10:00:00Z")
    assert frame["p_any_ip_addresses"][0] == ["192.0.2.7"]
    assert frame["eventName"].unique().tolist() == ["DescribeInstances"]


def test_missing_values_leave_the_other_ones_their_type(lake: Settings) -> None:
    frame = query("SELECT * FROM (VALUES (1, true, 'a', [1]), (NULL, NULL, NULL, NULL)) t(n, b, s, l)", settings=lake)
    assert [str(frame[name].dtype) for name in "nbs"] == ["Int64", "boolean", "string"]
    assert frame["n"][0] == 1
    assert frame.isna().iloc[1].all()


def test_a_limit_ends_the_answer_and_an_empty_one_keeps_its_columns(lake: Settings) -> None:
    assert len(query("SELECT p_event_id FROM cloudtrail_events", limit=2, settings=lake)) == 2
    empty = query("SELECT p_event_id, p_any_usernames FROM cloudtrail_events WHERE year = '1999'", settings=lake)
    assert list(empty.columns) == ["p_event_id", "p_any_usernames"]
    assert empty.empty


def test_a_wrong_query_says_what_is_wrong(lake: Settings) -> None:
    with pytest.raises(QueryError, match=r"There are: .*cloudtrail_events"):
        query("SELECT * FROM cloudtrails", settings=lake)


def test_the_settings_are_those_of_the_process(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOTA_HOME", str(lake.home))
    assert query("SELECT count(*) AS events FROM cloudtrail_events")["events"][0] == 5


@pytest.mark.parametrize("module", ["iota_dagster.definitions", "iota_dagster.cli"])
def test_neither_runs_nor_commands_load_pandas_for_it(module: str, tmp_path: Path) -> None:
    code = f"import sys, {module}; print('iota_dagster.notebook' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["False", "False"]
