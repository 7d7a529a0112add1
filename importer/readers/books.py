"""How the native library is asked for the cells of .xlsx and .xls: after a look at what it does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from importer.errors import InputError
from importer.readers.archive import Archive
from importer.readers.begun import take_over
from importer.readers.dense import dense_tables
from importer.readers.native_process import LEAST_MEMORY, MOST_MEMORY, NativeWorkbook
from importer.readers.ooxml import SheetPart, open_package, shared_strings, strings_memory
from importer.readers.sheet_look import SheetLook, look
from importer.readers.sheet_xml import CellRules, read_cells
from importer.readers.source import SheetInfo
from importer.readers.tables import Table, from_sparse, with_look
from importer.readers.xls_look import XlsLook

_BYTES_PER_CELL = 160


class OoxmlBook:
    """An .xlsx or .xlsm file, whose cells are being read while its XML is looked at. A context manager."""

    def __init__(self, archive: Archive, path: Path, name: str, sheet: str | None) -> None:
        """Reads the workbook's parts. `name` is the file's, `sheet` the one wanted. Raises InputError."""
        self._archive = archive
        self._path = path
        self._name = name
        self._package = open_package(archive, name)
        self._masks = self._package.masks()
        self._looks: dict[str, SheetLook] = {}
        self._begun = take_over(archive, self._package, path, sheet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._give_up()

    def sheets(self) -> tuple[SheetInfo, ...]:
        for part in self._package.sheets:
            seen = self._looks[part.name] = look(self._archive.pieces(part.part), self._masks)
            if self._begun is not None and part.name in self._begun.sheets and not self._is_plain(seen):
                self._give_up()
        return tuple(_info(part, self._looks[part.name]) for part in self._package.sheets)

    def tables(self, names: Sequence[str]) -> list[Table]:
        native = [name for name in names if self._is_plain(self._looks[name])]
        try:
            read = {table.sheet: table for table in self._native(native)}
        except InputError:
            read = {}
        self._give_up()
        for name in names:
            if name not in read:
                read[name] = self._careful(name)
        return [read[name] for name in names]

    def _is_plain(self, seen: SheetLook) -> bool:
        lost = seen.shared_strings and self._package.strings_part is None
        return seen.plain and seen.rectangular and not lost

    def _native(self, names: Sequence[str]) -> list[Table]:
        """Raises InputError."""
        if not names:
            return []
        memory = LEAST_MEMORY + sum(self._looks[name].cells for name in names) * _BYTES_PER_CELL
        memory += strings_memory(self._archive, self._package)
        if self._begun is not None and set(names) <= set(self._begun.sheets):
            try:
                return self._looked_at(self._begun.workbook, names)
            except InputError:
                if set(names) == set(self._begun.sheets) and memory <= self._begun.memory:
                    raise  # it would fail in the same way again
        self._give_up()
        with NativeWorkbook(self._path, self._name, memory) as book:
            book.ask(names)
            return self._looked_at(book, names)

    def _looked_at(self, book: NativeWorkbook, names: Sequence[str]) -> list[Table]:
        book.sheets()
        return [
            with_look(table, self._looks[table.sheet], self._masks) for table in dense_tables(book, names)
        ]

    def _give_up(self) -> None:
        """Ends what was begun ahead, if it was not needed or is over."""
        if self._begun is not None:
            self._begun.workbook.close()
            self._begun = None

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
            names = [name for name, _ in found]
            book.ask(names)
            tables = dense_tables(book, names)
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
