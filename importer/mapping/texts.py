"""Columns of text, looked at as one piece of memory: what needs no cleaning is not touched.

A column here is an Arrow array of `large_string` without nulls, where "" is an empty cell. Looking at the
bytes of a whole column costs a nanosecond each, a kernel that visits every value a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.columns import TEXT

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


def memory(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
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
    offsets, data = memory(column)
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
    offsets, _ = memory(column)
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
    offsets, _ = memory(column)
    return offsets[1:] > offsets[:-1]


def starting_with(column: pa.Array, mark: str) -> np.ndarray:
    """Which values begin with one ASCII character, as a bool array."""
    offsets, data = memory(column)
    found = offsets[1:] > offsets[:-1]
    found[found] = data[offsets[:-1][found]] == ord(mark)
    return found
