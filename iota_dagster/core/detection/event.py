"""What a rule sees: read-only views over one decoded record.

Wrapping is lazy and copies nothing: a view holds the decoded `dict` or `list` and wraps a child when it is asked for.
All rules are shown one view of an event, and many of them ask it the same: what it holds under a key or at the end of a
path is found once and remembered with the view.
Null values of mappings do not exist for a rule (they are neither keys, nor counted, nor copied), because rules write
`event.get("requestParameters", {})` and mean a mapping. Nulls inside lists keep their places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from iota_dagster.core.detection.data_models import DataModel, DataModels
    from iota_dagster.core.detection.enrichment import Tables


def view(value: Any) -> Any:
    """A container as its read-only view; anything else as it is."""
    kind = value.__class__
    if kind is dict:
        return MappingView(value)
    if kind is list:
        return ListView(value)
    return value


def plain(value: Any) -> Any:
    """A deep, mutable copy without views and without null values of mappings."""
    kind = value.__class__
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is dict:
        return {key: plain(item) for key, item in value.items() if item is not None}
    if kind is list:
        return [plain(item) for item in value]
    if isinstance(value, MappingView | ListView):
        return plain(value._data)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class MappingView(Mapping[str, Any]):
    """A read-only mapping: keys match exactly first, else without regard to case."""

    __slots__ = ("_data", "_known", "_paths")

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._known: dict[object, Any] = {}
        self._paths: dict[tuple[str, ...], Any] = {}

    def _find_any_case(self, key: object) -> Any:
        """The value of a key that is not there as spelled, or `None`.

        Most keys that are asked for in vain (`errorCode`) are in no spelling: lengths tell, and nothing is folded.
        """
        if not isinstance(key, str):
            return None
        folded, size = key.lower(), len(key)
        for spelled, value in self._data.items():
            if len(spelled) == size and value is not None and spelled.lower() == folded:
                return value
        return None

    def get(self, key: object, default: Any = None) -> Any:
        """The value of a key, or the default when there is none or it is null."""
        known = self._known
        value = known[key] if key in known else self._find(key)
        return default if value is None else value

    def _find(self, key: object) -> Any:
        """The value of a key, wrapped; `None` when there is none."""
        value = self._data.get(key)  # type: ignore[call-overload]
        if value.__class__ is not str:
            if value is None:
                value = self._find_any_case(key)
            value = view(value._data if isinstance(value, MappingView) else value)  # `p_enrichment` is a view itself
        self._known[key] = value
        return value

    def __getitem__(self, key: str) -> Any:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return self._data.get(key) is not None or self.get(key) is not None  # type: ignore[call-overload]

    def __iter__(self) -> Iterator[str]:
        return (key for key, value in self._data.items() if value is not None)

    def __len__(self) -> int:
        return sum(value is not None for value in self._data.values())

    def __repr__(self) -> str:
        return repr(plain(self._data))

    def deep_get(self, *keys: str, default: Any = None) -> Any:
        """The value at the end of a path of keys; the default where the path leaves the mappings."""
        paths = self._paths
        node = paths[keys] if keys in paths else self._follow(keys)
        return default if node is None else node

    def _follow(self, keys: tuple[str, ...]) -> Any:
        """The value at the end of a path; `None` where the path leaves the mappings."""
        node: Any = self
        for key in keys:
            node = node.get(key) if isinstance(node, MappingView) else None
        self._paths[keys] = node
        return node

    def deep_walk(self, *keys: str, default: Any = None, return_val: Literal["all", "first", "last"] = "all") -> Any:
        """The values at the end of a path that may lead through lists: distinct, in order, as plain copies.

        A single value comes unwrapped, none at all gives the default. A list met at the path's end is one value if
        the path led through mappings only; behind another list its elements are values of their own.
        """
        found, through_list = _walk(self, keys)
        if not through_list:
            value = found[0] if found else None
            return default if value is None or _is_hollow(value) else value
        values = _distinct(found)
        if not values:
            return default
        if return_val == "first" or len(values) == 1:
            return values[0]
        return values[-1] if return_val == "last" else values

    def to_dict(self) -> dict[str, Any]:
        """A deep copy that the rule may change."""
        copied: dict[str, Any] = plain(self._data)
        return copied

    def copy(self) -> dict[str, Any]:
        """A deep copy that the rule may change."""
        return self.to_dict()


class ListView(Sequence[Any]):
    """A read-only list; it compares equal to lists and tuples with the same items."""

    __slots__ = ("_data",)

    def __init__(self, data: list[Any]) -> None:
        self._data = data

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> ListView: ...
    def __getitem__(self, index: int | slice) -> Any:
        return view(self._data[index])

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Any]:
        return map(view, self._data)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ListView | list | tuple):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(plain(self._data))

    def copy(self) -> list[Any]:
        """A deep copy that the rule may change."""
        copied: list[Any] = plain(self._data)
        return copied


class EventContext:
    """What all events of an engine share: the data models and the lookup tables of the rules' author."""

    __slots__ = ("models", "tables")

    def __init__(self, models: DataModels | None = None, tables: Tables | None = None) -> None:
        self.models, self.tables = models, tables


