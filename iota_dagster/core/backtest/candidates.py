"""The events of past hours that some rule may match, routed by their columns as a batch's are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from iota_dagster.core.detection.routing.values import is_never
from iota_dagster.core.detection.rule import Rule
from iota_dagster.core.hours import Hour
from iota_dagster.core.judging.judge import COLUMNS, portions, spliced
from iota_dagster.core.judging.rule_view import columns_of
from iota_dagster.core.judging.sieve import Sieve
from iota_dagster.core.lake.history import PastFile, read_columns
from iota_dagster.core.lake.schema import table_schema
from iota_dagster.core.sources import source_of
from iota_dagster.core.storage import Storage

ENVELOPE = tuple(name for name in COLUMNS if not name.startswith("_"))
"""The lake's columns that a match is made from, and `p_raw`."""
Progress = Callable[[int, int], object]
"""Told (events read, events to read)."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows of one file that some rule may match: `records` as rules see them, and by rule the places of its own."""

    log_type: str
    hour: Hour
    rows: pa.RecordBatch
    records: list[bytes]
    places: Mapping[str, Sequence[int]]


class Reading:
    """The candidates in some files, by log type and hour; `events` counts by log type what was read so far."""

    def __init__(self, lake: Storage, files: Mapping[str, Sequence[PastFile]], progress: Progress | None) -> None:
        self.events: Counter[str] = Counter()
        self._lake, self._files, self._progress = lake, files, progress
        self._total = sum(file.rows for found in files.values() for file in found)

    def candidates(self, rules: Sequence[Rule]) -> Iterator[Candidates]:
        """Read all files once."""
        self._tell()
        for log_type, files in self._files.items():
            sieves = _Sieves(log_type, rules)
            for file in files:
                yield from self._of_file(log_type, file, sieves)

    def _of_file(self, log_type: str, file: PastFile, sieves: _Sieves) -> Iterator[Candidates]:
        source = source_of(log_type)
        columns = [*ENVELOPE, *sieves.fields, *columns_of(source)]
        for rows in read_columns(self._lake, file, columns, table_schema(source)):
            self.events[log_type] += rows.num_rows
            kept = rows.filter(pa.array(sieves.all.mask(rows)))
            for some in portions(kept):
                yield Candidates(log_type, file.hour, some, spliced(some, source), sieves.places(some))
            self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.events.total(), self._total)


class _Sieves:
    """The sieves of a log type's rules, together and one by one; `fields` are the columns that they look at."""

    def __init__(self, log_type: str, rules: Sequence[Rule]) -> None:
        texts = source_of(log_type).texts
        needs = {rule.id: {} if is_never(rule.need) else rule.need for rule in rules if log_type in rule.log_types}
        self.all = Sieve(list(needs.values()), texts)
        self._by_rule = {rule_id: Sieve([need], texts) for rule_id, need in needs.items()}
        self.fields = tuple(dict.fromkeys(field for sieve in self._by_rule.values() for field in sieve.fields))

    def places(self, rows: pa.RecordBatch) -> dict[str, list[int]]:
        """The rows that each rule may match."""
        return {rule_id: sieve.mask(rows).nonzero()[0].tolist() for rule_id, sieve in self._by_rule.items()}
