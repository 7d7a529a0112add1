"""Whole columns of text: conversion between pandas and Arrow, and checks on a column's bytes.

Columns are Arrow arrays of `large_string` inside and pandas Series of dtype string[pyarrow] outside; the
conversion copies nothing. A kernel visits every text; a check of the column's bytes as one piece takes a
tenth of the time. Positions are int64 arrays in ascending order, masks are bool arrays with one element a
row. A missing value never fails a check.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer.models import Chunk, MappedChunk

TEXT = pa.large_string()


def array(values: Sequence[str | None]) -> pa.Array:
    """An Arrow column of the given texts. Raises UnicodeEncodeError on a lone surrogate."""
    return pa.array(values, type=TEXT)


def frame(columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: np.ndarray) -> pd.DataFrame:
    """A frame of string[pyarrow] columns, indexed by row numbers (int64)."""
    index = pd.Index(rows, dtype="int64", name="row")
    data = {name: pd.arrays.ArrowStringArray(_text(column)) for name, column in columns.items()}
    return pd.DataFrame(data, index=index, columns=list(columns), copy=False)


def to_arrow(series: pd.Series) -> pa.Array:
    """The Arrow array (`large_string`, one piece) behind a Series of text."""
    return _one(pa.array(series, type=TEXT) if series.dtype == object else series.array.__arrow_array__())


def text(part: Chunk | MappedChunk, name: str) -> pa.Array:
    """A column of the part's frame as `arrow` gives it. pandas is asked once, since it takes as long for that
    as a look at some thousand cells."""
    found = part.texts.get(name)
    if found is None:
        found = part.texts[name] = to_arrow(part.frame[name])
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


BLANKS = (
    " \t\n\r\x0b\x0c\x85\xa0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
    # Zero width, direction marks (phones pasted from a messenger stand between U+202A and U+202C) and BOM.
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
"""What is cut off at the outside of every text."""


def _table(*codes: int) -> np.ndarray:
    table = np.zeros(256, dtype=bool)
    table[list(codes)] = True
    return table


_BLANK_BYTE = _table(*b" \t\n\r\x0b\x0c")
# First bytes of the UTF-8 of anything in BLANKS; CJK text begins with E4 to E9 and passes.
_BLANK_LEAD = _table(*b" \t\n\r\x0b\x0c", 0xC2, 0xE1, 0xE2, 0xE3, 0xEF)
_BLANK_LEAD_OF_3 = _table(0xE1, 0xE2, 0xE3, 0xEF)


def offsets_and_bytes(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where each value begins and ends (int64, one more than values, from 0) and all bytes (uint8)."""
    _, places, data = column.buffers()
    if not len(column) or places is None:
        return np.zeros(len(column) + 1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    offsets = np.frombuffer(places, dtype=np.int64)[column.offset : column.offset + len(column) + 1]
    if data is None or offsets[0] == offsets[-1]:
        return np.zeros(len(column) + 1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    found = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return (offsets if offsets[0] == 0 else offsets - offsets[0]), found


def from_memory(offsets: np.ndarray, data: np.ndarray) -> pa.Array:
    """The column with these offsets (int64) over these bytes (uint8)."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(TEXT, len(offsets) - 1, buffers, null_count=0)


def scalar(text: str) -> pa.Scalar:
    """A text as kernels want it beside a column: of the column's type."""
    return pa.scalar(text, type=TEXT)


def constant(text: str, rows: int) -> pa.Array:
    """A column that holds one text in every row."""
    return pa.repeat(scalar(text), rows)


def choose(
    where: np.ndarray, one: pa.Array | pa.Scalar | str, other: pa.Array | pa.Scalar | str | None
) -> pa.Array:
    """`one` where the mask (bool) is true, else `other`."""
    pick = [scalar(value) if isinstance(value, str) else value for value in (one, other)]
    return pc.if_else(pa.array(where), *pick)


def concat(*parts: pa.Array | str) -> pa.Array:
    """Columns and fixed texts put together row by row; at least one is a column."""
    pick = [scalar(part) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*pick, scalar(""))


def joined(parts: Sequence[pa.Array], by: str) -> pa.Array:
    """Columns joined row by row, "" passed over.

    Arrow's own passing over of nulls gives fewer rows back than it was given where all parts are null.
    """
    column = parts[0]
    for part in parts[1:]:
        both = nonempty(column) & nonempty(part)
        one = choose(nonempty(column), column, part)
        column = choose(both, concat(column, by, part), one) if both.any() else one
    return column


def filled(column: pa.Array) -> pa.Array:
    """The column as this module wants it: large_string, "" for nulls."""
    if column.type != TEXT:
        column = column.cast(TEXT)
    return column.fill_null("") if column.null_count else column


def trimmed(column: pa.Array) -> pa.Array:
    """Without blanks of any kind at the outside; those inside, line breaks too, stay."""
    offsets, data = offsets_and_bytes(column)
    if not ((data <= ord(" ")) | (data >= 0x80)).any():
        return column
    ends = offsets[1:]
    some = ends > offsets[:-1]
    starts, ends = (offsets[:-1], ends) if some.all() else (offsets[:-1][some], ends[some])
    first, last = data[starts], data[ends - 1]
    if (first < 0x80).all() and (last < 0x80).all():
        blank = _BLANK_BYTE[first].any() or _BLANK_BYTE[last].any()
    else:
        blank = (
            _BLANK_LEAD[first].any()
            or _BLANK_BYTE[last].any()
            or (data[np.maximum(ends - 2, 0)] == 0xC2).any()
            or _BLANK_LEAD_OF_3[data[np.maximum(ends - 3, 0)]].any()
        )
    return pc.utf8_trim(column, characters=BLANKS) if blank else column


def missing(column: pa.Array) -> pa.Array:
    """The column with nulls where it is ""; no text is copied."""
    if column.null_count:
        return pc.if_else(pc.equal(column, scalar("")), None, column)
    offsets, _ = offsets_and_bytes(column)
    some = offsets[1:] > offsets[:-1]
    count = len(column) - int(some.sum())
    if not count:
        return column
    _, places, data = column.buffers()
    valid = np.packbits(some, bitorder="little")
    if column.offset:
        places = pa.py_buffer(places)[column.offset * 8 :]
    return pa.Array.from_buffers(TEXT, len(column), [pa.py_buffer(valid), places, data], null_count=count)


def rework(column: pa.Array, where: np.ndarray, change: Callable[[str], str]) -> pa.Array:
    """The column with `change` applied where the mask (bool) is true: once for each distinct text."""
    if not where.any():
        return column
    mask = pa.array(where)
    chosen = column.filter(mask).dictionary_encode()
    changed = pa.array([change(text) for text in chosen.dictionary.to_pylist()], type=TEXT)
    return pc.replace_with_mask(column, mask, changed.take(chosen.indices))


def rework_all(column: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """The column with `change` applied to every filled value: once for each distinct text."""
    chosen = column.dictionary_encode()
    changed = [change(text) if text else text for text in chosen.dictionary.to_pylist()]
    return pa.array(changed, type=TEXT).take(chosen.indices)


def mask(found: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A bool array from an Arrow one; nulls are False."""
    if found.null_count:
        found = found.fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def nonempty(column: pa.Array) -> np.ndarray:
    """Which values are not "", as a bool array."""
    offsets, _ = offsets_and_bytes(column)
    return offsets[1:] > offsets[:-1]


def starting_with(column: pa.Array, mark: str) -> np.ndarray:
    """Which values begin with one ASCII character, as a bool array."""
    offsets, data = offsets_and_bytes(column)
    found = offsets[1:] > offsets[:-1]
    found[found] = data[offsets[:-1][found]] == ord(mark)
    return found


_ZERO = np.uint8(ord("0"))
_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DAY_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9)


def byte_table(characters: bytes) -> np.ndarray:
    """For each byte whether it is one of these."""
    found = np.zeros(256, dtype=bool)
    found[list(characters)] = True
    return found


class TextColumn:
    """One column of texts (large_string), looked at as bytes."""

    def __init__(self, values: pa.Array) -> None:
        self.values = values
        self._offsets, self._data = memory(values)
        self.lengths: np.ndarray = np.diff(self._offsets)
        """Bytes in each text, int64."""
        if values.null_count:
            self.lengths *= values.is_valid().to_numpy(zero_copy_only=False)

    @cached_property
    def filled(self) -> np.ndarray:
        """Which values are neither missing nor "", as a mask."""
        return self.lengths > 0

    def longer_than(self, size: int) -> np.ndarray:
        """Positions of texts of more bytes than that."""
        return np.flatnonzero(self.lengths > size)

    def with_bytes(self, wanted: np.ndarray) -> np.ndarray:
        """Positions of texts that hold a byte for which the table (256 bools) is true."""
        return self._holding(wanted[self._data])

    def _holding(self, mask: np.ndarray) -> np.ndarray:
        """Positions of texts with a byte at which the mask is true."""
        hits = np.flatnonzero(mask)
        if not hits.size:
            return hits
        rows: np.ndarray = np.unique(self._rows(hits))
        kept: np.ndarray = rows[self.filled[rows]]
        return kept

    def unlike_digits(self, least: int, most: int) -> np.ndarray:
        """Positions of filled texts that are not so many digits."""
        odd = self.filled & ((self.lengths < least) | (self.lengths > most))
        odd[self._holding(self._data - _ZERO > 9)] = True
        return np.flatnonzero(odd & self.filled)

    def unlike_email(self, forbidden: bytes) -> np.ndarray:
        """Positions of filled texts without one @ that has a dot behind it, or with a forbidden character.

        Something stands before the @, between it and the last dot, and behind that dot.
        """
        data, offsets = self._data, self._offsets
        ats, dots = np.flatnonzero(data == ord("@")), np.flatnonzero(data == ord("."))
        if not ats.size or not dots.size:
            return np.flatnonzero(self.filled)
        rows = self._rows(ats)
        good = np.bincount(rows, minlength=len(self.lengths)) == 1
        at = np.zeros(len(self.lengths), dtype=np.int64)
        at[rows] = ats
        before = np.searchsorted(dots, offsets[1:])
        last_dot = np.where(before > 0, dots[np.maximum(before - 1, 0)], -1)
        good &= (at > offsets[:-1]) & (last_dot > at + 1) & (last_dot < offsets[1:] - 1)
        for character in forbidden:
            good[self._holding(data == character)] = False
        return np.flatnonzero(self.filled & ~good)

    def unlike_days(self) -> np.ndarray:
        """Positions of filled texts that are no day of the calendar written yyyy-MM-dd (years 1 to 9999)."""
        shaped = np.flatnonzero(self.lengths == 10)
        odd = self.filled.copy()
        if shaped.size:
            odd[shaped] = ~valid_days(in_tens(self._data, self._offsets[shaped]))
        return np.flatnonzero(odd)

    def _rows(self, places: np.ndarray) -> np.ndarray:
        """The position of the text that each byte belongs to."""
        rows: np.ndarray = np.searchsorted(self._offsets, places, side="right") - 1
        return rows


def in_tens(data: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Texts of ten bytes that begin at these places, as ten lines: the i-th holds the i-th byte of each."""
    cells = np.empty((10, len(begins)), dtype=np.uint8)
    for place in range(10):
        np.take(data[place:], begins, out=cells[place], mode="clip")
    return cells


def like_days(cells: np.ndarray) -> np.ndarray:
    """For texts in tens whether each looks like yyyy-MM-dd."""
    found: np.ndarray = (cells[4] == ord("-")) & (cells[7] == ord("-"))
    for place in _DAY_DIGITS:
        found &= cells[place] - _ZERO <= 9
    return found


def valid_days(cells: np.ndarray) -> np.ndarray:
    """For texts in tens whether each is a day of the calendar, yyyy-MM-dd."""
    y1, y2, y3, y4, m1, m2, d1, d2 = (cells[place].astype(np.int16) - _ZERO for place in _DAY_DIGITS)
    year, month, day = 1000 * y1 + 100 * y2 + 10 * y3 + y4, 10 * m1 + m2, 10 * d1 + d2
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = _DAYS[np.where((month >= 1) & (month <= 12), month, 0)] - ((month == 2) & ~leap)
    found: np.ndarray = like_days(cells) & (year >= 1) & (day >= 1) & (day <= longest)
    return found


_EMPTY = pa.scalar("", TEXT)


def join_columns(*pieces: pa.Array | pa.Scalar) -> pa.Array:
    """The texts of several columns (or constants) one after the other, row by row."""
    return pc.binary_join_element_wise(*pieces, _EMPTY)


def constant_text(value: str) -> pa.Scalar:
    """A constant column."""
    return pa.scalar(value, TEXT)


def content(cells: pa.Array) -> memoryview:
    """The UTF-8 of all cells of a column, one after the other, without a copy."""
    return memory(cells)[1].data


def has_bytes(cells: pa.Array, wanted: bytes) -> bool:
    """True if the column's text holds these bytes anywhere."""
    return wanted in memory(cells)[1].tobytes()
