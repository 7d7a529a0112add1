"""How the native library is asked for the cells of .xlsx and .xls: after a look at what it does not tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from importer.errors import InputError
from importer.readers.archive import Archive
from importer.readers.native_process import LEAST_MEMORY, MOST_MEMORY, NativeWorkbook, RowBlock
from importer.readers.ooxml import SheetPart, open_package, shared_strings
from importer.readers.sheet_look import SheetLook, look
from importer.readers.sheet_xml import CellRules, read_cells
from importer.readers.source import SheetInfo
from importer.readers.tables import Table, empty_column, from_sparse, with_look
from importer.readers.xls_look import XlsLook

_BYTES_PER_CELL = 160
_MOST_STRINGS, _COPIES_OF_STRINGS = 1 << 28, 3
"""Bytes of shared strings that are made room for, and how often the library holds them."""


class OoxmlBook:
    """An .xlsx or .xlsm file."""

    def __init__(self, archive: Archive, path: Path, name: str) -> None:
        """Reads the workbook's parts. Raises InputError; `name` is the file's."""
        self._archive = archive
        self._path = path
        self._name = name
        self._package = open_package(archive, name)
        self._masks = self._package.masks()
        self._looks: dict[str, SheetLook] = {}

    def sheets(self) -> tuple[SheetInfo, ...]:
        for part in self._package.sheets:
            self._looks[part.name] = look(self._archive.pieces(part.part), self._masks)
        return tuple(_info(part, self._looks[part.name]) for part in self._package.sheets)

    def tables(self, names: Sequence[str]) -> list[Table]:
        native = [name for name in names if self._is_plain(self._looks[name])]
        try:
            read = {table.sheet: table for table in self._native(native)}
        except InputError:
            read = {}
        for name in set(names) - set(read):
            read[name] = self._careful(name)
        return [read[name] for name in names]

    def _is_plain(self, seen: SheetLook) -> bool:
        lost = seen.shared_strings and self._package.strings_part is None
        return seen.plain and seen.rectangular and not lost

    def _native(self, names: Sequence[str]) -> Iterable[Table]:
        if not names:
            return []
        cells = sum(self._looks[name].cells for name in names)
        strings = self._archive.size(self._package.strings_part or "")
        memory = LEAST_MEMORY + cells * _BYTES_PER_CELL + min(strings, _MOST_STRINGS) * _COPIES_OF_STRINGS
        with NativeWorkbook(self._path, self._name, memory) as book:
            book.sheets()
            return [with_look(table, self._looks[table.sheet], self._masks) for table in _dense(book, names)]

    def _careful(self, name: str) -> Table:
        package = self._package
        part = next(part.part for part in package.sheets if part.name == name)
        strings = shared_strings(self._archive, package.strings_part, self._name)
        rules = CellRules(strings, package.styles, package.date_1904)
        return from_sparse(name, read_cells(self._archive.pieces(part), rules, self._name))


class XlsBook:
    """An .xls file; `seen` is what a look at its records found."""

    def __init__(self, path: Path, name: str, seen: XlsLook) -> None:
        self._path = path
        self._name = name
        self._seen = seen
        self._memory = min(LEAST_MEMORY + 40 * path.stat().st_size, MOST_MEMORY)
        self._tables: dict[str, Table] = {}

    def sheets(self) -> tuple[SheetInfo, ...]:
        if not all(look.plain for look in self._seen.sheets.values()):
            raise InputError("workbook-damaged", name=self._name)
        with NativeWorkbook(self._path, self._name, self._memory) as book:
            found = book.sheets()
            tables = _dense(book, [name for name, _ in found])
        self._tables = {table.sheet: self._with_look(table) for table in tables}
        return tuple(SheetInfo(name, visible, *self._tables[name].extent()) for name, visible in found)

    def tables(self, names: Sequence[str]) -> list[Table]:
        return [self._tables[name] for name in names]

    def _with_look(self, table: Table) -> Table:
        """Raises InputError if the library stopped before the last row that the file has."""
        look = self._seen.sheets.get(table.sheet)
        if look is None:
            return table
        if look.last_row > len(table.rows):
            raise InputError("workbook-damaged", name=self._name)
        return with_look(table, look, self._seen.masks)


def _info(part: SheetPart, seen: SheetLook) -> SheetInfo:
    if seen.plain and not seen.values:
        return SheetInfo(part.name, part.visible, 0, 0)
    return SheetInfo(part.name, part.visible, max(seen.last_row, 1), max(seen.width, 1))


def _dense(book: NativeWorkbook, names: Sequence[str]) -> list[Table]:
    """The sheets as tables whose rows begin at 1 and whose places begin at 0."""
    blocks: dict[str, list[RowBlock]] = {name: [] for name in names}
    extents = dict.fromkeys(names, (0, 0))
    for name, block in book.read(names):
        if isinstance(block, RowBlock):
            blocks[name].append(block)
        else:
            extents[name] = block
    return [_joined(name, blocks[name], *extents[name]) for name in names]


def _joined(name: str, blocks: Sequence[RowBlock], last_row: int, width: int) -> Table:
    """The blocks put together, what is missing above and left of them put back."""
    above = last_row - sum(block.rows for block in blocks)
    found = len(blocks[0].columns) if blocks else 0
    columns = [empty_column(last_row) for _ in range(width - found)]
    for place in range(found):
        parts = [block.columns[place] for block in blocks]
        columns.append(pa.concat_arrays([empty_column(above), *parts] if above else parts))
    return Table(name, range(width), columns, np.arange(1, last_row + 1, dtype=np.int64))
