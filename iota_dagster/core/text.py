"""Text of strangers: made fit for every database, Parquet file and destination, and for a terminal.

Log records, object keys and errors quote what an attacker may have written. A lone surrogate has no UTF-8, PostgreSQL
refuses NUL characters, NaN is no JSON, and control characters steer the terminal of whoever reads them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def storable_text(text: str) -> str:
    """The text with U+FFFD for what cannot be stored: NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        # Through UTF-16 a pair of surrogates becomes the one character it means.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def storable_json(value: Any) -> Any:
    """A JSON value without NaN and infinities (they become text) and with storable text throughout."""
    match value:
        case str():
            return storable_text(value)
        case float() if not math.isfinite(value):
            return str(value)
        case Mapping():
            return {storable_text(str(key)): storable_json(item) for key, item in value.items()}
        case list() | tuple():
            return [storable_json(item) for item in value]
    return value


def printable(text: str) -> str:
    """The text without what steers a terminal: whoever writes a log line must not write the screen of its reader."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def one_line(text: str) -> str:
    r"""The same on one line: a line end inside of it is shown as `\n`."""
    return printable(text).replace("\n", "\\n")
