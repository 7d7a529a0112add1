"""Workbooks as a source of chunks, read by python-calamine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import python_calamine as calamine

from importer.errors import InputError
from importer.model import Chunk, Note
from importer.readers.cells import Value, to_text, value_text
from importer.readers.header import LOOK_AT, Layout, TopRow, find_header, lay_out
from importer.readers.options import ReadOptions
from importer.readers.rows import Block, to_chunks
from importer.readers.source import Origin, SheetInfo, Source

ALL_SHEETS = "all"


@dataclass(frozen=True, slots=True)
class _Table:
    sheet: str
    layout: Layout
    rows: Sequence[Sequence[Value]]


class WorkbookSource(Source):
    """An .xlsx, .xlsm, .xlsb, .xls or .ods file."""

    def __init__(self, origin: Origin, format: str, options: ReadOptions) -> None:  # noqa: A002
        super().__init__(origin)
        self.format = format
        self._options = options
        with calamine.CalamineWorkbook.from_path(str(origin.path)) as book:
            sheets = {
                meta.name: (
                    meta.visible == calamine.SheetVisibleEnum.Visible,
                    book.get_sheet_by_name(meta.name).to_python(skip_empty_area=False),
                )
                for meta in book.sheets_metadata
                if meta.typ == calamine.SheetTypeEnum.WorkSheet
            }
        self.sheets = tuple(
            SheetInfo(name, visible, len(rows), len(rows[0]) if rows else 0)
            for name, (visible, rows) in sheets.items()
        )
        chosen = choose_sheets(self.sheets, options.sheet, origin.name)
        self.sheet = chosen[0].name if len(chosen) == 1 else None
        self._tables = [self._table(info.name, sheets[info.name][1]) for info in chosen]
        self.header_row = self._tables[0].layout.header_row if self._tables else None
        self.header = tuple(dict.fromkeys(name for table in self._tables for name in table.layout.header))
        self.notes = (*_other_sheets(self.sheets, chosen), *(n for t in self._tables for n in t.layout.notes))

    def _table(self, sheet: str, rows: Sequence[Sequence[Value]]) -> _Table:
        wanted = self._options.header_row
        count = wanted if isinstance(wanted, int) else LOOK_AT
        top = [
            TopRow(at + 1, tuple(value_text(cell) for cell in cells)) for at, cells in enumerate(rows[:count])
        ]
        header = find_header(top, self._options, self.name)
        skipped = header.number if header else 0
        above = sum(1 for row in top[: max(skipped - 1, 0)] if any(row.cells))
        filled = [any(cell != "" for cell in column) for column in zip(*rows[skipped:], strict=True)]
        return _Table(sheet, lay_out(header, above, filled), rows[skipped:])

    def chunks(self) -> Iterator[Chunk]:
        for table in self._tables:
            most = self._options.chunk_rows
            first = (table.layout.header_row or 0) + 1
            for begin in range(0, len(table.rows), most):
                part = table.rows[begin : begin + most]
                columns = [to_text(column) for column in zip(*part, strict=True)]
                rows = np.arange(first + begin, first + begin + len(part), dtype=np.int64)
                for chunk in to_chunks(Block(columns, rows), table.layout, table.sheet, most):
                    yield self._united(chunk)

    def _united(self, chunk: Chunk) -> Chunk:
        """The chunk with the columns of all sheets that are read."""
        if len(self._tables) == 1:
            return chunk
        frame = chunk.frame.reindex(columns=list(self.header), fill_value="")
        return Chunk(chunk.sheet, frame.astype(pd.StringDtype("pyarrow")), chunk.issues)

    def close(self) -> None:
        self._tables = []


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


def _other_sheets(sheets: Sequence[SheetInfo], chosen: Sequence[SheetInfo]) -> list[Note]:
    others = [info.name for info in sheets if info not in chosen and info.rows]
    return [Note("other-sheets", (("sheets", ", ".join(others)),))] if others else []
