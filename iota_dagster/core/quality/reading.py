"""An hour of a lake table as facts and a frame of rows, for an engine to hold against its suite.

Facts are of every row. So is the verdict on the frame: of an hour that is too large for one it holds a sample, by the
hash of the row's identity, and beside it every row, up to a limit, that fails by itself or shares its identity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from iota_dagster.core.errors import LakeFileDamaged
from iota_dagster.core.lake.parquet import require_whole
from iota_dagster.core.quality.files import HASHES, WHOLE, FileRead, FileReader, Hashes, doubled, hashes_of
from iota_dagster.core.quality.suite import (
    Expectation,
    Fact,
    FactKind,
    NotNull,
    OneOf,
    Suite,
    Unique,
    Within,
    type_name,
)
from iota_dagster.core.store.lake_catalog import LakeFile

WHOLE_ROWS = 100_000
"""Rows of an hour that is examined whole; of a larger one the sample has about so many."""
MOST_SUSPECTS = 10_000
"""Rows that are examined beside a sample, because they fail or share their identity."""
ABSENT = "absent"
_ALL = 2**64 - 1


@dataclass(frozen=True, slots=True)
class HourRead:
    """Facts, and a frame of the rows to examine out of all `rows`."""

    rows: int
    facts: tuple[Fact, ...]
    frame: pa.Table


@dataclass(frozen=True, slots=True)
class _Sample:
    """Which rows go into the frame: hashes up to `threshold`, those of `suspects`, and what fails by itself."""

    suite: Suite
    threshold: int
    suspects: Hashes

    def mask(self, rows: pa.RecordBatch) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The rows by chance, and those under suspicion."""
        hashes = hashes_of(rows.column(self.suite.identity))
        suspect = np.isin(hashes, self.suspects)
        for item in self.suite.expectations:
            suspect |= breaches(item, rows)
        return hashes <= np.uint64(self.threshold), suspect


def read_hour(
    reader: FileReader,
    files: Sequence[LakeFile],
    suite: Suite,
    admitted: Mapping[str, int] | None,
    whole_rows: int = WHOLE_ROWS,
) -> HourRead:
    """Read an hour's files. `admitted` are the ledger's rows by batch; None where the ledger counts none.

    Raises `Outage` when the lake does not answer; a file that is missing or damaged is a fact, and not read: what its
    rows seem to be says nothing, and Arrow may end the process over a footer that is damaged in the wrong place.
    """
    altered = _altered(reader, files)
    sound = [file for file in files if file.path not in altered]
    turns = 1 + sum(file.rows for file in sound) // HASHES
    facts, reads, suspects = list[Fact](), list[FileRead](), np.empty(0, np.uint64)
    for turn in range(turns):
        reads, broken = _read_all(reader, sound, suite, turn, turns)
        facts = [*_files(files, broken | altered), *_facts_of(reads, suite)]
        suspects = np.concatenate([suspects, doubled(reads)])[:MOST_SUSPECTS]
    if admitted is not None:
        facts += _admitted(reads, admitted)
    rows = sum(item.rows for item in reads)
    threshold = _ALL if rows <= whole_rows else int(_ALL * (whole_rows / rows))
    chosen = [item.file for item in reads if item.is_readable]
    frame = _frame(reader, chosen, _Sample(suite, threshold, suspects))
    return HourRead(rows, tuple(facts), frame)


def breaches(expectation: Expectation, rows: pa.RecordBatch) -> NDArray[np.bool_]:
    """Which rows fail an expectation by themselves; none fails uniqueness so."""
    values = rows.column(expectation.column)
    match expectation:
        case NotNull():
            wrong = pc.is_null(values)
        case Unique():
            wrong = pa.repeat(pa.scalar(False), rows.num_rows)
        case OneOf(values=known):
            wrong = pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=pa.array(known, values.type))))
        case Within(first=first, end=end, unless=unless):
            early = pc.less(values, pa.scalar(first, values.type))
            late = pc.greater_equal(values, pa.scalar(end, values.type))
            wrong = pc.and_(pc.or_(early, late), pc.is_null(rows.column(unless)))
    return np.asarray(wrong.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)


def _altered(reader: FileReader, files: Sequence[LakeFile]) -> dict[str, str]:
    """The files that are not there, or with other bytes than were published; each with what is wrong with it."""
    found = {}
    for file in files:
        try:
            require_whole(reader.storage, file.path, file.sha256, file.bytes)
        except LakeFileDamaged as why:
            found[file.path] = why.what
    return found


def _files(files: Sequence[LakeFile], broken: Mapping[str, str]) -> Iterator[Fact]:
    for file in files:
        yield Fact(FactKind.FILE, file.path, WHOLE, broken.get(file.path, WHOLE))


def _read_all(
    reader: FileReader, files: Sequence[LakeFile], suite: Suite, turn: int, turns: int
) -> tuple[list[FileRead], dict[str, str]]:
    reads, broken = [], {}
    for file in files:
        try:
            reads.append(reader.read(file, suite, turn, turns))
        except LakeFileDamaged as why:
            broken[file.path] = why.what
    return reads, broken


def _facts_of(reads: Sequence[FileRead], suite: Suite) -> Iterator[Fact]:
    nulls: Counter[str] = Counter()
    types: dict[tuple[str, str], str] = {}
    required = {*suite.required, *suite.columns}
    for item in reads:
        yield Fact(FactKind.FILE_ROWS, item.file.path, str(item.file.rows), str(item.rows))
        nulls.update(item.nulls)
        for name in suite.schema.names:
            if name in item.types or name in required:  # a column may be younger than a file, but for the envelope
                types.setdefault((name, item.types.get(name, ABSENT)), item.file.path)
    for (name, found), path in types.items():
        declared = type_name(suite.schema.field(name).type)
        subject = name if found == declared else f"{name} in {path}"
        yield Fact(FactKind.TYPE, subject, declared, found)
    yield from (Fact(FactKind.NULLS, name, "0", str(count)) for name, count in nulls.items() if _is_unseen(name, suite))


def _is_unseen(name: str, suite: Suite) -> bool:
    """Whether no expectation of the frame speaks of a column's nulls."""
    return NotNull(name) not in suite.expectations


def _admitted(reads: Sequence[FileRead], admitted: Mapping[str, int]) -> Iterator[Fact]:
    found: Counter[str] = Counter()
    for item in reads:
        found.update(item.batches)
    for batch_id in sorted({*admitted, *found}):
        yield Fact(FactKind.BATCH_ROWS, batch_id, str(admitted.get(batch_id, 0)), str(found[batch_id]))


def _frame(reader: FileReader, files: Sequence[LakeFile], sample: _Sample) -> pa.Table:
    suite = sample.suite
    schema = pa.schema([suite.schema.field(name) for name in suite.columns])
    pieces, suspects = list[pa.RecordBatch](), 0
    for file in files:
        for rows in reader.batches(file, suite.columns):
            chance, suspect = sample.mask(rows)
            suspect &= np.cumsum(suspect) <= MOST_SUSPECTS - suspects
            suspects += int(np.count_nonzero(suspect & ~chance))
            piece = rows.filter(pa.array(chance | suspect)).select(schema.names)
            pieces.append(pa.RecordBatch.from_arrays(piece.columns, schema=schema))
    return pa.Table.from_batches(pieces, schema)
