"""Whole columns of text: between pandas, where chunks live, and Arrow, where the work on text is done.

Columns are Arrow arrays of `large_string` inside and pandas Series of dtype string[pyarrow] outside; going
from one to the other copies nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from importer.model import Chunk, MappedChunk

TEXT = pa.large_string()


def array(values: Sequence[str | None]) -> pa.Array:
    """An Arrow column of the given texts. Raises UnicodeEncodeError on a lone surrogate."""
    return pa.array(values, type=TEXT)


def frame(columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: np.ndarray) -> pd.DataFrame:
    """A frame of string[pyarrow] columns, indexed by row numbers (int64)."""
    index = pd.Index(rows, dtype="int64", name="row")
    data = {name: pd.arrays.ArrowStringArray(_text(column)) for name, column in columns.items()}
    return pd.DataFrame(data, index=index, columns=list(columns), copy=False)


def arrow(series: pd.Series) -> pa.Array:
    """The Arrow array (`large_string`, one piece) behind a Series of text."""
    return _one(pa.array(series, type=TEXT) if series.dtype == object else series.array.__arrow_array__())


def text(part: Chunk | MappedChunk, name: str) -> pa.Array:
    """A column of the part's frame as `arrow` gives it. pandas is asked once, since it takes as long for that
    as a look at some thousand cells."""
    found = part.texts.get(name)
    if found is None:
        found = part.texts[name] = arrow(part.frame[name])
    return found


def spare_memory() -> None:
    """Has Arrow give back what it no longer uses, where it can: its own choice keeps half as much again.

    For the whole process, so only for a program that is ours.
    """
    with contextlib.suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def memory(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where each text begins and ends (int64, one more than texts, from 0), and all bytes (uint8)."""
    places, data = column.buffers()[1:]
    count = len(column)
    if not count or places is None or data is None:
        return np.zeros(count + 1, dtype=np.int64), np.empty(0, dtype=np.uint8)
    offsets = np.frombuffer(places, dtype=np.int64, count=count + 1, offset=8 * column.offset)
    found = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return (offsets if offsets[0] == 0 else offsets - offsets[0]), found


def _text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    column = _one(column)
    return column if column.type == TEXT else column.cast(TEXT)


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks() if column.num_chunks else pa.array([], type=column.type)


def rows_where(frame: pd.DataFrame, mask: pa.Array | pa.ChunkedArray | np.ndarray) -> np.ndarray:
    """The row numbers at which a mask (nulls count as False) is true, int64."""
    if not isinstance(mask, np.ndarray):
        mask = np.asarray(_one(mask).fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)
    return frame.index.to_numpy()[mask]


def column_letter(at: int) -> str:
    """A, B, … Z, AA for 0, 1, … 25, 26."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
