"""Damage to files of the lake."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq


def flip(path: Path, column: str) -> None:
    """Change a byte of the rows of a column in a lake file, and not the file's size."""
    with pq.ParquetFile(path) as parquet:
        index = parquet.schema_arrow.get_field_index(column)
        chunk = parquet.metadata.row_group(0).column(index)
    data = bytearray(path.read_bytes())
    data[(chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size - 1] ^= 0xFF
    path.unlink()  # it may be a hard link
    path.write_bytes(data)
