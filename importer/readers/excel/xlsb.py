"""Read .xlsb files, Excel's binary format, record by record ([MS-XLSB] 2.1.4 for records, 2.4 for each kind).

Calamine is not used: it loses rows with formulas that it does not know, and takes dates that formulas give
for numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from importer.errors import InputError
from importer.readers.archive import Archive
from importer.readers.base import SheetInfo
from importer.readers.excel.cell_text import ERROR_TEXTS, LAST_ROW
from importer.readers.excel.number_formats import CellRules, cell_style
from importer.readers.excel.ooxml import relations
from importer.readers.excel.sheet_table import MOST_CELLS, SheetTable, SparseSheet, from_sparse

_ROW, _HIDDEN_ROW, _END_OF_CELLS = 0, 0x10, 146
_RK, _ERROR, _BOOL, _REAL, _TEXT, _SHARED = 2, 3, 4, 5, 6, 7
_FORMULA_TEXT, _FORMULA_REAL, _FORMULA_BOOL, _FORMULA_ERROR = 8, 9, 10, 11
_STRING_ITEM, _FORMAT, _STYLE, _BEGIN_STYLES, _END_STYLES = 19, 44, 47, 617, 618
_PROPERTIES, _SHEET = 153, 156
_MERGED = 176
_HUNDREDTH, _WHOLE = 1, 2
_FOLDER = "xl"


class XlsbBackend:
    """An .xlsb file."""

    def __init__(self, archive: Archive, name: str) -> None:
        """Read all sheets. Raises InputError; `name` is the file's."""
        self._parts = _parts(archive, name)
        try:
            rules = _rules(archive)
        except (struct.error, IndexError):
            raise InputError("workbook-damaged", name=name) from None
        self._tables = {
            part.sheet: from_sparse(part.sheet, _read_cells(archive, part.path, rules, name))
            for part in self._parts
        }

    def sheets(self) -> tuple[SheetInfo, ...]:
        return tuple(
            SheetInfo(part.sheet, part.visible, *self._tables[part.sheet].extent()) for part in self._parts
        )

    def tables(self, names: Sequence[str]) -> list[SheetTable]:
        return [self._tables[name] for name in names]


@dataclass(frozen=True, slots=True)
class _Part:
    sheet: str
    visible: bool
    path: str


def _parts(archive: Archive, name: str) -> list[_Part]:
    found = []
    related = relations(archive, f"{_FOLDER}/_rels/workbook.bin.rels", name, _FOLDER)
    with suppress(struct.error):
        for kind, body in _records(archive, f"{_FOLDER}/workbook.bin"):
            if kind != _SHEET:
                continue
            (hidden,) = struct.unpack_from("<I", body)
            relation, rest = _counted_text(body[8:])
            title, _ = _counted_text(rest)
            sort, path = related.get(relation, ("", ""))
            if sort == "worksheet" and archive.find(path):
                found.append(_Part(title, not hidden, path))
    return found


def _rules(archive: Archive) -> CellRules:
    """Return the workbook's shared strings, styles and date system."""
    styles = [cell_style(number, code) for number, code in _formats_of_styles(archive)]
    part = f"{_FOLDER}/sharedStrings.bin"
    strings = [
        _counted_text(body[1:])[0]
        for kind, body in (_records(archive, part) if archive.find(part) else ())
        if kind == _STRING_ITEM
    ]
    return CellRules(strings, styles, _from_1904(archive))


