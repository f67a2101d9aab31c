"""Structs from JSON that does not keep to its types: a surprising field costs that field, never the record."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, get_args

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
_fields = lru_cache(maxsize=1024)(msgspec.structs.fields)  # it works the annotations out anew at each call


def read_leniently(kind: type[S], text: bytes) -> S | None:
    """A struct whose fields take what they can; None when the text is no JSON object that can be read.

    A value of another type than its field's becomes its JSON text where the field is a text, and the field's default
    (null) elsewhere.
    """
    try:
        values = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError):
        return None
    known = [item for item in _fields(kind) if item.encode_name in values]
    taken = {item.name: _take(item.type, values[item.encode_name]) for item in known}
    return kind(**{name: value for name, value in taken.items() if value is not None})


def _take(kind: Any, text: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError):
        pass
    for choice in get_args(kind):
        if choice is str:
            return bytes(text).decode(errors="replace")
        if isinstance(choice, type) and issubclass(choice, msgspec.Struct):
            return read_leniently(choice, text)
    return None
