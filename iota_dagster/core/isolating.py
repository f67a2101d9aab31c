"""Work on many things at once, in which one bad thing does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from iota_dagster.core.errors import Outage

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def isolated(
    items: Sequence[_Item],
    work: Callable[[Sequence[_Item]], Iterable[_Result]],
    spoiled: Callable[[_Item, Exception], Iterable[_Result]],
) -> list[_Result]:
    """The work on all items at once; where that fails on each by itself, and `spoiled` on those that fail again.

    Work that fails must leave nothing behind, or bear to be repeated. An `Outage` is raised: no item is to blame.
    """
    if not items:
        return []
    try:
        return [*work(items)]
    except Outage:
        raise
    except Exception as error:
        if len(items) == 1:
            return [*spoiled(items[0], error)]
    return [result for item in items for result in isolated([item], work, spoiled)]
