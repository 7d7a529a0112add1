"""Format settled rows for the reports: the importer's own columns, then every cell as it was read.

Many rows say the same in the importer's own columns. Such a column is kept as its distinct texts and one
number a row; a report encodes the distinct texts and expands them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.models import Status
from importer.reports.model import ReportPlan, SettledChunk
from importer.reports.tally import IssueKind
from importer.reports.wording import row_sentence


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """A column as its distinct texts (large_string): row i holds `texts[numbers[i]]`, all rows the one text
    where `numbers` is None. Columns that are numbered alike share the array."""

    texts: pa.Array
    numbers: np.ndarray | None

    def expand(self, dressed: pa.Array) -> pa.Array | pa.Scalar:
        """These texts in place of the distinct ones: one for each row, or the one for all."""
        return dressed[0] if self.numbers is None else dressed.take(pa.array(self.numbers))


@dataclass(frozen=True, slots=True)
class ReportRows:
    """Some rows of a settled chunk, ready to be written. Arrays have one entry a row.

    `own` are OWN_COLUMNS after `_row`; `cells` the original columns (large_string). `bad_rows` and
    `bad_columns` (positions, one entry a cell) are the cells with an error.
    """

    rows: np.ndarray
    own: tuple[EncodedColumn, ...]
    cells: tuple[pa.Array, ...]
    bad_rows: np.ndarray
    bad_columns: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: np.ndarray) -> ReportRows:
        """The rows at these positions (int64, increasing)."""
        if len(places) == len(self.rows):
            return self
        chosen = pa.array(places)
        taken: dict[int, np.ndarray] = {}
        own = []
        for spread in self.own:
            numbers = spread.numbers
            if numbers is not None:
                numbers = taken.setdefault(id(numbers), numbers[places])
            own.append(EncodedColumn(spread.texts, numbers))
        cells = tuple(column.take(chosen) for column in self.cells)
        kept = np.isin(self.bad_rows, places)
        bad_rows = np.searchsorted(places, self.bad_rows[kept])
        return ReportRows(self.rows[places], tuple(own), cells, bad_rows, self.bad_columns[kept])


def join_rows(parts: Sequence[ReportRows]) -> ReportRows:
    """The rows of all parts, one after the other. `parts` has at least one."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    bad_rows = [part.bad_rows + start for part, start in zip(parts, starts, strict=True)]
    return ReportRows(
        rows=np.concatenate([part.rows for part in parts]),
        own=tuple(
            _join_columns(spreads, parts) for spreads in zip(*(part.own for part in parts), strict=True)
        ),
        cells=tuple(pa.concat_arrays(some) for some in zip(*(part.cells for part in parts), strict=True)),
        bad_rows=np.concatenate(bad_rows),
        bad_columns=np.concatenate([part.bad_columns for part in parts]),
    )


def _join_columns(spreads: Sequence[EncodedColumn], parts: Sequence[ReportRows]) -> EncodedColumn:
    if all(spread.numbers is None for spread in spreads):
        texts = {spread.texts[0].as_py() for spread in spreads}
        if len(texts) == 1:
            return _constant(texts.pop())
    numbers = []
    start = 0
    for spread, part in zip(spreads, parts, strict=True):
        own = np.zeros(len(part), dtype=np.int64) if spread.numbers is None else spread.numbers
        numbers.append(own + start)
        start += len(spread.texts)
    return EncodedColumn(pa.concat_arrays([spread.texts for spread in spreads]), np.concatenate(numbers))


class RowFormatter:
    """Turns settled chunks into lines."""

    def __init__(self, plan: ReportPlan) -> None:
        self._plan = plan
        self._columns = {name: place for place, name in enumerate(plan.origin.header)}
        self._fields = dict(plan.fields)

    def lines(self, chunk: SettledChunk, kinds: tuple[IssueKind, ...]) -> ReportRows:
        """All rows of the chunk; `kinds` names the chunk's issue kinds by number."""
        fates = chunk.fates
        fate = chunk.fate if len(fates) > 1 else None
        own = (
            _constant(chunk.sheet),
            _spread([fate.status.value for fate in fates], fate),
            _spread(["" if fate.batch is None else str(fate.batch) for fate in fates], fate),
            _spread([str(fate.attempts) for fate in fates], fate),
            _spread([fate.code for fate in fates], fate),
            self._messages(chunk, fate),
            _spread([fate.trace_id for fate in fates], fate),
            _issues(chunk, kinds),
            _constant(self._plan.run_id),
        )
        return ReportRows(chunk.rows, own, self._cells(chunk), *self._bad_cells(chunk))

    def _cells(self, chunk: SettledChunk) -> tuple[pa.Array, ...]:
        read = chunk.chunk
        known = set(read.frame.columns)
        lacking = 0 if self._columns.keys() <= known else len(read.frame)
        empty = pa.repeat(pa.scalar("", arrow.TEXT), lacking)
        return tuple(arrow.text_column(read, name) if name in known else empty for name in self._columns)

    def _messages(self, chunk: SettledChunk, fate: np.ndarray | None) -> EncodedColumn:
        """What the outcome says; for invalid rows of which it says nothing, the sentences of their errors."""
        texts = [fate.message for fate in chunk.fates]
        errors = chunk.issues.errors
        silent = [fate.status is Status.INVALID and not fate.message for fate in chunk.fates]
        if not errors or not any(silent):
            return _spread(texts, fate)
        rows = np.fromiter(errors, dtype=np.int64, count=len(errors))
        places = np.searchsorted(chunk.rows, rows)
        places, rows = (array[np.array(silent)[chunk.fate[places]]] for array in (places, rows))
        numbers = chunk.fate.copy()
        numbers[places] = np.arange(len(texts), len(texts) + len(places), dtype=np.int32)
        texts += [row_sentence(errors[row], self._plan, self._fields) for row in rows.tolist()]
        return _spread(texts, numbers)

    def _bad_cells(self, chunk: SettledChunk) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the rows and of the columns, one entry a cell with an error."""
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


def _constant(text: str) -> EncodedColumn:
    return EncodedColumn(arrow.array([text]), None)


def _spread(texts: list[str], numbers: np.ndarray | None) -> EncodedColumn:
    if numbers is not None and len(set(texts)) == 1:
        return _constant(texts[0])
    return EncodedColumn(arrow.array(texts), numbers)


def _issues(chunk: SettledChunk, kinds: tuple[IssueKind, ...]) -> EncodedColumn:
    """For each row its `_issues`."""
    found = chunk.issues
    if not len(found.rows):
        return _constant("")
    first = np.flatnonzero(np.append(True, found.rows[1:] != found.rows[:-1]))
    words = arrow.array([f"{kind.code}:{kind.column}" for kind in kinds]).take(pa.array(found.kinds))
    lists = pa.LargeListArray.from_arrays(pa.array(np.append(first, len(found.rows)), pa.int64()), words)
    texts = pc.binary_join(lists, pa.scalar("; ", arrow.TEXT)).dictionary_encode()
    numbers = np.zeros(len(chunk.fate), dtype=np.int32)
    numbers[np.searchsorted(chunk.rows, found.rows[first])] = texts.indices.to_numpy() + 1
    return EncodedColumn(pa.concat_arrays([arrow.array([""]), texts.dictionary.cast(arrow.TEXT)]), numbers)
