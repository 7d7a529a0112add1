"""Read .ods files, OpenDocument spreadsheets, cell by cell from their XML (ODF 1.3 part 3, 9.1 and 19.385).

The file has both a cell's value and the text that is shown, so leading zeros, errors and booleans need no
guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from importer.errors import InputError
from importer.readers.archive import Archive, XmlHandlers, parse_xml
from importer.readers.base import SheetInfo
from importer.readers.excel.cell_text import LAST_ROW, number_text
from importer.readers.excel.sheet_table import SheetTable, SparseSheet, from_sparse

MOST_REPEATED = 2_000_000
"""The most cells that may come from repeated ones, since a few bytes can ask for billions."""
_CELLS = ("table-cell", "covered-table-cell")
_ASIDE = ("annotation", "tracked-changes", "shapes", "forms", "dde-links")
_SHOWN = re.compile(r"[0-9 ()+\-/.\u00a0]+")
_ERROR = re.compile(r"#.*|Err:\d+", re.DOTALL)
_DATE = re.compile(r"(\d{4,}-\d{2}-\d{2})(?:T(\d{2}:\d{2}:\d{2}).*)?")
_TIME = re.compile(r"-?PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,]\d+)?S)?")


class OdsBackend:
    """An .ods file."""

    def __init__(self, archive: Archive, name: str) -> None:
        """Read all sheets. Raises InputError; `name` is the file's."""
        reader = _Content(name)
        parse_xml(archive.pieces("content.xml"), reader, name)
        self._visible = [(sheet.name, sheet.style not in reader.hidden_styles) for sheet in reader.sheets]
        self._tables = {sheet.name: from_sparse(sheet.name, sheet.cells) for sheet in reader.sheets}

    def sheets(self) -> tuple[SheetInfo, ...]:
        return tuple(
            SheetInfo(name, visible, *self._tables[name].extent()) for name, visible in self._visible
        )

    def tables(self, names: Sequence[str]) -> list[SheetTable]:
        return [self._tables[name] for name in names]


@dataclass(slots=True)
class _Sheet:
    name: str
    style: str
    cells: SparseSheet = field(default_factory=SparseSheet)


