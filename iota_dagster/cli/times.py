"""Points in time as people give them to a command."""

from __future__ import annotations

from datetime import UTC, datetime

import click


def moment(text: str) -> datetime:
    """A point in time as ISO 8601 has it, a day or more precisely, aware; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no time: give 2026-11-22, 2026-11-22T10 or 2026-11-22T10:30:00Z"
        ) from None
