"""Format settled rows for the reports: the importer's own columns, then every cell as it was read.

Many rows say the same in the importer's own columns. Such a column is kept as its distinct texts and one
number a row; a report encodes the distinct texts and expands them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.dataclass import dataclass
from importer.messages import join_sentences, sentence
from importer.models import Status
from importer.reports.model import OWN_COLUMNS, ReportPlan, RowOutcome, SettledChunk
from importer.reports.tally import LEFT_OUT, IssueKind
from importer.reports.wording import issue_sentence, reason_text, row_sentence

_TELL_OF_UNKNOWN = frozenset({"newer-import", "no-answer-known"})
"""Codes whose own words tell what may have become of an unknown row."""


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """A column as its distinct texts (large_string) and one number a row.

    Row i holds `texts[numbers[i]]`. Without `numbers` all rows hold the one text. Columns that are numbered
    alike share the array.
    """

    texts: pa.Array
    numbers: np.ndarray | None

    def expand(self, encoded: pa.Array) -> pa.Array | pa.Scalar:
        """Return one text a row, `encoded` in place of the distinct texts, or the one text for all rows."""
        return encoded[0] if self.numbers is None else encoded.take(pa.array(self.numbers))


MOST_CELL_NOTES = 2_000
"""Cells of one run that get a note of their own; the column `_message` has what is wrong with all rows."""


class CellNote(NamedTuple):
    """What is wrong with one cell: position of the row, of the original column, and sentences."""

    row: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class ReportRows:
    """Some rows of a settled chunk, ready to be written. Arrays have one entry a row.

    `own` are OWN_COLUMNS after `_row`. `cells` are the original columns (large_string). `bad_rows` and
    `bad_columns` are the positions of the cells with an error, one entry a cell. `notes` explain the first
    of these cells.
    """

    rows: np.ndarray
    own: tuple[EncodedColumn, ...]
    cells: tuple[pa.Array, ...]
    bad_rows: np.ndarray
    bad_columns: np.ndarray
    notes: tuple[CellNote, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: np.ndarray) -> ReportRows:
        """The rows at these positions (int64, increasing)."""
        if len(places) == len(self.rows):
            return self
        chosen = pa.array(places)
        taken: dict[int, np.ndarray] = {}
        own = []
        for column in self.own:
            numbers = column.numbers
            if numbers is not None:
                numbers = taken.setdefault(id(numbers), numbers[places])
            own.append(EncodedColumn(column.texts, numbers))
        cells = tuple(column.take(chosen) for column in self.cells)
        kept = np.isin(self.bad_rows, places)
        bad_rows = np.searchsorted(places, self.bad_rows[kept])
        notes: tuple[CellNote, ...] = ()
        if self.notes:
            new = {place: number for number, place in enumerate(places.tolist())}
            notes = tuple(note._replace(row=new[note.row]) for note in self.notes if note.row in new)
        return ReportRows(self.rows[places], tuple(own), cells, bad_rows, self.bad_columns[kept], notes)


def join_rows(parts: Sequence[ReportRows]) -> ReportRows:
    """The rows of all parts, one after the other. `parts` has at least one."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    bad_rows = [part.bad_rows + start for part, start in zip(parts, starts, strict=True)]
    return ReportRows(
        rows=np.concatenate([part.rows for part in parts]),
        own=tuple(
            _join_columns(columns, parts) for columns in zip(*(part.own for part in parts), strict=True)
        ),
        cells=tuple(pa.concat_arrays(some) for some in zip(*(part.cells for part in parts), strict=True)),
        bad_rows=np.concatenate(bad_rows),
        bad_columns=np.concatenate([part.bad_columns for part in parts]),
        notes=tuple(
            note._replace(row=note.row + int(start))
            for part, start in zip(parts, starts, strict=True)
            for note in part.notes
        ),
    )


