"""Columns of cells made harmless for CSV and workbooks, and back.

The one rule for formulas: a cell that begins with = + - @ tab CR or ' gets one ' in front in a CSV, and loses
exactly one when the file comes back. Since ' itself is among them, any number of trips gives the same cell.
Workbooks hold text cells instead, which no program takes for a formula.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import TEXT

RISKY = "=+-@\t\r'"
_RISKY = np.zeros(256, dtype=bool)
_RISKY[[ord(character) for character in RISKY]] = True
_QUOTED = np.zeros(256, dtype=bool)
_QUOTED[[ord(character) for character in '",\r\n']] = True
_APOSTROPHE = np.zeros(256, dtype=bool)
_APOSTROPHE[ord("'")] = True
_EMPTY = pa.scalar("", TEXT)
_QUOTE = pa.scalar('"', TEXT)

EXCEL_LIMIT = 32_767
"""UTF-16 units in a cell of a workbook (Excel specifications and limits)."""


def joined(*pieces: pa.Array | pa.Scalar) -> pa.Array:
    """The texts of several columns (or constants) one after the other, row by row."""
    return pc.binary_join_element_wise(*pieces, _EMPTY)


def text(value: str) -> pa.Scalar:
    """A constant column."""
    return pa.scalar(value, TEXT)


def escape(value: str) -> str:
    """One cell by the rule for formulas."""
    return f"'{value}" if value and value[0] in RISKY else value


def quote(value: str) -> str:
    """One cell as CSV."""
    if any(character in value for character in '",\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


def escaped(cells: pa.Array) -> pa.Array:
    """A column by the rule for formulas; the same array if no cell needs it."""
    risky = _begins(cells, _RISKY)
    return cells if risky is None else pc.if_else(risky, joined(text("'"), cells), cells)


def unescaped(cells: pa.Array) -> pa.Array:
    """A column from a CSV of ours as it was before: exactly one leading ' less."""
    marked = _begins(cells, _APOSTROPHE)
    return cells if marked is None else pc.if_else(marked, pc.utf8_slice_codeunits(cells, 1), cells)


def quoted(cells: pa.Array) -> pa.Array:
    """A column as CSV: quotation marks around the cells that need them, and only those."""
    offsets, data = arrow.memory(cells)
    raw = data.tobytes()
    marks = b'"' in raw
    if not (marks or b"," in raw or b"\n" in raw or b"\r" in raw):
        return cells
    places = np.flatnonzero(_QUOTED[data])
    mask = np.zeros(len(cells), dtype=bool)
    mask[np.searchsorted(offsets, places, side="right") - 1] = True
    inner = pc.replace_substring(cells, '"', '""') if marks else cells
    return pc.if_else(pa.array(mask), joined(_QUOTE, inner, _QUOTE), cells)


def content(cells: pa.Array) -> memoryview:
    """The UTF-8 of all cells of a column, one after the other, without a copy."""
    return arrow.memory(cells)[1].data


def has_bytes(cells: pa.Array, wanted: bytes) -> bool:
    """True if the column's text holds these bytes anywhere."""
    return wanted in arrow.memory(cells)[1].tobytes()


def _begins(cells: pa.Array, table: np.ndarray) -> pa.Array | None:
    """Which cells begin with a byte of the table, as a mask; None if none does."""
    offsets, data = arrow.memory(cells)
    if not len(data):
        return None
    mask = table[data[np.minimum(offsets[:-1], len(data) - 1)]] & (offsets[1:] > offsets[:-1])
    return pa.array(mask) if mask.any() else None
