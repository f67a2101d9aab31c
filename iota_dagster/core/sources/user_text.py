"""User log types whose records are lines of text: separated values with and without a header, and patterns.

A line that begins with `{` is JSON, and no record of any of them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.base import Readings, Shape
from iota_dagster.core.sources.kinds import Values
from iota_dagster.core.sources.user_patterns import trust
from iota_dagster.core.sources.user_schema import UserSchema, of_canonical
from iota_dagster.core.sources.user_source import UserSource, required_fields

_Row = Sequence[str | None]
Split = Callable[[str], _Row | None]
"""A line → its fields' values, in the schema's order; None: a line of another type."""
_MOST_KEPT = 8_192
"""Lines that wait between `accepts` and `read_many`: a block of rows, and a chunk that it is filled from."""
_LONGEST_KEPT = 2_048
"""Bytes of such a line; a longer one is taken apart again."""
_MOST_KEPT_BYTES = 4 << 20
"""Bytes of all such lines of one source."""
_START_BYTES = 4
_SHOWN = 120


class UserLines(UserSource):
    """Lines that `split` takes apart; see `sources.base.Source` for what each part means.

    To know whose a line is it must be taken apart; what comes of it is kept until the line is read, or forgotten where
    too much would be kept.
    """

    shape = Shape.LINE

    def __init__(self, schema: UserSchema, split: Split, marks: str, specificity: int) -> None:
        """`specificity` counts the marks without the required fields."""
        super().__init__(schema, by_path=False)
        needed = required_fields(schema)
        self._split, self._needed = split, [schema.fields.index(item) for item in needed]
        self.specificity = specificity + len(needed)
        self.marks = marks + "".join(f", with {item.place}" for item in needed)
        self._kept: dict[bytes, _Row] = {}
        self._kept_bytes = 0

    def accepts(self, record: bytes) -> bool:
        """See `Source.accepts`."""
        row = None if record.startswith(b"{") else self._row(record)
        if row is None:
            return False
        if len(record) <= _LONGEST_KEPT:
            if len(self._kept) >= _MOST_KEPT or self._kept_bytes + len(record) > _MOST_KEPT_BYTES:
                self._kept.clear()  # accepted, and never read
                self._kept_bytes = 0
            self._kept[record] = row
            self._kept_bytes += len(record)
        return True

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        kept = self._kept
        found = [kept.pop(record, None) or self._row(record) for record in records]
        self._kept_bytes = sum(map(len, kept))
        error = RecordRejected("malformed", f"{self.log_type}: the line has not its fields")
        rejected = {position: error for position, row in enumerate(found) if row is None}
        rows = [row for row in found if row is not None]
        columns = list(zip(*rows, strict=True)) or [()] * len(self.layout.fields)
        taken: dict[str, Values] = {item.path: values for item, values in zip(self.layout.fields, columns, strict=True)}
        return self.readings(taken, len(rows), rejected)

    def _row(self, record: bytes) -> _Row | None:
        row = self._split(record.decode(errors="replace"))
        return row if row is not None and all(row[place] for place in self._needed) else None


def pattern_lines(schema: UserSchema) -> UserLines:
    """The log type of lines that a pattern matches whole; `PatternRefused` for one not to be trusted."""
    pattern = schema.marks.pattern
    trusted = trust(pattern)
    compiled = re.compile(pattern)
    places = [compiled.groupindex[item.place] for item in schema.fields]

    def split(line: str) -> _Row | None:
        if not trusted.covers(line):
            return None
        found = compiled.fullmatch(line)
        return None if found is None else [found[place] or None for place in places]

    length = f" of at most {trusted.longest:,} characters" if trusted.longest else ""
    return UserLines(schema, split, f"a line{length} that matches {pattern[:_SHOWN]}", len(compiled.groupindex))


def plain_csv(schema: UserSchema, columns: tuple[str, ...]) -> UserLines:
    """The log type of lines that have exactly these columns; a field that is not among them is null."""
    cells = Cells(schema.marks.delimiter, schema.marks.quote)
    places = [columns.index(item.place) if item.place in columns else None for item in schema.fields]

    def split(line: str) -> _Row | None:
        found = cells.of(line)
        if found is None or len(found) != len(columns):
            return None
        return [None if place is None else found[place] or None for place in places]

    marks = f"{len(columns)} cells with {schema.marks.delimiter!r} between them"
    return UserLines(schema, split, marks, len(schema.marks.columns or schema.fields))


class HeadedCsv(UserSource):
    """Lines below one that names their columns, in any order; of others may be more. Without it nothing is read."""

    shape = Shape.LINE

    def __init__(self, schema: UserSchema) -> None:
        """Two of the columns, or as many as four bytes need, stand at the header's beginning."""
        super().__init__(schema, by_path=False)
        self._headings = headings(schema)
        self._cells = Cells(schema.marks.delimiter, schema.marks.quote)
        self.specificity = len(self._headings) + len(required_fields(schema))
        self.marks = f"a line above that names the columns {', '.join(self._headings)}"[: 4 * _SHOWN]

    @cached_property
    def header_starts(self) -> frozenset[bytes]:
        """See `HeadedSource.header_starts`."""
        quote = self._cells.quote
        forms = [form for name in self._headings for form in {name, f"{quote}{name}{quote}"}]
        return frozenset(_starts([form.encode() for form in forms], self._cells.delimiter.encode()))

    def is_header(self, line: bytes) -> bool:
        """See `HeadedSource.is_header`."""
        found = self._cells.of(line.decode(errors="replace")) or ()
        return len(set(found)) == len(found) and set(self._headings) <= set(found)

    def below(self, header: bytes) -> UserLines:
        """See `HeadedSource.below`."""
        return _below(self.schema.canonical, header)

    def accepts(self, record: bytes) -> bool:
        """See `Source.accepts`: without a header nobody knows."""
        return False

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        error = RecordRejected("missing_header", f"{self.log_type}: no header says what the line's columns are")
        nothing: dict[str, Values] = {item.path: () for item in self.layout.fields}
        return self.readings(nothing, 0, dict.fromkeys(range(len(records)), error))


def headings(schema: UserSchema) -> tuple[str, ...]:
    """The columns of separated values, as a header names them."""
    return schema.marks.columns or tuple(item.place for item in schema.fields)


@dataclass(frozen=True, slots=True)
class Cells:
    """How a line is separated; `quote` "" is none. A quoted cell holds 131,072 characters at most, and no new line."""

    delimiter: str
    quote: str

    def of(self, line: str) -> list[str] | None:
        """The cells of a line; None where a quote is left open."""
        if not self.quote or self.quote not in line:
            return line.split(self.delimiter)
        try:
            return next(csv.reader([line], delimiter=self.delimiter, quotechar=self.quote, strict=True))
        except (csv.Error, StopIteration):
            return None


@lru_cache(maxsize=256)
def _below(canonical: bytes, header: bytes) -> UserLines:
    schema = of_canonical(canonical)
    found = Cells(schema.marks.delimiter, schema.marks.quote).of(header.decode(errors="replace")) or []
    return plain_csv(schema, tuple(found))


def _starts(forms: Sequence[bytes], delimiter: bytes, before: bytes = b"") -> Iterator[bytes]:
    """The first four bytes of all lines that begin with some of the forms, and shorter lines whole."""
    for form in forms:
        yield (before + form)[:_START_BYTES]
        longer = before + form + delimiter
        if len(longer) >= _START_BYTES:
            yield longer[:_START_BYTES]
        else:
            yield from _starts(forms, delimiter, longer)
