"""A workbook's cells are read by a process of their own before a look at the XML tells how they must be read.

Which sheet will be wanted, and how much memory it takes, is guessed from the archive; where the guess was
wrong, or the look finds that the sheet must be read with care, the process is ended and nothing has happened.
Imports nothing heavy: the earlier the start, the more it saves.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from importer.errors import InputError
from importer.readers.archive import Archive
from importer.readers.detect import ZipKind, zip_kind
from importer.readers.native_process import LEAST_MEMORY, NativeWorkbook
from importer.readers.ooxml import Package, open_package, strings_memory
from importer.readers.sheets import choose_sheets
from importer.readers.source import SheetInfo

_MEMORY_PER_BYTE = 4
"""Of a sheet's XML: cells take 30 to 60 bytes there, and up to 160 in the library."""
_LIMITS_HOLD = sys.platform == "linux"
"""Elsewhere a process has all the memory it wants, and a sheet is read only once a look found it harmless."""
_CELL_MARKS = (b"<v>", b"<is>", b"<f")

_Mark = tuple[str, str | None, int, int, int]
"""Which file was seen, and which sheet is wanted: path, sheet, inode, size, time of change."""


@dataclass(frozen=True, slots=True)
class HeadStart:
    """A process that reads sheets of a workbook."""

    workbook: NativeWorkbook
    sheets: tuple[str, ...]
    memory: int
    """Bytes it may have."""
    mark: _Mark


_waiting: list[HeadStart] = []


def wait_for_opening(path: Path, sheet: str | None) -> HeadStart | None:
    """Begins to read a workbook, for `take_over` to find it; None for any other file."""
    try:
        with Archive(path, str(path)) as archive:
            archive.check_sizes()
            if zip_kind(archive.names(), b"")[0] is not ZipKind.XLSX:
                return None
            begun = _begin(archive, open_package(archive, str(path)), path, sheet)
    except (InputError, OSError, ValueError):
        return None
    if begun is not None:
        _waiting.append(begun)
    return begun


def wait_no_longer(begun: HeadStart) -> None:
    """Ends it, unless it was taken over."""
    if begun in _waiting:
        _waiting.remove(begun)
        begun.workbook.close()


def take_over(archive: Archive, package: Package, path: Path, sheet: str | None) -> HeadStart | None:
    """The head start that this file has, or else gets now; None if there is nothing to guess.

    Whoever takes it over closes its workbook.
    """
    try:
        mark = _mark(path, sheet)
        for begun in _waiting:
            if begun.mark == mark:
                _waiting.remove(begun)
                return begun
        return _begin(archive, package, path, sheet)
    except (InputError, OSError):
        return None


def _begin(archive: Archive, package: Package, path: Path, sheet: str | None) -> HeadStart | None:
    """Raises InputError, OSError."""
    names = _likely(archive, package, sheet) if _LIMITS_HOLD else ()
    if not names:
        return None
    mark = _mark(path, sheet)
    unpacked = sum(archive.size(part.part) for part in package.sheets if part.name in names)
    memory = LEAST_MEMORY + unpacked * _MEMORY_PER_BYTE + strings_memory(archive, package)
    workbook = NativeWorkbook(path, str(path), memory)
    workbook.ask(names)
    return HeadStart(workbook, names, memory, mark)


def _likely(archive: Archive, package: Package, wanted: str | None) -> tuple[str, ...]:
    """The sheets that will be chosen, as far as that can be told without a look through all of them."""
    if wanted is not None:
        infos = [SheetInfo(part.name, part.visible, 1, 1) for part in package.sheets]
        return tuple(info.name for info in choose_sheets(infos, wanted, ""))
    for part in package.sheets:
        if part.visible and _has_cells(archive, part.part):
            return (part.name,)
    return ()


def _has_cells(archive: Archive, part: str) -> bool:
    start = next(archive.pieces(part), b"")
    return any(mark in start for mark in _CELL_MARKS)


def _mark(path: Path, sheet: str | None) -> _Mark:
    status = path.stat()
    return str(path), sheet, status.st_ino, status.st_size, status.st_mtime_ns
