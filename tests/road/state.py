"""What a store and a lake hold in the end: a state to compare, and DESIGN §2's invariants asked of it directly."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from iota_dagster.core.dedup import id_files
from iota_dagster.core.dedup.identity import digest
from iota_dagster.core.dedup.seen import Admission
from iota_dagster.core.hours import Hour
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.store import commit as commits
from iota_dagster.core.store import correlations
from iota_dagster.core.store.schema import (
    admissions,
    alerts,
    batches,
    deliveries,
    lake_files,
    log_objects,
    matches,
    quarantine,
)
from iota_dagster.platform import Platform
from tests.road.world import LOG_TYPE

Row = dict[str, Any]
_PLACE = ("p_source_bucket", "p_source_key", "p_source_line", "p_integration", "p_parse_time")
_COUNTS = ("records", "rows", "duplicates", "quarantined")


@dataclass(frozen=True)
class State:
    """An end state by its content; equal states are equal for every reader."""

    lake: Counter[str]
    admissions: dict[tuple[str, Hour], frozenset[tuple[int, int]]]
    objects: dict[str, tuple[Any, ...]]
    totals: dict[str, int]
    quarantine: Counter[tuple[Any, ...]]
    matches: frozenset[tuple[str, str, int]]
    alerts: frozenset[tuple[Any, ...]]
    deliveries: frozenset[tuple[str, str, str]]
    lines: Counter[str] = field(default_factory=Counter)

    def differences(self, other: State) -> str:
        """What is different, part by part; empty when nothing is."""
        found = []
        for part in fields(self):
            mine, theirs = getattr(self, part.name), getattr(other, part.name)
            if mine != theirs:
                found.append(f"{part.name}:\n  {_less(mine, theirs)}\n  {_less(theirs, mine)}")
        return "\n".join(found)


def assert_same(found: State, expected: State) -> None:
    """Two end states are the same; the message shows where they are not."""
    assert found == expected, found.differences(expected)


def state_of(platform: Platform, *, any_order: bool = False) -> State:
    """The end state, after its invariants have been checked.

    `p_batch` is left out always: a batch's name is random. With `any_order` so is everything that says which of
    several equal copies came first, because that is decided by who commits first: a row's place and parse time, and
    how an object's records are split into rows and duplicates (their sum and the totals over all objects remain).
    """
    check_invariants(platform)
    with platform.database.read() as connection:
        objects = _all(connection, log_objects)
        items = _all(connection, quarantine)
        found = _all(connection, matches)
        known = _all(connection, alerts)
        sent = _all(connection, deliveries)
    keys = {item["id"]: item["key"] for item in objects}
    return State(
        lake=Counter(_shown(table, hour, row, any_order) for table, hour, row in lake_rows(platform)),
        admissions=admitted(platform),
        objects={item["key"]: _account(item, any_order) for item in objects},
        totals={name: sum(item[name] for item in objects) for name in _COUNTS},
        quarantine=Counter((keys[item["object_id"]], item["ordinal"], item["reason"]) for item in items),
        matches=frozenset((item["rule_id"], item["event_id"], item["event_hour"]) for item in found),
        alerts=frozenset((item["id"], item["status"], item["matches"], item["title"]) for item in known),
        deliveries=frozenset((item["alert_id"], item["destination"], item["status"]) for item in sent),
        lines=Counter(line["alert_id"] for line in alert_lines(platform)),
    )


def check_invariants(platform: Platform) -> None:
    """What must hold whenever nothing is left to do."""
    check_events(platform)
    with platform.database.read() as connection:
        stored = {item["id"] for item in _all(connection, matches)}
    rows = lake_rows(platform)
    assert sorted(row["match_id"] for table, _, row in rows if table == alert_matches.TABLE) == sorted(stored)
    lines = Counter(line["delivery_id"] for line in alert_lines(platform))
    assert all(count == 1 for count in lines.values()), "somebody was told twice"


def check_events(platform: Platform) -> None:
    """The same without matches and who was told: those of a restored store may be lost."""
    with platform.database.read() as connection:
        objects = _all(connection, log_objects)
        items = Counter(item["object_id"] for item in _all(connection, quarantine))
        assert correlations.touched(connection) == {}, "what has changed was not correlated"
        open_batches = [item["id"] for item in _all(connection, batches) if item["status"] in ("open", "committed")]
    assert not open_batches
    assert not [item["key"] for item in objects if item["status"] in ("pending", "claimed")]
    for item in objects:
        if item["status"] == "done":
            assert item["records"] == item["rows"] + item["duplicates"] + item["quarantined"], item["key"]
            assert item["quarantined"] == items[item["id"]], item["key"]
    rows = lake_rows(platform)
    events = [(row["p_log_type"], hour, row["p_event_id"]) for table, hour, row in rows if table != alert_matches.TABLE]
    assert len(events) == len(set(events)), "an event is in the lake twice"
    assert len(events) == sum(item["rows"] for item in objects)
    assert admitted(platform) == _digests_of(events), "what is admitted is not what is in the lake"


def check_done(platform: Platform) -> None:
    """What must hold at any moment, after any crash: what is done is published, all of it."""
    with platform.database.read() as connection:
        done = {item["id"]: item for item in _all(connection, batches) if item["status"] == "done"}
        objects = [item for item in _all(connection, log_objects) if item["batch_id"] in done]
    assert all(item["lake_at"] and item["alerts_at"] for item in done.values())
    here = Counter(row["p_batch"] for table, _, row in lake_rows(platform) if table != alert_matches.TABLE)
    for name in done:
        assert here[name] == sum(item["rows"] for item in objects if item["batch_id"] == name)


def lake_rows(platform: Platform) -> list[tuple[str, Hour, Row]]:
    """Every row of the lake, by way of the catalog; each of its files is there and holds what the catalog says."""
    found = []
    with platform.database.read() as connection:
        files = _all(connection, lake_files)
    for file in files:
        path = platform.lake.local_path(file["path"])
        assert path is not None
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        rows = _rows(content)
        assert len(rows) == file["rows"]
        found += [(file["table_name"], file["hour"], dict(row)) for row in rows]
    return found


@lru_cache(maxsize=500)
def _rows(content: bytes) -> list[Row]:
    """A Parquet file's rows: with a hundred columns they take 3 ms, and each state looks at them several times."""
    rows: list[Row] = pq.read_table(pa.BufferReader(content), use_threads=False).to_pylist()
    return rows


