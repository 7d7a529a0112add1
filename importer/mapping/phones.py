"""Phones as both contracts want them: digits."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import BLANKS, from_memory, offsets_and_bytes, rework

_DIGITS = b"0123456789"
_ZERO = np.uint8(ord("0"))
_DIGIT, _FORMATTING, _SIGN, _OTHER = range(4)
_KIND = np.full(256, _OTHER, dtype=np.uint8)
_KIND[list(_DIGITS)] = _DIGIT
_KIND[list(b" \t-.()/")] = _FORMATTING
_KIND[list(b"+'")] = _SIGN

_PLAIN = str.maketrans(
    {0xFF10 + digit: str(digit) for digit in range(10)}
    | dict.fromkeys(map(ord, "－‐‑‒–—―−﹣"), "-")
    | {"＋": "+", "﹢": "+", "（": "(", "）": ")", "．": ".", "／": "/", "’": "'", "‘": "'", "＇": "'"}
    | dict.fromkeys(map(ord, BLANKS), " ")
)
_FLOAT = re.compile(r"\+?([0-9]+)\.0+")
_FORMAT = re.compile(r"[ \-.()/]+")
_NUMBER = re.compile(r"\+?([0-9]+)")


def digits(column: pa.Array) -> pa.Array:
    """The column with formatting characters removed wherever only digits remain; other texts stay as found.
    A text of nothing but formatting characters (“-”) is an empty cell.

    Formatting characters are blanks - . ( ) / and one leading + or ' (DESIGN.md, “Values”), full-width ones
    too. A text like 1.86E+10 or “ask Bob” stays, so that validation can show it.
    """
    offsets, data = offsets_and_bytes(column)
    others = np.flatnonzero(data - _ZERO > 9)
    if not others.size:
        return column
    formatted = np.zeros(len(column), dtype=bool)
    formatted[np.searchsorted(offsets, others, side="right") - 1] = True
    where = pa.array(formatted)
    return pc.replace_with_mask(column, where, _bare(column.filter(where)))


def _bare(column: pa.Array) -> pa.Array:
    """The same for a column in which every text holds something else than digits."""
    offsets, data = offsets_and_bytes(column)
    kinds = _KIND[data]
    signs, rest = _count(kinds == _SIGN, offsets), _count(kinds == _OTHER, offsets)
    number = kinds == _DIGIT
    some = offsets[1:] > offsets[:-1]
    leading = np.zeros(len(column), dtype=bool)
    leading[some] = kinds[offsets[:-1][some]] == _SIGN
    hard = (rest > 0) | (signs > leading) | ((_count(number, offsets) == 0) & some)
    # One point may be a decimal one: 13812345678.0.
    hard |= _count(data == ord("."), offsets) == 1
    kept = number | np.repeat(hard, np.diff(offsets))
    places = np.concatenate(([0], np.cumsum(kept)))[offsets]
    return rework(from_memory(places.astype(np.int64), data[kept]), hard, plain)


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """One phone without its formatting if only digits, or nothing, remain, else the text itself."""
    found = text.translate(_PLAIN).strip()
    # A phone that was guarded against being read as a formula: '+86…
    found = found.removeprefix("'").strip()
    bare = _FORMAT.sub("", found)
    number = _FLOAT.fullmatch(found) or _NUMBER.fullmatch(bare)
    if number:
        return number[1]
    return text if bare.removeprefix("+") else ""


def _count(hits: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    total = np.concatenate(([0], np.cumsum(hits)))
    return np.diff(total[offsets])
