"""Lookup tables: rows of the user's own files (CSV, JSON, MMDB) beside the events that they speak of.

A table names the fields of events (selectors) whose values it may know. A rule finds what it knows in
`p_enrichment.<table>.<selector>`: the row, with the value that was looked up as `p_match`; a list of rows where the
field is a list. Nothing is looked up before a rule asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from iota_dagster.core.detection.event import MappingView
from iota_dagster.core.detection.match_expressions.comparisons import address, is_list, network
from iota_dagster.core.detection.match_expressions.paths import Path, parse_path
from iota_dagster.core.detection.rule import TableSpec
from iota_dagster.core.detection.table_files import Limits, TableError, open_mmdb, read_rows

__all__ = ["ENRICHMENT", "Limits", "Table", "TableError", "Tables", "load_table"]

ENRICHMENT = "p_enrichment"
"""The key of an event under which its enrichment lies."""

Row = dict[str, Any]
Find = Callable[[Any], Row | None]


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table: `find` gives the row of a value, `selectors` the paths to ask about by log type."""

    name: str
    find: Find
    selectors: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)


def load_table(spec: TableSpec, limits: Limits | None = None) -> Table:
    """The table that a YAML file describes; `TableError` says what is wrong with its rows, and where."""
    where = FilePath(spec.file)
    find = open_mmdb(where) if where.suffix == ".mmdb" else _indexed(where, spec.key, limits or Limits())
    return Table(spec.name, find, {name: tuple(map(parse_path, paths)) for name, paths in spec.selectors.items()})


def _indexed(file: FilePath, column: str, limits: Limits) -> Find:
    """The rows of a file by their key column. Keys that are networks are found by any address in them."""
    rows: dict[str, Row] = {}
    networks = _Networks()
    for number, row in read_rows(file, column, limits):
        key = _key(row.get(column))
        if key is None:
            raise TableError(
                file, number, f"the key column {column} holds {row.get(column)!r}: give a text or a number"
            )
        if rows.setdefault(key, row) is not row:
            raise TableError(file, number, f"the key {key!r} is there twice")
        networks.add(key, row)

    def find(value: Any) -> Row | None:
        key = _key(value)
        return None if key is None else rows.get(key) or networks.find(key)

    return find


def _key(value: Any) -> str | None:
    """A value as a table's key: texts, and numbers by their digits."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


class _Networks:
    """Rows by network: the longest prefix that holds an address wins."""

    def __init__(self) -> None:
        self._by_prefix: dict[tuple[int, int], dict[int, Row]] = {}
        self._prefixes: list[tuple[int, int]] = []

    def add(self, key: str, row: Row) -> None:
        """Keep a row whose key is a network, or an address in whatever spelling."""
        block = network(key)
        if block is None:
            return
        prefix = (block.version, block.prefixlen)
        self._by_prefix.setdefault(prefix, {}).setdefault(int(block.network_address), row)
        self._prefixes = sorted(self._by_prefix, key=lambda item: -item[1])

    def find(self, key: str) -> Row | None:
        """The row of the smallest network that holds an address."""
        found = address(key) if self._prefixes else None
        if found is None:
            return None
        number, bits = int(found), found.max_prefixlen
        for version, length in self._prefixes:
            if version == found.version:
                shift = bits - length
                row = self._by_prefix[version, length].get(number >> shift << shift)
                if row is not None:
                    return row
        return None


class Tables:
    """All lookup tables of a set of rules; `TableError` for two of one name."""

    def __init__(self, tables: Iterable[Table] = ()) -> None:
        self._by_name: dict[str, Table] = {}
        self._by_log_type: dict[str, list[Table]] = {}
        for table in tables:
            if self._by_name.setdefault(table.name, table) is not table:
                raise TableError(FilePath(table.name), 0, "two lookup tables have this name: rename one")
            for log_type in table.selectors:
                self._by_log_type.setdefault(log_type, []).append(table)

    def find(self, table: str, key: Any) -> Row | None:
        """The row of a table for a key; None when there is no such row or table."""
        known = self._by_name.get(table)
        return None if known is None else known.find(key)

    def attach(self, data: dict[str, Any]) -> None:
        """Give a record its `p_enrichment`, to be computed when it is read; one that it has already stays."""
        log_type = data.get("p_log_type")
        if isinstance(log_type, str) and log_type in self._by_log_type and data.get(ENRICHMENT) is None:
            data[ENRICHMENT] = Enrichment(data, log_type, self._by_log_type[log_type])


class Enrichment(MappingView):
    """What the tables know of one record, as a view; looked up at the first access."""

    __slots__ = ("_found", "_log_type", "_record", "_tables")

    def __init__(self, record: dict[str, Any], log_type: str, tables: list[Table]) -> None:
        self._record, self._log_type, self._tables = record, log_type, tables
        self._found: dict[str, Any] | None = None

    @property
    def _data(self) -> dict[str, Any]:  # type: ignore[override]
        if self._found is None:
            event = MappingView(self._record)
            found = {table.name: _matches(table, self._log_type, event) for table in self._tables}
            self._found = {name: rows for name, rows in found.items() if rows}
        return self._found


def _matches(table: Table, log_type: str, event: MappingView) -> dict[str, Any]:
    """A table's rows for one event, by selector."""
    found: dict[str, Any] = {}
    for selector in table.selectors[log_type]:
        value = selector.find(event)
        if is_list(value):
            rows = [row for item in value if (row := _matched(table, item)) is not None]
            if rows:
                found[selector.text] = rows
        elif (row := _matched(table, value)) is not None:
            found[selector.text] = row
    return found


def _matched(table: Table, value: Any) -> Row | None:
    row = table.find(value)
    return None if row is None else {**row, "p_match": value}