def _join_columns(columns: Sequence[EncodedColumn], parts: Sequence[ReportRows]) -> EncodedColumn:
    if all(column.numbers is None for column in columns):
        texts = {column.texts[0].as_py() for column in columns}
        if len(texts) == 1:
            return _constant(texts.pop())
    numbers = []
    start = 0
    for column, part in zip(columns, parts, strict=True):
        own = np.zeros(len(part), dtype=np.int64) if column.numbers is None else column.numbers
        numbers.append(own + start)
        start += len(column.texts)
    return EncodedColumn(pa.concat_arrays([column.texts for column in columns]), np.concatenate(numbers))


class RowFormatter:
    """Formats settled chunks as rows of a report."""

    def __init__(self, plan: ReportPlan) -> None:
        self._plan = plan
        self._columns = {name: place for place, name in enumerate(plan.source.header)}
        self._fields = dict(plan.fields)
        self._noted = self._doubts = 0

    def format(self, chunk: SettledChunk, kinds: tuple[IssueKind, ...]) -> ReportRows:
        """Return all rows of the chunk. `kinds` names its kinds of issues by number."""
        outcomes = chunk.outcomes
        numbers = chunk.outcome_index if len(outcomes) > 1 else None
        own = (
            _constant(chunk.sheet),
            _encoded([outcome.status.value for outcome in outcomes], numbers),
            _encoded(["" if outcome.batch is None else str(outcome.batch) for outcome in outcomes], numbers),
            _encoded([str(outcome.attempts) for outcome in outcomes], numbers),
            _encoded([outcome.code for outcome in outcomes], numbers),
            self._messages(chunk, numbers),
            _encoded([outcome.trace_id for outcome in outcomes], numbers),
            _issues(chunk, kinds),
            _constant(self._plan.run_id),
        )
        bad_rows, bad_columns = self._bad_cells(chunk)
        return ReportRows(chunk.rows, own, self._cells(chunk), bad_rows, bad_columns, self._cell_notes(chunk))

    def doubtful(self, chunk: SettledChunk, rows: ReportRows) -> ReportRows:
        """Return the rows of the chunk that are in and have warnings, with these in place of errors.

        `rows`: what `format` returned of the chunk. Warnings are known of the run's first DOUBTFUL_ROWS rows
        that have any.
        """
        warnings = chunk.issues.warnings
        numbers = chunk.rows[chunk.where({Status.IMPORTED})] if warnings else np.empty(0, dtype=np.int64)
        numbers = numbers[np.isin(numbers, list(warnings))]
        taken = rows.take(np.searchsorted(chunk.rows, numbers))
        if not numbers.size:
            return taken
        told = [warnings[row] for row in numbers.tolist()]
        texts = arrow.array([row_sentence(issues, self._plan, self._fields) for issues in told])
        own = list(taken.own)
        own[OWN_COLUMNS.index("_message") - 1] = EncodedColumn(texts, np.arange(len(told), dtype=np.int64))
        notes: list[CellNote] = []
        cells: set[tuple[int, int]] = set()
        for place, issues in enumerate(told):
            for column, some in groupby(issues, key=lambda issue: issue.column):
                if column in self._columns:
                    said = (issue_sentence(issue, self._plan, self._fields) for issue in some)
                    cells.add((place, self._columns[column]))
                    if len(cells) + self._doubts <= MOST_CELL_NOTES:
                        notes.append(CellNote(place, self._columns[column], "\n\n".join(said)))
        self._doubts += len(cells)
        bad = np.array(sorted(cells), dtype=np.int64).reshape(-1, 2)
        return ReportRows(taken.rows, tuple(own), taken.cells, bad[:, 0], bad[:, 1], tuple(notes))

    def _cells(self, chunk: SettledChunk) -> tuple[pa.Array, ...]:
        read = chunk.chunk
        known = set(read.frame.columns)
        lacking = 0 if self._columns.keys() <= known else len(read.frame)
        empty = pa.repeat(pa.scalar("", arrow.TEXT), lacking)
        return tuple(arrow.text_column(read, name) if name in known else empty for name in self._columns)

    def _messages(self, chunk: SettledChunk, numbers: np.ndarray | None) -> EncodedColumn:
        """The outcomes' messages. An invalid row without one gets the sentences of its errors."""
        texts = [self._message(outcome) for outcome in chunk.outcomes]
        errors = chunk.issues.errors
        silent = [outcome.status is Status.INVALID and not outcome.message for outcome in chunk.outcomes]
        if not errors or not any(silent):
            return _encoded(texts, numbers)
        rows = np.fromiter(errors, dtype=np.int64, count=len(errors))
        places = np.searchsorted(chunk.rows, rows)
        places, rows = (array[np.array(silent)[chunk.outcome_index[places]]] for array in (places, rows))
        numbers = chunk.outcome_index.copy()
        numbers[places] = np.arange(len(texts), len(texts) + len(places), dtype=np.int32)
        texts += [row_sentence(errors[row], self._plan, self._fields) for row in rows.tolist()]
        return _encoded(texts, numbers)

    def _message(self, outcome: RowOutcome) -> str:
        """What was said of the rows; of unknown ones also what may have become of them."""
        lang = self._plan.lang
        if outcome.status in LEFT_OUT:
            return reason_text(outcome.code, outcome.message, lang)
        if outcome.status is not Status.UNKNOWN or outcome.code in _TELL_OF_UNKNOWN:
            return outcome.message
        return join_sentences(lang, outcome.message, sentence("unknown-row", {}, lang))

    def _bad_cells(self, chunk: SettledChunk) -> tuple[np.ndarray, np.ndarray]:
        """The positions of the rows and of the columns, one entry a cell with an error."""
        known = self._columns
        found = {
            (row, known[issue.column])
            for row, issues in chunk.issues.errors.items()
            for issue in issues
            if issue.column in known
        }
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        rows, places = np.array(sorted(found), dtype=np.int64).T
        return np.searchsorted(chunk.rows, rows), places

    def _cell_notes(self, chunk: SettledChunk) -> tuple[CellNote, ...]:
        """Sentences for the first MOST_CELL_NOTES cells of the run that have errors."""
        found: list[CellNote] = []
        for row, issues in chunk.issues.errors.items():
            if self._noted >= MOST_CELL_NOTES:
                break
            place = int(np.searchsorted(chunk.rows, row))
            for column, some in groupby(issues, key=lambda issue: issue.column):
                if column in self._columns:
                    texts = (issue_sentence(issue, self._plan, self._fields) for issue in some)
                    found.append(CellNote(place, self._columns[column], "\n\n".join(texts)))
                    self._noted += 1
        return tuple(found)


