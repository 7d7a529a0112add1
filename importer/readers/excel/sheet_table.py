"""Hold a sheet as columns of text, built from sparse cells or from the calamine worker's blocks.

A scan of the file adds what calamine does not tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import TEXT, column_letter, nonempty, trimmed
from importer.models import Chunk, Issue, Severity
from importer.readers.base import (
    ReadOptions,
)
from importer.readers.chunks import ColumnBlock, MergedCells, shortened, to_chunks
from importer.readers.excel.calamine_client import CalamineClient, RowBlock
from importer.readers.excel.number_formats import DigitMask
from importer.readers.excel.xlsx_scan import SheetScan
from importer.readers.header import (
    MOST_HEADER_ROWS,
    NAMES_NEEDED,
    Layout,
    TopRow,
    clean_name,
    count_known_names,
    find_header,
    lay_out,
    may_be_quoted,
)
from importer.readers.quoting import split_lines

MOST_CELLS = 30_000_000
STRUCK = "struck-through"
"""The code of the warning on a row, or on a cell, that is struck through."""
_SAMPLE_ROWS, _FIRST_LOOK = 200, 5


@dataclass(slots=True)
class SparseSheet:
    """The cells that hold something, row by row."""

    rows: list[int] = field(default_factory=list)
    cells: list[dict[int, str]] = field(default_factory=list)
    """For each row: column (0-based) → text."""
    errors: list[tuple[int, int]] = field(default_factory=list)
    """(row, column) of error cells; the text is the error."""
    unvalued: list[tuple[int, int]] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    merged: list[tuple[int, int, int]] = field(default_factory=list)
    """As in `SheetTable`."""
    struck: list[tuple[int, int]] = field(default_factory=list)
    """(row, column) of cells that are struck through."""
    wide: list[int] = field(default_factory=list)
    """As in `SheetTable`."""


@dataclass(slots=True)
class SheetTable:
    """A sheet's cells: `columns[i]` is column number `column_indexes[i]` (0-based) of the rows in `rows`."""

    sheet: str
    column_indexes: Sequence[int]
    columns: list[pa.Array]
    rows: np.ndarray
    """Row numbers, int64, strictly increasing."""
    errors: list[tuple[int, int]] = field(default_factory=list)
    """(row, column) of error cells."""
    unvalued: list[tuple[int, int]] = field(default_factory=list)
    """(row, column) of formulas whose result was not stored."""
    hidden: Sequence[int] = ()
    """Numbers of hidden rows."""
    merged: Sequence[tuple[int, int, int]] = ()
    """Cells that span several rows: their column (0-based), first and last row."""
    struck: Sequence[tuple[int, int]] = ()
    """(row, column) of cells that are struck through, also of empty ones."""
    wide: Sequence[int] = ()
    """Numbers of rows with a cell that is merged over several columns."""
    last_row: int = 0
    """The number of the sheet's last row, if these are its first rows only."""

    @property
    def begun(self) -> bool:
        """Whether these are the sheet's first rows only: a chunk of them, and some more."""
        return self.last_row > 0

    def extent(self) -> tuple[int, int]:
        """Return the last row and the number of columns that hold something."""
        filled = self.filled(0)
        columns = zip(self.column_indexes, filled, strict=True)
        width = max((index + 1 for index, full in columns if full), default=0)
        last = self.last_row or (int(self.rows[-1]) if len(self.rows) else 0)
        return (last if width else 0), width

    def filled(self, after: int) -> list[bool]:
        """Return for each column whether it holds something below row `after`."""
        begin = int(np.searchsorted(self.rows, after, side="right"))
        return [_holds_text(column.slice(begin)) for column in self.columns]

    def top(self, last: int) -> list[TopRow]:
        """Return the rows up to number `last`."""
        count = int(np.searchsorted(self.rows, last, side="right"))
        cells = [column.slice(0, count).to_pylist() for column in self.columns]
        return [TopRow(int(self.rows[at]), tuple(column[at] for column in cells)) for at in range(count)]

    def lay_out(self, options: ReadOptions, name: str) -> Layout:
        """Find the header and name the columns. Raises InputError; `name` is the file's."""
        wanted = options.header_row
        top = self.top(wanted if isinstance(wanted, int) else MOST_HEADER_ROWS)
        header = find_header(top, options, name, whole=not self.extent()[0])
        after = header.number if header else 0
        above = [row for row in top if row.number < after and any(map(clean_name, row.cells))]
        sample = [row.cells for row in self.top(after + _FIRST_LOOK) if row.number > after]
        if may_be_quoted(sample):
            sample = [row.cells for row in self.top(after + _SAMPLE_ROWS) if row.number > after]
        return lay_out(header, above, self.filled(after), self.column_indexes, sample, name=name)

    def chunks(self, layout: Layout, most: int, after: int = 0) -> Iterator[Chunk]:
        """Yield the rows below the header and below row `after`, at most `most` in a chunk.

        One chunk comes of a sheet that was only begun.
        """
        header_row = layout.header_row or 0
        last = self.last_of_chunk(layout, most) if self.begun else np.inf
        begin, end = np.searchsorted(self.rows, (max(header_row, after), last), side="right").tolist()
        names = dict(zip(self.column_indexes, layout.names, strict=True))
        issues = sorted(self._issues(names, header_row), key=lambda issue: issue.row)
        issue_rows = np.array([issue.row for issue in issues], dtype=np.int64)
        covered = self._covered(header_row) if self.merged else []
        for at in range(begin, end, most):
            rows = self.rows[at : at + most]
            own = slice(
                int(np.searchsorted(issue_rows, rows[0])), int(np.searchsorted(issue_rows, rows[-1], "right"))
            )
            block = ColumnBlock([column.slice(at, most) for column in self.columns], rows, issues[own])
            block.merged = list(self._merged_between(covered, at, at + most))
            block.wide = self.wide
            yield from to_chunks(block, layout, self.sheet, most)

    def last_of_chunk(self, layout: Layout, most: int) -> int:
        """Return the number of the last row of the first chunk, blank ones included."""
        begin = int(np.searchsorted(self.rows, layout.header_row or 0, side="right"))
        return int(self.rows[min(begin + most, len(self.rows)) - 1])

    def _issues(self, names: Mapping[int, str | None], header_row: int) -> Iterator[Issue]:
        for row, index in self.errors:
            if row > header_row:
                found = self._cell(row, index)
                yield Issue(
                    "cell-error", Severity.ERROR, row, self.sheet, column=names.get(index), found=found
                )
        for row, index in self.unvalued:
            if row > header_row:
                column = names.get(index) or column_letter(index)
                yield Issue("formula-without-value", Severity.ERROR, row, self.sheet, column=column)
        present = set(self._rows_with_content(self.hidden)) if self.hidden else set()
        for row in self.hidden:
            if row > header_row and row in present:
                yield Issue("hidden-rows", Severity.WARNING, row, self.sheet)
        if self.struck:
            yield from self._struck_through(names, header_row)

    def _struck_through(self, names: Mapping[int, str | None], header_row: int) -> Iterator[Issue]:
        """Yield a warning for each row of which most cells are struck through, and else for single cells."""
        wanted = np.unique([row for row, _ in self.struck if row > header_row]).astype(np.int64)
        wanted = wanted[np.isin(wanted, self.rows)]
        at = pa.array(np.searchsorted(self.rows, wanted))
        filled, struck = np.zeros((2, len(wanted), len(self.columns)), dtype=bool)
        for place, index in enumerate(self.column_indexes):
            own = [row for row, column in self.struck if column == index]
            filled[:, place] = nonempty(trimmed(self.columns[place].take(at)))
            struck[:, place] = filled[:, place] & np.isin(wanted, own)
        whole = 2 * struck.sum(axis=1) > filled.sum(axis=1)
        for row in wanted[whole].tolist():
            yield Issue(STRUCK, Severity.WARNING, row, self.sheet)
        for number, place in np.argwhere(struck & ~whole[:, None]).tolist():
            row, index = int(wanted[number]), self.column_indexes[place]
            yield Issue(
                *(STRUCK, Severity.WARNING, row, self.sheet),
                column=names[index] or column_letter(index),
                found=shortened(self._cell(row, index)),
                wording="struck-cell",
            )

    def _covered(self, header_row: int) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Return for each column with merged cells below the header its place, the positions of the rows that
        they cover, ascending, and for each of these the position of the row above that covers it."""
        found = []
        for place, index in enumerate(self.column_indexes):
            spans = sorted(span[1:] for span in self.merged if span[0] == index and span[1] > header_row)
            if not spans:
                continue
            firsts, lasts = np.array(spans, dtype=np.int64).T
            # Only in damaged files some overlap.
            lasts[:-1] = np.minimum(lasts[:-1], firsts[1:] - 1)
            tops = np.searchsorted(self.rows, firsts)
            present = np.take(self.rows, tops, mode="clip") == firsts
            tops, lasts = tops[present], lasts[present]
            counts = np.maximum(np.searchsorted(self.rows, lasts, side="right") - tops - 1, 0)
            behind = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            tops = np.repeat(tops, counts)
            found.append((place, tops + 1 + behind, tops))
        return found

    def _merged_between(
        self, covered: Sequence[tuple[int, np.ndarray, np.ndarray]], begin: int, end: int
    ) -> Iterator[MergedCells]:
        for place, positions, tops in covered:
            own = slice(*np.searchsorted(positions, (begin, end)).tolist())
            if own.start < own.stop:
                texts = self.columns[place].take(pa.array(tops[own]))
                yield MergedCells(place, self.rows[positions[own]], texts, self.rows[tops[own]])

    def _rows_with_content(self, rows: Sequence[int]) -> Iterable[int]:
        at = np.searchsorted(self.rows, rows)
        at = at[(at < len(self.rows))]
        take = pa.array(at[np.isin(self.rows[at], rows)])
        full = np.zeros(len(take), dtype=bool)
        for column in self.columns:
            lengths = pc.binary_length(column.take(take)).to_numpy(zero_copy_only=False)
            full |= np.asarray(lengths) > 0
        return [int(row) for row in self.rows[take.to_numpy()][full]]

    def _cell(self, row: int, index: int) -> str:
        at = int(np.searchsorted(self.rows, row))
        return str(self.columns[list(self.column_indexes).index(index)][at].as_py())


def split(table: SheetTable, options: ReadOptions) -> SheetTable:
    """Return a table whose rows are lines of a CSV, in its first column, with a column for each of their
    cells; any other as it is."""
    filled = [index for index, column in enumerate(table.columns) if _holds_text(column)]
    if len(filled) != 1:
        return table

    def is_header(cells: Sequence[str]) -> bool:
        return count_known_names(cells, options.is_known) >= NAMES_NEEDED

    rows = split_lines(table.columns[filled[0]].to_pylist(), is_header)
    if rows is None:
        return table
    columns = [list(column) for column in zip_longest(*rows, fillvalue="")]
    return replace(
        table,
        column_indexes=range(len(columns)),
        columns=[pa.array(column, type=TEXT) for column in columns],
        merged=(),
        struck=(),
    )


def _holds_text(column: pa.Array) -> bool:
    return bool(pc.max(pc.binary_length(column)).as_py())


def from_sparse(name: str, sheet: SparseSheet) -> SheetTable:
    """Return a table of the columns that hold something in any row."""
    order = sorted(range(len(sheet.rows)), key=sheet.rows.__getitem__)
    rows = [sheet.rows[at] for at in order]
    cells = [sheet.cells[at] for at in order]
    indexes = sorted({index for row in cells for index in row})
    columns = [pa.array([row.get(index, "") for row in cells], type=TEXT) for index in indexes]
    numbers = np.array(rows, dtype=np.int64)
    found = (sheet.errors, sheet.unvalued, sheet.hidden, sheet.merged, sheet.struck, sheet.wide)
    return SheetTable(name, indexes, columns, numbers, *found)


def with_scan(
    table: SheetTable, scan: SheetScan, masks: Mapping[int, DigitMask], reach: int = 0
) -> SheetTable:
    """Return a dense table (rows from 1 on, columns from 0 on) with what a scan of its file found, and
    `reach` rows at least."""
    spots = [*scan.errors, *scan.unvalued, *scan.texts]
    table = _reaching(
        table,
        max((reach, *(row for row, _ in spots))),
        max((index + 1 for _, index in spots), default=0),
    )
    columns = table.columns
    texts = {**scan.texts, **scan.errors}
    for wanted in {index for _, index in texts}:
        found = {row: text for (row, index), text in texts.items() if index == wanted}
        at = np.fromiter(found, dtype=np.int64) - 1
        columns[wanted] = _replaced(columns[wanted], at, list(found.values()))
    for (index, style), rows in scan.masked.items():
        if index < len(columns):
            at = np.array(rows, dtype=np.int64) - 1
            columns[index] = _masked(columns[index], at[at < len(table.rows)], masks[style])
    table.errors = list(scan.errors)
    table.unvalued = scan.unvalued
    table.hidden = scan.hidden
    table.merged = scan.merged
    table.wide = scan.wide
    table.struck = [
        (row, index)
        for (index, _), rows in scan.struck.items()
        for row in rows
        if row <= len(table.rows) and index < len(columns)
    ]
    return table


def _reaching(table: SheetTable, last_row: int, width: int) -> SheetTable:
    """Return the dense table, extended by empty cells up to that row and that width."""
    more_rows = max(last_row - len(table.rows), 0)
    columns = table.columns
    if more_rows:
        columns = [pa.concat_arrays([column, empty_column(more_rows)]) for column in columns]
    rows = np.arange(1, len(table.rows) + more_rows + 1, dtype=np.int64)
    columns = [*columns, *(empty_column(len(rows)) for _ in range(width - len(columns)))]
    return SheetTable(table.sheet, range(len(columns)), columns, rows)


def empty_column(count: int) -> pa.Array:
    """Return a column of so many empty texts."""
    return pa.array([""], type=TEXT).take(pa.array(np.zeros(count, dtype=np.int64)))


def _masked(column: pa.Array, at: np.ndarray, mask: DigitMask) -> pa.Array:
    texts = column.take(pa.array(at)).to_pylist()
    return _replaced(column, at, [mask.render(text) if text.isdecimal() else text for text in texts])


def _replaced(column: pa.Array, at: np.ndarray, texts: Sequence[str]) -> pa.Array:
    mask = np.zeros(len(column), dtype=bool)
    mask[at] = True
    order = np.argsort(at, kind="stable")
    replacements = pa.array([texts[int(index)] for index in order], type=TEXT)
    return pc.replace_with_mask(column, pa.array(mask), replacements)


_LENGTH_TYPE = np.dtype(np.int32)


def tables_from_worker(book: CalamineClient, names: Sequence[str]) -> list[SheetTable]:
    """Return the sheets as tables whose rows begin at 1 and whose columns begin at 0.

    All of `names` must have been requested; other sheets' blocks are read and dropped. Raises InputError.
    """
    blocks: dict[str, list[RowBlock]] = {name: [] for name in names}
    extents = dict.fromkeys(names, (0, 0))
    for name, block in book.rows():
        if name not in blocks:
            continue
        if isinstance(block, RowBlock):
            blocks[name].append(block)
        else:
            extents[name] = block
    return [_joined_blocks(name, blocks[name], *extents[name]) for name in names]


def _joined_blocks(name: str, blocks: Sequence[RowBlock], last_row: int, width: int) -> SheetTable:
    """Join the blocks, and put back the blank rows above and the blank columns left of them."""
    above = last_row - sum(block.rows for block in blocks)
    found = len(blocks[0].columns) if blocks else 0
    columns = [empty_column(last_row) for _ in range(width - found)]
    columns += [_joined_column(blocks, index, above) for index in range(found)]
    return SheetTable(name, range(width), columns, np.arange(1, last_row + 1, dtype=np.int64))


def _joined_column(blocks: Sequence[RowBlock], index: int, above: int) -> pa.Array:
    """Join one column of all blocks, below so many empty cells. Takes it out of the blocks to save memory."""
    lengths, texts = [np.zeros(above, dtype=_LENGTH_TYPE)], []
    for block in blocks:
        packed, block.columns[index] = block.columns[index], b""
        lengths.append(np.frombuffer(packed, dtype=_LENGTH_TYPE, count=block.rows))
        texts.append(memoryview(packed)[block.rows * _LENGTH_TYPE.itemsize :])
    ends = np.zeros(above + sum(block.rows for block in blocks) + 1, dtype=np.int64)
    np.cumsum(np.concatenate(lengths), out=ends[1:])
    return pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))
