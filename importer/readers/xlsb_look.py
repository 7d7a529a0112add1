"""A look at the records of an .xlsb workbook for what the workbook library does not tell.

Error cells, numbers shown with leading zeros, and hidden rows, sheet by sheet ([MS-XLSB] 2.1.4, 2.4).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from contextlib import suppress
from posixpath import dirname, join

from importer.readers.archive import Archive
from importer.readers.number_formats import Mask, zero_mask
from importer.readers.ooxml import relations
from importer.readers.sheet_look import SheetLook
from importer.readers.xls_look import ERRORS, XlsLook

_ROW, _RK, _ERROR, _REAL, _FORMULA_ERROR, _FORMULA_NUMBER = 0, 2, 3, 5, 11, 9
_FORMAT, _STYLE, _BEGIN_STYLES, _END_STYLES, _SHEET = 44, 47, 617, 618, 156
_CELLS = range(2, 12)
_END_OF_CELLS = 146
_HIDDEN_ROW = 0x10
_BOOK = "xl/workbook.bin"


def look(archive: Archive, name: str) -> XlsLook:
    """Looks through the workbook's parts; damage ends the look at a part where it begins."""
    seen = XlsLook(masks=_masks(archive))
    related = relations(archive, "xl/_rels/workbook.bin.rels", name, dirname(_BOOK))
    with suppress(struct.error):
        for kind, body in _records(archive, _BOOK):
            if kind != _SHEET:
                continue
            relation, rest = _text(body[8:])
            title, _ = _text(rest)
            sort, part = related.get(relation, ("", ""))
            if sort == "worksheet" and archive.find(part):
                seen.sheets[title] = _sheet(archive, part, seen.masks)
    return seen


def _masks(archive: Archive) -> dict[int, Mask]:
    part = join(dirname(_BOOK), "styles.bin")
    formats: dict[int, str] = {}
    styles: list[int] = []
    inside = False
    with suppress(struct.error):
        for kind, body in _records(archive, part) if archive.find(part) else ():
            if kind == _FORMAT:
                formats[struct.unpack_from("<H", body)[0]] = _text(body[2:])[0]
            elif kind in (_BEGIN_STYLES, _END_STYLES):
                inside = kind == _BEGIN_STYLES
            elif kind == _STYLE and inside:
                styles.append(struct.unpack_from("<H", body, 2)[0])
    masks = {style: zero_mask(formats.get(number)) for style, number in enumerate(styles)}
    return {style: mask for style, mask in masks.items() if mask is not None}


def _sheet(archive: Archive, part: str, masks: dict[int, Mask]) -> SheetLook:
    found = SheetLook(plain=False)
    row = 0
    for kind, body in _records(archive, part):
        if kind == _END_OF_CELLS:
            found.plain = True
        if kind == _ROW and len(body) >= 12:
            row = struct.unpack_from("<I", body)[0] + 1
            if body[11] & _HIDDEN_ROW:
                found.hidden.append(row)
            continue
        if kind not in _CELLS or len(body) < 8:
            continue
        found.cells += 1
        found.last_row = max(found.last_row, row)
        found.width = max(found.width, struct.unpack_from("<I", body)[0] + 1)
        if kind in (_ERROR, _FORMULA_ERROR) and len(body) >= 9:
            found.errors[row, struct.unpack_from("<I", body)[0]] = ERRORS.get(body[8], "#ERROR")
        elif kind in (_RK, _REAL, _FORMULA_NUMBER):
            column, style = struct.unpack_from("<II", body)
            style &= 0xFFFFFF
            if style in masks:
                found.masked.setdefault((column, style), array("q")).append(row)
    return found


def _records(archive: Archive, part: str) -> Iterator[tuple[int, bytes]]:
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
    """A number of at most `most` bytes, seven bits each, and where it ends."""
    value = 0
    for place, byte in enumerate(data[at : at + most]):
        value |= (byte & 0x7F) << (7 * place)
        at += 1
        if not byte & 0x80:
            break
    return value, at


def _text(body: bytes) -> tuple[str, bytes]:
    """A counted UTF-16 string, and what follows it."""
    (count,) = struct.unpack_from("<I", body)
    end = 4 + 2 * count
    return body[4:end].decode("utf-16-le", "replace"), body[end:]
