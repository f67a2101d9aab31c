"""Lines of tokens between single spaces, some of them in quotes: many lines at once into columns.

Access logs are such lines, but clients choose what stands in the quotes. So a `Form` first tells which lines are
regular: quotes only around the tokens that have them, no empty token, printable ASCII outside the quotes. Those have
one reading only, which a CSV reader finds quickest; the others are left to the source's own, exact one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

import pyarrow as pa
from pyarrow import csv

from iota_dagster.core.sources.columns import TEXT

BARE = r"[!#-~]++"
"""A token without quotes, in printable ASCII."""
QUOTED = r'"[^"]*+"'
"""A token in quotes, which has none inside."""
EITHER = rf"(?:{BARE}|{QUOTED})"

_PADDING = b" -"


class Form:
    """How the regular lines of a kind are made."""

    def __init__(self, *stages: Sequence[str], quotes: bool = True) -> None:
        """A stage lists the patterns of its tokens, and a line may end after any stage.

        No pattern captures. With `quotes`, a token's are no part of its value.
        """
        parts = [f"({' '.join(stage)})" for stage in stages]
        self._pattern = re.compile(("(?: ".join(parts) + ")?" * (len(parts) - 1)).encode())
        sizes = (0, *accumulate(map(len, stages)))
        self._padding = [_PADDING * (sizes[-1] - size) + b"\n" for size in sizes]
        self._names = [str(place) for place in range(sizes[-1])]
        self._parse = csv.ParseOptions(delimiter=" ", quote_char='"' if quotes else False, double_quote=False)
        self._convert = csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(self._names, TEXT),
            null_values=["-"],
            strings_can_be_null=True,
        )

    def read(self, records: Sequence[bytes]) -> tuple[list[int], list[pa.StringArray]]:
        """The positions of the regular records, and their tokens column by column; no columns where none is regular.

        Null stands for `-`, quoted or not, and for the tokens that a line lacks at its end.
        """
        places: list[int] = []
        lines: list[bytes] = []
        for place, (record, found) in enumerate(zip(records, map(self._pattern.fullmatch, records), strict=True)):
            if found and b"\n" not in record and b"\r" not in record:  # a CSV reader would end the line there
                places.append(place)
                lines += (record, self._padding[found.lastindex or 0])
        return places, self._columns(b"".join(lines)) if places else []

    def _columns(self, text: bytes) -> list[pa.StringArray]:
        """The tokens of lines that are made as long as the longest."""
        table = csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=self._names),
            self._parse,
            self._convert,
        )
        return [table.column(name).combine_chunks() for name in self._names]
