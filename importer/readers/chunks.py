"""Turn parsed columns into chunks: number the rows, leave out blank ones, and report cells that cannot be
right.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import ByteSet, TextColumn
from importer.dataclass import dataclass
from importer.mapping.merged_cells import MERGED
from importer.models import Chunk, Issue, Severity, Skip
from importer.readers.garbled import garbled_cells, telling_places
from importer.readers.header import Layout, without_quotes
from importer.readers.row_roles import asides

_ONLY_TEXT = r'^\s*="([^"]*)"\s*$'
_ALLOWED = (0x09, 0x0A, 0x0D)
_CONTROL = ByteSet(bytes(code for code in (*range(0x20), 0x7F) if code not in _ALLOWED))
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class MergedCells:
    """Cells of one column that merged ones above them cover."""

    at: int
    """The column's place among the block's."""
    rows: np.ndarray
    """Row numbers, int64, strictly increasing."""
    texts: pa.Array
    """What the merged cells hold."""
    tops: np.ndarray
    """The numbers of the rows in which they begin, int64."""


@dataclass(slots=True)
class ColumnBlock:
    """Parsed rows, not judged yet: `columns[i]` holds the i-th cell of every row."""

    columns: list[pa.Array]
    rows: np.ndarray
    """Row numbers, int64, strictly increasing."""
    issues: list[Issue] = field(default_factory=list)
    merged: list[MergedCells] = field(default_factory=list)
    wide: Sequence[int] = ()
    """The numbers of rows with a cell that is merged over several columns."""


def to_chunks(
    block: ColumnBlock, layout: Layout, sheet: str, most: int, *, records: bool = False
) -> list[Chunk]:
    """Return the block's rows that hold something, as chunks of at most `most` rows.

    `records` says that a program wrote them: none is a repeated header, a total or a remark.
    """
    named = [(at, name) for at, name in enumerate(layout.names) if name is not None]
    block.columns = [
        clean_cells(column, quoted=layout.is_quoted(at)) for at, column in enumerate(block.columns)
    ]
    issues = list(block.issues)
    issues.extend(_beyond_header(block, layout, sheet))
    for at, name in _telling(block, named):
        issues.extend(_control_characters(block, at, name, sheet))
        issues.extend(_garbled(block, at, name, sheet))
    keep = ~_blank_rows([block.columns[at] for at, _ in named], len(block.rows))
    if issues:
        keep |= np.isin(block.rows, [issue.row for issue in issues])
    rows, columns = block.rows, {name: block.columns[at] for at, name in named}
    if not keep.all():
        rows = rows[keep]
        columns = {name: column.filter(pa.array(keep)) for name, column in columns.items()}
    skips = [] if records else asides(list(columns.values()), rows, layout, block.wide)
    for one in block.merged:
        issues.extend(_fill(columns, rows, one, layout, skips, sheet))
    return _cut(sheet, rows, columns, sorted(issues, key=lambda issue: issue.row), skips, most)


def _cut(
    sheet: str,
    rows: np.ndarray,
    columns: dict[str, pa.Array],
    issues: Sequence[Issue],
    skips: Sequence[Skip],
    most: int,
) -> list[Chunk]:
    chunks = []
    for begin in range(0, len(rows), most):
        part = rows[begin : begin + most]
        texts = {name: column.slice(begin, most) for name, column in columns.items()}
        own = tuple(issue for issue in issues if part[0] <= issue.row <= part[-1]) if issues else ()
        chunk = Chunk(sheet, arrow.frame(texts, part), own, tuple(only_rows(skips, part)))
        chunk.texts.update(texts)
        chunks.append(chunk)
    return chunks


def _fill(
    columns: dict[str, pa.Array],
    rows: np.ndarray,
    merged: MergedCells,
    layout: Layout,
    skips: Sequence[Skip],
    sheet: str,
) -> Iterator[Issue]:
    """Fill the covered cells of a column in rows with a customer, and yield what there is to be said.

    A value that stands in a covered cell all the same is kept: nobody sees it, but no program wrote it.
    """
    name = layout.names[merged.at]
    if name is None:
        return
    texts = clean_cells(merged.texts, quoted=layout.is_quoted(merged.at))
    places = np.searchsorted(rows, merged.rows)
    wanted = np.take(rows, places, mode="clip") == merged.rows
    wanted &= ~np.isin(merged.rows, np.concatenate([np.empty(0, np.int64), *(skip.rows for skip in skips)]))
    wanted &= arrow.nonempty(texts)
    places, texts, tops = places[wanted], texts.filter(pa.array(wanted)), merged.tops[wanted]
    below = columns[name].take(pa.array(places))
    empty = ~arrow.nonempty(below)
    mask = np.zeros(len(rows), dtype=bool)
    mask[places[empty]] = True
    columns[name] = pc.replace_with_mask(columns[name], pa.array(mask), texts.filter(pa.array(empty)))
    for place, text, own, top in zip(
        places.tolist(), texts.to_pylist(), below.to_pylist(), tops.tolist(), strict=True
    ):
        row, found = int(rows[place]), shortened(own or text)
        if not own:
            yield Issue(MERGED, Severity.NOTE, row, sheet, column=name, found=found, other_row=top)
        elif own.strip() != text.strip():
            hidden = shortened(text)
            yield Issue(
                "merged-over",
                Severity.WARNING,
                row,
                sheet,
                column=name,
                found=found,
                expected=hidden,
                other_row=top,
            )


def only_rows(skips: Iterable[Skip], rows: np.ndarray) -> Iterator[Skip]:
    """Yield what of these is to be skipped among the rows with these numbers."""
    for skip in skips:
        own = np.intersect1d(skip.rows, rows)
        if len(own):
            yield replace(skip, rows=own)


def shortened(cell: str) -> str:
    """Return a cell, shortened for a sentence."""
    return cell if len(cell) <= _SHOWN else cell[: _SHOWN - 1] + "…"


def clean_cells(column: pa.Array, *, quoted: bool) -> pa.Array:
    """Return the column with the text in place of a formula of nothing else, which keeps zeros (="007"), and,
    if all its cells stand in quotation marks, without these."""
    if arrow.has_bytes(column, b"="):
        column = pc.replace_substring_regex(column, _ONLY_TEXT, r"\1")
    return arrow.rework_all(column, without_quotes) if quoted else column


def _blank_rows(columns: Sequence[pa.Array], count: int) -> np.ndarray:
    """Return a mask of the rows that hold nothing but blanks.

    A further column is looked at only in rows that are blank in all earlier ones.
    """
    blank = np.arange(count)
    for column in columns:
        if not len(blank):
            break
        blank = blank[~_begins_with_sign(column)[blank]]
        looked_at = column.take(pa.array(blank))
        empty = pc.equal(pc.binary_length(pc.utf8_ltrim_whitespace(looked_at)), 0)
        blank = blank[np.asarray(empty.to_numpy(zero_copy_only=False), dtype=bool)]
    mask = np.zeros(count, dtype=bool)
    mask[blank] = True
    return mask


def _begins_with_sign(column: pa.Array) -> np.ndarray:
    """Return a mask of the texts that begin with a letter, digit or mark of ASCII, which is no blank."""
    offsets, data = arrow.offsets_and_bytes(column)
    if not data.size:
        return np.zeros(len(column), dtype=bool)
    first = np.take(data, offsets[:-1], mode="clip")
    found: np.ndarray = (first - np.uint8(0x21) <= 0x7E - 0x21) & (offsets[1:] > offsets[:-1])
    return found


def _beyond_header(block: ColumnBlock, layout: Layout, sheet: str) -> list[Issue]:
    """Return an issue `extra-cells` for each row that holds something in a column without a name."""
    issues = []
    limit = layout.least_cells
    told = {issue.row for issue in block.issues if issue.code == "extra-cells"}
    for at, name in enumerate(layout.names):
        if name is not None:
            continue
        column = block.columns[at]
        if not pc.max(pc.binary_length(column)).as_py():
            continue
        full = ~_blank_rows([column], len(block.rows))
        for index in np.flatnonzero(full):
            row = int(block.rows[index])
            if row not in told:
                told.add(row)
                issues.append(extra_cells_issue(row, sheet, column[int(index)].as_py(), at + 1, limit))
    return issues


def extra_cells_issue(row: int, sheet: str, cell: str, length: int, limit: int) -> Issue:
    """Return the issue of a row that holds something beyond its header."""
    return Issue("extra-cells", Severity.ERROR, row, sheet, found=shortened(cell), length=length, limit=limit)


_FEW_ROWS = 256
_TOGETHER = 64
"""Columns."""


def _telling(block: ColumnBlock, named: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield the columns that may hold control characters or garbled text.

    In few rows many columns are asked at once, since each question costs as much for few cells as for many.
    """
    if len(block.rows) > _FEW_ROWS:
        yield from named
        return
    for begin in range(0, len(named), _TOGETHER):
        some = named[begin : begin + _TOGETHER]
        data = np.concatenate([arrow.offsets_and_bytes(block.columns[at])[1] for at, _ in some])
        if telling_places(data).size or _control_places(data).size:
            yield from some


