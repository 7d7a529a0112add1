"""Look at an uploaded file: its first rows as they stand, and the table that the importer finds in them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from importer.errors import ImporterError, InputError
from importer.models import Chunk, Note
from importer.options import RunOptions
from importer.pipeline.table import open_table
from importer.readers import Source
from importer.readers.base import ALL_SHEETS, SheetInfo
from importer.readers.inspection import ColumnFacts, inspect, sample_frame
from importer.reports import reimport
from importer.web.works import Work, WorkStore

TOP_ROWS = 20
_KEPT = 6
"""Files whose look is kept: it costs a pass over the bytes."""


@dataclass(frozen=True, slots=True)
class TopLine:
    """One of the first rows as it stands in the file."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileLook:
    """How a file reads with these reading options. `error`: why it cannot be read as a table."""

    options: RunOptions
    top: tuple[TopLine, ...] = ()
    error: ImporterError | None = None
    format: str = ""
    encoding: str | None = None
    encoding_confidence: float | None = None
    delimiter: str | None = None
    sheets: tuple[SheetInfo, ...] = ()
    sheet: str | None = None
    header_row: int | None = None
    header: tuple[str, ...] = ()
    sheet_headers: Mapping[str, tuple[str, ...]] = None  # type: ignore[assignment]
    notes: tuple[Note, ...] = ()
    rows: int | None = None
    columns: tuple[ColumnFacts, ...] = ()
    samples: pd.DataFrame | None = None
    sha256: str = ""
    report: bool = False

    @property
    def several(self) -> tuple[tuple[str, ...], ...]:
        """The header of each sheet, if there are several."""
        headers = tuple((self.sheet_headers or {}).values())
        return headers if len(headers) > 1 else ()

    @property
    def upper_row(self) -> int | None:
        """The row of group titles above the header, if the header takes two rows."""
        found = next((dict(note.found) for note in self.notes if note.code == "two-header-rows"), {})
        return int(str(found["upper"])) if "upper" in found else None

    @property
    def wide(self) -> int:
        """How many cells the widest of the first rows has."""
        return max((len(line.cells) for line in self.top), default=0)

    def sample_chunk(self) -> Chunk | None:
        """The first rows as a chunk of their own, for showing what a mapping makes of them."""
        if self.samples is None or not len(self.samples):
            return None
        frame = self.samples[~self.samples.index.duplicated()]
        return Chunk(self.sheet or "", frame)

    def read_sample(self, column: str) -> Iterator[pd.Series]:
        """The first cells of a column, in the place of the whole column."""
        if self.samples is not None:
            yield self.samples[column]


class LookCache:
    """Looks at files, and remembers the last ones."""

    def __init__(self, works: WorkStore) -> None:
        self._works = works
        self._kept: OrderedDict[tuple[object, ...], FileLook] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, work: Work) -> FileLook:
        """How the file of a piece of work reads. An error is in the look, not raised."""
        key = (work.id, work.sheet, work.header_row, work.encoding, work.delimiter)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            found = look_at(self._works, work)
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return found


def look_at(works: WorkStore, work: Work) -> FileLook:
    """Open a file twice: for the table in it, and for its first rows as they stand, on the same sheet."""
    path = works.file(work)
    options = RunOptions(
        sheet=work.sheet, header_row=work.header_row, encoding=work.encoding, delimiter=work.delimiter
    )
    table, fault = FileLook(options), None
    try:
        with open_table(path, options, any_table=True) as source:
            table = _table(table, source)
    except InputError as error:
        fault = error
    sheet = None if options.sheet == ALL_SHEETS else table.sheet or options.sheet
    try:
        with open_table(path, replace(options, header_row="none", sheet=sheet)) as source:
            if fault is not None:
                table = _opened(table, source)
            return replace(table, top=_top(source), error=fault)
    except InputError as error:
        return replace(table, error=fault or error)


def _opened(found: FileLook, source: Source) -> FileLook:
    return replace(
        found,
        format=source.format,
        encoding=source.encoding,
        encoding_confidence=source.encoding_confidence,
        delimiter=source.delimiter,
        sheets=source.sheets,
        sheet=source.sheet,
    )


def _table(found: FileLook, source: Source) -> FileLook:
    report = reimport.is_report(source.header)
    facts = inspect(source)
    return replace(
        _opened(found, source),
        header_row=source.header_row,
        header=source.header,
        sheet_headers=source.sheet_headers,
        notes=source.notes,
        rows=source.estimated_rows,
        columns=facts.columns,
        samples=sample_frame(source),
        sha256=source.sha256,
        report=report,
    )


def _top(source: Source) -> tuple[TopLine, ...]:
    chunk = next(source.chunks(), None)
    if chunk is None:
        return ()
    head = chunk.frame.head(TOP_ROWS)
    lines = zip(head.index.tolist(), head.itertuples(index=False, name=None), strict=True)
    return tuple(TopLine(int(number), tuple(map(str, cells))) for number, cells in lines)
