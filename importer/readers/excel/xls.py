"""Read .xls files: open the compound file, scan its records, and take the cells from calamine.

The scan finds what calamine does not tell: error cells and hidden rows, sheet by sheet (BIFF8, [MS-XLS] 2.4).
Numbers come as the file's own formats show them, since calamine goes by the built-in ones. Texts of Excel 5
and 95 are in the code page of the file. A file that is cut off yields what can be read of it.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import olefile

from importer.errors import InputError
from importer.readers.base import SheetInfo
from importer.readers.excel.calamine_client import LEAST_MEMORY, MOST_MEMORY, CalamineClient
from importer.readers.excel.cell_text import ERROR_TEXTS
from importer.readers.excel.number_formats import CellRules, CellStyle, cell_style
from importer.readers.excel.sheet_table import SheetTable, tables_from_worker, with_scan
from importer.readers.excel.xlsx_scan import SheetScan


class XlsBackend:
    """An .xls file; `scan` is what a scan of its records found."""

    def __init__(self, path: Path, name: str, scan: XlsScan) -> None:
        self._path = path
        self._name = name
        self._scan = scan
        self._memory = min(LEAST_MEMORY + 40 * path.stat().st_size, MOST_MEMORY)
        self._tables: dict[str, SheetTable] = {}

    def sheets(self) -> tuple[SheetInfo, ...]:
        if not all(scan.plain for scan in self._scan.sheets.values()):
            raise InputError("workbook-damaged", name=self._name)
        with CalamineClient(self._path, self._name, self._memory) as book:
            found = book.sheets()
            names = [name for name, _ in found]
            book.request(names)
            tables = tables_from_worker(book, names)
        self._tables = {table.sheet: self._with_scan(table) for table in tables}
        return tuple(SheetInfo(name, visible, *self._tables[name].extent()) for name, visible in found)

    def tables(self, names: Sequence[str]) -> list[SheetTable]:
        return [self._tables[name] for name in names]

    def _with_scan(self, table: SheetTable) -> SheetTable:
        """Add what the scan found. Raises InputError if calamine stopped before the file's last row."""
        scan = self._scan.sheets.get(table.sheet)
        if scan is None:
            return table
        if scan.last_row > len(table.rows):
            raise InputError("workbook-damaged", name=self._name)
        return with_scan(table, scan, {})


_FILEPASS = 0x2F
_WORKBOOK, _EXCEL_5 = "Workbook", "Book"
_HEADER = struct.Struct("<30x2H10xI16xI")
"""Sizes of sectors and of small ones, as powers of 2; sectors with tables of either kind ([MS-CFB] 2.2)."""
_SECTOR_SHIFTS = ((9, 6), (12, 6))
_SECTORS_IN_HEADER = 109
_DAMAGE = (OSError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError, struct.error)
"""What olefile raises for files whose skeleton is damaged; TypeError: a folder where a stream should be."""


@dataclass(frozen=True, slots=True)
class CompoundFile:
    """What lies at the top of a compound file: the names of its parts, and the records of its workbook."""

    names: frozenset[str]
    records: bytes
    """The stream of the workbook, as far as the file has it; empty if there is none."""

    @classmethod
    def from_path(cls, path: Path) -> CompoundFile:
        """Read a file. Raises ValueError if its skeleton is damaged."""
        size = path.stat().st_size
        try:
            _check_header(path, size)
            with olefile.OleFileIO(str(path)) as file:
                names = frozenset(part[0] for part in file.listdir(streams=True, storages=True))
                stream = next((name for name in (_WORKBOOK, _EXCEL_5) if file.exists(name)), None)
                if stream and max(file.root.size, file.get_size(stream)) > size:
                    raise ValueError("damaged")
                return cls(names, file.openstream(stream).read() if stream else b"")
        except _DAMAGE:
            raise ValueError("damaged") from None

    def scan(self) -> XlsScan:
        """Return what the records tell."""
        return scan_xls(self.records)


