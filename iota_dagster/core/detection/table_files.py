"""The rows of a lookup table's file: CSV, JSON (a list, or one object per line), each also gzipped, and MMDB."""

from __future__ import annotations

import csv
import difflib
import gzip
import importlib
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from iota_dagster.core.errors import RuleError
from iota_dagster.core.extras import install

Row = dict[str, Any]
NumberedRow = tuple[int, Row]


class TableError(RuleError):
    """A lookup table cannot be used: `file`, `row` (from 1, 0 for the whole file) and what to change."""

    def __init__(self, file: Path, row: int, detail: str) -> None:
        super().__init__(f"{file}: row {row}: {detail}" if row else f"{file}: {detail}")
        self.file, self.row, self.detail = file, row, detail


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a table may be: it is held in the memory of every process that runs rules."""

    bytes: int = 64 * 1024 * 1024
    rows: int = 500_000


def read_rows(file: Path, column: str, limits: Limits) -> Iterator[NumberedRow]:
    """The rows of a CSV or JSON file with their numbers; `TableError`. Every CSV value is a text."""
    kinds = [suffix for suffix in file.suffixes[-2:] if suffix != ".gz"]
    read = _READERS.get(kinds[-1] if kinds else "")
    if read is None:
        raise TableError(file, 0, f"is of no known kind: give one of {', '.join(_READERS)} or .mmdb")
    for number, row in read(file, _text(file, limits), column):
        if number > limits.rows:
            raise TableError(file, number, f"has more than {limits.rows:,} rows; that is the limit")
        yield number, row


def _text(file: Path, limits: Limits) -> str:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            content = stream.read(limits.bytes + 1)
        if len(content) > limits.bytes:
            raise TableError(file, 0, f"is larger than {limits.bytes:,} bytes; that is the limit")
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(file, 0, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except UnicodeDecodeError as error:
        raise TableError(file, 0, f"is not UTF-8 (byte {error.start})") from None


def _csv_rows(file: Path, text: str, column: str) -> Iterator[NumberedRow]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_column(file, column, list(reader.fieldnames or []))
        for number, row in enumerate(reader, 1):
            if None in row or None in row.values():
                raise TableError(file, number, f"has not {len(reader.fieldnames or [])} fields, as the first line has")
            yield number, row
    except csv.Error as error:
        raise TableError(file, 0, f"is no CSV after line {reader.line_num}: {error}") from None


def _json_rows(file: Path, text: str, column: str) -> Iterator[NumberedRow]:
    """A list of objects, or one object on each line."""
    whole = text.lstrip().startswith("[")
    items = _decoded(file, text, 0) if whole else (line for line in text.splitlines() if line.strip())
    for number, item in enumerate(items, 1):
        row = item if whole else _decoded(file, item, number)
        if not isinstance(row, dict):
            raise TableError(file, number, "is no JSON object")
        if column not in row:
            _check_column(file, column, list(row), number)
        yield number, row


def _decoded(file: Path, text: str, number: int) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise TableError(file, number, f"is no JSON: {error}") from None


def _check_column(file: Path, column: str, names: list[str], number: int = 0) -> None:
    if column not in names:
        near = difflib.get_close_matches(column, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names) or 'none'}"
        raise TableError(file, number, f"has no column {column} (the PrimaryKey){hint}")


_READERS: dict[str, Callable[[Path, str, str], Iterator[NumberedRow]]] = {
    ".csv": _csv_rows,
    ".json": _json_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
}


def open_mmdb(file: Path) -> Callable[[Any], Row | None]:
    """The function that finds an address in a MaxMind database; it is mapped into memory, whatever its size."""
    try:
        maxminddb: Any = importlib.import_module("maxminddb")  # an optional package, without types
    except ImportError:
        raise TableError(file, 0, f"the package maxminddb is not installed: {install('mmdb')}") from None
    try:
        reader = maxminddb.open_database(str(file))
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise TableError(file, 0, f"cannot be read: {error}") from None

    def find(value: Any) -> Row | None:
        try:
            row = reader.get(value)
        except (ValueError, TypeError):
            return None  # no address, or of a version that the database has not
        return row if isinstance(row, dict) else None

    return find
