"""pandas stays out of runs and workers, and works as ever where somebody wants it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from iota_dagster.core.light_arrow import spare_pandas
spare_pandas()
import pyarrow as pa
assert pa.array(["a", None]).null_count == 1
assert pa.Table.from_pylist([{"a": 1}]).num_rows == 1
assert "pandas" not in sys.modules, "pandas was imported"
assert pa.table({"a": [1, 2]}).to_pandas().shape == (2, 1)
import pandas as pd
assert pa.array(pd.Series([1, 2])).to_pylist() == [1, 2]
frame = pd.DataFrame({"x": pd.to_datetime(["2026-01-01"])})
frame = pd.DataFrame({"x": pd.to_datetime(["2026-01-01"])})
assert str(pa.Table.from_pandas(frame).schema.field("x").type).startswith("timestamp")
print("fine")
"""


def test_arrow_works_without_pandas_and_with_it_later() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert result.stdout == "fine\n"
