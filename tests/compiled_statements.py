"""SQL that was compiled for one store is known to all stores of a test process, and to the processes that it forks.

SQLAlchemy remembers it by engine. A platform has one for its life; tests open a thousand of them, each for a run of a
tenth of a second, of which compiling was 40 %.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from iota_dagster.core.store import database

Key = tuple[Any, ...]


class SharedStatements(dict[Key, Any]):
    """Compiled statements; a key begins with the dialect, whose instances are alike for one kind of store."""

    def __getitem__(self, key: Key) -> Any:
        return super().__getitem__(_of_any_engine(key))

    def __setitem__(self, key: Key, compiled: Any) -> None:
        super().__setitem__(_of_any_engine(key), compiled)

    def get(self, key: Key, default: Any = None) -> Any:
        return super().get(_of_any_engine(key), default)


def _of_any_engine(key: Key) -> Key:
    return (key[0].name, *key[1:])


def share() -> None:
    """Let all engines that this process makes from now on share what they compile."""
    shared, make = SharedStatements(), database._engine

    def sharing(url: sa.URL) -> sa.Engine:
        engine = make(url)
        engine.update_execution_options(compiled_cache=shared)
        return engine

    database._engine = sharing
