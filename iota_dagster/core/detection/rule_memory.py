"""The functions by which rules remember: counters, sets of texts and dictionaries, kept as `key_values` says.

They have the names and arguments that public rules use; `provided` offers them under the module names of those.
`epoch_seconds` says when a value ends: below `FROM_NOW` it counts from the event's time, else from 1970; without it a
value lasts `LIFETIME`. A function that changes a value leaves its end as it was, one that puts a new one does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from iota_dagster.core.detection.event import plain
from iota_dagster.core.detection.key_values import Session, current

__all__ = [
    "add_to_string_set",
    "check_account_age",
    "evaluate_threshold",
    "get_counter",
    "get_dictionary",
    "get_string_set",
    "increment_counter",
    "put_dictionary",
    "put_string_set",
    "remove_from_string_set",
    "reset_counter",
    "reset_string_set",
    "set_key_expiration",
]

LIFETIME = timedelta(days=90)
"""How long a value lasts that no rule gave another end."""
FROM_NOW = 604_801
"""An `epoch_seconds` below this (a week and a second) counts from the event's time."""
KEY_LIMIT = 500
"""Characters of a key; the hash of a longer one stands for it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(9999, 1, 1, tzinfo=UTC)


def get_counter(key: str, force_ttl_check: bool = False) -> int:
    """A counter's value; 0 when there is none. `force_ttl_check` is accepted: ended values are never seen."""
    return int(_load(key).get("count", 0))


def increment_counter(key: str, val: int = 1, epoch_seconds: float | None = None) -> int:
    """Add to a counter; its new value."""
    count = get_counter(key) + int(val)
    _save(key, _load(key) | {"count": count}, epoch_seconds, keep=True)
    return count


def reset_counter(key: str) -> None:
    """Set a counter to 0."""
    _save(key, {"count": 0}, None)


def evaluate_threshold(key: str, threshold: int = 10, expiry_seconds: float = 3600) -> bool:
    """Count one more; whether that reaches the threshold within some seconds of the first, which ends the count."""
    count = increment_counter(key)
    if count >= threshold:
        reset_counter(key)
        return True
    if count == 1:
        set_key_expiration(key, _now().timestamp() + expiry_seconds)
    return False


def get_string_set(key: str, force_ttl_check: bool = False) -> set[str]:
    """A set's texts, as a copy; empty when there is none."""
    return set(_load(key).get("strings", ()))


def put_string_set(key: str, val: str | Iterable[str], epoch_seconds: float | None = None) -> None:
    """Make a set hold these texts and no others."""
    _save(key, {"strings": sorted(_texts(val))}, epoch_seconds)


def add_to_string_set(key: str, val: str | Iterable[str], epoch_seconds: float | None = None) -> set[str]:
    """Add one text or several to a set; all that it holds then."""
    return _change_set(key, get_string_set(key) | _texts(val), epoch_seconds)


def remove_from_string_set(key: str, val: str | Iterable[str], epoch_seconds: float | None = None) -> set[str]:
    """Take one text or several out of a set; what is left."""
    return _change_set(key, get_string_set(key) - _texts(val), epoch_seconds)


def reset_string_set(key: str) -> None:
    """Empty a set."""
    _change_set(key, set(), None)


def get_dictionary(key: str, force_ttl_check: bool = False) -> dict[str, Any]:
    """A dictionary, as a copy; empty when there is none."""
    copied: dict[str, Any] = plain(_load(key).get("dictionary", {}))
    return copied


def put_dictionary(key: str, val: Mapping[str, Any], epoch_seconds: float | None = None) -> None:
    """Keep a dictionary that JSON can hold; `TypeError` for anything else."""
    if not isinstance(val, Mapping):
        raise TypeError(f"put_dictionary takes a mapping, not a {type(val).__name__}")
    encoded = msgspec.json.encode(plain(val), enc_hook=_refuse)
    _save(key, {"dictionary": msgspec.json.decode(encoded)}, epoch_seconds)


def set_key_expiration(key: str, epoch_seconds: float | None = None) -> None:
    """Let what a key holds end at another time; None or 0: 90 days after this event."""
    _save(key, _load(key), epoch_seconds)


def check_account_age(key: Any) -> bool:
    """Whether a set is kept under the id of an account or a user: rules put one there when it is created."""
    return isinstance(key, str) and key != "" and bool(get_string_set(key))


def _session() -> Session:
    session = current.get()
    if session is None:
        raise RuntimeError("a rule's values can be read and written only while an event is judged, not on import")
    return session


def _now() -> datetime:
    return _session().stamp.event_time


def _load(key: str) -> dict[str, Any]:
    stored = _session().load(_name(key))
    return {} if stored is None else stored.value


def _save(key: str, value: dict[str, Any], epoch_seconds: float | None, keep: bool = False) -> None:
    """Write a value. It ends as asked; else, with `keep`, when the old one would have; else after `LIFETIME`."""
    session, name = _session(), _name(key)
    stored = session.load(name) if keep and not epoch_seconds else None
    session.save(name, value, stored.expires_at if stored else _end(epoch_seconds))


def _change_set(key: str, texts: set[str], epoch_seconds: float | None) -> set[str]:
    _save(key, _load(key) | {"strings": sorted(texts)}, epoch_seconds, keep=True)
    return texts


def _end(epoch_seconds: float | None) -> datetime:
    """When a value ends that is written now."""
    now = _now()
    if not epoch_seconds:
        return now + LIFETIME
    start = now if epoch_seconds < FROM_NOW else _EPOCH
    try:
        return min(start + timedelta(seconds=float(epoch_seconds)), _END)
    except OverflowError:
        return _END


def _texts(value: str | Iterable[str]) -> set[str]:
    texts = {value} if isinstance(value, str) else set(value)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"a string set holds texts, not a {type(text).__name__}")
    return {_storable(text) for text in texts}


def _name(key: str) -> str:
    """A key that any store takes; a very long one is shortened, by its hash."""
    if not isinstance(key, str):
        raise TypeError(f"a key is a text, not a {type(key).__name__}")
    name = _storable(key)
    if len(name) <= KEY_LIMIT:
        return name
    return f"{name[: KEY_LIMIT - 65]}#{hashlib.sha256(name.encode()).hexdigest()}"


def _storable(text: str) -> str:
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "\ufffd")


def _refuse(value: Any) -> Any:
    raise TypeError(f"a dictionary cannot hold a {type(value).__name__}")
