"""Values as text for people and programs; light, so that a command that shows some need not load the lake."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

from iota_dagster.core.text import printable

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["SEVERITY_STYLES", "cell", "plain", "printable"]

SEVERITY_STYLES = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow", "LOW": "cyan"}
"""How rich shows an alert's severity."""


def cell(value: Any) -> Text:
    """A stranger's value in a table: nothing in it is markup or steers the terminal; null is empty."""
    from rich.text import Text

    return Text("" if value is None else printable(str(value)), overflow="fold")


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
