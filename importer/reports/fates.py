"""What became of rows, as arrays beside the rows they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from importer.models import Chunk, Issue, Outcome, Status

UNSETTLED = -1


class Fate(NamedTuple):
    """An outcome without its rows: what the own columns of a report say about each of them."""

    status: Status
    batch: int | None
    attempts: int
    code: str
    message: str
    trace_id: str

    @classmethod
    def of(cls, outcome: Outcome) -> Fate:
        return cls(
            outcome.status, outcome.batch, outcome.attempts, outcome.code, outcome.message, outcome.trace_id
        )


@dataclass(frozen=True, slots=True)
class RowIssues:
    """The issues of one chunk as parallel arrays, ordered by row, then column.

    `rows` int64 row numbers, `kinds` int32 indices into the tally's kinds. `errors` are the issues that keep
    a row from being sent, by row number.
    """

    rows: np.ndarray
    kinds: np.ndarray
    errors: dict[int, list[Issue]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SettledChunk:
    """Consecutive rows of one sheet, all with their final status.

    `chunk` holds the cells as they were read; `fate[i]` (int32) is the place in `fates` of row i.
    """

    chunk: Chunk
    fate: np.ndarray
    fates: tuple[Fate, ...]
    issues: RowIssues

    @property
    def sheet(self) -> str:
        return self.chunk.sheet

    @property
    def rows(self) -> np.ndarray:
        rows: np.ndarray = self.chunk.frame.index.to_numpy()
        return rows

    def where(self, wanted: set[Status] | frozenset[Status]) -> np.ndarray:
        """Positions (int64) of the rows whose status is one of `wanted`."""
        chosen = np.array([fate.status in wanted for fate in self.fates], dtype=bool)
        if chosen.all():
            return np.arange(len(self.fate))
        if not chosen.any():
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(chosen[self.fate])
