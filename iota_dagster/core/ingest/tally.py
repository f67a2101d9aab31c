"""One object's accounting while it is read: every record becomes a row or lies in quarantine (DESIGN invariant 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from iota_dagster.core.hours import Hour
from iota_dagster.core.ingest.ingest_model import Ingested, IngestOptions, IngestTask
from iota_dagster.core.model import QuarantineItem

TOO_MANY_REJECTED = "too_many_rejected"
_SHORT_SAMPLE = 256


@dataclass(slots=True)
class ObjectTally:
    """Rows, quarantine and event hours of one object; its memory has a bound whatever the object holds."""

    task: IngestTask
    options: IngestOptions
    rows: int = 0
    hours: set[Hour] = field(default_factory=set)
    _items: list[QuarantineItem] = field(default_factory=list)
    _sampled: int = 0
    _merged: QuarantineItem | None = None
    _merged_count: int = 0
    _merged_size: int = 0

    def reject(
        self,
        reason: str,
        detail: str | Callable[[], str],
        *,
        ordinal: int,
        offset: int,
        data: bytes,
        size: int | None = None,
    ) -> None:
        """Put a record into quarantine; `detail` is asked for its words only where they are kept.

        `size` is the record's where `data` is only its beginning.
        """
        size = len(data) if size is None else size
        if self._merged is not None:
            self._merged_count += 1
            self._merged_size += size
            return
        item = QuarantineItem(
            object_id=self.task.object.id,
            reason=reason,
            detail=detail if isinstance(detail, str) else detail(),
            ordinal=ordinal,
            byte_offset=offset,
            size=size,
            sample=data,
        )
        if len(self._items) < self.options.quarantine_records:
            self._items.append(self._within_budget(item))
        else:
            self._merged = replace(item, detail=f"{reason}: {item.detail}", sample=data[:_SHORT_SAMPLE])
            self._merged_count, self._merged_size = 1, size

    def beyond_hours(self, hours: Sequence[Hour]) -> list[int]:
        """Admit the hours of further rows, in order; gives the rows whose hour is one too many for this object."""
        if len(self.hours | (new := set(hours))) <= self.options.max_hours_per_object:
            self.hours |= new
            return []
        beyond = []
        for row, hour in enumerate(hours):
            if hour not in self.hours:
                if len(self.hours) >= self.options.max_hours_per_object:
                    beyond.append(row)
                    continue
                self.hours.add(hour)
        return beyond

    def result(self, content_sha256: str, content_bytes: int) -> Ingested:
        """The object's outcome, once all of it is read."""
        items = sorted(self._items, key=_place)
        if self._merged:
            detail = f"stands for {self._merged_count:,} more records of this object; the first: {self._merged.detail}"
            items.append(replace(self._merged, reason=TOO_MANY_REJECTED, detail=detail, size=self._merged_size))
        return Ingested(
            position=self.task.position,
            object_id=self.task.object.id,
            records=self.rows + len(items),
            quarantine=tuple(items),
            content_sha256=content_sha256,
            content_bytes=content_bytes,
        )

    def _within_budget(self, item: QuarantineItem) -> QuarantineItem:
        if self._sampled + len(item.sample) > self.options.quarantine_sample_bytes:
            item = replace(item, sample=item.sample[:_SHORT_SAMPLE])
        self._sampled += len(item.sample)
        return item


def _place(item: QuarantineItem) -> int:
    return -1 if item.ordinal is None else item.ordinal
