"""Workbooks as a source of chunks, whatever reads their cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pandas as pd

from importer.errors import InputError
from importer.model import Chunk, Note
from importer.readers.header import Layout
from importer.readers.options import ReadOptions
from importer.readers.source import Origin, SheetInfo, Source
from importer.readers.tables import Table

ALL_SHEETS = "all"


class Book(Protocol):
    """A workbook whose cells can be had. Every method raises InputError."""

    def sheets(self) -> tuple[SheetInfo, ...]:
        """All sheets, in the workbook's order."""

    def tables(self, names: Sequence[str]) -> list[Table]:
        """The cells of these sheets."""


class WorkbookSource(Source):
    """An .xlsx, .xlsm, .xlsb, .xls or .ods file."""

    def __init__(self, origin: Origin, kind: str, book: Book, options: ReadOptions) -> None:
        """Chooses the sheets, reads them and finds their headers. Raises InputError."""
        super().__init__(origin)
        self.format = kind
        self._options = options
        infos = book.sheets()
        chosen = choose_sheets(infos, options.sheet, origin.name)
        tables = book.tables([info.name for info in chosen])
        self.sheets = _measured(infos, tables)
        several = options.sheet == ALL_SHEETS
        self._tables = [
            (table, layout)
            for table in tables
            if not several or table.extent()[0]
            if (layout := self._laid_out(table, several)) is not None
        ]
        self.sheet = self._tables[0][0].sheet if len(self._tables) == 1 else None
        self.header_row = self._tables[0][1].header_row if self._tables else None
        self.rows_about = sum(
            max(table.extent()[0] - (layout.header_row or 0), 0) for table, layout in self._tables
        )
        self.header = tuple(dict.fromkeys(name for _, layout in self._tables for name in layout.header))
        self.notes = (
            *_other_sheets(infos, [table.sheet for table, _ in self._tables]),
            *(note for _, layout in self._tables for note in layout.notes),
        )

    def _laid_out(self, table: Table, several: bool) -> Layout | None:
        """The sheet's columns; None for one of several that need not hold a table, and doesn't."""
        try:
            return table.lay_out(self._options, self.name)
        except InputError as error:
            if error.code != "no-header":
                raise
            if several and self._options.optional(table.sheet):
                return None
            names = [info.name for info in self.sheets if info.rows]
            if len(names) < 2:
                raise
            found = {**error.found, "sheet": table.sheet, "sheets": ", ".join(names)}
            raise InputError("no-header-in-sheet", **found) from None

    def chunks(self) -> Iterator[Chunk]:
        for table, layout in self._tables:
            for chunk in table.chunks(layout, self._options.chunk_rows):
                yield self._united(chunk)
        self.rows_passed = self.rows_about or 0

    def _united(self, chunk: Chunk) -> Chunk:
        """The chunk with the columns of all sheets that are read."""
        if len(self._tables) == 1:
            return chunk
        frame = chunk.frame.reindex(columns=list(self.header), fill_value="")
        return Chunk(chunk.sheet, frame.astype(pd.StringDtype("pyarrow")), chunk.issues)


def choose_sheets(sheets: Sequence[SheetInfo], wanted: str | None, name: str) -> list[SheetInfo]:
    """The sheets to read. Raises InputError `no-sheet` or `empty-workbook`; `name` is the file's."""
    if wanted is not None and wanted != ALL_SHEETS:
        for info in sheets:
            if info.name == wanted:
                return [info]
        for info in sheets:
            if info.name.strip().casefold() == wanted.strip().casefold():
                return [info]
        raise InputError("no-sheet", name=name, sheet=wanted, sheets=", ".join(info.name for info in sheets))
    visible = [info for info in sheets if info.visible and info.rows]
    if not visible:
        raise InputError("empty-workbook", name=name)
    return visible if wanted == ALL_SHEETS else visible[:1]


def _measured(infos: Sequence[SheetInfo], tables: Sequence[Table]) -> tuple[SheetInfo, ...]:
    """The sheets with the exact extent of those that were read."""
    extents = {table.sheet: table.extent() for table in tables}
    return tuple(
        SheetInfo(info.name, info.visible, *extents.get(info.name, (info.rows, info.columns)))
        for info in infos
    )


def _other_sheets(sheets: Sequence[SheetInfo], chosen: Sequence[str]) -> list[Note]:
    others = [info.name for info in sheets if info.name not in chosen and info.rows]
    return [Note("other-sheets", (("sheets", ", ".join(others)),))] if others else []
