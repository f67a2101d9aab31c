"""A lake to write into, for the tests of what writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from iota_dagster.core.lake.publication import Lake
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.store.database import Database


@pytest.fixture
def lake(tmp_path: Path, store: Database) -> Lake:
    """An empty lake in a local folder, once on each kind of store."""
    (tmp_path / "scratch").mkdir()
    return Lake(store, LocalStorage(tmp_path / "lake"), tmp_path / "scratch")
