"""Structs from JSON that does not keep to its types: a surprise costs its field or its item, never the record."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, get_args, get_origin

import msgspec

_NULL = msgspec.Raw(b"null")
S = TypeVar("S", bound=msgspec.Struct)
_fields = lru_cache(maxsize=1024)(msgspec.structs.fields)  # it works the annotations out anew at each call


def read_leniently(kind: type[S], text: bytes) -> S | None:
    """A struct whose fields take what they can; None when the text is no JSON object that can be read.

    A value of another type than its field's becomes its JSON text where the field is a text, and the field's default
    (null) elsewhere. Of a list this holds item by item; what becomes null is left out.
    """
    try:
        values = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError):
        return None
    known = [item for item in _fields(kind) if item.encode_name in values]
    taken = {item.name: take_leniently(item.type, values[item.encode_name]) for item in known}
    return kind(**{name: value for name, value in taken.items() if value is not None})


def take_leniently(kind: Any, text: msgspec.Raw) -> Any:
    """The same of one value of any type; None when nothing of it can be taken."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError):
        pass
    for choice in (kind,) if get_origin(kind) is list or isinstance(kind, type) else get_args(kind):
        if choice is str:
            return None if text == _NULL else bytes(text).decode(errors="replace")
        if get_origin(choice) is list:
            return _items(get_args(choice)[0], text)
        if isinstance(choice, type) and issubclass(choice, msgspec.Struct):
            return read_leniently(choice, text)
    return None


def _items(kind: Any, text: msgspec.Raw) -> list[Any] | None:
    try:
        values = msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError):
        return None
    return [item for item in (take_leniently(kind, value) for value in values) if item is not None]
