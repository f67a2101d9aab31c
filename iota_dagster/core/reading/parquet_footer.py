"""The footer of a Parquet file, read before Arrow sees it: a wrong one makes pyarrow's accessors end the process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from iota_dagster.core.reading.thrift import Struct, integer, read_struct, struct, structs

BYTE_ARRAY = 6
_REPEATED = 2
_CONVERTED_DECIMAL = 5
_LOGICAL_DECIMAL = 5
_MOST_PATH = 4096


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column of the schema: its dotted path and physical type, `length` of a value where that is fixed."""

    path: str
    kind: int
    length: int
    in_list: bool
    decimal: bool


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a column chunk begins, and its stored bytes."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group: its number, its rows, and an extent for each leaf."""

    number: int
    rows: int
    extents: tuple[Extent, ...]

    @property
    def offset(self) -> int:
        """Where in the file it begins."""
        return max(0, min((extent.start for extent in self.extents), default=0))

    @property
    def size(self) -> int:
        """Its stored bytes."""
        return max(0, sum(extent.size for extent in self.extents))


class Footer:
    """The leaves of the schema in the order of their columns, and the row groups; `ValueError` if it is no footer."""

    def __init__(self, data: bytes, most_depth: int, most_leaves: int) -> None:
        """`data` is the footer alone; of more than `most_leaves` there will be one more."""
        try:
            self._fields, _ = read_struct(data)
        except IndexError:
            raise ValueError("the footer has no end") from None
        self.leaves = list(islice(_leaves(structs(self._fields, 2), most_depth), most_leaves + 1))

    def row_groups(self) -> Iterator[RowGroup]:
        """The row groups in the footer's order."""
        for number, fields in enumerate(structs(self._fields, 4)):
            extents = tuple(_extent(struct(column.get(3))) for column in structs(fields, 1))
            if len(extents) != len(self.leaves):
                raise ValueError(f"row group {number} has {len(extents)} of {len(self.leaves)} columns")
            yield RowGroup(number, integer(fields, 3), extents)


def _leaves(elements: list[Struct], most_depth: int) -> Iterator[Leaf]:
    """The schema is a tree, written parent before children; the first element is its root."""
    open_groups: list[tuple[list[str], bool, list[int]]] = []  # path, whether in a list, children still to come
    for number, element in enumerate(elements):
        while open_groups and not open_groups[-1][2][0]:
            open_groups.pop()
        if number and not open_groups:
            raise ValueError("the schema has two roots")
        path, in_list = (open_groups[-1][0], open_groups[-1][1]) if open_groups else ([], False)
        if open_groups:
            open_groups[-1][2][0] -= 1
            path, in_list = [*path, _name(element)], in_list or element.get(3) == _REPEATED
        children = element.get(5)
        if (isinstance(children, int) and children > 0) or not number:
            open_groups.append((path, in_list, [children if isinstance(children, int) else 0]))
            if len(open_groups) > most_depth:
                raise ValueError(f"the schema is nested deeper than {most_depth}")
        else:
            yield _leaf(element, ".".join(path), in_list)


def _leaf(element: Struct, path: str, in_list: bool) -> Leaf:
    if len(path) > _MOST_PATH:
        raise ValueError(f"a column has a path of {len(path)} letters, more than {_MOST_PATH}")
    logical = element.get(10)
    decimal = element.get(6) == _CONVERTED_DECIMAL or (isinstance(logical, dict) and _LOGICAL_DECIMAL in logical)
    length = element.get(2)
    return Leaf(path, integer(element, 1), length if isinstance(length, int) else 0, in_list, decimal)


def _name(element: Struct) -> str:
    name = element.get(4)
    if not isinstance(name, bytes):
        raise ValueError("a column has no name")
    return name.decode()


def _extent(facts: Struct) -> Extent:
    """As Arrow works it out."""
    start, dictionary = integer(facts, 9), facts.get(11)
    if isinstance(dictionary, int) and 0 < dictionary < start:
        start = dictionary
    return Extent(start, integer(facts, 7))
