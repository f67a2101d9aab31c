"""Reads an object whole through `open_records`, and checks the accounting that holds for any content."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from iota_dagster.core.reading.content import DecodeLimits
from iota_dagster.core.reading.lines import NO_HEADERS, Headers
from iota_dagster.core.reading.records import Damage, open_records

WINDOW = 1 << 20


@dataclass
class Read:
    """What was found, in order; `headers[n]` is the one in force for `records[n]`."""

    records: list[bytes] = field(default_factory=list)
    headers: list[bytes | None] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    count: int = 0
    content_bytes: int = 0
    content_sha256: str = ""

    @property
    def reasons(self) -> list[str]:
        return [damage.reason for damage in self.damages]

    @property
    def found(self) -> tuple[list[bytes], list[bytes | None], list[tuple[int, int, str, int]]]:
        """All that must not depend on how the content was read."""
        places = [(damage.ordinal, damage.byte_offset, damage.reason, damage.size) for damage in self.damages]
        return self.records, self.headers, places


def read(
    data: bytes,
    window: int = WINDOW,
    *,
    headers: Headers = NO_HEADERS,
    header: bytes | None = None,
    **limits: int,
) -> Read:
    """All of an object: every ordinal comes once, in order, and no place goes back."""
    reader = open_records(io.BytesIO(data), DecodeLimits(**limits), headers=headers, header=header, window_bytes=window)
    whole, places = Read(), []
    for chunk in reader:
        assert chunk.records or chunk.damages
        assert len(chunk.ordinals) == len(chunk.records)
        offsets = [chunk.offset(index) for index in range(len(chunk.records))]
        places += sorted(
            [*zip(chunk.ordinals, offsets, strict=True), *((bad.ordinal, bad.byte_offset) for bad in chunk.damages)]
        )
        whole.records += chunk.records
        whole.offsets += offsets
        whole.headers += [chunk.header] * len(chunk.records)
        whole.damages += chunk.damages
    assert [ordinal for ordinal, _ in places] == list(range(reader.records))
    assert [offset for _, offset in places] == sorted(offset for _, offset in places)
    whole.count, whole.content_bytes, whole.content_sha256 = (
        reader.records,
        reader.content_bytes,
        reader.content_sha256,
    )
    return whole
