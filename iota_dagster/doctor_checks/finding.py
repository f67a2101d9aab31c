"""The form of a check and of what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line for its reader: what was found and, where something is wrong, what to do. `check` is its name."""

    status: Status
    found: str
    advice: str = ""
    check: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at. `run` yields its findings, most often one; an error that it raises is a failure.

    `errors` says what to do about such an error.
    """

    name: str
    run: Callable[[], Iterator[Finding]]
    errors: Callable[[Exception], str] = field(default=lambda error: "")


def ok(found: str) -> Finding:
    """All is well."""
    return Finding(Status.OK, found)


def warning(found: str, advice: str) -> Finding:
    """It works, but somebody should look at it."""
    return Finding(Status.WARNING, found, advice)


def failed(found: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(Status.FAILED, found, advice)


def skipped(found: str) -> Finding:
    """There is nothing to look at, and why."""
    return Finding(Status.SKIPPED, found)
