"""A streaming look at a sheet's XML for what the workbook library does not tell.

Finds how far the sheet reaches, error cells, formulas without a stored value, numbers shown with leading
zeros, and hidden rows, at a fraction of the cost of reading the cells. It understands the form in which all
common programs write; a sheet in any other form is `plain=False` and read by `importer.readers.sheet_xml`.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

_CELL = b'<c r="'
_ROW = re.compile(rb"<row\b([^>]*)>")
_ROW_NUMBER = re.compile(rb'\br="(\d+)"')
_HIDDEN = re.compile(rb'\bhidden="(?:1|true|on)"')
_FAR = re.compile(rb'<c r="([A-Z]{2,3})\d')
_ANY = re.compile(rb'<c r="([A-Z]{1,3})\d')
_ERROR = re.compile(
    rb'<c r="([A-Z]+)(\d+)"[^>]*\bt="e"[^>]*>(?:<f\b[^>]*/>|<f\b[^>]*>[^<]*</f>)?<v>([^<]*)</v>'
)
_FORMULA = re.compile(
    rb'<c r="([A-Z]+)(\d+)"([^>]*)>\s*<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(<v\s*/>|<v>\s*</v>)?\s*</c>'
)
_STYLED = rb'<c r="([A-Z]+)(\d+)"[^>]*\bs="(%s)"[^>]*>'
_FAR_COLUMN = 26
DENSE_ENOUGH = 4
"""A sheet may span so many places for each cell it has …"""
ALWAYS_FINE = 4_000_000
"""… or this many, before reading it as a rectangle is refused."""


@dataclass(slots=True)
class SheetLook:
    """What was seen. Places are (row, column), the row 1-based as people see it, the column 0-based."""

    plain: bool = True
    cells: int = 0
    last_row: int = 0
    last_column: int = 0
    """0-based; an upper bound for sheets of up to 26 columns."""
    width: int = 0
    """Columns, as far as the first rows and those beyond column Z tell."""
    values: bool = False
    """Whether any cell holds something."""
    shared_strings: bool = False
    """Whether any cell refers to the shared strings."""
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    unvalued: list[tuple[int, int]] = field(default_factory=list)
    masked: dict[tuple[int, int], array[int]] = field(default_factory=dict)
    """(column, style) → the rows of cells whose style shows leading zeros."""
    hidden: list[int] = field(default_factory=list)

    @property
    def rectangular(self) -> bool:
        """Whether the sheet can be held as a rectangle of cells without waste."""
        area = self.last_row * (self.last_column + 1)
        return area <= max(ALWAYS_FINE, DENSE_ENOUGH * self.cells)


def look(pieces: Iterable[bytes], masked_styles: Collection[int]) -> SheetLook:
    """Looks through a sheet's XML; `masked_styles` are the numbers of styles that show leading zeros."""
    seen = SheetLook()
    styled = None
    if masked_styles:
        styled = re.compile(_STYLED % b"|".join(b"%d" % style for style in masked_styles))
    rest = b""
    for piece in pieces:
        text = rest + piece
        cut = max(text.rfind(b"<c "), text.rfind(b"<row"), 0)
        if len(text) - cut > 1 << 26:
            seen.plain = False
        rest = text[cut:]
        _look_at(text[:cut], seen, styled)
        if not seen.plain:
            return seen
    _look_at(rest, seen, styled)
    if b"</worksheet>" not in rest:
        seen.plain = False
    return seen


def _look_at(text: bytes, seen: SheetLook, styled: re.Pattern[bytes] | None) -> None:
    cells = text.count(_CELL)
    if b"<!" in text or text.startswith((b"\xff\xfe", b"\xfe\xff")) or cells != text.count(b"<c "):
        seen.plain = False
        return
    if b":row" in text or b":sheetData" in text or b"<c>" in text:
        seen.plain = False
        return
    seen.cells += cells
    _rows(text, seen)
    if seen.last_column < _FAR_COLUMN - 1 and cells:
        seen.last_column = _FAR_COLUMN - 1
    for letters in set(_FAR.findall(text) if seen.width else _ANY.findall(text)):
        seen.last_column = max(seen.last_column, column_number(letters))
        seen.width = max(seen.width, column_number(letters) + 1)
    seen.values = seen.values or b"<v>" in text or b"<is>" in text or b"<f" in text
    seen.shared_strings = seen.shared_strings or b' t="s"' in text
    if b't="e"' in text:
        for letters, row, value in _ERROR.findall(text):
            seen.errors[int(row), column_number(letters)] = value.decode("utf-8", "replace")
    if b"<f" in text:
        for letters, row, attributes, stored in _FORMULA.findall(text):
            if not (stored and b't="str"' in attributes):
                seen.unvalued.append((int(row), column_number(letters)))
    if styled is not None:
        for letters, row, style in styled.findall(text):
            seen.masked.setdefault((column_number(letters), int(style)), array("q")).append(int(row))


def _rows(text: bytes, seen: SheetLook) -> None:
    last = text.rfind(b"<row")
    if last < 0:
        return
    numbered = _ROW_NUMBER.search(text, last, max(text.find(b">", last), last))
    if numbered is None:
        if text.find(b"<row>", last) == last or _ROW.match(text, last):
            seen.plain = False
        return
    seen.last_row = max(seen.last_row, int(numbered.group(1)))
    if b"hidden=" not in text:
        return
    for attributes in _ROW.findall(text):
        if _HIDDEN.search(attributes):
            number = _ROW_NUMBER.search(attributes)
            if number:
                seen.hidden.append(int(number.group(1)))


def column_number(letters: bytes) -> int:
    """0 for A, 25 for Z, 26 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1
