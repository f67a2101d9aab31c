"""One event in the lake's files: its row, or whether it is there, without reading more columns than the ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from iota_dagster.core.errors import IotaError, Outage
from iota_dagster.core.storage import Storage

Row = Mapping[str, Any]
_ID = "p_event_id"


def find_row(lake: Storage, path: str, event_id: str) -> Row | None:
    """The row of an event in one lake file, all columns of it."""
    with _opened(lake, path) as file:
        for group in range(file.num_row_groups):
            place = pc.index(file.read_row_group(group, [_ID])[_ID], pa.scalar(event_id)).as_py()
            if place >= 0:
                row: Row = file.read_row_group(group).slice(place, 1).to_pylist()[0]
                return row
    return None


def present(lake: Storage, path: str, event_ids: Sequence[str]) -> str | None:
    """The first of some event ids that a lake file has a row of."""
    wanted = pa.array(event_ids, pa.string())
    with _opened(lake, path) as file:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, [_ID])[_ID]
            if len(found := ids.filter(pc.is_in(ids, wanted))):
                return str(found[0])
    return None


def match_ids(lake: Storage, path: str, bucket: str, keys: Collection[str]) -> list[str]:
    """Of a file of `alert_matches`, the ids of the matches on events of some log objects."""
    with _opened(lake, path) as file:
        rows = file.read(["match_id", "p_source_bucket", "p_source_key"])
    mine = pc.and_(pc.equal(rows["p_source_bucket"], bucket), pc.is_in(rows["p_source_key"], pa.array(sorted(keys))))
    return [str(name) for name in rows.filter(mine)["match_id"]]


@contextmanager
def _opened(lake: Storage, path: str) -> Iterator[pq.ParquetFile]:
    filesystem, root = lake.arrow()
    try:
        with pq.ParquetFile(f"{root}/{path}", filesystem=filesystem) as file:
            yield file
    except FileNotFoundError:
        raise IotaError(f'{path} is not in the lake: see "Lost state" in docs/operations.md') from None
    except pa.ArrowInvalid as error:
        raise IotaError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise Outage(f"the lake did not answer: {path}: {error}") from error
