"""What the parts of a report share: the plan of a run's reports, and the outcomes and issues of its rows."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from importer.dataclass import dataclass
from importer.models import Chunk, Issue, Outcome, Status, UnusedColumn

OWN_COLUMNS = (
    "_row",
    "_sheet",
    "_status",
    "_batch",
    "_attempts",
    "_code",
    "_message",
    "_trace_id",
    "_issues",
    "_run",
)
"""The importer's own columns, in the order in which every report has them.

Only these names are reserved: a column `_id` in the file belongs to the user.
"""

WORKBOOK_ROWS = 100_000
"""The most rows in a workbook that people open. The CSV has all of them."""
DOUBTFUL_ROWS = 10_000
"""The most rows in doubtful.xlsx: where more are doubtful, a choice for their column is the better remedy."""


@dataclass(frozen=True, slots=True)
class ReportSource:
    """The file that the rows came from."""

    path: Path
    name: str
    """As the user gave it."""
    format: str
    """`csv`, `xlsx`, …, as the reader calls it."""
    header: tuple[str, ...]
    """The unique column names of every chunk, in order, without the importer's own columns."""
    sha256: str = ""
    size: int = 0
    encoding: str = ""
    sheet: str = ""
    header_row: int | None = None
    again: str = ""
    """What a command names it by, to read it once more; empty: its name."""


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """Where the reports of one run go, and what is the same for all of their rows."""

    directory: Path
    run_id: str
    source: ReportSource
    lang: str = "en"
    excel_report: bool = False
    mask: bool = False
    """True if cells that messages quote are masked."""
    fields: tuple[tuple[str, str], ...] = ()
    """(column, API field) of every mapped column, for the notes on headers and for sentences."""
    unused: tuple[UnusedColumn, ...] = ()
    """The columns that go nowhere, in the order of the file."""
    on_page: bool = False
    """Whether the page in the browser carries the run out: hints name its buttons, no options or commands."""

    def fields_of_columns(self) -> dict[str, str]:
        """Return for each mapped column the fields that it feeds, as people read them."""
        found: dict[str, list[str]] = {}
        for column, name in self.fields:
            found.setdefault(column, []).append(name)
        return {column: ", ".join(names) for column, names in found.items()}


class RowOutcome(NamedTuple):
    """An outcome without its rows: what a report's own columns say about each of them."""

    status: Status
    batch: int | None
    attempts: int
    code: str
    message: str
    trace_id: str

    @classmethod
    def of(cls, outcome: Outcome) -> RowOutcome:
        return cls(
            outcome.status, outcome.batch, outcome.attempts, outcome.code, outcome.message, outcome.trace_id
        )


@dataclass(frozen=True, slots=True)
class RowIssues:
    """The issues of one chunk as parallel arrays, ordered by row, then column.

    `rows` are row numbers (int64), `kinds` indices into the tally's kinds (int32). `errors` are the issues
    that keep a row from being sent, by row number; `warnings` those of the run's first DOUBTFUL_ROWS rows
    that have any.
    """

    rows: np.ndarray
    kinds: np.ndarray
    errors: dict[int, list[Issue]] = field(default_factory=dict)
    warnings: dict[int, list[Issue]] = field(default_factory=dict)


NO_ISSUES = RowIssues(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32))


@dataclass(frozen=True, slots=True)
class SettledChunk:
    """Consecutive rows of one sheet, all with their final status.

    `chunk` holds the cells as they were read. Row i has the outcome `outcomes[outcome_index[i]]` (int32).
    """

    chunk: Chunk
    outcome_index: np.ndarray
    outcomes: tuple[RowOutcome, ...]
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
        chosen = np.array([outcome.status in wanted for outcome in self.outcomes], dtype=bool)
        if chosen.all():
            return np.arange(len(self.outcome_index))
        if not chosen.any():
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(chosen[self.outcome_index])
