"""Lay a person's corrections over a file: cells that are read otherwise than they stand there.

A corrections file belongs to one file, which it names by its sha256, and holds one JSON array a line:
sheet, row, column, the cell as it was read, the cell as it is to be read. The file itself is never changed.
A run with corrections goes the way of a corrected rejects.xlsx: what the reader found wrong with a cell, or
with a row as a whole, is settled where a person has rewritten it. The file may also name a run (`rest_of`):
then the run with the corrections is about its rest, and leaves out the rows that it brought in. A line
whose column is empty leaves its row out: no row that is no customer need be made to look like one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.dataclass import dataclass
from importer.errors import InputError
from importer.mapping.merged_cells import MERGED
from importer.models import Chunk, Issue, Note, Severity, Skip
from importer.private_files import open_plain_file, replace_private_file
from importer.readers.base import FileIdentity, Source

_VERSION = 1
LEFT_OUT = "left-out-by-hand"
"""The code of a row that a person has left out, and the text of the line that says so."""
WHOLE_ROW = ""
"""The column of such a line."""
STALE = "correction-not-applied"
"""The issue of a cell that does not read as it did when it was corrected."""


@dataclass(frozen=True, slots=True)
class CorrectedCell:
    """One cell: how it was read, and how it is to be read. `sheet` is empty for delimited text.

    With an empty `column` it is a row as a whole, which is left out.
    """

    sheet: str
    row: int
    column: str
    was: str
    now: str

    @property
    def whole_row(self) -> bool:
        """Whether the row is left out."""
        return self.column == WHOLE_ROW


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a corrections file holds."""

    sha256: str
    """Of the file that is corrected."""
    cells: tuple[CorrectedCell, ...]
    """Each cell once: the last word on it counts."""
    rest_of: str = ""
    """The run of which only the rest is to be imported; empty for the whole file."""


def corrections_text(sha256: str, cells: Iterable[CorrectedCell], rest_of: str = "") -> bytes:
    """The content of a corrections file for the file with this sha256."""
    head: dict[str, object] = {"version": _VERSION, "sha256": sha256}
    if rest_of:
        head["rest_of"] = rest_of
    lines = [json.dumps(head)]
    lines += (
        json.dumps([cell.sheet, cell.row, cell.column, cell.was, cell.now], ensure_ascii=False)
        for cell in cells
    )
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def write_corrections(path: Path, sha256: str, cells: Iterable[CorrectedCell], rest_of: str = "") -> None:
    """Write a corrections file, whole or not at all, mode 0600. Raises OSError."""
    replace_private_file(path, corrections_text(sha256, cells, rest_of))


def read_corrections(path: Path) -> Corrections:
    """Return what a corrections file holds. Raises InputError `corrections-unreadable`."""
    try:
        with open_plain_file(path) as file:
            # A line feed alone ends a line: a cell may hold U+2028, and half of a pair of surrogates.
            lines = file.read().decode("utf-8", "surrogatepass").rstrip("\n").split("\n")
        head = json.loads(lines[0])
        if not isinstance(head, dict) or head.get("version") != _VERSION:
            raise ValueError("line 1")
        cells = {}
        for number, line in enumerate(lines[1:], start=2):
            cell = _cell(json.loads(line), number)
            cells[cell.sheet, cell.row, cell.column] = cell
    except OSError as error:
        raise InputError("corrections-unreadable", file=path, reason=error.strerror or error) from None
    except (ValueError, RecursionError) as error:
        raise InputError("corrections-unreadable", file=path, reason=error) from None
    return Corrections(str(head.get("sha256", "")), tuple(cells.values()), str(head.get("rest_of", "")))


def _cell(found: object, line: int) -> CorrectedCell:
    if not isinstance(found, list) or [type(part) for part in found] != [str, int, str, str, str]:
        raise ValueError(f"line {line}")
    return CorrectedCell(*found)


