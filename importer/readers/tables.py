"""A sheet held as columns of text, and from there to chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.columns import TEXT, column_letter
from importer.model import Chunk, Issue, Severity
from importer.readers.footer import LAST_ROWS, footer_notes
from importer.readers.header import (
    LOOK_AT,
    Layout,
    TopRow,
    clean_name,
    find_header,
    lay_out,
)
from importer.readers.number_formats import Mask
from importer.readers.options import ReadOptions
from importer.readers.rows import Block, to_chunks
from importer.readers.sheet_look import SheetLook
from importer.readers.sheet_xml import SparseSheet


@dataclass(slots=True)
class Table:
    """A sheet's cells: `columns[i]` is the column at `places[i]` (0-based) for the rows in `rows`."""

    sheet: str
    places: Sequence[int]
    columns: list[pa.Array]
    rows: np.ndarray
    """Row numbers, int64, strictly increasing."""
    errors: list[tuple[int, int]] = field(default_factory=list)
    """(row, place) of error cells."""
    unvalued: list[tuple[int, int]] = field(default_factory=list)
    """(row, place) of formulas whose result was not stored."""
    hidden: Sequence[int] = ()
    """Numbers of hidden rows."""

    def extent(self) -> tuple[int, int]:
        """The last row and the number of columns that hold something."""
        filled = self.filled(0)
        width = max((place + 1 for place, full in zip(self.places, filled, strict=True) if full), default=0)
        return (int(self.rows[-1]) if len(self.rows) and width else 0), width

    def filled(self, after: int) -> list[bool]:
        """Whether each column holds something below row `after`."""
        begin = int(np.searchsorted(self.rows, after, side="right"))
        return [bool(pc.max(pc.binary_length(column.slice(begin))).as_py()) for column in self.columns]

    def top(self, last: int) -> list[TopRow]:
        """The rows up to number `last`."""
        count = int(np.searchsorted(self.rows, last, side="right"))
        cells = [column.slice(0, count).to_pylist() for column in self.columns]
        return [TopRow(int(self.rows[at]), tuple(column[at] for column in cells)) for at in range(count)]

    def lay_out(self, options: ReadOptions, name: str) -> Layout:
        """Finds the header. Raises InputError; `name` is the file's."""
        wanted = options.header_row
        top = self.top(wanted if isinstance(wanted, int) else LOOK_AT)
        header = find_header(top, options, name, whole=not self.extent()[0])
        after = header.number if header else 0
        above = [row for row in top if row.number < after and any(map(clean_name, row.cells))]
        layout = lay_out(header, above, self.filled(after), self.places)
        return replace(layout, notes=(*layout.notes, *footer_notes(self._last_rows(after))))

    def _last_rows(self, after: int) -> list[list[str]]:
        """The cells of the last rows that hold something, below row `after`."""
        rows: list[list[str]] = []
        for at in range(len(self.rows) - 1, -1, -1):
            if self.rows[at] <= after or len(rows) == LAST_ROWS:
                break
            cells = [str(column[at].as_py()) for column in self.columns]
            if any(cells):
                rows.append(cells)
        return rows[::-1]

    def chunks(self, layout: Layout, most: int) -> Iterator[Chunk]:
        """The rows below the header."""
        header_row = layout.header_row or 0
        begin = int(np.searchsorted(self.rows, header_row, side="right"))
        names = dict(zip(self.places, layout.names, strict=True))
        issues = sorted(self._issues(names, header_row), key=lambda issue: issue.row)
        issue_rows = np.array([issue.row for issue in issues], dtype=np.int64)
        for at in range(begin, len(self.rows), most):
            rows = self.rows[at : at + most]
            own = slice(
                int(np.searchsorted(issue_rows, rows[0])), int(np.searchsorted(issue_rows, rows[-1], "right"))
            )
            block = Block([column.slice(at, most) for column in self.columns], rows, issues[own])
            yield from to_chunks(block, layout, self.sheet, most)

    def _issues(self, names: Mapping[int, str | None], header_row: int) -> Iterator[Issue]:
        for row, place in self.errors:
            if row > header_row:
                found = self._cell(row, place)
                yield Issue(
                    "cell-error", Severity.ERROR, row, self.sheet, column=names.get(place), found=found
                )
        for row, place in self.unvalued:
            if row > header_row:
                column = names.get(place) or column_letter(place)
                yield Issue("formula-without-value", Severity.ERROR, row, self.sheet, column=column)
        present = set(self._rows_with_content(self.hidden)) if self.hidden else set()
        for row in self.hidden:
            if row > header_row and row in present:
                yield Issue("hidden-rows", Severity.WARNING, row, self.sheet)

    def _rows_with_content(self, rows: Sequence[int]) -> Iterable[int]:
        at = np.searchsorted(self.rows, rows)
        at = at[(at < len(self.rows))]
        take = pa.array(at[np.isin(self.rows[at], rows)])
        full = np.zeros(len(take), dtype=bool)
        for column in self.columns:
            lengths = pc.binary_length(column.take(take)).to_numpy(zero_copy_only=False)
            full |= np.asarray(lengths) > 0
        return [int(row) for row in self.rows[take.to_numpy()][full]]

    def _cell(self, row: int, place: int) -> str:
        at = int(np.searchsorted(self.rows, row))
        return str(self.columns[list(self.places).index(place)][at].as_py())


