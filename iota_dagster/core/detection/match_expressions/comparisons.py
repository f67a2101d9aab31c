"""What a match expression can ask of a value: the conditions by name.

A missing key is None here. It fulfils no condition that states something of a value; a negated condition
(`DoesNot…`, `IsNot…`, `…NotInCIDR`) is true exactly when its positive one is false, so a missing key fulfils it.
Texts compare with texts and numbers with numbers only; `true` is never 1.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeGuard

from iota_dagster.core.detection.event import ListView, MappingView

Test = Callable[[Any], bool]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Reserved for documentation (RFC 5737, 3849): public here, since that is what they stand for in a rule's tests.
_DOCUMENTATION = tuple(
    map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))
)


def equal(value: Any, other: Any) -> bool:
    """Whether two values are the same; a boolean equals booleans only."""
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def fold(value: Any) -> Any:
    """A value for comparison without regard to case."""
    return value.casefold() if isinstance(value, str) else value


def is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether a value is a list, of the event or made by a path with `[*]`."""
    return isinstance(value, ListView | list)


def contains(value: Any, part: Any) -> bool:
    """A text in a text, an item in a list, a key in a mapping."""
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    if isinstance(value, MappingView):
        return part in value
    return is_list(value) and any(equal(item, part) for item in value)


def _folded_contains(value: Any, part: Any) -> bool:
    folded = [fold(item) for item in value] if is_list(value) or isinstance(value, MappingView) else fold(value)
    return contains(folded, fold(part))


def _starts(value: Any, part: Any) -> bool:
    return isinstance(value, str) and isinstance(part, str) and value.startswith(part)


def _ends(value: Any, part: Any) -> bool:
    return isinstance(value, str) and isinstance(part, str) and value.endswith(part)


def _folded(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, other: test(fold(value), fold(other))


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """An order between two numbers or two texts; false for everything else."""

    def test(value: Any, other: Any) -> bool:
        return _kind(value) is not None and _kind(value) is _kind(other) and compare(value, other)

    return test


def _kind(value: Any) -> type | None:
    if isinstance(value, bool):
        return None
    return float if isinstance(value, int | float) else str if isinstance(value, str) else None


def address(value: Any) -> Address | None:
    """A value as an IP address; an IPv4 address mapped into IPv6 is itself. None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        parsed = ipaddress.ip_address(value)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def network(value: Any) -> Network | None:
    """A value as a network, host bits ignored; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None


def _is_public(value: Any) -> bool:
    found = address(value)
    return found is not None and (found.is_global or any(found in block for block in _DOCUMENTATION))


def _is_private(value: Any) -> bool:
    return address(value) is not None and not _is_public(value)


def _version(value: Any) -> int | None:
    found = address(value)
    return found.version if found else None


def _is_empty(value: Any) -> bool:
    return value is None or ((is_list(value) or isinstance(value, str | MappingView)) and not len(value))


def _in_networks(values: Sequence[Any]) -> Test:
    blocks = [_needed(network(value), value, "a network such as 203.0.113.0/24") for value in values]

    def test(value: Any) -> bool:
        found = address(value)
        return found is not None and any(found in block for block in blocks)

    return test


def _holds_addresses(values: Sequence[Any]) -> Test:
    wanted = [_needed(address(value), value, "an IP address") for value in values]

    def test(value: Any) -> bool:
        block = network(value)
        return block is not None and all(item in block for item in wanted)

    return test


def _member(values: Sequence[Any]) -> Test:
    known = {(isinstance(value, bool), value) for value in values}

    def test(value: Any) -> bool:
        try:
            return (isinstance(value, bool), value) in known
        except TypeError:  # a list or a mapping, which is in no list of scalars
            return False

    return test


def _matches(values: Sequence[Any]) -> Test:
    patterns = [_pattern(value) for value in values]
    return lambda value: isinstance(value, str) and any(pattern.search(value) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: Any) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, TypeError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None


def _needed(parsed: Any, value: Any, what: str) -> Any:
    if parsed is None:
        raise ValueError(f"{value!r} is not {what}")
    return parsed


def _negated(tests: Mapping[str, Any], names: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {negative: _not(tests[positive]) for positive, negative in names}


def _not(test: Any) -> Any:
    return lambda *values: not test(*values)


def _not_made(make: Callable[[Sequence[Any]], Test]) -> Callable[[Sequence[Any]], Test]:
    def made(values: Sequence[Any]) -> Test:
        test = make(values)
        return lambda value: not test(value)

    return made


_POSITIVE: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda value, other: value is not None and equal(value, other),
    "Contains": contains,
    "StartsWith": _starts,
    "EndsWith": _ends,
    "IEquals": lambda value, other: value is not None and equal(fold(value), fold(other)),
    "IContains": _folded_contains,
    "IStartsWith": _folded(_starts),
    "IEndsWith": _folded(_ends),
}
_NEGATIVE = {
    "Equals": "DoesNotEqual",
    "Contains": "DoesNotContain",
    "StartsWith": "DoesNotStartWith",
    "EndsWith": "DoesNotEndWith",
}
_ORDER = {
    "IsGreaterThan": _ordered(operator.gt),
    "IsGreaterThanOrEqual": _ordered(operator.ge),
    "IsLessThan": _ordered(operator.lt),
    "IsLessThanOrEqual": _ordered(operator.le),
}

BINARY: dict[str, Callable[[Any, Any], bool]] = {
    **_POSITIVE,
    **_negated(_POSITIVE, _NEGATIVE.items()),
    **_negated(_POSITIVE, ((f"I{name}", f"I{negative}") for name, negative in _NEGATIVE.items())),
    **_ORDER,
    "IsGreaterThanOrEquals": _ORDER["IsGreaterThanOrEqual"],  # as the inline filters spell it
    "IsLessThanOrEquals": _ORDER["IsLessThanOrEqual"],
}
"""Conditions between a key and one `Value`, or between two keys: called with (key's value, other value)."""

MANY: dict[str, Callable[[Sequence[Any]], Test]] = {
    "IsIn": _member,
    "IsNotIn": _not_made(_member),
    "IsIPAddressInCIDR": _in_networks,
    "IsIPAddressNotInCIDR": _not_made(_in_networks),
    "CIDRContainsIPAddresses": _holds_addresses,
    "CIDRDoesNotContainIPAddresses": _not_made(_holds_addresses),
    "MatchesRegex": _matches,  # ours: a search anywhere in the text
    "DoesNotMatchRegex": _not_made(_matches),
}
"""Conditions that take `Values` (all but the first two of them also one `Value`); `ValueError` for unfit ones."""

UNARY: dict[str, Test] = {
    "Exists": lambda value: value is not None,
    "DoesNotExist": lambda value: value is None,
    "IsNull": lambda value: value is None,
    "IsNotNull": lambda value: value is not None,
    "IsNullOrEmpty": _is_empty,
    "IsNotNullOrEmpty": lambda value: not _is_empty(value),
    "IsIPAddress": lambda value: address(value) is not None,
    "IsIPv4Address": lambda value: _version(value) == 4,
    "IsIPv6Address": lambda value: _version(value) == 6,
    "IsIPAddressPublic": _is_public,
    "IsIPAddressPrivate": _is_private,
}
"""Conditions on a key's value alone. A null is a missing key: rules cannot tell them apart."""
