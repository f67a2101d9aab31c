"""Candidates go to rule workers in portions."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core import judge


@given(sizes=st.lists(st.integers(0, 50), max_size=40), most=st.integers(1, 100), records=st.integers(1, 10))
def test_portions_are_all_rows_in_order_and_none_is_larger_than_it_must_be(
    sizes: list[int], most: int, records: int
) -> None:
    rows = pa.RecordBatch.from_pydict({"p_raw": ["x" * size for size in sizes]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "MOST_BYTES", most)
        patch.setattr(judge, "MOST_RECORDS", records)
        found = [portion.column("p_raw").to_pylist() for portion in judge.portions(rows)]
    assert [text for portion in found for text in portion] == rows.column("p_raw").to_pylist()
    for portion in found:
        assert 1 <= len(portion) <= records
        assert len(portion) == 1 or sum(map(len, portion)) <= most
