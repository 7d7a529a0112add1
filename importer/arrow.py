"""Read, check and change whole columns of text.

Inside, a column is an Arrow array of `large_string`; outside, it is a pandas Series of dtype string[pyarrow].
The conversion copies nothing. Checks look at all bytes of a column at once, which takes a tenth of the time
of a kernel that visits every text. Positions are int64 arrays in ascending order. Masks are bool arrays with
one element a row. A missing value passes every check.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache, partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer.models import Chunk, MappedChunk

TEXT = pa.large_string()


def array(values: Sequence[str | None]) -> pa.Array:
    """Return an Arrow column of the given texts. Raises UnicodeEncodeError on a lone surrogate."""
    return pa.array(values, type=TEXT)


def frame(columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: np.ndarray) -> pd.DataFrame:
    """Return a frame of string[pyarrow] columns, indexed by row numbers (int64)."""
    index = pd.Index(rows, dtype="int64", name="row")
    data = {name: pd.arrays.ArrowStringArray(_as_text(column)) for name, column in columns.items()}
    return pd.DataFrame(data, index=index, columns=list(columns), copy=False)


def to_arrow(series: pd.Series) -> pa.Array:
    """Return the Arrow array (`large_string`, one piece) behind a Series of text."""
    found = pa.array(series, type=TEXT) if series.dtype == object else series.array.__arrow_array__()
    return _one_piece(found)


def text_column(part: Chunk | MappedChunk, name: str) -> pa.Array:
    """Return a column of the chunk's frame as `to_arrow` gives it.

    The chunk keeps the result: asking pandas takes as long as looking at some thousand cells.
    """
    found = part.texts.get(name)
    if found is None:
        found = part.texts[name] = to_arrow(part.frame[name])
    return found


def release_unused_memory() -> None:
    """Make Arrow return unused memory to the system, where it can: by default it keeps half as much again.

    This changes the whole process. Call it only from a program, never from a library.
    """
    with contextlib.suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def column_letter(at: int) -> str:
    """Return A, B, … Z, AA for 0, 1, … 25, 26."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    column = _one_piece(column)
    return column if column.type == TEXT else column.cast(TEXT)


