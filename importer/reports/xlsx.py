"""Write rejects.xlsx, in which every cell is text, so that no program turns a phone number into 8.6E+12.

The XML of the rows is made column by column (docs/decisions/0006-rejects-workbook.md has the figures);
`xlsx_template` makes what is around them. Sources: ECMA-376 part 1, 18.3.1.4 (cells), 22.9.2.19
(`_xHHHH_` for what XML cannot hold).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import TEXT, column_letter
from importer.reports import xlsx_template
from importer.reports.files import ReportFile
from importer.reports.model import OWN_COLUMNS, WORKBOOK_ROWS, ReportPlan
from importer.reports.rows import CellNote, ReportRows
from importer.reports.xlsx_template import SHEET_PART, ReportCellStyle, build_template, xml_text
from importer.workbook_zip import WorkbookZip

XLSX_OWN_COLUMNS = ("_message", *(name for name in OWN_COLUMNS if name != "_message"))
"""The importer's own columns in rejects.xlsx: behind the customer's, what to do first."""
OWN_STYLES = {"_message": ReportCellStyle.WRAPPED}
_LINE_WIDTH = 80
"""Characters that surely fit into one line of the column `_message`."""
_LINE_HEIGHT = 15
"""Points."""
_MOST_LINES = 12
_NOT_XML = "[\\x00-\\x08\\x0b-\\x1f\\x{fffe}\\x{ffff}]"
_OPEN = '" t="inlineStr"><is><t xml:space="preserve">'
_CLOSE = "</t></is></c>"
_BLANK = '"/>'


class TextSheet:
    """A sheet of the given columns as XML, from its header to its last row."""

    def __init__(self, header: Sequence[str], lang: str, own: Sequence[str] = OWN_COLUMNS) -> None:
        """`header` are the original columns, `own` the importer's in the order in which they come after."""
        self._names = names = (*header, *own)
        self._lang = lang
        self._order = [OWN_COLUMNS.index(name) for name in own]
        self._wraps = self._order[0] if own and own[0] in OWN_STYLES else None
        """The place among the own columns of the one whose texts run over several lines."""
        self._letters = [column_letter(place) for place in range(len(names))]
        self.rows = 0

    def header(self) -> bytes:
        """The first row."""
        heads = (
            f'<c r="{letter}1" s="{ReportCellStyle.HEAD:d}{_cell_xml(name, self._lang)}'
            for letter, name in zip(self._letters, self._names, strict=True)
        )
        return f'<row r="1">{"".join(heads)}</row>'.encode()

    def body(self, rows: ReportRows, styles: Mapping[int, np.ndarray]) -> memoryview:
        """The XML of the next rows.

        `styles[i]` (int8, one entry a row) has the ReportCellStyle of each cell of the i-th original column.
        A column that is not in `styles` is plain.
        """
        first = self.rows + 2
        numbers = pa.array(np.arange(first, first + len(rows))).cast(TEXT)
        tails = self._own(rows)
        own = [
            _cell(tails[place], OWN_STYLES.get(OWN_COLUMNS[place], ReportCellStyle.PLAIN))
            for place in self._order
        ]
        original = [
            _cell(_filled(xml_column(column, self._lang)), styles.get(place, ReportCellStyle.PLAIN))
            for place, column in enumerate(rows.cells)
        ]
        pieces = [arrow.scalar('<row r="'), numbers, _heights(rows, self._wraps)]
        for letter, (style, tail) in zip(self._letters, [*original, *own], strict=True):
            pieces += [arrow.scalar(f'<c r="{letter}'), numbers, style, tail]
        self.rows += len(rows)
        return arrow.content(arrow.join_columns(*pieces, "</row>"))

    def _own(self, rows: ReportRows) -> list[pa.Array | pa.Scalar]:
        """The XML of the own columns, from after the style to the end of the cell."""
        tails: list[pa.Array | pa.Scalar] = [_filled(pa.array(rows.rows).cast(TEXT))]
        tails += [column.expand(_filled(xml_column(column.texts, self._lang))) for column in rows.own]
        return tails


def _heights(rows: ReportRows, wraps: int | None) -> pa.Array | pa.Scalar:
    """The end of each row's tag, with a height that shows the whole text of the column that wraps.

    LibreOffice shows one line of a row without a height, the rest over the rows below.
    """
    if not wraps:
        return arrow.scalar('">')
    column = rows.own[wraps - 1]
    # A Chinese character is two wide and has three bytes in UTF-8.
    wide = pc.add(pc.binary_length(column.texts), pc.utf8_length(column.texts)).to_numpy() / 2
    lines = np.clip(np.ceil(wide / _LINE_WIDTH), 1, _MOST_LINES).astype(np.int64)
    tall = (f'" ht="{_LINE_HEIGHT * count}" customHeight="1">' for count in range(2, _MOST_LINES + 1))
    return column.expand(pa.array(['">', *tall], type=TEXT).take(pa.array(lines - 1)))


