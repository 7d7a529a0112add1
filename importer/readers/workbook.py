"""Workbooks as a source of chunks, whatever reads their cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import pandas as pd

from importer.errors import InputError
from importer.model import Chunk, Note
from importer.readers.header import Layout
from importer.readers.options import NO_HEADER, ReadOptions
from importer.readers.sheets import ALL_SHEETS, choose_sheets
from importer.readers.source import Origin, SheetInfo, Source
from importer.readers.tables import Table


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
        self._tables = self._lay_out(tables)
        self.sheet = self._tables[0][0].sheet if len(self._tables) == 1 else None
        self.header_row = self._tables[0][1].header_row if self._tables else None
        self.rows_about = sum(
            max(table.extent()[0] - (layout.header_row or 0), 0) for table, layout in self._tables
        )
        self.header = tuple(dict.fromkeys(name for _, layout in self._tables for name in layout.header))
        self.notes = (
            *_other_sheets(infos, [info.name for info in chosen]),
            *(Note("sheet-without-header", (("sheet", name),)) for name in self._left_out(tables)),
            *(note for _, layout in self._tables for note in layout.notes),
        )

    @property
    def sheet_headers(self) -> Mapping[str, tuple[str, ...]]:
        return {table.sheet: layout.header for table, layout in self._tables}

    def _lay_out(self, tables: Sequence[Table]) -> list[tuple[Table, Layout]]:
        """The sheets and their columns; of all sheets those that have a header. Only if none has one of known
        names, any that the options allow will do. Raises InputError if there is none."""
        if self._options.sheet != ALL_SHEETS:
            return [(table, self._laid_out(table, self._options)) for table in tables]
        strict = replace(self._options, named=lambda _: False, any_table=False)
        error = None
        for options in (strict, self._options):
            found = []
            for table in tables:
                try:
                    found += [(table, self._laid_out(table, options))] if table.extent()[0] else []
                except InputError as raised:
                    if raised.code not in NO_HEADER:
                        raise
                    error = error or raised
            if found:
                return found
        if error is not None:
            raise error
        return []

    def _left_out(self, tables: Sequence[Table]) -> list[str]:
        """The sheets that are not read for want of a header, but those that need not have one."""
        read = self.sheet_headers.keys()
        names = (table.sheet for table in tables if table.sheet not in read and table.extent()[0])
        return [name for name in names if not self._options.optional(name)]

    def _laid_out(self, table: Table, options: ReadOptions) -> Layout:
        try:
            return table.lay_out(options, self.name)
        except InputError as error:
            if error.code != "no-header":
                raise
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
