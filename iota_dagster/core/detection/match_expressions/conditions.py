"""Match expressions: conditions on an event that are written in YAML.

They are what a rule without Python consists of (`Detection`), what narrows a rule from outside (`InlineFilters`, the
exclusions of an overlay), and what chooses a severity (`DynamicSeverities`). The language is the one that Panther
documents for its simple detections, with `MatchesRegex` and `DoesNotMatchRegex` added:

    - {KeyPath: eventName, Condition: Equals, Value: ConsoleLogin}
    - Any:
        - {KeyPath: sourceIPAddress, Condition: IsIPAddressPublic}
        - {DeepKey: [responseElements, status], Condition: IsIn, Values: [Failed, Denied]}
    - KeyPath: resources
      Condition: AnyElement
      Expressions: [{KeyPath: type, Condition: StartsWith, Value: "AWS::S3"}]

Expressions are read once, with all that can be wrong in them, and become plain functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from iota_dagster.core.detection.event import Event
from iota_dagster.core.detection.match_expressions.comparisons import BINARY, MANY, UNARY, is_list
from iota_dagster.core.detection.match_expressions.condition_keys import (
    SPECIFIERS,
    ConditionError,
    Place,
    compile_key,
    each,
    key_path,
    key_reader,
    mapping,
    named,
    one_of,
)

__all__ = ["COMBINATORS", "Condition", "ConditionError", "compile_conditions", "necessary"]

Condition = Callable[[Any], bool]
"""Takes an event, or an element of a list inside `Expressions`."""

_WORDS = (*SPECIFIERS, "Condition", "Value", "Values", "Expressions")
_ABSOLUTE = {"AlwaysTrue": True, "AlwaysFalse": False}
_SCALARS = (str, int, float, bool)

COMBINATORS: dict[str, Callable[[Iterable[bool]], bool]] = {
    "All": all,
    "Any": any,
    "OnlyOne": lambda results: sum(results) == 1,
    "None": lambda results: not any(results),
}
"""How the results of several expressions become one."""

_ELEMENTS: dict[str, Callable[[list[bool]], bool]] = {
    "AnyElement": any,
    "AllElements": lambda results: bool(results) and all(results),
    "OnlyOneElement": lambda results: sum(results) == 1,
    "NoElement": lambda results: not any(results),
}
_CONDITIONS = (*BINARY, *MANY, *UNARY, *_ELEMENTS, *_ABSOLUTE)


def compile_conditions(items: Sequence[object], where: str) -> Callable[[Event], bool]:
    """The function that tells whether all of some expressions hold for an event; none of them: always.

    `where` is the key that they stand under, the first step of the path of a `ConditionError`.
    """
    place = Place((where,))
    return _combined("All", [_expression(item, at, False) for item, at in each(items, place)])


def _expression(item: object, place: Place, in_list: bool) -> Condition:
    """One expression. Inside of `Expressions` (`in_list`) the key may be absent: the element itself is meant."""
    given = mapping(item, place)
    word = next(iter(given), None)
    if len(given) == 1 and word in COMBINATORS:
        return _group(str(word), given[word], place / str(word), in_list)
    for word in given:
        if word in COMBINATORS:
            raise (place / word).error(f"{word} stands alone: make it an item of its own")
        if word not in _WORDS:
            raise (place / str(word)).unknown(word, (*_WORDS, *COMBINATORS), "word")
    return _condition(given, place, in_list)


def _group(word: str, items: object, place: Place, in_list: bool) -> Condition:
    parts = [_expression(item, at, in_list) for item, at in each(items, place)]
    if not parts and word != "All":
        raise place.error(f"{word} needs at least one expression")
    return _combined(word, parts)


def _combined(word: str, parts: list[Condition]) -> Condition:
    if word in ("All", "Any") and len(parts) == 1:
        return parts[0]
    combine = COMBINATORS[word]
    return lambda event: combine(part(event) for part in parts)


def _condition(given: Mapping[str, Any], place: Place, in_list: bool) -> Condition:
    name = given.get("Condition")
    if name is None:
        raise place.error("Condition is missing")
    if name not in _CONDITIONS:
        raise (place / "Condition").unknown(name, _CONDITIONS, "condition")
    has_key = any(word in given for word in SPECIFIERS)
    if name in _ABSOLUTE:
        _allow(given, place, name)
        return lambda _: _ABSOLUTE[name]
    if not has_key and name in BINARY and isinstance(given.get("Values"), list | tuple):
        return _between_keys(given, place, name)
    if not has_key and not in_list:
        raise place.error(f"a key is missing: give {one_of(SPECIFIERS)}")
    return _tested(key_reader(given, place) if has_key else _itself, _test(given, place, name))


def _tested(read: Callable[[Any], Any], test: Condition) -> Condition:
    return lambda event: test(read(event))


def _itself(element: Any) -> Any:
    return element


def _test(given: Mapping[str, Any], place: Place, name: str) -> Condition:
    """What a condition asks of the key's value."""
    if name in UNARY:
        _allow(given, place, name)
        return UNARY[name]
    if name in _ELEMENTS:
        _allow(given, place, name, "Expressions")
        return _over_elements(given, place, name)
    if name in BINARY:
        _allow(given, place, name, "Value")
        compare, other = BINARY[name], _scalar(given["Value"], place / "Value")
        return lambda value: compare(value, other)
    word = "Value" if "Value" in given and not name.endswith("In") else "Values"
    _allow(given, place, name, word)
    values = [(given[word], place / word)] if word == "Value" else each(given[word], place / word)
    try:
        return MANY[name]([_scalar(value, at) for value, at in values])
    except ConditionError:
        raise
    except ValueError as error:
        raise (place / word).error(str(error)) from None


