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

import numpy as np

_CELL = b'<c r="'
_ROW = re.compile(rb"<row\b([^>]*)>")
_ROW_NUMBERS = re.compile(rb'<row\b[^>]*?\br="(\d{1,8})"')
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
_LAST_ROW = 1 << 20
_LONGEST_CELL = 1 << 26
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
        area = self.last_row * self.width
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
        seam = max(len(rest) - 5, 0)
        cut = max(text.rfind(b"<c ", seam), text.rfind(b"<row ", seam), 0)
        rest = text[cut:]
        if cut:
            _look_at(text[:cut], seen, styled)
        if not seen.plain or len(rest) > _LONGEST_CELL:
            seen.plain = False
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
    for letters in set(_FAR.findall(text) if seen.width else _ANY.findall(text)):
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
    """Rows must be numbered, one after the other; anything else is not plain."""
    numbers = _ROW_NUMBERS.findall(text)
    if len(numbers) != text.count(b"<row ") or b"<row>" in text:
        seen.plain = False
        return
    if not numbers:
        return
    rows = np.array(numbers, dtype="S8").astype(np.int64)
    if rows[0] <= seen.last_row or (np.diff(rows) <= 0).any() or rows[-1] > _LAST_ROW:
        seen.plain = False
        return
    seen.last_row = int(rows[-1])
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
