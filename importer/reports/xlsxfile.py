"""Lines as a workbook for people: every cell is text, so that no program turns a phone into 8.6E+12.

openpyxl makes the workbook around the rows (styles, widths, notes, frozen header); the rows themselves go
into its sheet as XML made column by column, since a million cell objects would take minutes.
Sources: ECMA-376 part 1, 18.3.1.4 (cells), 22.9.2.19 (`_xHHHH_` for what XML cannot hold).
"""

from __future__ import annotations

import contextlib
import re
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from openpyxl.utils import get_column_letter

from importer import messages
from importer.columns import TEXT
from importer.reports import cells
from importer.reports.files import ReportFile
from importer.reports.lines import Lines
from importer.reports.plan import OWN_COLUMNS, WORKBOOK_ROWS, Plan
from importer.reports.skeleton import BAD, HEAD, SHEET_PART, TEXTUAL, skeleton

MOST_COLUMNS = 16_384
"""Of a sheet (Excel specifications and limits)."""
_NOT_XML = "[\\x00-\\x08\\x0b-\\x1f\\x{fffe}\\x{ffff}]"
_UNUSUAL = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_OPEN = '" t="inlineStr"><is><t xml:space="preserve">'
_CLOSE = "</t></is></c>"
_BLANK = '"/>'


class XlsxReport:
    """`rejects.xlsx` while it is being written. All methods raise OSError."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.rows = 0
        self.offered = 0
        names = (*OWN_COLUMNS, *plan.origin.header)
        self._lang = plan.lang
        self._letters = [get_column_letter(place + 1) for place in range(len(names))]
        self._file = ReportFile(plan.directory, name)
        self._zip = zipfile.ZipFile(self._file.stream, "w", zipfile.ZIP_DEFLATED, compresslevel=3)
        around = skeleton(plan, names)
        self._parts, self._after = around.parts, around.after
        self._sheet = self._zip.open(SHEET_PART, "w", force_zip64=True)
        head = (
            f'<c r="{letter}1" s="{HEAD}{_tail(name, self._lang)}'
            for letter, name in zip(self._letters, names, strict=True)
        )
        self._sheet.write(f'{around.before}<row r="1">{"".join(head)}</row>'.encode())

    def write(self, lines: Lines) -> None:
        """Append these rows, as far as the workbook takes them; `offered` counts the others too."""
        self.offered += len(lines)
        lines = lines.take(np.arange(min(len(lines), WORKBOOK_ROWS - self.rows)))
        if not len(lines):
            return
        numbers = pa.array(np.arange(self.rows + 2, self.rows + 2 + len(lines))).cast(TEXT)
        pieces = [cells.text('<row r="'), numbers, cells.text('">')]
        columns = zip(self._letters, self._tails(lines), strict=True)
        for place, (letter, tails) in enumerate(columns, start=-len(OWN_COLUMNS)):
            pieces += [cells.text(f'<c r="{letter}'), numbers, _style(lines, place), tails]
        self._sheet.write(cells.content(cells.joined(*pieces, cells.text("</row>"))))
        self.rows += len(lines)

    def _tails(self, lines: Lines) -> list[pa.Array]:
        """Each column's XML from behind the style to the end of the cell."""
        tails = [_filled(pa.array(lines.rows).cast(TEXT))]
        tails += [spread.over(_filled(_xml(spread.texts, self._lang))) for spread in lines.own]
        tails += [_filled(_xml(column, self._lang)) for column in lines.cells]
        return tails

    def finish(self) -> ReportFile:
        """The parts around the rows; the file has its name only after `ReportFile.finish`."""
        self._sheet.write(self._after.encode())
        self._sheet.close()
        for name, content in self._parts:
            self._zip.writestr(name, content)
        self._zip.close()
        return self._file

    def drop(self) -> None:
        for part in (self._sheet, self._zip):
            with contextlib.suppress(OSError, ValueError):
                part.close()
        self._file.drop()


def _style(lines: Lines, column: int) -> pa.Array | pa.Scalar:
    """The end of the cell's place and its style: text, coloured where the cell has an error."""
    bad = lines.bad_rows[lines.bad_columns == column]
    if not len(bad):
        return cells.text(f'" s="{TEXTUAL}')
    number = np.zeros(len(lines), dtype=np.int8)
    number[bad] = 1
    return pa.array([f'" s="{TEXTUAL}', f'" s="{BAD}'], type=TEXT).take(pa.array(number))


def _filled(column: pa.Array) -> pa.Array:
    """XML texts as cells; an empty one keeps its style, so that what is typed there stays text."""
    whole = cells.joined(cells.text(_OPEN), column, cells.text(_CLOSE))
    empty = pc.equal(column, "")
    return pc.if_else(empty, _BLANK, whole) if pc.any(empty).as_py() else whole


def _xml(column: pa.Array, lang: str) -> pa.Array:
    """Cells as XML text; the rare cell that XML or Excel cannot hold is done one by one."""
    plain = column
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        if cells.has_bytes(plain, character.encode()):
            plain = pc.replace_substring(plain, character, entity)
    long = pc.greater(pc.binary_length(column), cells.EXCEL_LIMIT)
    strange = pc.or_(long, pc.match_substring_regex(column, _NOT_XML))
    if cells.has_bytes(column, b"_x"):
        strange = pc.or_(strange, pc.match_substring(column, "_x"))
    if not pc.any(strange).as_py():
        return plain
    texts = pa.array([_text(value, lang) for value in column.filter(strange).to_pylist()], type=TEXT)
    return pc.replace_with_mask(plain, strange, texts)


def _tail(value: str, lang: str) -> str:
    return f"{_OPEN}{_text(value, lang)}{_CLOSE}" if value else _BLANK


def _text(value: str, lang: str) -> str:
    """One cell as XML text, at most as long as Excel takes; a cell that was cut says so at its end."""
    units = len(value.encode("utf-16-le")) // 2
    if units > cells.EXCEL_LIMIT:
        note = messages.sentence("cell-cut", {"length": units}, lang)
        room = (cells.EXCEL_LIMIT - len(note)) * 2
        value = value.encode("utf-16-le")[:room].decode("utf-16-le", "ignore") + note
    value = _UNUSUAL.sub(lambda found: f"_x{ord(found[0]):04X}_", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