def _over_elements(given: Mapping[str, Any], place: Place, name: str) -> Condition:
    """A condition on the elements of a list; what is no list has no elements."""
    items = each(given["Expressions"], place / "Expressions")
    if not items:
        raise (place / "Expressions").error("at least one expression is needed")
    holds, judge = _combined("All", [_expression(item, at, True) for item, at in items]), _ELEMENTS[name]
    return lambda value: judge([holds(item) for item in value] if is_list(value) else [])


def _between_keys(given: Mapping[str, Any], place: Place, name: str) -> Condition:
    """A comparison of two keys of the event."""
    _allow(given, place, name, "Values")
    items = each(given["Values"], place / "Values")
    if len(items) != 2:
        raise (place / "Values").error(f"{name} without a key compares two keys, not {len(items)}")
    (first, second), compare = [compile_key(item, at) for item, at in items], BINARY[name]
    return lambda event: compare(first(event), second(event))


def _allow(given: Mapping[str, Any], place: Place, name: str, *words: str) -> None:
    """Check that an expression has these words besides its key and condition, and no others."""
    for word in words:
        if word not in given:
            raise place.error(f"{name} needs {word}")
    for word in given:
        if word not in (*SPECIFIERS, "Condition", *words) or (name in _ABSOLUTE and word in SPECIFIERS):
            raise (place / word).error(f"{name} takes no {word}")


def _scalar(value: object, place: Place) -> Any:
    if not isinstance(value, _SCALARS):
        hint = "; for a missing key there is IsNull" if value is None else ""
        raise place.error(f"holds {named(value)}, not a text, a number or a boolean{hint}")
    return value


def necessary(items: Sequence[object]) -> dict[str, frozenset[str]]:
    """For some top-level keys, the texts without one of which the expressions (all of them) cannot hold.

    For routing: an event that has one of these keys with another text, or another value, need not be judged. Only
    what is certain is in it; {} proves nothing. The expressions must be ones that `compile_conditions` takes.
    """
    found: dict[str, frozenset[str]] = {}
    for part in map(_needs, items):
        for key, texts in part.items():
            found[key] = found[key] & texts if key in found else texts
    return found


def _needs(item: Any) -> dict[str, frozenset[str]]:
    if "All" in item:
        return necessary(item["All"])
    for word in ("Any", "OnlyOne"):  # at least one of them holds
        if word in item:
            parts = [_needs(part) for part in item[word]]
            shared = set(parts[0]).intersection(*parts[1:])
            return {key: frozenset().union(*(part[key] for part in parts)) for key in shared}
    key, word = _top_level_key(item), item.get("Condition")
    if key is None or word not in ("Equals", "IsIn"):
        return {}
    texts: list[Any] = [item["Value"]] if word == "Equals" else item["Values"]
    return {key: frozenset(texts)} if all(isinstance(text, str) for text in texts) else {}


def _top_level_key(item: Mapping[str, Any]) -> str | None:
    """The key of the event that an expression names; a dot in it would be read as the way to one a level below."""
    word = next((word for word in SPECIFIERS[:3] if word in item), None)
    key = key_path(word, item[word], Place((word,))).key if word else None
    return None if key is None or "." in key else key
