"""Read a workbook as a source of chunks, whatever backend reads its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import pandas as pd

from importer.errors import InputError
from importer.models import Chunk, Note
from importer.readers.base import (
    ALL_SHEETS,
    NO_HEADER,
    FileIdentity,
    ReadOptions,
    SheetInfo,
    Source,
    choose_sheets,
    not_read,
)
from importer.readers.excel.sheet_table import SheetTable, split
from importer.readers.header import (
    NAMES_NEEDED,
    Layout,
    count_known_names,
)


class WorkbookBackend(Protocol):
    """Reads the cells of one format of workbooks. Every method raises InputError."""

    def sheets(self) -> tuple[SheetInfo, ...]:
        """Return all sheets, in the workbook's order."""

    def tables(self, names: Sequence[str]) -> list[SheetTable]:
        """Return the cells of these sheets."""


class WorkbookSource(Source):
    """An .xlsx, .xlsm, .xlsb, .xls or .ods file."""

    def __init__(
        self,
        origin: FileIdentity,
        kind: str,
        book: WorkbookBackend,
        options: ReadOptions,
        all_of_it: Callable[[], WorkbookSource] | None = None,
    ) -> None:
        """Choose the sheets, read them and find their headers.

        `all_of_it` opens the file with all of its rows, if the backend may read only the first ones. Raises
        InputError.
        """
        super().__init__(origin)
        self.format = kind
        self._options = options
        self._all_of_it = all_of_it
        self._whole: WorkbookSource | None = None
        infos = book.sheets()
        chosen = choose_sheets(infos, options.sheet, origin.name)
        tables = [split(table, options) for table in book.tables([info.name for info in chosen])]
        self.sheets = _measured(infos, tables)
        passed_over: list[Note] = []
        try:
            # A cover is a table, too: where any will do, one with known names is still better.
            self._tables = self._lay_out(tables, replace(options, any_table=False))
        except InputError as error:
            if error.code not in (*NO_HEADER, "empty-file"):
                raise
            found = self._next_sheet(book, infos, chosen) if options.sheet is None else None
            if found is None:
                self._tables = self._lay_out(tables, options)
            else:
                passed_over.append(
                    Note("sheet-passed-over", (("sheet", tables[0].sheet), ("read", found[0].sheet)))
                )
                tables, self._tables = [found[0]], [found]
        self.sheet = self._tables[0][0].sheet if len(self._tables) == 1 else None
        self.header_row = self._tables[0][1].header_row if self._tables else None
        self.estimated_rows = sum(
            max(table.extent()[0] - (layout.header_row or 0), 0) for table, layout in self._tables
        )
        self.header = tuple(dict.fromkeys(name for _, layout in self._tables for name in layout.header))
        self.notes = (
            *passed_over,
            *_other_sheets(infos, [table.sheet for table in tables]),
            *map(not_read, self._left_out(tables)),
            *(note for _, layout in self._tables for note in layout.notes),
        )

    @property
    def sheet_headers(self) -> Mapping[str, tuple[str, ...]]:
        return {table.sheet: layout.header for table, layout in self._tables}

    def _lay_out(self, tables: Sequence[SheetTable], wanted: ReadOptions) -> list[tuple[SheetTable, Layout]]:
        """Return the sheets to read with their columns. Raises InputError if no sheet has a header.

        With `all`, sheets without a header are left out. A header of unknown names counts only if no sheet
        has one of known names.
        """
        if wanted.sheet != ALL_SHEETS:
            return [(table, self._laid_out(table, wanted)) for table in tables]
        strict = replace(wanted, is_mapped=lambda _: False, any_table=False)
        error = None
        for options in (strict, wanted):
            found = []
            for table in tables:
                try:
                    found += [(table, self._fitting(table, options))] if table.extent()[0] else []
                except InputError as raised:
                    if raised.code not in (*NO_HEADER, "header-row-missing"):
                        raise
                    error = error or raised
            if found:
                return found
        if error is not None:
            raise error
        return []

    def _fitting(self, table: SheetTable, options: ReadOptions) -> Layout:
        """Return the columns of one of several sheets. A given header row is for the sheets that it fits."""
        if isinstance(options.header_row, int) and not options.any_table:
            rows = table.top(options.header_row)[-1:]
            cells = rows[0].cells if rows and rows[0].number == options.header_row else ()
            known = count_known_names(cells, options.is_known) >= NAMES_NEEDED
            if not known and not count_known_names(cells, options.is_mapped):
                return self._laid_out(table, replace(options, header_row=None))
        return self._laid_out(table, options)

    def _next_sheet(
        self, book: WorkbookBackend, infos: Sequence[SheetInfo], chosen: Sequence[SheetInfo]
    ) -> tuple[SheetTable, Layout] | None:
        """Return the first other sheet that has a header of known names: the first one may be a cover."""
        options = replace(self._options, any_table=False)
        for info in infos:
            if not info.visible or not info.rows or info in chosen:
                continue
            table = split(book.tables([info.name])[0], options)
            try:
                return table, table.lay_out(options, self.name)
            except InputError as error:
                if error.code not in (*NO_HEADER, "empty-file", "header-row-missing"):
                    raise
        return None

    def _left_out(self, tables: Sequence[SheetTable]) -> list[str]:
        """Return the sheets that were left out for having no header, except those that may be skipped."""
        read = self.sheet_headers.keys()
        names = (table.sheet for table in tables if table.sheet not in read and table.extent()[0])
        return [name for name in names if not self._options.may_be_skipped(name)]

    def _laid_out(self, table: SheetTable, options: ReadOptions) -> Layout:
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

    @property
    def proven(self) -> bool:
        """Whether the first rows, if only these were read, show the header and columns of all of them.

        A column without a name there may hold something further down. Whether a single one holds the lines of
        a CSV is for all of them to say.
        """
        widths = {info.name: info.columns for info in self.sheets}
        return not any(
            table.begun and (not 1 < widths[table.sheet] == len(table.columns) or None in layout.names)
            for table, layout in self._tables
        )

    def chunks(self) -> Iterator[Chunk]:
        most = self._options.chunk_rows
        for table, layout in self._tables:
            for chunk in table.chunks(layout, most):
                yield self._united(chunk)
            if table.begun:
                after = table.last_of_chunk(layout, most)
                yield from self._all_rows().chunks(layout, most, after)
        self.rows_read = self.estimated_rows or 0

    def _all_rows(self) -> SheetTable:
        """Return the sheet whose first rows were enough so far. Raises InputError, also `file-changed`."""
        if self._whole is None:
            assert self._all_of_it  # noqa: S101
            self._whole = self._all_of_it()
        if self._whole.sheet_headers != self.sheet_headers:
            raise InputError("file-changed", name=self.name)
        return self._whole._tables[0][0]

    def _united(self, chunk: Chunk) -> Chunk:
        """Return the chunk with the columns of all sheets that are read."""
        if len(self._tables) == 1:
            return chunk
        frame = chunk.frame.reindex(columns=list(self.header), fill_value="")
        return Chunk(chunk.sheet, frame.astype(pd.StringDtype("pyarrow")), chunk.issues, chunk.skips)


def _measured(infos: Sequence[SheetInfo], tables: Sequence[SheetTable]) -> tuple[SheetInfo, ...]:
    """Return the sheets, with the exact extent of those that were read."""
    extents = {table.sheet: table.extent() for table in tables}
    return tuple(
        SheetInfo(info.name, info.visible, *extents.get(info.name, (info.rows, info.columns)))
        for info in infos
    )


def _other_sheets(sheets: Sequence[SheetInfo], chosen: Sequence[str]) -> list[Note]:
    others = [info.name for info in sheets if info.name not in chosen and info.rows]
    return [Note("other-sheets", (("sheets", ", ".join(others)),))] if others else []
