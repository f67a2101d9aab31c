"""Arrow without pandas, until somebody asks for a frame."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType

import pyarrow as pa


class _Hidden:
    """A finder that says there is no pandas."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """See `importlib.abc.MetaPathFinder`."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def spare_pandas() -> None:
    """Let Arrow look for pandas now, while there is none.

    `pa.array` imports pandas at the first list it is given, only to know its types: 0.4 s and 40 MB in every run and
    worker process. It looks once. `to_pandas`, and arrays of a frame that somebody made, work all the same later.
    """
    if "pandas" in sys.modules:
        return
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(hidden)
