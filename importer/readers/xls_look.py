"""A look at the records of an .xls workbook for what the workbook library does not tell.

Error cells, numbers shown with leading zeros, and hidden rows, sheet by sheet (BIFF8, [MS-XLS] 2.4).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from importer.readers.number_formats import Mask, zero_mask
from importer.readers.sheet_look import SheetLook

_BOUNDSHEET, _FORMAT, _XF, _BOF, _EOF = 0x85, 0x41E, 0xE0, 0x809, 0x0A
_ROW, _NUMBER, _RK, _MULRK, _BOOLERR, _FORMULA = 0x208, 0x203, 0x27E, 0xBD, 0x205, 0x06
_TEXTS = frozenset({0xFD, 0x204, 0xD6})
_CONTENT = frozenset({_ROW, _NUMBER, _RK, _MULRK, _BOOLERR, _FORMULA}) | _TEXTS
ERRORS: Final = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
_HIDDEN_ROW = 0x20
_ERROR_RESULT = 2


@dataclass(slots=True)
class XlsLook:
    """What was seen: `masks[style]` and for each sheet's name its findings."""

    masks: dict[int, Mask] = field(default_factory=dict)
    sheets: dict[str, SheetLook] = field(default_factory=dict)


def look(workbook: bytes) -> XlsLook:
    """Looks through a Workbook stream; damage ends the look where it begins."""
    seen = XlsLook()
    with suppress(struct.error, IndexError):
        _look(workbook, seen)
    return seen


def _look(workbook: bytes, seen: XlsLook) -> None:
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


def _sheet(workbook: bytes, place: int, masks: dict[int, Mask]) -> SheetLook:
    found = SheetLook(plain=False)
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


def _take(kind: int, body: bytes, found: SheetLook, masks: dict[int, Mask]) -> None:
    row, column, style = struct.unpack_from("<HHH", body)
    if kind != _ROW:
        found.last_row = max(found.last_row, row + 1)
    if kind == _ROW:
        if len(body) >= 14 and body[12] & _HIDDEN_ROW:
            found.hidden.append(row + 1)
    elif kind == _BOOLERR:
        if len(body) >= 8 and body[7]:
            found.errors[row + 1, column] = ERRORS.get(body[6], "#ERROR")
    elif kind == _FORMULA:
        if body[12:14] == b"\xff\xff" and body[6] == _ERROR_RESULT:
            found.errors[row + 1, column] = ERRORS.get(body[8], "#ERROR")
    elif kind == _MULRK:
        for at in range((len(body) - 6) // 6):
            (style,) = struct.unpack_from("<H", body, 4 + 6 * at)
            _mask(found, masks, row, column + at, style)
    elif kind not in _TEXTS:
        _mask(found, masks, row, column, style)


def _mask(found: SheetLook, masks: dict[int, Mask], row: int, column: int, style: int) -> None:
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
