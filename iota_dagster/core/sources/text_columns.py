"""Columns of texts taken apart: by a pattern where they are plain, else by a function, once per distinct text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.sources.columns import TEXT

Columns = dict[str, pa.Array]
"""Columns by their names."""
Read = Callable[[str], Sequence[str | None]]
"""A text → its parts."""


def each(names: Sequence[str], texts: pa.StringArray, read: Read) -> Columns:
    """The parts that `read` finds in each text, under these names; null for `-`."""
    encoded = texts.dictionary_encode()
    found = [read(text) for text in encoded.dictionary.to_pylist()]
    columns = zip(*found, strict=True) if found else [()] * len(names)
    return {
        name: known(pa.array(values, TEXT)).take(encoded.indices)
        for name, values in zip(names, columns, strict=True)
    }  # fmt: skip


def mended(columns: Columns, odd: pa.BooleanArray, texts: pa.StringArray, read: Read) -> Columns:
    """The columns, in the `odd` rows with the parts that `read` finds in the text."""
    if not odd.true_count:
        return columns
    right = each(tuple(columns), texts.filter(odd), read)
    return {name: pc.replace_with_mask(column, odd, right[name]) for name, column in columns.items()}


def matched(names: Sequence[str], texts: pa.StringArray, pattern: str, read: Read) -> Columns:
    """The groups of an RE2 pattern under these names, and what `read` says of a text that it does not match."""
    found = pc.extract_regex(texts, pattern)
    columns = dict(zip(names, map(known, found.flatten()), strict=True))
    return mended(columns, pc.and_not(found.is_null(), texts.is_null()), texts, read)


def known(texts: pa.StringArray) -> pa.StringArray:
    """The texts, null for `-`."""
    dash = pc.equal(texts, "-")
    return pc.if_else(dash, None, texts) if dash.true_count else texts


def holds(texts: pa.StringArray, part: str) -> bool:
    """Whether some text may hold the part; False is certain, and comes fast."""
    data = texts.buffers()[2]
    return data is not None and part.encode() in data.to_pybytes()
