"""The log types that a process knows: those iota brings along, and a user's own.

Whoever reads the registry sees one moment of it: it is replaced as a whole, never changed, so that a thread that reads
on does not see half of another configuration.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView

from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources.base import Source
from iota_dagster.core.sources.built_in import BUILT_IN
from iota_dagster.core.sources.user_check import Taken
from iota_dagster.core.sources.user_defined import user_source
from iota_dagster.core.sources.user_schema import UserSchema


class Registry(Mapping[str, Source]):
    """Sources by log type; a snapshot each time that it is looked at."""

    def __init__(self, built_in: Sequence[Source]) -> None:
        self._built_in = {source.log_type: source for source in built_in}
        self._all = self._built_in
        self._user: tuple[UserSchema, ...] = ()

    def __getitem__(self, log_type: str) -> Source:
        return self._all[log_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def keys(self) -> KeysView[str]:
        """The log types."""
        return self._all.keys()

    def values(self) -> ValuesView[Source]:
        """The sources."""
        return self._all.values()

    def items(self) -> ItemsView[str, Source]:
        """Both."""
        return self._all.items()

    @property
    def user_types(self) -> tuple[UserSchema, ...]:
        """The user's own log types, as they were last given."""
        return self._user

    @property
    def built_in(self) -> Taken:
        """The names that no user's log type may have."""
        return Taken(frozenset(self._built_in), frozenset(source.table for source in self._built_in.values()))

    def use(self, schemas: Sequence[UserSchema]) -> None:
        """Let exactly these be the user's own log types; nothing happens if they are already.

        `SettingsError` when one has a name or a table of another; nothing has changed then.
        """
        schemas = tuple(schemas)
        if schemas == self._user:
            return
        together = dict(self._built_in)
        for schema in schemas:
            source = user_source(schema)
            for other in together.values():
                if other.log_type == source.log_type or other.table == source.table:
                    raise SettingsError(
                        f"two log types want one name: {source.log_type} (table {source.table}) and {other.log_type} "
                        f"(table {other.table}); give one of them another"
                    )
            together[source.log_type] = source
        self._all, self._user = together, schemas


SOURCES = Registry(BUILT_IN)
"""Every source of this process by its log type."""


def use_log_types(schemas: Sequence[UserSchema]) -> None:
    """Let exactly these be the user's own log types in this process; see `Registry.use`."""
    SOURCES.use(schemas)


def source_of(log_type: str) -> Source:
    """The source of a log type; `SettingsError` with the known ones for another name."""
    try:
        return SOURCES[log_type]
    except KeyError:
        raise SettingsError(f"unknown log type {log_type!r}; known are: {', '.join(SOURCES)}") from None
