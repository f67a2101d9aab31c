"""Optional packages, by the extras of pyproject.toml that bring them."""

from __future__ import annotations


def install(extra: str) -> str:
    """What to do where a package of an extra is missing.

    No command: iota is in no package index, where anybody could have its name.
    """
    return f"install iota with its extra `{extra}` (docs/operations.md, Installing)"