def admitted(platform: Platform) -> dict[tuple[str, Hour], frozenset[tuple[int, int]]]:
    """The ids that are admitted to each event hour; none by two batches."""
    found: dict[tuple[str, Hour], set[tuple[int, int]]] = {}
    with platform.database.read() as connection:
        rows = connection.execute(sa.select(admissions)).mappings().all()
    for row in rows:
        ids = id_files.read(platform.state, row["file"], row["sha256"])
        assert len(ids) == row["count"]
        here = found.setdefault((row["log_type"], row["hour"]), set())
        new = {(int(item["hi"]), int(item["lo"])) for item in ids}
        assert not here & new, "an id is admitted twice"
        here |= new
    return {key: frozenset(ids) for key, ids in found.items()}


def admissions_of(platform: Platform, hour: Hour) -> tuple[Admission, ...]:
    """Who admitted ids to an event hour."""
    with platform.database.read() as connection:
        return commits.hour_states(connection, [(LOG_TYPE, hour)])[LOG_TYPE, hour].admissions


def restore_ids(platform: Platform, hour: Hour) -> None:
    """Have the hour's lost id files made again, as the next look-up would."""
    for item in admissions_of(platform, hour):
        platform.seen.ids_of(item)


def alert_lines(platform: Platform) -> list[Row]:
    """The alerts that somebody was told of; a line that a crash tore tells nobody anything."""
    path = platform.settings.home / "alerts.jsonl"
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _digests_of(events: list[tuple[str, Hour, str]]) -> dict[tuple[str, Hour], frozenset[tuple[int, int]]]:
    found: dict[tuple[str, Hour], set[tuple[int, int]]] = {}
    for log_type, hour, event_id in events:
        whole = digest(log_type, event_id)
        words = (int.from_bytes(whole[:8], "big"), int.from_bytes(whole[8:], "big"))
        found.setdefault((log_type, hour), set()).add(words)
    return {key: frozenset(ids) for key, ids in found.items()}


def _account(item: Row, any_order: bool) -> tuple[Any, ...]:
    if any_order:
        return item["status"], item["records"], item["rows"] + item["duplicates"], item["quarantined"]
    return item["status"], *(item[name] for name in _COUNTS)


def _shown(table: str, hour: Hour, row: Row, any_order: bool) -> str:
    left_out = {"p_batch", *(_PLACE if any_order else ())}
    if table == alert_matches.TABLE and not any_order:
        left_out.discard("p_source_key")
    return repr((table, hour, sorted((name, str(value)) for name, value in row.items() if name not in left_out)))


def _all(connection: sa.Connection, table: sa.Table) -> list[Row]:
    return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def _less(mine: Any, theirs: Any) -> str:
    if isinstance(mine, Counter | frozenset):
        return f"{mine - theirs}"
    return f"{ {key: value for key, value in mine.items() if theirs.get(key) != value} }"
