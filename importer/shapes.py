"""The form of texts, told from a column's bytes: which rows can be passed at a glance, and which need a look.

A kernel visits every text; a look at the column's bytes as one piece costs a tenth of that. Positions are
int64 arrays in ascending order, masks are bool arrays with one element a row. A missing value has no form:
it is never odd.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa

from importer import columns

_ZERO = np.uint8(ord("0"))
_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DAY_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9)


def table(characters: bytes) -> np.ndarray:
    """For each byte whether it is one of these."""
    found = np.zeros(256, dtype=bool)
    found[list(characters)] = True
    return found


class Shapes:
    """One column of texts (large_string), looked at as bytes."""

    def __init__(self, values: pa.Array) -> None:
        self.values = values
        self._offsets, self._data = columns.memory(values)
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
            odd[shaped] = ~days(in_tens(self._data, self._offsets[shaped]))
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


def days(cells: np.ndarray) -> np.ndarray:
    """For texts in tens whether each is a day of the calendar, yyyy-MM-dd."""
    y1, y2, y3, y4, m1, m2, d1, d2 = (cells[place].astype(np.int16) - _ZERO for place in _DAY_DIGITS)
    year, month, day = 1000 * y1 + 100 * y2 + 10 * y3 + y4, 10 * m1 + m2, 10 * d1 + d2
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = _DAYS[np.where((month >= 1) & (month <= 12), month, 0)] - ((month == 2) & ~leap)
    found: np.ndarray = like_days(cells) & (year >= 1) & (day >= 1) & (day <= longest)
    return found