def _one_piece(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks() if column.num_chunks else pa.array([], type=column.type)


# --- the bytes of a column ---------------------------------------------------------------------------------


def offsets_and_bytes(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return where each text begins and ends (int64, one more than texts, from 0), and all bytes (uint8)."""
    _, places, data = column.buffers()
    count = len(column)
    if not count or places is None or data is None:
        return np.zeros(count + 1, dtype=np.int64), np.empty(0, dtype=np.uint8)
    offsets = np.frombuffer(places, dtype=np.int64, count=count + 1, offset=8 * column.offset)
    if offsets[0] == offsets[-1]:
        return np.zeros(count + 1, dtype=np.int64), np.empty(0, dtype=np.uint8)
    found = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return (offsets if offsets[0] == 0 else offsets - offsets[0]), found


def from_offsets(offsets: np.ndarray, data: np.ndarray) -> pa.Array:
    """Return the column with these offsets (int64) over these bytes (uint8)."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(TEXT, len(offsets) - 1, buffers, null_count=0)


def content(cells: pa.Array) -> memoryview:
    """Return the UTF-8 of all cells of a column, one after the other, without a copy."""
    return offsets_and_bytes(cells)[1].data


def has_bytes(cells: pa.Array, wanted: bytes) -> bool:
    """Return whether the column's text holds these bytes anywhere."""
    raw = offsets_and_bytes(cells)[1].tobytes()
    # Most texts lack one of them, above all those beyond ASCII, which shows a hundred times as fast.
    return all(bytes((one,)) in raw for one in sorted(set(wanted), reverse=True)) and wanted in raw


class ByteSet:
    """Some of the 256 bytes, to be looked for in all bytes of a column."""

    def __init__(self, characters: bytes) -> None:
        self.table = np.zeros(256, dtype=bool)
        """For each byte whether it is one of them: a mask to index with some bytes."""
        self.table[list(characters)] = True
        self._characters = characters
        self._codes = self.table.tobytes()

    def where(self, data: np.ndarray) -> np.ndarray:
        """Return a mask of the bytes (uint8) among them. To index the table would take four times as long."""
        if len(self._characters) > 8:
            return np.frombuffer(data.tobytes().translate(self._codes), dtype=bool)
        found = np.zeros(len(data), dtype=bool)
        for character in self._characters:
            found |= data == character
        return found


# --- row by row --------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def scalar(text: str) -> pa.Scalar:
    """Return a text as Arrow's kernels want it beside a column: a scalar of the column's type."""
    return pa.scalar(text, type=TEXT)


def constant(text: str, rows: int) -> pa.Array:
    """Return a column that holds one text in every row."""
    return pa.repeat(scalar(text), rows)


def if_else(
    where: np.ndarray, one: pa.Array | pa.Scalar | str, other: pa.Array | pa.Scalar | str | None
) -> pa.Array:
    """Return a column with `one` where the mask is true, else `other`."""
    pick = [scalar(value) if isinstance(value, str) else value for value in (one, other)]
    return pc.if_else(pa.array(where), *pick)


def join_columns(*parts: pa.Array | pa.Scalar | str) -> pa.Array:
    """Join columns and fixed texts row by row; at least one is a column."""
    pick = [scalar(part) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*pick, scalar(""))


def join_nonempty(parts: Sequence[pa.Array], separator: str) -> pa.Array:
    """Join columns row by row with a separator, "" passed over.

    Arrow's own way to pass over nulls returns fewer rows than it was given where all parts are null.
    """
    column = parts[0]
    for part in parts[1:]:
        both = nonempty(column) & nonempty(part)
        one = if_else(nonempty(column), column, part)
        column = if_else(both, join_columns(column, separator, part), one) if both.any() else one
    return column


def without_nulls(column: pa.Array) -> pa.Array:
    """Return the column as `large_string`, with "" for nulls."""
    if column.type != TEXT:
        column = column.cast(TEXT)
    return column.fill_null("") if column.null_count else column


def empty_as_null(column: pa.Array) -> pa.Array:
    """Return the column with nulls where it is ""; no text is copied."""
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


def nonempty(column: pa.Array) -> np.ndarray:
    """Return a mask of the values that are not ""."""
    offsets, _ = offsets_and_bytes(column)
    return offsets[1:] > offsets[:-1]


def to_mask(found: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a mask from an Arrow array of booleans; nulls are False."""
    if found.null_count:
        found = found.fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def rows_where(frame: pd.DataFrame, mask: pa.Array | pa.ChunkedArray | np.ndarray) -> np.ndarray:
    """Return the row numbers (int64) at which a mask is true."""
    return frame.index.to_numpy()[mask if isinstance(mask, np.ndarray) else to_mask(_one_piece(mask))]


# --- text by text, each distinct one once ------------------------------------------------------------------


def rework(column: pa.Array, where: np.ndarray, change: Callable[[str], str]) -> pa.Array:
    """Return the column with `change` applied where the mask is true: once for each distinct text."""
    if not where.any():
        return column
    mask = pa.array(where)
    chosen = column.filter(mask).dictionary_encode()
    changed = array([change(text) for text in chosen.dictionary.to_pylist()])
    return pc.replace_with_mask(column, mask, changed.take(chosen.indices))


def rework_all(column: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """Return the column with `change` applied to every filled value: once for each distinct text."""
    chosen = column.dictionary_encode()
    changed = [change(text) if text else text for text in chosen.dictionary.to_pylist()]
    return array(changed).take(chosen.indices)


def read_texts(
    column: pa.Array, read: Callable[[str], str | None], where: np.ndarray | None = None
) -> tuple[pa.Array, np.ndarray]:
    """Return the column with its filled values read, each distinct text once; with `where`, only those.

    Also returns a mask of the values for which `read` returns None: they stay as they are.
    """
    chosen = column if where is None else column.filter(pa.array(where))
    distinct = chosen.dictionary_encode()
    texts = distinct.dictionary.to_pylist()
    values = [read(text) if text else text for text in texts]
    kept = [text if value is None else value for text, value in zip(texts, values, strict=True)]
    done = array(kept).take(distinct.indices)
    failed = np.array([value is None for value in values], dtype=bool)[distinct.indices.to_numpy()]
    if where is None:
        return done, failed
    unread = np.zeros(len(column), dtype=bool)
    unread[where] = failed
    return pc.replace_with_mask(column, pa.array(where), done), unread


# --- blanks ------------------------------------------------------------------------------------------------


BLANKS = (
    " \t\n\r\x0b\x0c\x85\xa0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
    # Zero width, direction marks (phones pasted from a messenger stand between U+202A and U+202C) and BOM.
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
"""The characters that are cut off at both ends of every text."""

_BLANK_PAIRS = np.zeros(1 << 16, dtype=bool)
"""For each pair of bytes whether a blank beyond ASCII begins with it in UTF-8."""
_BLANK_PAIRS[[raw[0] << 8 | raw[1] for raw in map(str.encode, BLANKS) if len(raw) > 1]] = True


def trimmed(column: pa.Array) -> pa.Array:
    """Return the column without blanks of any kind at the outside; those inside, line breaks too, stay."""
    return pc.utf8_trim(column, characters=BLANKS) if _may_have_outer_blanks(column) else column


def _may_have_outer_blanks(column: pa.Array) -> bool:
    """Return whether a text, or one beside an empty text, may begin or end with a blank."""
    offsets, data = offsets_and_bytes(column)
    highest = data.max(initial=0)
    if highest < 0x80 and not (data <= ord(" ")).any():
        return False
    byte = partial(np.take, data, mode="clip")
    first, last = byte(offsets[:-1]), byte(offsets[1:] - 1)
    if (first <= ord(" ")).any() or (last <= ord(" ")).any():
        return True
    if highest < 0x80:
        return False
    before = byte(offsets[1:] - 2)
    pairs = ((first, byte(offsets[:-1] + 1)), (byte(offsets[1:] - 3), before), (before, last))
    return any(_BLANK_PAIRS[one.astype(np.uint16) << 8 | two].any() for one, two in pairs)


# --- checks ------------------------------------------------------------------------------------------------

_ZERO = np.uint8(ord("0"))
_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DAY_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9)


class TextColumn:
    """A column of texts (large_string) whose checks look at bytes.

    Every check returns positions: of the texts that fail it, or that have what it looks for.
    """

    def __init__(self, values: pa.Array) -> None:
        self.values = values
        self._offsets, self._data = offsets_and_bytes(values)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Bytes in each text, int64."""
        found = np.diff(self._offsets)
        if self.values.null_count:
            found *= self.values.is_valid().to_numpy(zero_copy_only=False)
        return found

    @cached_property
    def filled(self) -> np.ndarray:
        """A mask of the values that are neither missing nor ""."""
        return self.lengths > 0

    def longer_than(self, size: int) -> np.ndarray:
        """Return the positions of texts of more than `size` bytes."""
        return np.flatnonzero(self.lengths > size)

    def with_bytes(self, wanted: ByteSet) -> np.ndarray:
        """Return the positions of texts that hold one of these bytes."""
        return self.holding(np.flatnonzero(wanted.where(self._data)))

    def holding(self, places: np.ndarray) -> np.ndarray:
        """Return the positions of the texts with a byte at one of these places (ascending)."""
        if not places.size:
            return places
        rows = self._rows(places)
        rows = rows[np.append(True, rows[1:] != rows[:-1])]
        kept: np.ndarray = rows[self.filled[rows]]
        return kept

    def unlike_digits(self, least: int, most: int) -> np.ndarray:
        """Return the positions of filled texts that are not `least` to `most` digits."""
        odd = self.lengths > most
        odd |= self.lengths < least
        # Most texts that are no digits show it at their beginning.
        odd |= np.take(self._data, self._offsets[:-1], mode="clip") - _ZERO > 9 if self._data.size else False
        odd &= self.filled
        if np.count_nonzero(odd) < np.count_nonzero(self.filled):
            odd[self.holding(np.flatnonzero(self._data - _ZERO > 9))] = True
        return np.flatnonzero(odd)

    def unlike_email(self, forbidden: bytes) -> np.ndarray:
        """Return the positions of filled texts that are not of the form name@domain.tld.

        There must be exactly one @. Something must stand before it, between it and the last dot, and behind
        that dot. None of the forbidden characters may occur.
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
            good[self.holding(np.flatnonzero(data == character))] = False
        return np.flatnonzero(self.filled & ~good)

    def unlike_days(self) -> np.ndarray:
        """Return the positions of filled texts that are no day of the calendar written yyyy-MM-dd (years 1 to
        9999)."""
        shaped = np.flatnonzero(self.lengths == 10)
        odd = self.filled.copy()
        if shaped.size:
            odd[shaped] = ~valid_days(in_tens(self._data, self._offsets[shaped]))
        return np.flatnonzero(odd)

    def _rows(self, places: np.ndarray) -> np.ndarray:
        """Return the position of the text that each byte belongs to."""
        rows: np.ndarray = np.searchsorted(self._offsets, places, side="right") - 1
        return rows


def in_tens(data: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Return the ten bytes from each of these places on, as an array of shape (10, texts)."""
    cells = np.empty((10, len(begins)), dtype=np.uint8)
    for place in range(10):
        np.take(data[place:], begins, out=cells[place], mode="clip")
    return cells


def like_days(cells: np.ndarray) -> np.ndarray:
    """Return for texts of ten bytes, as `in_tens` gives them, whether each looks like yyyy-MM-dd."""
    found: np.ndarray = (cells[4] == ord("-")) & (cells[7] == ord("-"))
    for place in _DAY_DIGITS:
        found &= cells[place] - _ZERO <= 9
    return found


def valid_days(cells: np.ndarray) -> np.ndarray:
    """Return for texts of ten bytes, as `in_tens` gives them, whether each is a day of the calendar,
    yyyy-MM-dd."""
    y1, y2, y3, y4, m1, m2, d1, d2 = (cells[place].astype(np.int16) - _ZERO for place in _DAY_DIGITS)
    year, month, day = 1000 * y1 + 100 * y2 + 10 * y3 + y4, 10 * m1 + m2, 10 * d1 + d2
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = _DAYS[np.where((month >= 1) & (month <= 12), month, 0)] - ((month == 2) & ~leap)
    found: np.ndarray = like_days(cells) & (year >= 1) & (day >= 1) & (day <= longest)
    return found
