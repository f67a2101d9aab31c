"""What an object's accounting keeps of what is rejected, and what it only counts."""

from __future__ import annotations

from datetime import UTC, datetime

from iota_dagster.core.ingest.ingest_model import IngestOptions, IngestTask
from iota_dagster.core.ingest.tally import TOO_MANY_REJECTED, ObjectTally
from iota_dagster.core.model import LogObject, ObjectStatus
from iota_dagster.core.reading.content import DecodeLimits

OBJECT = LogObject(1, "logs", "a.log", "etag", 10, "main", None, None, 490_000, ObjectStatus.CLAIMED, "log")
OPTIONS = IngestOptions("batch-1", datetime(2025, 11, 22, tzinfo=UTC), DecodeLimits(), quarantine_records=2)


def test_words_are_made_only_for_what_is_kept() -> None:
    made: list[str] = []

    def words() -> str:
        made.append(f"words {len(made)}")
        return made[-1]

    tally = ObjectTally(IngestTask(0, OBJECT, "a.log", None), OPTIONS)
    for ordinal in range(1_000):
        tally.reject("unclassified", words, ordinal=ordinal, offset=ordinal, data=b"abc", size=10)
    *kept, merged = tally.result("", 0).quarantine
    assert made == ["words 0", "words 1", "words 2"]
    assert [item.detail for item in kept] == ["words 0", "words 1"]
    assert (merged.reason, merged.ordinal, merged.size) == (TOO_MANY_REJECTED, 2, 9_980)
    assert merged.detail == "stands for 998 more records of this object; the first: unclassified: words 2"