def from_sparse(name: str, sheet: SparseSheet) -> Table:
    """A table of the columns that hold something anywhere."""
    order = sorted(range(len(sheet.rows)), key=sheet.rows.__getitem__)
    rows = [sheet.rows[at] for at in order]
    cells = [sheet.cells[at] for at in order]
    places = sorted({place for row in cells for place in row})
    columns = [pa.array([row.get(place, "") for row in cells], type=TEXT) for place in places]
    numbers = np.array(rows, dtype=np.int64)
    return Table(name, places, columns, numbers, sheet.errors, sheet.unvalued, sheet.hidden)


def with_look(table: Table, look: SheetLook, masks: Mapping[int, Mask]) -> Table:
    """A dense table (rows from 1 on, places from 0 on) with what the look at the XML found."""
    spots = [*look.errors, *look.unvalued]
    table = _reaching(
        table,
        max((row for row, _ in spots), default=0),
        max((place + 1 for _, place in spots), default=0),
    )
    columns = table.columns
    for wanted in {place for _, place in look.errors}:
        found = {row: text for (row, place), text in look.errors.items() if place == wanted}
        at = np.fromiter(found, dtype=np.int64) - 1
        columns[wanted] = _replaced(columns[wanted], at, list(found.values()))
    for (place, style), rows in look.masked.items():
        if place < len(columns):
            at = np.array(rows, dtype=np.int64) - 1
            columns[place] = _masked(columns[place], at[at < len(table.rows)], masks[style])
    table.errors = list(look.errors)
    table.unvalued = look.unvalued
    table.hidden = look.hidden
    return table


def _reaching(table: Table, last_row: int, width: int) -> Table:
    """The dense table, extended with empty cells where it ends before that row or column."""
    more_rows = max(last_row - len(table.rows), 0)
    columns = table.columns
    if more_rows:
        columns = [pa.concat_arrays([column, empty_column(more_rows)]) for column in columns]
    rows = np.arange(1, len(table.rows) + more_rows + 1, dtype=np.int64)
    columns = [*columns, *(empty_column(len(rows)) for _ in range(width - len(columns)))]
    return Table(table.sheet, range(len(columns)), columns, rows)


def empty_column(count: int) -> pa.Array:
    """A column of so many empty texts."""
    return pa.array([""], type=TEXT).take(pa.array(np.zeros(count, dtype=np.int64)))


def _masked(column: pa.Array, at: np.ndarray, mask: Mask) -> pa.Array:
    texts = column.take(pa.array(at)).to_pylist()
    return _replaced(column, at, [mask.render(text) if text.isdecimal() else text for text in texts])


def _replaced(column: pa.Array, at: np.ndarray, texts: Sequence[str]) -> pa.Array:
    mask = np.zeros(len(column), dtype=bool)
    mask[at] = True
    order = np.argsort(at, kind="stable")
    replacements = pa.array([texts[int(place)] for place in order], type=TEXT)
    return pc.replace_with_mask(column, pa.array(mask), replacements)