def _constant(text: str) -> EncodedColumn:
    return EncodedColumn(arrow.array([text]), None)


def _encoded(texts: list[str], numbers: np.ndarray | None) -> EncodedColumn:
    if numbers is not None and len(set(texts)) == 1:
        return _constant(texts[0])
    return EncodedColumn(arrow.array(texts), numbers)


def _issues(chunk: SettledChunk, kinds: tuple[IssueKind, ...]) -> EncodedColumn:
    """The column `_issues`: `code:column`, separated by `; `."""
    found = chunk.issues
    if not len(found.rows):
        return _constant("")
    first = np.flatnonzero(np.append(True, found.rows[1:] != found.rows[:-1]))
    words = arrow.array([f"{kind.code}:{kind.column}" for kind in kinds]).take(pa.array(found.kinds))
    lists = pa.LargeListArray.from_arrays(pa.array(np.append(first, len(found.rows)), pa.int64()), words)
    texts = pc.binary_join(lists, pa.scalar("; ", arrow.TEXT)).dictionary_encode()
    numbers = np.zeros(len(chunk.outcome_index), dtype=np.int32)
    numbers[np.searchsorted(chunk.rows, found.rows[first])] = texts.indices.to_numpy() + 1
    return EncodedColumn(pa.concat_arrays([arrow.array([""]), texts.dictionary.cast(arrow.TEXT)]), numbers)
