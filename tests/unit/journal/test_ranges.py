from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.journal import row_states


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((), ""),
        ((5,), "5"),
        ((2, 3), "2-3"),
        (tuple(range(2, 102)), "2-101"),
        ((2, 4, 5, 6, 9), "2,4-6,9"),
        ((2, 3, 1_048_576), "2-3,1048576"),
    ],
)
def test_rows_are_written_as_people_write_them(rows: tuple[int, ...], text: str) -> None:
    assert row_states.encode_ranges(rows) == text
    assert row_states.decode_ranges(text) == rows


@given(st.lists(st.integers(1, 2**40)))
def test_any_rows_come_back_in_their_order(rows: tuple[int, ...]) -> None:
    assert row_states.decode_ranges(row_states.encode_ranges(rows)) == tuple(rows)


@given(st.lists(st.lists(st.integers(1, 500))))
def test_many_texts_expand_to_rows_with_their_text(lists: list[list[int]]) -> None:
    rows, owners = row_states.expand_ranges([row_states.encode_ranges(rows) for rows in lists])
    assert rows.tolist() == [row for rows in lists for row in rows]
    assert owners.tolist() == [place for place, rows in enumerate(lists) for _ in rows]
    assert rows.dtype == np.int64


@pytest.mark.parametrize("text", ["x", "1-", "-", "1,,2", "9-3"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        row_states.decode_ranges(text)
