"""A sheet's XML read cell by cell, for sheets that the native library cannot or must not read.

Slower than the library, but it takes what that refuses: cells without references, a used range out to
XFD1048576, missing shared strings, writers with forms of their own (ECMA-376 part 1, 18.3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from importer.errors import InputError
from importer.readers.cells import date_text, duration_text, number_text
from importer.readers.ooxml import Style, unescape
from importer.readers.sheet_look import column_number
from importer.readers.xml_events import Handlers, parse

LAST_ROW = 1 << 20
MOST_CELLS = 30_000_000
_REFERENCE = re.compile(r"([A-Za-z]{1,3})(\d{1,7})")
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?Z?$")


@dataclass(slots=True)
class SparseSheet:
    """The cells that hold something, row by row."""

    rows: list[int] = field(default_factory=list)
    cells: list[dict[int, str]] = field(default_factory=list)
    """For each row: column (0-based) → text."""
    errors: list[tuple[int, int]] = field(default_factory=list)
    """(row, column) of error cells; the text is the error."""
    unvalued: list[tuple[int, int]] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CellRules:
    """What turns a stored value into what people see."""

    strings: Sequence[str]
    styles: Sequence[Style]
    date_1904: bool


def read_cells(pieces: Iterable[bytes], rules: CellRules, name: str) -> SparseSheet:
    """All cells of a sheet. Raises InputError; `name` is the file's."""
    reader = _Cells(rules, name)
    parse(pieces, reader, name)
    return reader.sheet


class _Cells(Handlers):
    def __init__(self, rules: CellRules, name: str) -> None:
        self.sheet = SparseSheet()
        self._rules = rules
        self._name = name
        self._count = 0
        self._seen: set[int] = set()
        self._row = 0
        self._column = -1
        self._cells: dict[int, str] = {}
        self._type = "n"
        self._style = 0
        self._parts: list[str] = []
        self._collect = False
        self._formula = False
        self._stored = False
        self._in_data = False
        self._phonetic = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "c" and self._in_data:
            self._begin_cell(attributes)
        elif name == "row" and self._in_data:
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() else self._row + 1
            if not 0 < self._row <= LAST_ROW:
                raise InputError("workbook-damaged", name=self._name)
            self._column = -1
            self._cells = {}
            if attributes.get("hidden") in ("1", "true", "on"):
                self.sheet.hidden.append(self._row)
        elif name == "v":
            self._collect, self._stored = True, True
        elif name == "t":
            self._collect = not self._phonetic
        elif name == "f":
            self._formula = True
        elif name == "rPh":
            self._phonetic = True
        elif name == "sheetData":
            self._in_data = True

    def text(self, text: str) -> None:
        if self._collect:
            self._parts.append(text)

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._collect = False
        elif name == "c" and self._in_data:
            self._end_cell()
        elif name == "row" and self._in_data and self._cells:
            self._end_row()
        elif name == "rPh":
            self._phonetic = False
        elif name == "sheetData":
            self._in_data = False

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        reference = _REFERENCE.fullmatch(attributes.get("r", ""))
        if reference:
            self._column = column_number(reference.group(1).upper().encode())
        else:
            self._column += 1
        self._type = attributes.get("t", "n")
        style = attributes.get("s", "0")
        self._style = int(style) if style.isdecimal() else 0
        self._parts = []
        self._formula = self._stored = False

    def _end_row(self) -> None:
        if self._row in self._seen:
            raise InputError("workbook-damaged", name=self._name)
        self._seen.add(self._row)
        self.sheet.rows.append(self._row)
        self.sheet.cells.append(self._cells)

    def _end_cell(self) -> None:
        raw = "".join(self._parts)
        if self._column in self._cells:
            raise InputError("workbook-damaged", name=self._name)
        place = (self._row, self._column)
        if self._formula and not raw and not (self._stored and self._type == "str"):
            self.sheet.unvalued.append(place)
            self._cells.setdefault(self._column, "")
            return
        if not raw:
            return
        if self._type == "e":
            self.sheet.errors.append(place)
        self._cells[self._column] = self._rendered(raw)
        self._count += 1
        if self._count > MOST_CELLS:
            raise InputError("workbook-too-large", name=self._name)

    def _rendered(self, raw: str) -> str:
        match self._type:
            case "s":
                return self._shared(raw)
            case "str" | "inlineStr":
                return unescape(raw)
            case "b":
                return "TRUE" if raw.strip() in ("1", "true") else "FALSE"
            case "d":
                return _MIDNIGHT.sub("", raw).replace("T", " ")
            case "e":
                return raw
        try:
            return self._number(float(raw))
        except ValueError:
            return raw

    def _shared(self, raw: str) -> str:
        at = int(raw) if raw.strip().isdecimal() else -1
        if 0 <= at < len(self._rules.strings):
            return self._rules.strings[at]
        raise InputError("strings-missing", name=self._name)

    def _number(self, value: float) -> str:
        styles = self._rules.styles
        style = styles[self._style] if self._style < len(styles) else Style()
        if style.duration:
            return duration_text(value)
        if style.date:
            return date_text(value, epoch_1904=self._rules.date_1904)
        text = number_text(value)
        return style.mask.render(text) if style.mask and text.isdecimal() else text
