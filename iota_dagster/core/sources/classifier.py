"""Which source reads a record: by the integration's declared types, the object's key and the record's own marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from iota_dagster.core.sources.base import Source

_KEYS_SHOWN = 8
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Run = tuple[Source | None, int, int]
"""Records `start` to `stop` (not included) that one source accepts; None: no source does."""


class Classifier:
    """Decides for the records of one object; the source that took the last record is asked first.

    Declared types are binding: a record of another type is not guessed into a table that nobody asked for.
    The key only orders the questions, since any object may hold anything.
    """

    def __init__(self, sources: Iterable[Source], key: str, log_types: Sequence[str] | None) -> None:
        """Among `sources`, for the object named `key`; `log_types` are its integration's, None: any."""
        known = sorted(sources, key=lambda source: not source.expects(key))
        self._allowed = [source for source in known if log_types is None or source.log_type in log_types]
        self._others = [source for source in known if source not in self._allowed]

    def runs(self, records: Sequence[bytes]) -> Iterator[Run]:
        """The records in order, cut into runs of one source."""
        start = 0
        while start < len(records):
            source = self._source_of(records[start])
            stop = start + 1
            if source is not None:
                stop = _first_refused(source, records, stop)
            yield source, start, stop
            start = stop

    def refusal(self, record: bytes) -> str:
        """Why no source took the record: what each of them looks for, and what is there."""
        for source in self._others:
            if source.accepts(record):
                return f"it is {source.log_type}, which its integration's log_types leave out"
        words = [f"{source.log_type} looks for {source.marks}" for source in self._allowed]
        return f"{'; '.join(words) or 'its integration names no known log type'}; {_shape(record)}"

    def _source_of(self, record: bytes) -> Source | None:
        for place, source in enumerate(self._allowed):
            if source.accepts(record):
                if place:
                    self._allowed.insert(0, self._allowed.pop(place))
                return source
        return None


def _first_refused(source: Source, records: Sequence[bytes], start: int) -> int:
    accepts = source.accepts
    for position in range(start, len(records)):
        if not accepts(records[position]):
            return position
    return len(records)


def _shape(record: bytes) -> str:
    try:
        names = [name[:40] for name in _keys(record)]
    except msgspec.MsgspecError:
        return "it is no JSON object"
    more = ", …" if len(names) > _KEYS_SHOWN else ""
    return f"its keys: {', '.join(names[:_KEYS_SHOWN])}{more}"
