"""Units of work in `alert_matches`: what is tried and given up leaves nothing that a catalog's reader could see."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from iota_dagster.core.lake.alert_matches import TABLE
from iota_dagster.core.lake.match_files import match_files, publish_unit
from iota_dagster.core.lake.publication import Lake, Superseded
from iota_dagster.core.model import Match
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.lake_catalog import LakeHour
from iota_dagster.core.store.schema import announced_generations
from tests.core.alerting.cases import a_match

MATCH, OTHER = a_match("one", 10), a_match("two", 20)
HOUR = MATCH.event_hour


def state(lake: Lake) -> LakeHour:
    with lake.database.read() as connection:
        return lake_catalog.read_hour(connection, TABLE, HOUR)


def add_batch(lake: Lake, batch: str, match: Match, folder: Path) -> None:
    lake.publish(batch, match_files([match], batch, folder), (TABLE,), lambda _: True)


def test_a_unit_has_a_file_and_no_batch_loses_its_own(lake: Lake, tmp_path: Path) -> None:
    add_batch(lake, "batch", OTHER, tmp_path)
    assert publish_unit(lake, "unit", [MATCH], lambda _: True) == ((TABLE, HOUR),)
    assert [(file.source, file.rows) for file in state(lake).files] == [("batch", 1), ("unit", 1)]
    assert publish_unit(lake, "unit", [MATCH], lambda _: True) == ()
    assert publish_unit(lake, "unit", [], lambda _: True) == ((TABLE, HOUR),)
    assert [file.source for file in state(lake).files] == ["batch"]


def test_what_is_given_up_never_lies_beside_what_is_read(lake: Lake, tmp_path: Path) -> None:
    add_batch(lake, "batch", OTHER, tmp_path)
    before = state(lake)
    with pytest.raises(Superseded):
        publish_unit(lake, "unit", [MATCH], lambda _: False)
    assert state(lake) == before
    path = lake.storage.local_path(before.files[0].path)
    assert path is not None
    assert [file.name for file in path.parent.iterdir()] == ["batch.parquet"]
    assert list((tmp_path / "scratch").iterdir()) == []
    with lake.database.read() as connection:
        assert connection.execute(sa.select(announced_generations)).all() == []