class CorrectedSource(Source):
    """A source whose cells are read as a person has corrected them.

    Its `sha256` covers file and corrections: another correction makes it another content.
    """

    def __init__(self, source: Source, path: Path) -> None:
        """Raises InputError `corrections-unreadable`, `corrections-other-file`."""
        found = read_corrections(path)
        cells = found.cells
        if found.sha256 != source.sha256:
            raise InputError("corrections-other-file", file=path, name=source.name)
        both = hashlib.sha256((source.sha256 + found.rest_of).encode())
        for cell in cells:
            both.update(repr(cell).encode("utf-8", "surrogatepass"))
        digest = both.hexdigest() if cells or found.rest_of else source.sha256
        super().__init__(FileIdentity(source.path, source.name, digest, source.size, source.given_path))
        self._source = source
        self._cells: dict[str, dict[int, list[CorrectedCell]]] = {}
        for cell in cells:
            self._cells.setdefault(cell.sheet, {}).setdefault(cell.row, []).append(cell)
        self.format, self.encoding, self.delimiter = source.format, source.encoding, source.delimiter
        self.encoding_confidence, self.estimated_rows = source.encoding_confidence, source.estimated_rows
        self.sheets, self.sheet = source.sheets, source.sheet
        self.header, self.header_row = source.header, source.header_row
        self.rest_of = found.rest_of
        told = [cell for cell in cells if not cell.whole_row]
        rows = {(cell.sheet, cell.row) for cell in told}
        note = Note("cells-corrected", (("cells", len(told)), ("rows", len(rows))))
        self.notes = (*source.notes, note) if told else source.notes

    @property
    def sheet_headers(self) -> Mapping[str, tuple[str, ...]]:
        return self._source.sheet_headers

    @property
    def rows_read(self) -> int:  # type: ignore[override]
        return self._source.rows_read

    def chunks(self) -> Iterator[Chunk]:
        for chunk in self._source.chunks():
            rows = self._cells.get(chunk.sheet)
            yield corrected(chunk, rows) if rows else chunk

    def close(self) -> None:
        self._source.close()


def corrected(chunk: Chunk, cells: Mapping[int, Sequence[CorrectedCell]]) -> Chunk:
    """Return a chunk with these cells, by row, in the place of those that were read.

    A cell that reads otherwise than it did is left alone, and its row gets the issue STALE. The chunk keeps
    the corrected rows as they were, too: no correction takes a person off a list.
    """
    numbers = chunk.frame.index.to_numpy()
    first, last = (int(numbers[0]), int(numbers[-1])) if len(numbers) else (1, 0)
    present = frozenset(numbers.tolist())
    wanted = [
        cell for row, found in cells.items() if first <= row <= last and row in present for cell in found
    ]
    if not wanted:
        return chunk
    left_out = sorted(cell.row for cell in wanted if cell.whole_row)
    if left_out:
        skip = Skip(np.array(left_out, dtype=np.int64), LEFT_OUT)
        chunk = replace(chunk, skips=(skip, *chunk.skips))
        wanted = [cell for cell in wanted if not cell.whole_row]
    issues: list[Issue] = []
    by_column: dict[str, list[CorrectedCell]] = {}
    merged = {(issue.row, issue.column) for issue in chunk.issues if issue.code == MERGED}
    for cell in wanted:
        found = str(chunk.frame.at[cell.row, cell.column]) if cell.column in chunk.frame.columns else None
        # A contact in a merged cell is shown empty in all rows but the first, and corrected as that.
        if found == cell.was or (not cell.was and (cell.row, cell.column) in merged):
            by_column.setdefault(cell.column, []).append(cell)
        elif found != cell.now:
            at = cell.column if found is not None else None
            stale = Issue(STALE, Severity.ERROR, cell.row, chunk.sheet, at, found=found, expected=cell.was)
            issues.append(stale)
    columns: dict[str, pa.Array] = {}
    for name in chunk.frame.columns:
        column = arrow.to_arrow(chunk.frame[name])
        if name in by_column:
            now = sorted(by_column[name], key=lambda cell: cell.row)
            mask = pa.array(chunk.frame.index.isin([cell.row for cell in now]))
            texts = pa.array([cell.now for cell in now], type=column.type)
            column = pc.replace_with_mask(column, mask, texts)
        columns[name] = column
    rewritten = {(cell.row, cell.column) for found_cells in by_column.values() for cell in found_cells}
    rows = {row for row, _ in rewritten}
    kept = tuple(issue for issue in chunk.issues if not _settled(issue, rewritten, rows))
    frame, as_read = arrow.frame(columns, numbers), chunk.frame.loc[sorted(rows)] if rows else None
    return replace(chunk, frame=frame, issues=(*kept, *issues), as_read=as_read)


def _settled(issue: Issue, cells: set[tuple[int, str]], rows: set[int]) -> bool:
    """Whether a correction settles what the reader found: of its cell, or of its row as a whole."""
    if issue.column is None:
        return issue.row in rows
    return (issue.row, issue.column) in cells
