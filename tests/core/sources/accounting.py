"""Any bytes as a log object: read, classified and taken apart, with every record accounted for."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from operator import itemgetter

from iota_dagster.core.sources.built_in import BUILT_IN
from iota_dagster.core.sources.classifier import Classifier
from iota_dagster.core.sources.headers import headers_within
from tests.core.reading.reader import read
from tests.core.sources.cases import read_safely

_HEADERS = headers_within(BUILT_IN, [source.log_type for source in BUILT_IN])
_NARROW = 200
_LIMITS = {"decompressed_bytes": 16 << 20, "record_bytes": 64 << 10, "nesting": 50}


def account_for(content: bytes, key: str = "") -> Counter[str]:
    """How many records of the content are of which log type; the others are `unclassified` or `damaged`.

    Asserts that reading raises nothing, that it finds the same however little it holds at a time, that every ordinal
    comes once and in order, and that each record of a type is a row or rejected.
    """
    whole = read(content, headers=_HEADERS, header=None, **_LIMITS)
    assert read(content, _NARROW, headers=_HEADERS, header=None, **_LIMITS).found == whole.found
    found = Counter(damaged=len(whole.damages))
    classifier = Classifier(BUILT_IN, key, None)
    for header, group in groupby(zip(whole.headers, whole.records, strict=True), itemgetter(0)):
        records = [record for _, record in group]
        for source, start, stop in classifier.runs(records, header):
            found[source.log_type if source else "unclassified"] += stop - start
            if source is not None:
                read_safely(source, records[start:stop])
            else:
                assert classifier.refusal(records[start])
    assert found.total() == whole.count
    return +found
