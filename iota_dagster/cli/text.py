"""Values as text for people and programs; light, so that a command that shows some need not load the lake."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any


def plain(value: Any) -> Any:
    """A value as JSON knows it: text for times and bytes, null for numbers that are none."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat().replace("+00:00", "Z")
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return str(value)


def printable(text: str) -> str:
    """The text without what steers a terminal: whoever writes a log line must not write the screen of its reader."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)
