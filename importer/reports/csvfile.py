"""Lines as CSV: UTF-8 with BOM, quoted where needed, formulas made harmless, a line feed after each line."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import TEXT
from importer.reports import cells
from importer.reports.files import ReportFile
from importer.reports.lines import Lines, Spread
from importer.reports.plan import OWN_COLUMNS, Plan

BOM = b"\xef\xbb\xbf"
_COMMA = pa.scalar(",", TEXT)


class CsvReport:
    """`results.csv` or `rejects.csv` while it is being written. All methods raise OSError."""

    def __init__(self, plan: Plan, name: str) -> None:
        self._file = ReportFile(plan.directory, name)
        names = (*OWN_COLUMNS, *plan.origin.header)
        head = ",".join(cells.quote(cells.escape(name)) for name in names)
        self._file.stream.write(BOM + head.encode())

    def write(self, lines: Lines) -> None:
        """Append these rows; only their bytes are made, no object a row."""
        if not len(lines):
            return
        # Each line begins with the line feed of the one before, which saves a pass over all of it.
        rows = cells.joined(cells.text("\n"), pa.array(lines.rows).cast(TEXT))
        body = (cells.quoted(cells.escaped(column)) for column in lines.cells)
        text = pc.binary_join_element_wise(rows, *_own(lines), *body, _COMMA)
        self._file.stream.write(cells.content(text))

    def finish(self) -> ReportFile:
        """The last line feed; the file is whole and has its name only after `ReportFile.finish`."""
        self._file.stream.write(b"\n")
        return self._file

    def drop(self) -> None:
        self._file.drop()


def _own(lines: Lines) -> list[pa.Array | pa.Scalar]:
    """The own columns as CSV; neighbours that are numbered alike, or not at all, become one piece."""
    pieces: list[Spread] = []
    for spread in lines.own:
        dressed = Spread(cells.quoted(cells.escaped(spread.texts)), spread.numbers)
        if pieces and _alike(pieces[-1], dressed):
            dressed = _merged(pieces.pop(), dressed)
        pieces.append(dressed)
    return [piece.over(piece.texts) for piece in pieces]


def _alike(left: Spread, right: Spread) -> bool:
    return left.numbers is None or right.numbers is None or left.numbers is right.numbers


def _merged(left: Spread, right: Spread) -> Spread:
    numbers = right.numbers if left.numbers is None else left.numbers
    texts = [spread.texts[0] if spread.numbers is None else spread.texts for spread in (left, right)]
    joined = pc.binary_join_element_wise(*texts, _COMMA)
    return Spread(pa.array([joined.as_py()], TEXT) if numbers is None else joined, numbers)
