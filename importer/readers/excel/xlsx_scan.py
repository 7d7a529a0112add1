"""Scan a sheet's XML for what calamine does not tell, at a fraction of the cost of reading the cells.

Finds how far the sheet reaches, error cells, formulas without a stored value, numbers shown with leading
zeros, and hidden rows. It understands the form in which all common programs write. A sheet in any other form
is `plain=False` and read cell by cell by `importer.readers.excel.xlsx_reader`.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from importer.readers.excel.cell_text import LAST_ROW
from importer.readers.excel.xlsx_head import VALUES

MARGIN = bytes(16)
"""What must follow the text that is scanned, so that the bytes after any position in it can be read."""


class ByteScan:
    """Finds bytes in the first `end` bytes of `text`, after which `MARGIN` follows."""

    def __init__(self, text: bytes, end: int) -> None:
        self.text = text
        self.end = end
        self._codes = np.frombuffer(text, dtype=np.uint8)

    def positions(self, needle: bytes) -> np.ndarray:
        """Return where the needle (of 2 bytes at least) begins, int64 ascending."""
        if needle[:1] == b"<":
            at: np.ndarray = self._tags[self._after_tags == needle[1]]
        else:
            at = self._positions_of(needle[:1])
            at = at[self.codes(at, 1) == needle[1]]
        for ahead, code in enumerate(needle[2:], 2):
            if not len(at):
                break
            at = at[self.codes(at, ahead) == code]
        return at

    def has(self, needle: bytes) -> bool:
        """Return whether the needle occurs."""
        return bool(len(self.positions(needle)))

    def codes(self, positions: np.ndarray, ahead: int) -> np.ndarray:
        """Return the bytes (uint8) that stand so far ahead of the positions."""
        found: np.ndarray = self._codes[positions + ahead]
        return found

    @cached_property
    def single_quoted(self) -> frozenset[int]:
        """The bytes that stand alone between double quotes somewhere."""
        quotes = self._codes[: self.end + 2] == ord('"')
        at = np.flatnonzero(quotes[:-2] & quotes[2:])
        found = np.zeros(256, dtype=bool)
        found[self.codes(at, 1)] = True
        return frozenset(np.flatnonzero(found).tolist())

    @cached_property
    def _tags(self) -> np.ndarray:
        return self._positions_of(b"<")

    @cached_property
    def _after_tags(self) -> np.ndarray:
        return self.codes(self._tags, 1)

    def _positions_of(self, byte: bytes) -> np.ndarray:
        return np.flatnonzero(self._codes[: self.end] == byte[0])


_NOT_PLAIN = (b"<!", b":row", b":sheetData", b"<c>", b"<row>", b"<row\t", b"<row\n", b"<row\r", b"<t> ")
_CELL = b'<c r="'
_MOST_LETTERS = 3
_ROW = re.compile(rb"<row\b([^>]*)>")
_ROW_NUMBERS = re.compile(rb'<row\b[^>]*?\br="(\d{1,8})"')
_ROW_NUMBER = re.compile(rb'\br="(\d+)"')
_HIDDEN = re.compile(rb'\bhidden="(?:1|true|on)"')
_ERROR = re.compile(
    rb'<c r="([A-Z]+)(\d+)"[^>]*\bt="e"[^>]*>(?:<f\b[^>]*/>|<f\b[^>]*>[^<]*</f>)?<v>([^<]*)</v>'
)
_FORMULA = re.compile(
    rb'<c r="([A-Z]+)(\d+)"([^>]*)>\s*<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(<v\s*/>|<v>\s*</v>)?\s*</c>'
)
_FALSE_DAY = re.compile(rb'<c r="([A-Z]+)(\d+)"[^>]*\bs="(\d+)"[^>]*><v>(60(?:\.\d+)?)</v>')
_STYLED = rb'<c r="([A-Z]+)(\d+)"%s[^>]*\bs="(%s)"[^>]*>'
_NUMBER = rb'(?![^>]* t="[^n])'
"""A cell that holds no text, before which a format would show no zeros."""
_MERGED = re.compile(rb'<mergeCell [^>]*?\bref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')
_LONGEST_CELL = 1 << 26
WIDE = 4
"""A cell that is merged over so many columns in one row may be a title."""
DENSE_ENOUGH = 4
"""A sheet is read as a rectangle if it spans at most so many places for each cell that it has, …"""
ALWAYS_FINE = 4_000_000
"""… or at most so many in all."""


@dataclass(slots=True)
class SheetScan:
    """What a scan found. Cells are (row, column): the row 1-based as people see it, the column 0-based."""

    plain: bool = True
    cells: int = 0
    last_row: int = 0
    width: int = 0
    values: bool = False
    """Whether any cell holds something."""
    shared_strings: bool = False
    """Whether any cell refers to the shared strings."""
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    unvalued: list[tuple[int, int]] = field(default_factory=list)
    masked: dict[tuple[int, int], array[int]] = field(default_factory=dict)
    """(column, style) → the rows of cells whose style shows leading zeros."""
    struck: dict[tuple[int, int], array[int]] = field(default_factory=dict)
    """(column, style) → the rows of cells whose style is struck through."""
    hidden: list[int] = field(default_factory=list)
    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    """Cells that calamine reads wrong, with what stands in them."""
    false_days: dict[tuple[int, int], tuple[int, float]] = field(default_factory=dict)
    """Cells with the number of 1900-02-29 (60 and its fractions): their style and value."""
    wide: list[int] = field(default_factory=list)
    """Rows with a cell that is merged over WIDE columns or more, and no row else."""
    merged: list[tuple[int, int, int]] = field(default_factory=list)
    """Cells that span several rows: their column, first and last row."""

    @property
    def rectangular(self) -> bool:
        """Whether the sheet can be held as a rectangle of cells without waste."""
        area = self.last_row * self.width
        return area <= max(ALWAYS_FINE, DENSE_ENOUGH * self.cells)


def scan_sheet(
    pieces: Iterable[bytes], masked_styles: Collection[int], struck_styles: Collection[int] = ()
) -> SheetScan:
    """Scan a sheet's XML. The styles, by their indexes, are those that show leading zeros, and those that are
    struck through."""
    scan = SheetScan()
    styled = [
        (_with_style(styles, kind), found)
        for styles, kind, found in ((masked_styles, _NUMBER, scan.masked), (struck_styles, b"", scan.struck))
        if styles
    ]
    rest = b""
    for piece in pieces:
        text = b"".join((rest, piece, MARGIN))
        end = len(text) - len(MARGIN)
        seam = max(len(rest) - 5, 0)
        cut = max(text.rfind(b"<c ", seam), text.rfind(b"<row ", seam), 0)
        rest = text[cut:end]
        if cut:
            _scan_text(ByteScan(text, cut), scan, styled)
        if not scan.plain or len(rest) > _LONGEST_CELL:
            scan.plain = False
            return scan
    _scan_text(ByteScan(rest + MARGIN, len(rest)), scan, styled)
    if b"</worksheet>" not in rest:
        scan.plain = False
    for letters, first, end, last in _MERGED.findall(rest):
        if first == last and column_number(end) - column_number(letters) >= WIDE - 1:
            scan.wide.append(int(first))
        elif first != last:
            scan.merged.append((column_number(letters), int(first), int(last)))
    return scan


def _with_style(styles: Collection[int], kind: bytes) -> re.Pattern[bytes]:
    return re.compile(_STYLED % (kind, b"|".join(b"%d" % style for style in styles)))


def _scan_text(
    xml: ByteScan,
    scan: SheetScan,
    styled: Iterable[tuple[re.Pattern[bytes], dict[tuple[int, int], array[int]]]],
) -> None:
    if xml.text.startswith((b"\xff\xfe", b"\xfe\xff")) or any(map(xml.has, _NOT_PLAIN)):
        scan.plain = False
        return
    _cells(xml, scan)
    if scan.plain:
        _rows(xml, scan)
    if not scan.plain:
        return
    scan.values = scan.values or any(map(xml.has, VALUES))
    single, text = xml.single_quoted, xml.text
    if ord("s") in single and not scan.shared_strings:
        scan.shared_strings = text.find(b' t="s"', 0, xml.end) >= 0
    if ord("e") in single:
        for letters, row, value in _ERROR.findall(text, 0, xml.end):
            scan.errors[int(row), column_number(letters)] = value.decode("utf-8", "replace")
    if xml.has(b"<f"):
        for letters, row, attributes, stored in _FORMULA.findall(text, 0, xml.end):
            if not (stored and b't="str"' in attributes):
                scan.unvalued.append((int(row), column_number(letters)))
    if xml.has(b"<v>60<") or xml.has(b"<v>60."):
        for letters, row, style, value in _FALSE_DAY.findall(text, 0, xml.end):
            scan.false_days[int(row), column_number(letters)] = (int(style), float(value))
    for pattern, found in styled:
        for letters, row, style in pattern.findall(text, 0, xml.end):
            found.setdefault((column_number(letters), int(style)), array("q")).append(int(row))


def _cells(xml: ByteScan, scan: SheetScan) -> None:
    """Count the cells. Each must begin with its reference, or the sheet is not plain."""
    count = len(xml.positions(b"<c "))
    cells = xml.positions(_CELL)
    scan.cells += count
    scan.plain = len(cells) == count
    columns = np.zeros(len(cells), dtype=np.int64)
    for ahead in range(len(_CELL), len(_CELL) + _MOST_LETTERS + 1):
        codes = xml.codes(cells, ahead)
        ended = (codes >= ord("0")) & (codes <= ord("9")) & (columns > 0)
        scan.width = max(scan.width, int(columns[ended].max(initial=0)))
        cells, columns, codes = cells[~ended], columns[~ended], codes[~ended]
        if ((codes < ord("A")) | (codes > ord("Z"))).any():
            break
        columns = columns * 26 + (codes - ord("@"))
    scan.plain = scan.plain and not len(cells)


def _rows(xml: ByteScan, scan: SheetScan) -> None:
    """Find the last row and the hidden ones. Rows must be numbered in order, or the sheet is not plain."""
    begins = xml.positions(b"<row ").tolist()
    text = b"".join([xml.text[at : xml.text.find(b">", at, xml.end) + 1] for at in begins])
    numbers = _ROW_NUMBERS.findall(text)
    if len(numbers) != len(begins):
        scan.plain = False
        return
    if not numbers:
        return
    rows = np.array(numbers, dtype="S8").astype(np.int64)
    if rows[0] <= scan.last_row or (np.diff(rows) <= 0).any() or rows[-1] > LAST_ROW:
        scan.plain = False
        return
    scan.last_row = int(rows[-1])
    if b"hidden=" not in text:
        return
    for attributes in _ROW.findall(text):
        if _HIDDEN.search(attributes):
            number = _ROW_NUMBER.search(attributes)
            if number:
                scan.hidden.append(int(number.group(1)))


def column_number(letters: bytes) -> int:
    """Return a column's index: 0 for A, 25 for Z, 26 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1