class _Content(XmlHandlers):
    def __init__(self, name: str) -> None:
        self.sheets: list[_Sheet] = []
        self.hidden_styles: set[str] = set()
        self._name = name
        self._style = ""
        self._aside = 0
        self._depth = 0
        self._row = 0
        self._row_repeat = 1
        self._column = 0
        self._cells: dict[int, str] = {}
        self._errors: list[int] = []
        self._unvalued: list[int] = []
        self._cell: Mapping[str, str] = {}
        self._in_cell = False
        self._parts: list[str] = []
        self._paragraphs = 0
        self._in_paragraph = 0
        self._repeated = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._aside or name in _ASIDE:
            self._aside += 1
        elif name in _CELLS and self._depth == 1:
            self._cell, self._in_cell = attributes, True
            self._parts, self._paragraphs = [], 0
        elif self._in_cell:
            self._inline(name, attributes)
        elif name == "table-row" and self._depth == 1:
            self._begin_row(attributes)
        elif name == "table":
            self._depth += 1
            if self._depth == 1:
                self._begin_sheet(attributes)
        elif name == "style":
            self._style = attributes.get("name", "")
        elif name == "table-properties" and attributes.get("display") == "false":
            self.hidden_styles.add(self._style)

    def text(self, text: str) -> None:
        if self._in_paragraph and not self._aside:
            self._parts.append(text)

    def end(self, name: str) -> None:
        if self._aside:
            self._aside -= 1
        elif name == "p" and self._in_cell:
            self._in_paragraph -= 1
        elif name in _CELLS and self._in_cell:
            self._end_cell()
        elif name == "table-row" and self._depth == 1:
            self._end_row()
        elif name == "table":
            self._depth -= 1

    def _inline(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "p":
            if self._paragraphs:
                self._parts.append("\n")
            self._paragraphs += 1
            self._in_paragraph += 1
        elif name == "s":
            self._parts.append(" " * min(_count(attributes.get("c")), 1 << 15))
        elif name == "tab":
            self._parts.append("\t")
        elif name == "line-break":
            self._parts.append("\n")

    def _begin_sheet(self, attributes: Mapping[str, str]) -> None:
        self.sheets.append(_Sheet(attributes.get("name", ""), attributes.get("style-name", "")))
        self._row = 0

    def _begin_row(self, attributes: Mapping[str, str]) -> None:
        self._row_repeat = _count(attributes.get("number-rows-repeated"))
        self._column = 0
        self._cells, self._errors, self._unvalued = {}, [], []
        if attributes.get("visibility") in ("collapse", "filter") and self._row_repeat < LAST_ROW // 2:
            self.sheets[-1].cells.hidden.extend(range(self._row + 1, self._row + 1 + self._row_repeat))

    def _end_cell(self) -> None:
        self._in_cell, self._in_paragraph = False, 0
        repeat = _count(self._cell.get("number-columns-repeated"))
        text = self._rendered()
        unvalued = "formula" in self._cell and not text and "value-type" not in self._cell
        if text or unvalued:
            if (rows := _count(self._cell.get("number-rows-spanned"))) > 1 and text:
                self.sheets[-1].cells.merged.append((self._column, self._row + 1, self._row + rows))
            self._spend(repeat - 1)
            for column in range(self._column, self._column + repeat):
                self._cells[column] = text
                if unvalued:
                    self._unvalued.append(column)
                elif self._is_error(text):
                    self._errors.append(column)
        self._column += repeat

    def _end_row(self) -> None:
        sheet = self.sheets[-1].cells
        if self._cells:
            self._spend((self._row_repeat - 1) * len(self._cells))
            for row in range(self._row + 1, self._row + 1 + self._row_repeat):
                sheet.rows.append(row)
                sheet.cells.append(self._cells)
                sheet.errors.extend((row, column) for column in self._errors)
                sheet.unvalued.extend((row, column) for column in self._unvalued)
        self._row += self._row_repeat

    def _spend(self, cells: int) -> None:
        """Count cells that come from repeated ones. Raises InputError if they are too many."""
        self._repeated += cells
        if self._repeated > MOST_REPEATED:
            raise InputError("workbook-too-large", name=self._name)

    def _is_error(self, text: str) -> bool:
        return "formula" in self._cell and _ERROR.fullmatch(text) is not None

    def _rendered(self) -> str:
        cell, shown = self._cell, "".join(self._parts)
        match cell.get("value-type"):
            case "float" | "currency" | "percentage":
                return _number(cell.get("value", ""), shown)
            case "date":
                return _date(cell.get("date-value", ""))
            case "time":
                return _time(cell.get("time-value", ""))
            case "boolean":
                return "TRUE" if cell.get("boolean-value") == "true" else "FALSE"
            case "string" if not shown:
                return cell.get("string-value", "")
        return shown


def _number(value: str, shown: str) -> str:
    """Return a number's digits, with leading zeros where they are shown.

    A truth value made by a formula, which LibreOffice stores as a number, comes as it is shown.
    """
    try:
        text = number_text(float(value))
    except ValueError:
        return shown or value
    if text in ("0", "1") and shown.strip().upper() in ("TRUE", "FALSE"):
        return shown.strip().upper()
    if _SHOWN.fullmatch(shown) and text.isdecimal():
        digits = re.sub(r"\D", "", shown)
        if len(digits) > 1 and digits.startswith("0") and digits.lstrip("0") == text.lstrip("0"):
            return shown.strip()
    return text


def _date(value: str) -> str:
    match = _DATE.fullmatch(value)
    if match is None:
        return value
    day, time = match.groups()
    return day if time in (None, "00:00:00") else f"{day} {time}"


def _time(value: str) -> str:
    match = _TIME.fullmatch(value)
    if match is None:
        return value
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"


def _count(text: str | None) -> int:
    return min(int(text), 1 << 31) if text and text.isdecimal() else 1
