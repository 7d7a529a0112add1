"""Write results.csv and rejects.csv: UTF-8 with BOM, quoted where needed, formulas made harmless.

A cell that begins with = + - @ tab CR or ' gets one ' in front, and loses exactly one when the file is
imported again. Since ' itself is among them, any number of round trips gives the same cell.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import TEXT, join_columns
from importer.reports.files import ReportFile
from importer.reports.model import OWN_COLUMNS, ReportPlan
from importer.reports.rows import EncodedColumn, ReportRows

RISKY = "=+-@\t\r'"
_RISKY = np.zeros(256, dtype=bool)
_RISKY[[ord(character) for character in RISKY]] = True
_QUOTED = np.zeros(256, dtype=bool)
_QUOTED[[ord(character) for character in '",\r\n']] = True
_APOSTROPHE = np.zeros(256, dtype=bool)
_APOSTROPHE[ord("'")] = True
_QUOTE = pa.scalar('"', TEXT)


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
    return cells if risky is None else pc.if_else(risky, join_columns("'", cells), cells)


def unescaped(cells: pa.Array) -> pa.Array:
    """A column from a CSV of ours as it was before: exactly one leading ' less."""
    marked = _begins(cells, _APOSTROPHE)
    return cells if marked is None else pc.if_else(marked, pc.utf8_slice_codeunits(cells, 1), cells)


def quoted(cells: pa.Array) -> pa.Array:
    """A column as CSV: quotation marks around the cells that need them, and only those."""
    offsets, data = arrow.offsets_and_bytes(cells)
    raw = data.tobytes()
    marks = b'"' in raw
    if not (marks or b"," in raw or b"\n" in raw or b"\r" in raw):
        return cells
    places = np.flatnonzero(_QUOTED[data])
    mask = np.zeros(len(cells), dtype=bool)
    mask[np.searchsorted(offsets, places, side="right") - 1] = True
    inner = pc.replace_substring(cells, '"', '""') if marks else cells
    return pc.if_else(pa.array(mask), join_columns(_QUOTE, inner, _QUOTE), cells)


def _begins(cells: pa.Array, table: np.ndarray) -> pa.Array | None:
    """Which cells begin with a byte of the table, as a mask; None if none does."""
    offsets, data = arrow.offsets_and_bytes(cells)
    if not len(data):
        return None
    mask = table[data[np.minimum(offsets[:-1], len(data) - 1)]] & (offsets[1:] > offsets[:-1])
    return pa.array(mask) if mask.any() else None


BOM = b"\xef\xbb\xbf"
_COMMA = pa.scalar(",", TEXT)


class CsvReport:
    """`results.csv` or `rejects.csv` while it is being written. All methods raise OSError."""

    def __init__(self, plan: ReportPlan, name: str) -> None:
        self._file = ReportFile(plan.directory, name)
        names = (*OWN_COLUMNS, *plan.origin.header)
        head = ",".join(quote(escape(name)) for name in names)
        self._file.stream.write(BOM + head.encode())

    def write(self, lines: ReportRows) -> None:
        """Append these rows; only their bytes are made, no object a row."""
        if not len(lines):
            return
        # Each line begins with the line feed of the one before, which saves a pass over all of it.
        rows = arrow.join_columns("\n", pa.array(lines.rows).cast(TEXT))
        body = (quoted(escaped(column)) for column in lines.cells)
        text = pc.binary_join_element_wise(rows, *_own(lines), *body, _COMMA)
        self._file.stream.write(arrow.content(text))

    def finish(self) -> ReportFile:
        """The last line feed; the file is whole and has its name only after `ReportFile.finish`."""
        self._file.stream.write(b"\n")
        return self._file

    def drop(self) -> None:
        self._file.drop()


def _own(lines: ReportRows) -> list[pa.Array | pa.Scalar]:
    """The own columns as CSV; neighbours that are numbered alike, or not at all, become one piece."""
    pieces: list[EncodedColumn] = []
    for spread in lines.own:
        dressed = EncodedColumn(quoted(escaped(spread.texts)), spread.numbers)
        if pieces and _alike(pieces[-1], dressed):
            dressed = _merged(pieces.pop(), dressed)
        pieces.append(dressed)
    return [piece.expand(piece.texts) for piece in pieces]


def _alike(left: EncodedColumn, right: EncodedColumn) -> bool:
    return left.numbers is None or right.numbers is None or left.numbers is right.numbers


def _merged(left: EncodedColumn, right: EncodedColumn) -> EncodedColumn:
    numbers = right.numbers if left.numbers is None else left.numbers
    texts = [spread.texts[0] if spread.numbers is None else spread.texts for spread in (left, right)]
    joined = pc.binary_join_element_wise(*texts, _COMMA)
    return EncodedColumn(pa.array([joined.as_py()], TEXT) if numbers is None else joined, numbers)
