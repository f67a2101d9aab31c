"""Sets of texts that a field may hold, and what an event needs: such a set for some of its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Values(msgspec.Struct, frozen=True):
    """The texts `exact`, every text that starts with one of `prefixes` or holds one of `parts`, and perhaps no text.

    `parts` are in small letters and looked for without regard to case. With `absent`, the field need not be there.
    """

    exact: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
    absent: bool = False

    def admits(self, text: str) -> bool:
        """Whether a text is among them."""
        if text in self.exact or (self.prefixes and text.startswith(tuple(self.prefixes))):
            return True
        if not self.parts:
            return False
        lowered = text.lower()
        return any(part in lowered for part in self.parts)

    def __bool__(self) -> bool:
        return bool(self.exact or self.prefixes or self.parts or self.absent)

    def __and__(self, other: Values) -> Values:
        """The texts in both; where parts are concerned perhaps some more."""
        exact = {text for text in self.exact if other.admits(text)}
        exact |= {text for text in other.exact if self.admits(text)}
        longer = {prefix for prefix in self.prefixes if other.parts or prefix.startswith(tuple(other.prefixes))}
        longer |= {prefix for prefix in other.prefixes if prefix.startswith(tuple(self.prefixes))}
        parts = self.parts if other.parts or other.prefixes else frozenset()
        return Values(frozenset(exact), frozenset(longer), parts, self.absent and other.absent)

    def __or__(self, other: Values) -> Values:
        return Values(
            self.exact | other.exact,
            self.prefixes | other.prefixes,
            self.parts | other.parts,
            self.absent or other.absent,
        )


Need = dict[str, Values]
"""What must hold of an event, by field (`eventName`, `userIdentity.type`); no field: anything may do."""

NEVER: Need = {"": Values()}
"""Nothing will do: a field that no event has, with no value."""


def both(one: Need, other: Need) -> Need:
    """What holds when two needs hold."""
    if one is NEVER or other is NEVER:
        return NEVER
    merged = {**one, **{field: one[field] & values if field in one else values for field, values in other.items()}}
    return merged if all(merged.values()) else NEVER


def either(one: Need, other: Need) -> Need:
    """What holds when one of two needs holds: only what both say something of."""
    if one is NEVER or other is NEVER:
        return other if one is NEVER else one
    return {field: one[field] | other[field] for field in one if field in other}


def all_of(needs: Iterable[Need]) -> Need:
    """What holds when all of some needs hold."""
    result: Need = {}
    for need in needs:
        result = both(result, need)
    return result


def any_of(needs: Iterable[Need]) -> Need:
    """What holds when at least one of some needs holds; of no needs: never."""
    result = NEVER
    for need in needs:
        result = either(result, need)
    return result


def is_never(need: Mapping[str, Values]) -> bool:
    """Whether no event can meet a need (also one that came from another process)."""
    return "" in need
