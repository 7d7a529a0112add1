"""Cut an .xlsx workbook off below the first rows of a sheet, in the process that reads it.

Of what lies behind these rows nothing is read but what shows that they read the same in the whole sheet: to
unpack it takes a tenth of the time of reading its cells. Imports nothing but light parts of the standard
library, since the calamine worker needs it at once.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from itertools import chain, islice

_PIECE = 1 << 20
"""Bytes unpacked at a time."""
_LONGEST = 1 << 26
"""Bytes that the first rows, their shared strings, or any other row may have."""
_OTHER_PARTS = 1 << 22
"""Bytes of the parts that are taken over: styles, relationships, the list of sheets."""
_FIRST_LOOK = 240
"""Rows whose columns are those of the sheet, or it is not cut."""
_ROW = b"<row "
_EACH_ROW = re.compile(_ROW)
_ROW_NUMBER = re.compile(rb'<row [^>]*?\br="(\d{1,8})"')
_CELL = re.compile(rb'<c r="([A-Z]{1,3})\d')
_SHARED = re.compile(rb' t="s"[^>]*><v>(\d{1,8})</v>')
BLANK_EDGE = re.compile(rb"<(?:\w+:)?t>\s|\s</(?:\w+:)?t>")
"""A text, or a part of one, that begins or ends with a blank."""
_END = b"</sheetData>"
VALUES = (b"<v>", b"<is>", b"<f")
"""What a cell that holds something has one of."""


class NotCut(ValueError):  # noqa: N818 - nothing is wrong
    """The sheet has no more rows, or is out of the ordinary; it must be read as a whole."""


class SheetHead:
    """The first rows of a sheet. Every method raises NotCut, OSError, and what zipfile raises."""

    def __init__(self, path: str, part: str, strings_part: str | None, rows: int) -> None:
        """`part` and `strings_part` are members of the archive."""
        self._zip = zipfile.ZipFile(path)
        self._part = part
        self._strings_part = strings_part
        self._pieces = self._unpacked(part)
        found: list[bytes] = []
        left = rows
        while left >= 0:
            found.append(next(self._pieces, b""))
            left -= found[-1].count(_ROW)
            if not found[-1] or len(found) > _LONGEST // _PIECE:
                raise NotCut
        begun = b"".join(found)
        cut = _after_rows(begun, rows)
        self.xml = begun[:cut]
        self._behind = begun[cut:]

    def workbook(self) -> bytes:
        """Return a workbook whose sheet ends below the first rows."""
        file = io.BytesIO()
        folder = self._part.rpartition("/")[0] + "/"
        with zipfile.ZipFile(file, "w") as cut:
            for info in self._zip.infolist():
                if info.filename == self._part:
                    cut.writestr(info.filename, self.xml + b"</sheetData></worksheet>")
                elif info.filename == self._strings_part:
                    cut.writestr(info.filename, self._strings())
                elif info.file_size <= _OTHER_PARTS and not info.filename.startswith(folder):
                    cut.writestr(info.filename, self._zip.read(info))
        return file.getvalue()

    def whole(self) -> tuple[bytes, int]:
        """Return the sheet without the rows behind the first ones, and the number of its last row.

        Raises NotCut also if a cell lies right of those in the first rows, rows are out of order, or the last
        one holds nothing.
        """
        look = _after_rows(self.xml, _FIRST_LOOK)
        look = look if look >= 0 else len(self.xml)
        letters = max(set(_CELL.findall(self.xml, 0, look)), key=_order, default=b"")
        if not letters:
            raise NotCut
        right_of_it = _right_of(letters.decode())
        last, row = 0, self.xml[self.xml.rfind(_ROW, 0, look) : look]
        for piece in chain((self.xml[look:], self._behind), self._pieces):
            text = row + piece
            row = text[max(text.rfind(_ROW, 0, text.rfind(b">") + 1), 0) :]
            numbers = list(map(int, _ROW_NUMBER.findall(text)))
            if len(row) > _LONGEST or not _ascend(numbers, last) or right_of_it.search(text):
                raise NotCut
            last = numbers[-1]
        end = row.find(_END)
        if not 0 < row.find(b"</row>") < end or not any(mark in row[:end] for mark in VALUES):
            raise NotCut
        return self.xml + row[end:], last

    def _strings(self) -> bytes:
        """Return the shared strings up to the last one that the first rows refer to."""
        assert self._strings_part  # noqa: S101
        last = max(map(int, set(_SHARED.findall(self.xml))), default=0)
        found = b""
        for piece in self._unpacked(self._strings_part):
            found += piece
            if b"<si/>" in found or len(found) > _LONGEST:
                raise NotCut
            if found.count(b"</si>") > last:
                break
        else:
            return self._plain(found)
        end = 0
        for _ in range(last + 1):
            end = found.find(b"</si>", end) + len(b"</si>")
        return self._plain(found[:end] + b"</sst>")

    def _plain(self, strings: bytes) -> bytes:
        """Raise NotCut for rich texts whose parts begin or end with blanks, which calamine loses."""
        if b"<r>" in strings and BLANK_EDGE.search(strings):
            raise NotCut
        return strings

    def _unpacked(self, part: str) -> Iterator[bytes]:
        with self._zip.open(part) as file:
            while piece := file.read(_PIECE):
                yield piece


def _after_rows(xml: bytes, rows: int) -> int:
    """Return where the row after so many begins; -1 if there is none."""
    found = _EACH_ROW.finditer(xml)
    after = next(islice(found, rows, None), None)
    return -1 if after is None else after.start()


def _ascend(numbers: list[int], last: int) -> bool:
    """Return whether row numbers ascend from the last one before them, which is repeated."""
    return bool(numbers) and last <= numbers[0] and all(map(int.__lt__, numbers, numbers[1:]))


def _order(letters: bytes) -> tuple[int, bytes]:
    return len(letters), letters


def _right_of(letters: str) -> re.Pattern[bytes]:
    """Return the pattern of cells right of the column with these letters."""
    beyond = ["[A-Z]" * (len(letters) + 1)]
    for at, letter in enumerate(letters):
        if letter != "Z":
            rest = "[A-Z]" * (len(letters) - at - 1)
            beyond.append(f"{letters[:at]}[{chr(ord(letter) + 1)}-Z]{rest}[0-9]")
    return re.compile(f'<c r="(?:{"|".join(beyond)})'.encode())
