"""Which source reads a record: by the integration's declared types, the object's key and the record's own marks.

1. Declared types are binding: a record of another type is not guessed into a table that nobody asked for.
2. Of the sources whose marks a record bears, one that expects the object's key comes first, then the one with more
   marks (`Source.specificity`), then the first by name. Built-in types exclude each other by their marks, so only a
   user-defined type can ever contest a record, or a headed one whose lines are known by the number of their fields.
3. What no source accepts is nobody's: it goes to quarantine with what there was to see of it. Why each source refused
   it is said again to whoever looks (`Classifier.explained`): that is long, and the same for all such records.

In which order the sources are asked is another matter: it changes what an answer costs, never the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import msgspec

from iota_dagster.core.sources.base import HeadedSource, Shape, Source

_KEYS_SHOWN = 8
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Run = tuple[Source | None, int, int]
"""Records `start` to `stop` (not included) that one source accepts; None: no source does."""


@dataclass(slots=True)
class AskingOrder:
    """Whom to ask first: who failed least since its last success, among these who succeeded last.

    A worker keeps one for all objects that it reads, since its next object is likely to be like the last.
    """

    _penalties: dict[str, int] = field(default_factory=dict)
    _successes: dict[str, int] = field(default_factory=dict)
    _tick: int = 0

    def sort(self, sources: list[Source]) -> None:
        """Put the sources into the order in which to ask them."""
        sources.sort(key=self._reluctance)

    def _reluctance(self, source: Source) -> tuple[int, int]:
        return self._penalties.get(source.log_type, 0), -self._successes.get(source.log_type, 0)

    def failed(self, source: Source) -> None:
        """It was asked and did not accept."""
        self._penalties[source.log_type] = self._penalties.get(source.log_type, 0) + 1

    def succeeded(self, source: Source) -> None:
        """It was asked and accepted."""
        self._tick += 1
        self._penalties[source.log_type], self._successes[source.log_type] = 0, self._tick


class Classifier:
    """Decides for the records of one object."""

    def __init__(
        self, sources: Iterable[Source], key: str, log_types: Sequence[str] | None, order: AskingOrder | None = None
    ) -> None:
        """Among `sources`, for the object named `key`; `log_types` are its integration's, None: any."""
        self._order = order or AskingOrder()
        self._allowed: list[Source] = []
        self._others: list[Source] = []
        for source in sources:
            allowed = log_types is None or source.log_type in log_types
            (self._allowed if allowed else self._others).append(source)
        self._expecting = {source.log_type for source in self._allowed if source.expects(key)}
        self._header: bytes | None = None
        self._asked: list[Source] = []
        self._rivals: dict[str, list[Source]] = {}
        self._ask(list(self._allowed))

    def runs(self, records: Sequence[bytes], header: bytes | None = None) -> Iterator[Run]:
        """The records in order, cut into runs of one source; `header` is the line above them that names their fields.

        The runs of a contested type end with each record that a more specific one takes.
        """
        if header != self._header:
            self._header = header
            self._ask([_below(source, header) for source in self._allowed])
        start = 0
        while start < len(records):
            source = self._source_of(records[start])
            stop = start + 1
            if source is not None:
                stop = self._first_refused(source, records, stop)
            yield source, start, stop
            start = stop

    def refusal(self, record: bytes) -> str:
        """Why no source took the record, in a few words: a left-out type that it is, or what is there."""
        return self._left_out(record) or f"no log type has its marks; {_shown(record)}"

    def explained(self, record: bytes) -> str:
        """Why no source took the record, at length: what each of them looks for, and what is there."""
        if left_out := self._left_out(record):
            return left_out
        return f"{self._wanted[Shape.JSON if record.startswith(b'{') else Shape.LINE]}; {_shown(record)}"

    @cached_property
    def _wanted(self) -> dict[Shape, str]:
        """What the types look for, by the shape of their records."""
        wanted = {}
        for shape in Shape:
            words = [f"{source.log_type} looks for {source.marks}" for source in self._allowed if source.shape is shape]
            nobody = f"its integration names no known log type whose record is {shape.value}"
            wanted[shape] = "; ".join(sorted(words)) or nobody
        return wanted

    def _left_out(self, record: bytes) -> str | None:
        for source in self._others:
            if source.accepts(record):
                return f"it is {source.log_type}, which its integration's log_types leave out"
        return None

    def _ask(self, sources: list[Source]) -> None:
        self._asked = sources
        self._order.sort(self._asked)
        self._asked.sort(key=lambda source: source.log_type not in self._expecting)
        self._rivals = {}

    def _rivals_of(self, source: Source) -> list[Source]:
        """Who would read a record that `source` accepts, if they accept it as well; the first of them wins."""
        found = self._rivals.get(source.log_type)
        if found is None:
            rank = self._rank(source)
            found = [other for other in self._asked if _contest(source, other) and self._rank(other) < rank]
            found.sort(key=self._rank)
            self._rivals[source.log_type] = found
        return found

    def _rank(self, source: Source) -> tuple[bool, int, str]:
        return source.log_type not in self._expecting, -source.specificity, source.log_type

    def _source_of(self, record: bytes) -> Source | None:
        for place, source in enumerate(self._asked):
            if source.accepts(record):
                self._order.succeeded(source)
                if place:
                    self._asked.insert(0, self._asked.pop(place))
                return next((rival for rival in self._rivals_of(source) if rival.accepts(record)), source)
            self._order.failed(source)
        return None

    def _first_refused(self, source: Source, records: Sequence[bytes], start: int) -> int:
        accepts, rivals = source.accepts, [rival.accepts for rival in self._rivals_of(source)]
        for position in range(start, len(records)):
            record = records[position]
            if not accepts(record):
                return position
            for rival in rivals:
                if rival(record):
                    return position
        return len(records)


def _contest(one: Source, other: Source) -> bool:
    """Whether both may accept a record.

    No type of lines shares a JSON object with a JSON type that excludes others: that only a user's JSON type can.
    """
    if one.exclusive and other.exclusive:
        return False
    return one.shape is other.shape or not (one if one.shape is Shape.JSON else other).exclusive


def _below(source: Source, header: bytes | None) -> Source:
    headed = None if header is None else _headed(source)
    return headed.below(header) if headed and header is not None and headed.is_header(header) else source


@lru_cache(maxsize=1024)  # to ask a source for all that a headed one has takes 20 times as long as to ask for a header
def _headed(source: Source) -> HeadedSource | None:
    return source if isinstance(source, HeadedSource) else None


def _shown(record: bytes) -> str:
    try:
        names = [name[:40] for name in _keys(record)]
    except (msgspec.MsgspecError, RecursionError):
        return f"the line begins {record[:60].decode(errors='replace')!r}"
    more = ", …" if len(names) > _KEYS_SHOWN else ""
    return f"its keys: {', '.join(names[:_KEYS_SHOWN])}{more}"