class Event(MappingView):
    """One whole event: a view with the fields of the envelope, the unified data model and the lookup tables.

    With tables for its log type, the record gets the key `p_enrichment` unless it has one: it belongs to the event
    from then on. Nothing is looked up before a rule asks for it.
    """

    __slots__ = ("_context",)

    def __init__(self, data: dict[str, Any], context: EventContext | None = None) -> None:
        super().__init__(data)
        self._context = context
        if context is not None and context.tables is not None:
            context.tables.attach(data)

    def _model_of(self, name: str) -> DataModel | None:
        """The data model of the event's log type, if it has this name."""
        if self._context is None or self._context.models is None:
            return None
        log_type = self._data.get("p_log_type")
        model = self._context.models.by_log_type.get(log_type) if isinstance(log_type, str) else None
        return model if model is not None and name in model.mappings else None

    def udm(self, *names: str, default: Any = None) -> Any:
        """A field by its unified name, as the data model of the event's log type says; the default when it is missing.

        A name that the model lacks, and any without a model, is `p_udm.<names>`, else the event's own path, where
        falsy values count as missing.
        """
        model = None if self._context is None else self._model_of(".".join(names))
        if model is None:
            return self.deep_get("p_udm", *names) or self.deep_get(*names) or default
        value = model.read(".".join(names), self)
        return default if value is None else value

    def udm_path(self, name: str) -> str | None:
        """What `udm(name)` reads in this event: a dotted path or a method's name; None when it finds nothing."""
        model = self._model_of(name)
        if model is not None:
            return model.source(name)
        for path in (f"p_udm.{name}", name):
            if self.deep_get(*path.split(".")):
                return path
        return None

    def lookup(self, table: str, key: Any) -> MappingView | None:
        """The row of a lookup table for a key; None when there is no such row, or no such table."""
        tables = None if self._context is None else self._context.tables
        row = None if tables is None else tables.find(table, key)
        return None if row is None else MappingView(row)

    def event_time_epoch(self) -> float:
        """The event's time in seconds since 1970; `KeyError` for an event without its envelope."""
        moment = datetime.fromisoformat(str(self["p_event_time"]))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _walk(node: Any, keys: tuple[str, ...]) -> tuple[list[Any], bool]:
    """The plain values at the end of a path, and whether a list lay on the way."""
    for depth, key in enumerate(keys):
        if isinstance(node, ListView):
            branches = [_walk(item, keys[depth:]) for item in node]
            return [value for found, _ in branches for value in _spread(found)], True
        if not isinstance(node, MappingView):
            return [], False
        node = node.get(key)
    return ([] if node is None else [plain(node)]), False


def _spread(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _distinct(values: list[Any]) -> list[Any]:
    """The values without repetitions and nulls, in order; containers, which cannot be hashed, are compared by text."""
    seen: dict[Any, Any] = {}
    for value in values:
        if value is not None:
            seen.setdefault(repr(value) if isinstance(value, dict | list) else (value,), value)
    return list(seen.values())


def _is_hollow(value: Any) -> bool:
    """Whether a value is a list that holds nothing but such lists."""
    return isinstance(value, list) and all(_is_hollow(item) for item in value)
