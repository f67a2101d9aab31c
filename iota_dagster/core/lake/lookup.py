"""One event in the lake's files: its row, or whether it is there, without reading more columns than the ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.lake.parquet import open_reader
from iota_dagster.core.storage import Storage

Row = Mapping[str, Any]
_ID = "p_event_id"


def find_row(lake: Storage, path: str, event_id: str) -> Row | None:
    """The row of an event in one lake file, all columns of it."""
    with open_reader(lake, path) as file:
        for index, group in enumerate(file.row_groups([_ID])):
            place = pc.index(group[_ID], pa.scalar(event_id)).as_py()
            if place >= 0:
                row: Row = file.row_group(index).slice(place, 1).to_pylist()[0]
                return row
    return None


def present(lake: Storage, path: str, event_ids: Sequence[str]) -> str | None:
    """The first of some event ids that a lake file has a row of."""
    wanted = pa.array(event_ids, pa.string())
    with open_reader(lake, path) as file:
        for group in file.row_groups([_ID]):
            ids = group[_ID]
            if len(found := ids.filter(pc.is_in(ids, wanted))):
                return str(found[0])
    return None


def match_ids(lake: Storage, path: str, bucket: str, keys: Collection[str]) -> list[str]:
    """Of a file of `alert_matches`, the ids of the matches on events of some log objects."""
    found, wanted = list[str](), pa.array(sorted(keys))
    with open_reader(lake, path) as file:
        for rows in file.row_groups(["match_id", "p_source_bucket", "p_source_key"]):
            mine = pc.and_(pc.equal(rows["p_source_bucket"], bucket), pc.is_in(rows["p_source_key"], wanted))
            found += map(str, rows.filter(mine)["match_id"])
    return found
