"""What makes a value or a line no record."""

from __future__ import annotations

from iota_dagster.core.reading import json_text
from iota_dagster.core.reading.chunk import Problem
from iota_dagster.core.reading.content import DecodeLimits

NOT_AN_OBJECT = ("not_an_object", "a JSON value, but no object")
INVALID_UTF8 = ("invalid_utf8", "the bytes are not UTF-8")
_NOT_TEXT = ("not_text", "a line with NUL bytes")
_BRACE = b"{"


def record_problem(value: bytes, limits: DecodeLimits) -> Problem | None:
    """Why a syntactically valid value is no record; None if it is one."""
    if len(value) > limits.record_bytes:
        return too_large(len(value), limits)
    if json_text.is_deeper_than(limits.nesting, value):
        return _too_deep(limits)
    if not value.startswith(_BRACE):
        return NOT_AN_OBJECT
    return None if json_text.is_utf8(value) else INVALID_UTF8


def line_problem(line: bytes, limits: DecodeLimits) -> Problem | None:
    """Why a line of text is no record; None if it is one.

    One that begins as a JSON object does is held to the same nesting, whether it is one or not.
    """
    if len(line) > limits.record_bytes:
        return too_large(len(line), limits)
    if b"\0" in line:
        return _NOT_TEXT
    if line.startswith(_BRACE) and json_text.is_deeper_than(limits.nesting, line):
        return _too_deep(limits)
    return None if json_text.is_utf8(line) else INVALID_UTF8


def invalid_json(value: bytes) -> Problem:
    """What is wrong with the syntax of a value."""
    return "invalid_json", json_text.error(value) or "no valid JSON"


def too_large(size: int, limits: DecodeLimits) -> Problem:
    """Why a record of `size` bytes is none."""
    return "record_too_large", f"{size} bytes, more than {limits.record_bytes}"


def _too_deep(limits: DecodeLimits) -> Problem:
    return "too_deep", f"nested deeper than {limits.nesting}"