def _check_header(path: Path, size: int) -> None:
    """Refuse a header that claims more than a file of this size can hold, since olefile believes it.

    A chain of sectors that runs in a circle would else fill the memory. Raises ValueError and struct.error.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    shift, mini_shift, tables, mini_tables = _HEADER.unpack(header)
    if (shift, mini_shift) not in _SECTOR_SHIFTS:
        raise ValueError("damaged")
    sectors = size >> shift
    if tables > _SECTORS_IN_HEADER + (sectors >> (shift - 3)) or mini_tables > sectors:
        raise ValueError("damaged")


def has_password(workbook: bytes) -> bool:
    """Return whether a Workbook stream is encrypted in any way: a FILEPASS record then follows its BOF."""
    at = 0
    for _ in range(64):
        if at + 4 > len(workbook):
            return False
        kind, size = struct.unpack_from("<HH", workbook, at)
        if kind == _FILEPASS:
            return True
        at += 4 + size
    return False


_BOUNDSHEET, _FORMAT, _XF, _BOF, _EOF = 0x85, 0x41E, 0xE0, 0x809, 0x0A
_ROW, _NUMBER, _RK, _MULRK, _BOOLERR, _FORMULA = 0x208, 0x203, 0x27E, 0xBD, 0x205, 0x06
_CODE_PAGE, _DATE_MODE = 0x42, 0x22
_MERGED = 0xE5
_EXCEL_5_VERSION = b"\x00\x05"
_TEXTS = frozenset({0xFD, 0x204, 0xD6})
_CONTENT = frozenset({_ROW, _NUMBER, _RK, _MULRK, _BOOLERR, _FORMULA}) | _TEXTS
_HIDDEN_ROW = 0x20
_ERROR_RESULT = 2


@dataclass(slots=True)
class XlsScan:
    """What a scan found: how styles show numbers, and each sheet's findings by its name."""

    rules: CellRules = field(default_factory=lambda: CellRules((), (), False))
    shown: frozenset[int] = frozenset()
    """Styles that show numbers otherwise than plainly."""
    sheets: dict[str, SheetScan] = field(default_factory=dict)


def scan_xls(workbook: bytes) -> XlsScan:
    """Scan a Workbook stream, up to the first damage."""
    scan = XlsScan()
    with suppress(struct.error, IndexError):
        _scan_globals(workbook, scan, newer=workbook[4:6] != _EXCEL_5_VERSION)
    return scan


def _scan_globals(workbook: bytes, scan: XlsScan, *, newer: bool) -> None:
    """Scan formats, styles and the list of sheets, then each sheet."""
    formats: dict[int, str] = {}
    styles: list[int] = []
    offsets: dict[int, str] = {}
    code_page, date_1904 = "cp1252", False

    def text(body: bytes, *, wide_count: bool) -> str:
        return (
            _text(body, wide_count=wide_count)
            if newer
            else body[1 : 1 + body[0]].decode(code_page, "replace")
        )

    for kind, begin, end in _records(workbook, 0):
        body = workbook[begin:end]
        if kind == _EOF:
            break
        if kind == _CODE_PAGE and len(body) >= 2:
            code_page = _code_page(struct.unpack_from("<H", body)[0])
        elif kind == _DATE_MODE and len(body) >= 2:
            date_1904 = body[0] == 1
        elif kind == _FORMAT and len(body) > 3:
            formats[struct.unpack_from("<H", body)[0]] = text(body[2:], wide_count=True)
        elif kind == _XF and len(body) >= 4:
            styles.append(struct.unpack_from("<H", body, 2)[0])
        elif kind == _BOUNDSHEET and len(body) > 8:
            offsets[struct.unpack_from("<I", body)[0]] = text(body[6:], wide_count=False)
    shown = tuple(cell_style(number, formats.get(number)) for number in styles)
    scan.rules = CellRules((), shown, date_1904)
    scan.shown = frozenset(
        at for at, style in enumerate(shown) if style != CellStyle() or styles[at] in formats
    )
    for offset, name in offsets.items():
        scan.sheets[name] = _sheet(workbook, offset, scan)


