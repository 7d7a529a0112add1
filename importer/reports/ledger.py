"""Keep account of rows: which wait for their status, and in which order they leave.

Rows come in chunk by chunk and in order; their outcomes come in any order. A chunk leaves when all its
rows have their final status and every chunk before it has left, so that memory holds only the open
chunks. A row gets one status, once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator

import numpy as np

from importer.errors import ConservationError
from importer.models import Chunk, Outcome
from importer.reports.model import RowIssues, RowOutcome, SettledChunk

UNSETTLED = -1


class _OpenChunk:
    """A chunk with rows that wait for their status."""

    __slots__ = ("chunk", "issues", "known", "left", "outcome_index", "outcomes", "rows", "unbroken")

    def __init__(self, chunk: Chunk, issues: RowIssues) -> None:
        self.chunk = chunk
        self.rows: np.ndarray = chunk.frame.index.to_numpy()
        self.issues = issues
        self.outcome_index = np.full(len(self.rows), UNSETTLED, dtype=np.int32)
        self.outcomes: list[RowOutcome] = []
        self.known: dict[RowOutcome, int] = {}
        self.left = len(self.rows)
        # np.searchsorted releases the GIL and must wait to get it back, which is long compared with a batch.
        self.unbroken = self.left > 0 and int(self.rows[-1] - self.rows[0]) + 1 == self.left

    def settle(self, rows: np.ndarray, outcome: RowOutcome) -> int | None:
        """Set the outcome of these rows (int64, strictly increasing).

        Returns the first row that is unknown or already settled, else None.
        """
        if self.unbroken and self.rows[0] <= rows[0] and rows[-1] <= self.rows[-1]:
            places = rows - self.rows[0]
        else:
            places = np.searchsorted(self.rows, rows)
            unknown = self.rows[np.minimum(places, len(self.rows) - 1)] != rows
            if unknown.any():
                return int(rows[unknown][0])
        taken = self.outcome_index[places] != UNSETTLED
        if taken.any():
            return int(rows[taken][0])
        number = self.known.get(outcome)
        if number is None:
            number = self.known[outcome] = len(self.outcomes)
            self.outcomes.append(outcome)
        self.outcome_index[places] = number
        self.left -= len(rows)
        return None

    def settled(self) -> SettledChunk:
        return SettledChunk(self.chunk, self.outcome_index, tuple(self.outcomes), self.issues)


class _Lane:
    """The open chunks of one sheet, by row number."""

    __slots__ = ("lasts", "open", "top")

    def __init__(self) -> None:
        self.open: list[_OpenChunk] = []
        self.lasts: list[int] = []
        self.top = 0


class Ledger:
    """Holds chunks until their rows are settled."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._order: deque[_OpenChunk] = deque()

    def add(self, chunk: Chunk, issues: RowIssues) -> None:
        """Take rows that now wait for their status.

        Raises ConservationError if a row number is not above all earlier ones of its sheet.
        """
        lane = self._lanes.setdefault(chunk.sheet, _Lane())
        entry = _OpenChunk(chunk, issues)
        rows = entry.rows
        if not len(rows):
            return
        if rows[0] <= lane.top or (np.diff(rows) <= 0).any():
            raise ConservationError("row-out-of-order", row=int(rows[0]), sheet=chunk.sheet)
        lane.top = int(rows[-1])
        lane.open.append(entry)
        lane.lasts.append(lane.top)
        self._order.append(entry)

    def settle(self, outcome: Outcome) -> None:
        """Set the final status of rows. Raises ConservationError for a row that is unknown or settled."""
        rows = np.fromiter(outcome.rows, dtype=np.int64, count=len(outcome.rows))
        # Slices and not np.diff: this runs for each batch, and np.diff takes twice as long.
        if not (rows[1:] > rows[:-1]).all():
            rows = np.sort(rows)
            twice = rows[1:][rows[1:] == rows[:-1]]
            if len(twice):
                raise _settled_twice(int(twice[0]), outcome)
        lane = self._lanes.get(outcome.sheet)
        row_outcome = RowOutcome.of(outcome)
        while len(rows):
            place = bisect_left(lane.lasts, int(rows[0])) if lane is not None else 0
            if lane is None or place == len(lane.open):
                raise _settled_twice(int(rows[0]), outcome)
            entry = lane.open[place]
            last = lane.lasts[place]
            cut = len(rows) if rows[-1] <= last else int(np.searchsorted(rows, last, side="right"))
            refused = entry.settle(rows[:cut], row_outcome)
            if refused is not None:
                raise _settled_twice(refused, outcome)
            rows = rows[cut:]

    def take(self) -> Iterator[SettledChunk]:
        """Yield the chunks that are final, in input order, and forget each of them."""
        while self._order and not self._order[0].left:
            entry = self._order.popleft()
            lane = self._lanes[entry.chunk.sheet]
            del lane.open[0], lane.lasts[0]
            yield entry.settled()

    def finish(self) -> None:
        """Raises ConservationError if a row is still without a status."""
        left = sum(entry.left for entry in self._order)
        if left:
            first = next(entry for entry in self._order if entry.left)
            row = int(first.rows[first.outcome_index == UNSETTLED][0])
            raise ConservationError("rows-without-status", rows=left, row=row, sheet=first.chunk.sheet)


def _settled_twice(row: int, outcome: Outcome) -> ConservationError:
    return ConservationError("row-settled-twice", row=row, sheet=outcome.sheet, status=outcome.status.value)
