"""Read .xls files: open the compound file, scan its records, and take the cells from calamine.

The scan finds what calamine does not tell: error cells, numbers shown with leading zeros, and hidden rows,
sheet by sheet (BIFF8, [MS-XLS] 2.4). Compound files as in [MS-CFB] 2.2, 2.3 and 2.6; a damaged one yields
what can be read of it.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from importer.errors import InputError
from importer.readers.base import SheetInfo
from importer.readers.excel.calamine_client import LEAST_MEMORY, MOST_MEMORY, CalamineClient
from importer.readers.excel.cell_text import ERROR_TEXTS
from importer.readers.excel.number_formats import DigitMask, zero_mask
from importer.readers.excel.source import SheetTable, tables_from_worker, with_scan
from importer.readers.excel.xlsx_scan import SheetScan


class XlsBackend:
    """An .xls file; `seen` is what a look at its records found."""

    def __init__(self, path: Path, name: str, seen: XlsScan) -> None:
        self._path = path
        self._name = name
        self._seen = seen
        self._memory = min(LEAST_MEMORY + 40 * path.stat().st_size, MOST_MEMORY)
        self._tables: dict[str, SheetTable] = {}

    def sheets(self) -> tuple[SheetInfo, ...]:
        if not all(look.plain for look in self._seen.sheets.values()):
            raise InputError("workbook-damaged", name=self._name)
        with CalamineClient(self._path, self._name, self._memory) as book:
            found = book.sheets()
            names = [name for name, _ in found]
            book.request(names)
            tables = tables_from_worker(book, names)
        self._tables = {table.sheet: self._with_look(table) for table in tables}
        return tuple(SheetInfo(name, visible, *self._tables[name].extent()) for name, visible in found)

    def tables(self, names: Sequence[str]) -> list[SheetTable]:
        return [self._tables[name] for name in names]

    def _with_look(self, table: SheetTable) -> SheetTable:
        """Raises InputError if the library stopped before the last row that the file has."""
        look = self._seen.sheets.get(table.sheet)
        if look is None:
            return table
        if look.last_row > len(table.rows):
            raise InputError("workbook-damaged", name=self._name)
        return with_scan(table, look, self._seen.masks)


_FREE = 0xFFFFFFFA
"""From here on a sector number is a mark, not a sector."""
_HEADER_SECTORS = 109
_ENTRY = 128
_MINI_CUTOFF = 4096
_FILEPASS = 0x2F


class CompoundFile:
    """A compound file in memory. Raises ValueError if its skeleton is damaged."""

    def __init__(self, data: bytes) -> None:
        try:
            self._read(data)
        except struct.error:
            raise ValueError("damaged") from None

    @classmethod
    def from_path(cls, path: Path) -> CompoundFile:
        return cls(path.read_bytes())

    def names(self) -> tuple[str, ...]:
        """The streams' and folders' names."""
        return tuple(self._entries)

    def stream(self, name: str) -> bytes:
        """A stream's bytes, as far as the file has them; empty if there is none. Raises ValueError."""
        begin, size = self._entries.get(name, (_FREE, 0))
        if size < _MINI_CUTOFF:
            parts = [self._mini[at * 64 : at * 64 + 64] for at in _chain(begin, self._mini_table)]
        else:
            parts = [self._sector(at) for at in _chain(begin, self._table)]
        return b"".join(parts)[:size]

    def _read(self, data: bytes) -> None:
        self._data = data
        self._shift = struct.unpack_from("<H", data, 30)[0]
        if self._shift not in (9, 12):
            raise ValueError("damaged")
        directory, mini_table = struct.unpack_from("<I", data, 48)[0], struct.unpack_from("<I", data, 60)[0]
        sectors = [at for at in struct.unpack_from(f"<{_HEADER_SECTORS}I", data, 76) if at < _FREE]
        more = struct.unpack_from("<I", data, 68)[0]
        seen: set[int] = set()
        while more < _FREE and more not in seen:
            seen.add(more)
            numbers = self._numbers(self._sector(more))
            sectors.extend(at for at in numbers[:-1] if at < _FREE)
            more = numbers[-1] if numbers else _FREE
        self._table = [number for at in sectors for number in self._numbers(self._sector(at))]
        self._mini_table = [
            number for at in _chain(mini_table, self._table) for number in self._numbers(self._sector(at))
        ]
        self._entries: dict[str, tuple[int, int]] = {}
        raw = b"".join(self._sector(at) for at in _chain(directory, self._table))
        root = (_FREE, 0)
        for at in range(0, len(raw) - _ENTRY + 1, _ENTRY):
            length, kind = struct.unpack_from("<HB", raw, at + 64)
            if kind not in (1, 2, 5) or length < 2:
                continue
            name = raw[at : at + min(length, 64) - 2].decode("utf-16-le", "replace")
            place = struct.unpack_from("<II", raw, at + 116)
            if kind == 5:
                root = place
            else:
                self._entries.setdefault(name, place)
        self._mini = b"".join(self._sector(at) for at in _chain(root[0], self._table))

    def _sector(self, at: int) -> bytes:
        size = 1 << self._shift
        return self._data[(at + 1) * size : (at + 2) * size]

    def _numbers(self, sector: bytes) -> tuple[int, ...]:
        return struct.unpack(f"<{len(sector) // 4}I", sector[: len(sector) // 4 * 4])


def _chain(begin: int, table: list[int]) -> Iterator[int]:
    """The sectors of a chain; ValueError if it runs in a circle."""
    for _ in range(len(table)):
        if begin >= len(table) or begin >= _FREE:
            return
        yield begin
        begin = table[begin]
    if begin < len(table):
        raise ValueError("damaged")


def has_password(workbook: bytes) -> bool:
    """Whether a Workbook stream is encrypted, be it with the old XOR kind: FILEPASS follows its BOF."""
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
_TEXTS = frozenset({0xFD, 0x204, 0xD6})
_CONTENT = frozenset({_ROW, _NUMBER, _RK, _MULRK, _BOOLERR, _FORMULA}) | _TEXTS
_HIDDEN_ROW = 0x20
_ERROR_RESULT = 2


@dataclass(slots=True)
class XlsScan:
    """What was seen: `masks[style]` and for each sheet's name its findings."""

    masks: dict[int, DigitMask] = field(default_factory=dict)
    sheets: dict[str, SheetScan] = field(default_factory=dict)


def scan_xls(workbook: bytes) -> XlsScan:
    """Looks through a Workbook stream; damage ends the look where it begins."""
    seen = XlsScan()
    with suppress(struct.error, IndexError):
        _look(workbook, seen)
    return seen


def _look(workbook: bytes, seen: XlsScan) -> None:
    formats: dict[int, str] = {}
    styles: list[int] = []
    places: dict[int, str] = {}
    for kind, begin, end in _records(workbook, 0):
        body = workbook[begin:end]
        if kind == _EOF:
            break
        if kind == _FORMAT and len(body) > 5:
            formats[struct.unpack_from("<H", body)[0]] = _text(body[2:], wide_count=True)
        elif kind == _XF and len(body) >= 4:
            styles.append(struct.unpack_from("<H", body, 2)[0])
        elif kind == _BOUNDSHEET and len(body) > 8:
            places[struct.unpack_from("<I", body)[0]] = _text(body[6:], wide_count=False)
    for style, number in enumerate(styles):
        mask = zero_mask(formats.get(number))
        if mask is not None:
            seen.masks[style] = mask
    for place, name in places.items():
        seen.sheets[name] = _sheet(workbook, place, seen.masks)


def _sheet(workbook: bytes, place: int, masks: dict[int, DigitMask]) -> SheetScan:
    found = SheetScan(plain=False)
    depth = 0
    for kind, begin, end in _records(workbook, place):
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                found.plain = True
                break
        elif depth == 1 and kind in _CONTENT and end - begin >= 6:
            _take(kind, workbook[begin:end], found, masks)
    return found


def _take(kind: int, body: bytes, found: SheetScan, masks: dict[int, DigitMask]) -> None:
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
    elif kind == _MULRK:
        for at in range((len(body) - 6) // 6):
            (style,) = struct.unpack_from("<H", body, 4 + 6 * at)
            _mask(found, masks, row, column + at, style)
    elif kind not in _TEXTS:
        _mask(found, masks, row, column, style)


def _mask(found: SheetScan, masks: dict[int, DigitMask], row: int, column: int, style: int) -> None:
    if style in masks:
        found.masked.setdefault((column, style), array("q")).append(row + 1)


def _records(workbook: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """(kind, begin, end) of the records from `at` on."""
    size = len(workbook)
    while at + 4 <= size:
        kind, length = struct.unpack_from("<HH", workbook, at)
        if at + 4 + length > size:
            return
        yield kind, at + 4, at + 4 + length
        at += 4 + length


def _text(body: bytes, *, wide_count: bool) -> str:
    """A counted string; a flag tells one byte a character from two."""
    count = struct.unpack_from("<H", body)[0] if wide_count else body[0]
    skip = 2 if wide_count else 1
    if body[skip] & 1:
        return body[skip + 1 : skip + 1 + 2 * count].decode("utf-16-le", "replace")
    return body[skip + 1 : skip + 1 + count].decode("latin-1")
