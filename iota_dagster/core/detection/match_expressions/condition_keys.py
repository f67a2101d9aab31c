"""The keys of match expressions: how they name a value of an event, and how an error in one names its place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iota_dagster.core.detection.event import MappingView
from iota_dagster.core.detection.match_expressions.comparisons import is_list
from iota_dagster.core.detection.match_expressions.paths import Path, PathError, parse_path

Step = str | int

SPECIFIERS = ("Key", "DeepKey", "KeyPath", "Enrichment")
"""The words that name a key: a top-level key, a list of keys, a path, or a field of a lookup table's rows."""
_ENRICHMENT = ("Table", "Selector", "FieldPath")


class ConditionError(ValueError):
    """An expression is wrong: `path` leads to the place in the YAML document, `text` says what to change."""

    def __init__(self, path: tuple[Step, ...], text: str) -> None:
        super().__init__(path, text)
        self.path, self.text = path, text

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.text}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the document an expression stands, so that an error can say so."""

    path: tuple[Step, ...]

    def __truediv__(self, step: Step) -> Place:
        return Place((*self.path, step))

    def error(self, text: str) -> ConditionError:
        """An error at this place."""
        return ConditionError(self.path, text)

    def unknown(self, word: object, known: Iterable[str], what: str) -> ConditionError:
        """An error for a word that is none of the known ones, with the nearest of them."""
        names = list(known)
        near = difflib.get_close_matches(str(word), names, n=1)
        return self.error(f"unknown {what} {word!r}; " + (f"did you mean {near[0]}?" if near else one_of(names)))


def each(items: object, place: Place) -> list[tuple[object, Place]]:
    """The items of a list with their places; an error when it is none."""
    if not isinstance(items, list | tuple):
        raise place.error(f"holds {named(items)}, not a list")
    return [(item, place / index) for index, item in enumerate(items)]


def compile_key(item: object, place: Place) -> Callable[[Any], Any]:
    """The function that reads what a key specifier (`Key`, `DeepKey`, `KeyPath`, `Enrichment`) names; None: missing."""
    given = mapping(item, place)
    if unknown := [word for word in given if word not in SPECIFIERS]:
        raise (place / str(unknown[0])).unknown(unknown[0], SPECIFIERS, "word")
    return key_reader(given, place)


def mapping(item: object, place: Place) -> Mapping[str, Any]:
    """An item that must be a mapping."""
    if not isinstance(item, Mapping):
        raise place.error(f"holds {named(item)}, not a mapping such as {{KeyPath: a.b, Condition: Equals, Value: c}}")
    return item


def key_reader(given: Mapping[str, Any], place: Place) -> Callable[[Any], Any]:
    """The function that reads the one key that an expression names."""
    words = [word for word in SPECIFIERS if word in given]
    if len(words) != 1:
        raise place.error(f"give one key, not {len(words)}: {one_of(SPECIFIERS)}")
    word = words[0]
    value, at = given[word], place / word
    if word == "Enrichment":
        return _enrichment(value, at)
    return key_path(word, value, at).find


def key_path(word: str, value: object, place: Place) -> Path:
    """The path that a `Key`, a `DeepKey` or a `KeyPath` names."""
    if word == "DeepKey":
        keys = [key for key, _ in each(value, place)]
        if not keys or not all(isinstance(key, str) for key in keys):
            raise place.error("holds something else than a list of keys")
        return Path(".".join(map(str, keys)), tuple(map(str, keys)))
    if not isinstance(value, str) or not value:
        raise place.error(f"holds {named(value)}, not a key")
    if word == "Key":
        return Path(value, (value,))
    try:
        return parse_path(value)
    except PathError as error:
        raise place.error(str(error)) from None


def _enrichment(value: object, place: Place) -> Callable[[Any], Any]:
    """A field of the rows that a lookup table has for a selector of the event: several rows give a list."""
    given = mapping(value, place)
    for word in (*_ENRICHMENT, *given):
        if word not in _ENRICHMENT:
            raise (place / str(word)).unknown(word, _ENRICHMENT, "word")
        if not isinstance(given.get(word), str):
            raise place.error(f"{word} is missing: an enrichment has {', '.join(_ENRICHMENT)}")
    table, selector = given["Table"], given["Selector"].removeprefix("$.")
    field = key_path("KeyPath", given["FieldPath"], place / "FieldPath")

    def read(event: Any) -> Any:
        rows = event.deep_get("p_enrichment", table, selector) if isinstance(event, MappingView) else None
        if not is_list(rows):
            return field.find(rows)
        return [found for row in rows if (found := field.find(row)) is not None] or None

    return read


def named(value: object) -> str:
    """What a value is, in words."""
    return "nothing" if value is None else f"a {type(value).__name__}"


def one_of(names: Iterable[str]) -> str:
    """A choice, in words."""
    return f"one of {', '.join(names)}"