def _control_characters(block: ColumnBlock, at: int, name: str, sheet: str) -> list[Issue]:
    column = block.columns[at]
    issues = []
    for index in TextColumn(column).holding(_control_places(arrow.offsets_and_bytes(column)[1])):
        cell = column[int(index)].as_py()
        character = next(mark for mark in cell if _is_control(mark))
        issues.append(
            Issue(
                "control-character",
                Severity.ERROR,
                int(block.rows[index]),
                sheet,
                column=name,
                found=shortened(cell),
                expected=f"U+{ord(character):04X}",
            )
        )
    return issues


def _garbled(block: ColumnBlock, at: int, name: str, sheet: str) -> Iterator[Issue]:
    """Yield a warning for each garbled cell, unless its bytes are reported already."""
    garbled = garbled_cells(block.columns[at]).tolist()
    if not garbled:
        return
    told = {issue.row for issue in block.issues if issue.code == "bad-encoding" and issue.column == name}
    for index in garbled:
        row = int(block.rows[index])
        if row not in told:
            found = shortened(block.columns[at][index].as_py())
            yield Issue("garbled-text", Severity.WARNING, row, sheet, column=name, found=found)


def _is_control(character: str) -> bool:
    code = ord(character)
    return (code < 0x20 and code not in _ALLOWED) or 0x7F <= code <= 0x9F