def _read_cells(archive: Archive, part: str, rules: CellRules, name: str) -> SparseSheet:
    """Return all cells of a sheet. Raises InputError; `name` is the file's."""
    sheet = SparseSheet()
    cells: dict[int, str] = {}
    last, ended, count = 0, False, 0
    try:
        for kind, body in _records(archive, part):
            if kind == _ROW and len(body) >= 12:
                row = struct.unpack_from("<I", body)[0] + 1
                if not last < row <= LAST_ROW:
                    raise InputError("workbook-damaged", name=name)
                last, cells = row, {}
                sheet.rows.append(row)
                sheet.cells.append(cells)
                if body[11] & _HIDDEN_ROW:
                    sheet.hidden.append(row)
            elif _RK <= kind <= _FORMULA_ERROR and sheet.rows:
                column, style = struct.unpack_from("<II", body)
                cells[column] = _text(kind, body[8:], style & 0xFFFFFF, rules)
                count += 1
                if kind in (_ERROR, _FORMULA_ERROR):
                    sheet.errors.append((last, column))
            elif kind == _END_OF_CELLS:
                ended = True
            elif kind == _MERGED:
                first_row, last_row, column, _ = struct.unpack_from("<IIII", body)
                if first_row != last_row:
                    sheet.merged.append((column, first_row + 1, last_row + 1))
    except (struct.error, IndexError):
        raise InputError("workbook-damaged", name=name) from None
    if not ended or count > MOST_CELLS:
        raise InputError("workbook-too-large" if ended else "workbook-damaged", name=name)
    return sheet


def _text(kind: int, value: bytes, style: int, rules: CellRules) -> str:
    if kind in (_TEXT, _FORMULA_TEXT):
        return _counted_text(value)[0]
    if kind == _SHARED:
        at: int = struct.unpack_from("<I", value)[0]
        return rules.strings[at]
    if kind in (_BOOL, _FORMULA_BOOL):
        return "TRUE" if value[0] else "FALSE"
    if kind in (_ERROR, _FORMULA_ERROR):
        return ERROR_TEXTS.get(value[0], "#ERROR")
    number: float = _compressed(value) if kind == _RK else struct.unpack_from("<d", value)[0]
    return rules.number_text(number, style)


def _compressed(value: bytes) -> float:
    """Return an RkNumber: 30 bits of an integer or of a float's upper half ([MS-XLSB] 2.5.122)."""
    raw: int = struct.unpack_from("<i", value)[0]
    if raw & _WHOLE:
        number = float(raw >> 2)
    else:
        (number,) = struct.unpack("<d", struct.pack("<II", 0, raw & 0xFFFFFFFC))
    return number / 100 if raw & _HUNDREDTH else number


def _formats_of_styles(archive: Archive) -> list[tuple[int, str | None]]:
    """Return for each style the number of its format and, if it is no built-in one, its code."""
    part = f"{_FOLDER}/styles.bin"
    formats: dict[int, str] = {}
    styles: list[int] = []
    inside = False
    with suppress(struct.error):
        for kind, body in _records(archive, part) if archive.find(part) else ():
            if kind == _FORMAT:
                formats[struct.unpack_from("<H", body)[0]] = _counted_text(body[2:])[0]
            elif kind in (_BEGIN_STYLES, _END_STYLES):
                inside = kind == _BEGIN_STYLES
            elif kind == _STYLE and inside:
                styles.append(struct.unpack_from("<H", body, 2)[0])
    return [(number, formats.get(number)) for number in styles]


def _from_1904(archive: Archive) -> bool:
    """Return whether the workbook counts its days from 1904."""
    bodies = (body for kind, body in _records(archive, f"{_FOLDER}/workbook.bin") if kind == _PROPERTIES)
    return bool(next(bodies, b"\0")[0] & 1)


def _records(archive: Archive, part: str) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the body of each record of a part; one that is cut off at the end is left out."""
    data = archive.read(part)
    at, size = 0, len(data)
    while at < size:
        kind, at = _varint(data, at, 2)
        length, at = _varint(data, at, 4)
        if at + length > size:
            return
        yield kind, data[at : at + length]
        at += length


def _varint(data: bytes, at: int, most: int) -> tuple[int, int]:
    """Return a number of at most `most` bytes, seven bits each, and where it ends."""
    value = 0
    for place, byte in enumerate(data[at : at + most]):
        value |= (byte & 0x7F) << (7 * place)
        at += 1
        if not byte & 0x80:
            break
    return value, at


def _counted_text(body: bytes) -> tuple[str, bytes]:
    """Return a counted UTF-16 string, and what follows it."""
    (count,) = struct.unpack_from("<I", body)
    end = 4 + 2 * count
    return body[4:end].decode("utf-16-le", "replace"), body[end:]
