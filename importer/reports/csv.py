"""Write results.csv and rejects.csv: UTF-8 with BOM, quoted where needed, formulas made harmless.

A cell that begins with ' or, blanks aside, with = + - @ tab LF CR NUL or a full-width sign gets one ' in
front, and loses exactly one when the file is imported again. Since ' itself is among them, any number of
round trips gives the same cell. Which cells and why: docs/decisions/0011-formulas-in-csv.md.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import TEXT, ByteSet, TextColumn, join_columns
from importer.reports.files import ReportFile
from importer.reports.model import OWN_COLUMNS, ReportPlan
from importer.reports.rows import EncodedColumn, ReportRows

RISKY = "=+-@\t\n\r\0＝＋－＠"
_FORMULA = f"^( *[{RISKY.replace('-', '')}-]|')"
_RISKY = ByteSet(f"{RISKY} '".encode()).table
"""First bytes of cells to look at: those of the full-width signs begin much harmless text, too."""
_QUOTED = ByteSet(b'",\r\n')
_APOSTROPHE = ByteSet(b"'").table
_QUOTE = pa.scalar('"', TEXT)


def escape(value: str) -> str:
    """One cell, escaped by the rule for formulas."""
    return f"'{value}" if value.startswith("'") or value.lstrip(" ").startswith(tuple(RISKY)) else value


def quote(value: str) -> str:
    """One cell as CSV."""
    if any(character in value for character in '",\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


def escaped(cells: pa.Array) -> pa.Array:
    """A column, escaped by the rule for formulas. The same array if no cell needs it."""
    if _begins(cells, _RISKY) is None:
        return cells
    risky = pc.match_substring_regex(cells, _FORMULA)
    return pc.if_else(risky, join_columns("'", cells), cells)


def unescaped(cells: pa.Array) -> pa.Array:
    """A column of one of our CSV files without the escape: exactly one leading ' less."""
    marked = _begins(cells, _APOSTROPHE)
    return cells if marked is None else pc.if_else(marked, pc.utf8_slice_codeunits(cells, 1), cells)


def quoted(cells: pa.Array) -> pa.Array:
    """A column as CSV: quotation marks only around the cells that need them."""
    raw = arrow.offsets_and_bytes(cells)[1].tobytes()
    marks = b'"' in raw
    if not (marks or b"," in raw or b"\n" in raw or b"\r" in raw):
        return cells
    mask = np.zeros(len(cells), dtype=bool)
    mask[TextColumn(cells).with_bytes(_QUOTED)] = True
    inner = cells.filter(pa.array(mask))
    inner = pc.replace_substring(inner, '"', '""') if marks else inner
    return pc.replace_with_mask(cells, pa.array(mask), join_columns(_QUOTE, inner, _QUOTE))


def _begins(cells: pa.Array, table: np.ndarray) -> pa.Array | None:
    """The mask of the cells that begin with a byte of the table. None if no cell does."""
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
        self._file = ReportFile(plan, name)
        names = (*OWN_COLUMNS, *plan.source.header)
        head = ",".join(quote(escape(name)) for name in names)
        self._file.stream.write(BOM + head.encode())

    def write(self, rows: ReportRows) -> None:
        """Append these rows column by column, without an object for each row."""
        if not len(rows):
            return
        # Each line begins with the line feed of the one before, which saves a pass over the text.
        numbers = arrow.join_columns("\n", pa.array(rows.rows).cast(TEXT))
        body = (quoted(escaped(column)) for column in rows.cells)
        text = pc.binary_join_element_wise(numbers, *_own(rows), *body, _COMMA)
        self._file.stream.write(arrow.content(text))

    def finish(self) -> ReportFile:
        """Write the last line feed. The file gets its name by `ReportFile.finish`."""
        self._file.stream.write(b"\n")
        return self._file

    def drop(self) -> None:
        self._file.drop()


def _own(rows: ReportRows) -> list[pa.Array | pa.Scalar]:
    """The own columns as CSV. Neighbours that are numbered alike, or not at all, become one piece."""
    pieces: list[EncodedColumn] = []
    for column in rows.own:
        piece = EncodedColumn(quoted(escaped(column.texts)), column.numbers)
        if pieces and _alike(pieces[-1], piece):
            piece = _merged(pieces.pop(), piece)
        pieces.append(piece)
    return [piece.expand(piece.texts) for piece in pieces]


def _alike(left: EncodedColumn, right: EncodedColumn) -> bool:
    return left.numbers is None or right.numbers is None or left.numbers is right.numbers


def _merged(left: EncodedColumn, right: EncodedColumn) -> EncodedColumn:
    numbers = right.numbers if left.numbers is None else left.numbers
    texts = [column.texts[0] if column.numbers is None else column.texts for column in (left, right)]
    joined = pc.binary_join_element_wise(*texts, _COMMA)
    return EncodedColumn(pa.array([joined.as_py()], TEXT) if numbers is None else joined, numbers)