def _control_places(data: np.ndarray) -> np.ndarray:
    """Return the places (ascending) where control characters begin in the bytes of UTF-8."""
    highest = data.max(initial=0)
    if highest < 0x7F and data.min(initial=0x20) >= 0x20:
        return np.empty(0, dtype=np.int64)
    low = np.flatnonzero((data < 0x20) | (data == 0x7F))
    low = low[_CONTROL.table[data[low]]]
    if highest < 0x80:
        return np.asarray(low)
    lead = np.flatnonzero(data[:-1] == 0xC2)
    lead = lead[data[lead + 1] < 0xA0]
    return np.sort(np.concatenate((low, lead))) if lead.size else low


# Ahead: the next chunk is parsed while this one is checked. Arrow, which parses, lets other threads go on.

CHUNKS_AHEAD = 1
"""Chunks that are parsed, or wait to be checked, beside the one that is checked."""

_Item = Chunk | BaseException | None


def prefetch_chunks(chunks: Iterator[Chunk]) -> Generator[Chunk]:
    """The same chunks in the same order; what the reading raises is raised here, after the chunks before it.

    Whoever stops early closes the generator: the reading then ends before `close` returns.
    """
    read_so_far: queue.SimpleQueue[_Item] = queue.SimpleQueue()
    room = threading.Semaphore(CHUNKS_AHEAD)
    enough = threading.Event()

    def read() -> None:
        ending: BaseException | None = None
        try:
            # Room first: a chunk that is parsed takes memory, whether or not there is a place for it.
            while room.acquire() and not enough.is_set() and (chunk := next(chunks, None)) is not None:
                read_so_far.put(chunk)
        except BaseException as error:
            ending = error
        read_so_far.put(ending)

    thread = threading.Thread(target=read, name="reading", daemon=True)
    thread.start()
    try:
        while isinstance(item := read_so_far.get(), Chunk):
            room.release()
            yield item
            del item
        if item is not None:
            raise item
    finally:
        enough.set()
        room.release()
        thread.join()