def _code_page(number: int) -> str:
    """Return Python's name of a CODEPAGE record's number ([MS-XLS] 2.4.52)."""
    name = {0x8000: "mac_roman", 0x8001: "cp1252", 1200: "utf-16-le"}.get(number, f"cp{number}")
    try:
        codecs.lookup(name)
    except LookupError:
        return "cp1252"
    return name


def _sheet(workbook: bytes, offset: int, scan: XlsScan) -> SheetScan:
    found = SheetScan(plain=False)
    depth = 0
    for kind, begin, end in _records(workbook, offset):
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                found.plain = True
                break
        elif depth == 1 and kind in _CONTENT and end - begin >= 6:
            _take(kind, workbook[begin:end], found, scan)
        elif depth == 1 and kind == _MERGED:
            spans = struct.iter_unpack("<4H", workbook[begin + 2 : end - (end - begin - 2) % 8])
            found.merged += [
                (column, first + 1, last + 1) for first, last, column, _ in spans if first != last
            ]
    return found


def _take(kind: int, body: bytes, found: SheetScan, scan: XlsScan) -> None:
    row, column, style = struct.unpack_from("<HHH", body)
    if kind != _ROW:
        found.last_row = max(found.last_row, row + 1)
    if kind == _ROW:
        if len(body) >= 14 and body[12] & _HIDDEN_ROW:
            found.hidden.append(row + 1)
    elif kind == _BOOLERR:
        if len(body) >= 8 and body[7]:
            found.errors[row + 1, column] = ERROR_TEXTS.get(body[6], "#ERROR")
    elif kind == _FORMULA:
        if body[12:14] == b"\xff\xff" and body[6] == _ERROR_RESULT:
            found.errors[row + 1, column] = ERROR_TEXTS.get(body[8], "#ERROR")
        elif body[12:14] != b"\xff\xff" and style in scan.shown:
            (value,) = struct.unpack_from("<d", body, 6)
            found.texts[row + 1, column] = scan.rules.number_text(value, style)
    elif kind == _MULRK:
        for at in range((len(body) - 6) // 6):
            (style,) = struct.unpack_from("<H", body, 4 + 6 * at)
            if style in scan.shown:
                found.texts[row + 1, column + at] = scan.rules.number_text(_rk(body, 6 + 6 * at), style)
    elif kind not in _TEXTS and style in scan.shown:
        value = _rk(body, 6) if kind == _RK else struct.unpack_from("<d", body, 6)[0]
        found.texts[row + 1, column] = scan.rules.number_text(value, style)


def _rk(body: bytes, at: int) -> float:
    """Return a number that is packed into 30 bits and two flags ([MS-XLS] 2.5.217)."""
    (packed,) = struct.unpack_from("<i", body, at)
    if packed & 2:
        value = float(packed >> 2)
    else:
        (value,) = struct.unpack("<d", struct.pack("<Q", (packed & 0xFFFFFFFC) << 32))
    return value / 100 if packed & 1 else float(value)


def _records(workbook: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield (kind, begin, end) of the records from `at` on."""
    size = len(workbook)
    while at + 4 <= size:
        kind, length = struct.unpack_from("<HH", workbook, at)
        if at + 4 + length > size:
            return
        yield kind, at + 4, at + 4 + length
        at += 4 + length


def _text(body: bytes, *, wide_count: bool) -> str:
    """Return a counted string, whose flag tells whether a character takes one byte or two."""
    count = struct.unpack_from("<H", body)[0] if wide_count else body[0]
    skip = 2 if wide_count else 1
    if body[skip] & 1:
        return body[skip + 1 : skip + 1 + 2 * count].decode("utf-16-le", "replace")
    return body[skip + 1 : skip + 1 + count].decode("latin-1")