def _cell(
    tail: pa.Array | pa.Scalar, styles: np.ndarray | ReportCellStyle
) -> tuple[pa.Array | pa.Scalar, pa.Array]:
    """The XML of a column's styles (or of the one that all its cells have), and of what follows them."""
    if isinstance(styles, ReportCellStyle):
        return arrow.scalar(f'" s="{styles:d}'), tail
    texts = pa.array(
        [f'" s="{max(number, ReportCellStyle.PLAIN):d}' for number in range(max(ReportCellStyle) + 1)],
        type=TEXT,
    )
    return texts.take(pa.array(styles)), tail


def _filled(column: pa.Array) -> pa.Array:
    """XML texts as cells. An empty cell keeps its style, so that what a user types there stays text."""
    whole = arrow.join_columns(_OPEN, column, _CLOSE)
    empty = pc.equal(column, "")
    return pc.if_else(empty, _BLANK, whole) if pc.any(empty).as_py() else whole


def xml_column(column: pa.Array, lang: str) -> pa.Array:
    """Cells as XML text. The rare cells that XML or Excel cannot hold are converted one by one."""
    plain = column
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        if arrow.has_bytes(plain, character.encode()):
            plain = pc.replace_substring(plain, character, entity)
    long = pc.greater(pc.binary_length(column), xlsx_template.MAX_CELL_LENGTH)
    strange = pc.or_(long, pc.match_substring_regex(column, _NOT_XML))
    if arrow.has_bytes(column, b"_x"):
        strange = pc.or_(strange, pc.match_substring(column, "_x"))
    if not pc.any(strange).as_py():
        return plain
    texts = pa.array([xml_text(value, lang) for value in column.filter(strange).to_pylist()], type=TEXT)
    return pc.replace_with_mask(plain, strange, texts)


def _cell_xml(value: str, lang: str) -> str:
    return f"{_OPEN}{xml_text(value, lang)}{_CLOSE}" if value else _BLANK


class XlsxReport:
    """`rejects.xlsx` or `doubtful.xlsx` while it is being written. All methods raise OSError."""

    def __init__(self, plan: ReportPlan, name: str, colour: ReportCellStyle = ReportCellStyle.WRONG) -> None:
        """`colour`: the style of the cells that are to be corrected."""
        self._colour = colour
        self._rows = TextSheet(plan.source.header, plan.lang, XLSX_OWN_COLUMNS)
        self._notes: list[CellNote] = []
        around = build_template(plan, (*plan.source.header, *XLSX_OWN_COLUMNS), name.removesuffix(".xlsx"))
        self._file = ReportFile(plan, name)
        self._zip = WorkbookZip(self._file.stream, compresslevel=3)
        self._around = around
        self._sheet = self._zip.open(SHEET_PART, "w", force_zip64=True)
        self._sheet.write(around.before.encode() + self._rows.header())

    def write(self, rows: ReportRows) -> None:
        """Append these rows, up to WORKBOOK_ROWS in all."""
        rows = rows.take(np.arange(min(len(rows), WORKBOOK_ROWS - self._rows.rows)))
        if len(rows):
            first = self._rows.rows + 1
            self._notes += (note._replace(row=first + note.row) for note in rows.notes)
            self._sheet.write(self._rows.body(rows, _cell_styles(rows, self._colour)))

    def finish(self) -> ReportFile:
        """Write the parts around the rows. The file gets its name by `ReportFile.finish`."""
        rows = self._rows.rows
        self._sheet.write(self._around.after(rows).encode())
        self._sheet.close()
        for name, content in self._around.parts(rows, self._notes):
            self._zip.writestr(name, content)
        self._zip.close()
        return self._file

    def drop(self) -> None:
        for part in (self._sheet, self._zip):
            with contextlib.suppress(OSError, ValueError):
                part.close()
        self._file.drop()


def _cell_styles(rows: ReportRows, colour: ReportCellStyle) -> dict[int, np.ndarray]:
    """The styles of the columns that have cells to be corrected."""
    styles: dict[int, np.ndarray] = {}
    for column in np.unique(rows.bad_columns).tolist():
        style = np.full(len(rows), ReportCellStyle.PLAIN, dtype=np.int8)
        style[rows.bad_rows[rows.bad_columns == column]] = colour
        styles[column] = style
    return styles
