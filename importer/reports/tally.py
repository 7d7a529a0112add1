"""Count a run while it goes on: rows by status, issues by kind, and the server's answers by code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.dataclass import dataclass
from importer.errors import ConservationError
from importer.models import (
    Chunk,
    Issue,
    IssueGroup,
    Issues,
    Outcome,
    RepeatedIssue,
    Severity,
    Status,
    UnusedColumn,
)
from importer.reports.model import DOUBTFUL_ROWS, NO_ISSUES, RowIssues

ANSWERED = frozenset({Status.REJECTED, Status.FAILED, Status.UNKNOWN})
"""The statuses that come from an answer of the server, or from the lack of one."""

LEFT_OUT = frozenset({Status.SKIPPED, Status.DUPLICATE, Status.NOT_SENT})
"""The statuses of rows that could be sent, but were not."""

OVERTAKEN = frozenset({"newer-import", "held-back"})
"""The codes of rows that newer ones of their customers have overtaken."""

_PLACE_TAKEN = "place-taken"
_OF_PEOPLE = frozenset({"contact-refused", "struck-through", "customer-left", _PLACE_TAKEN})
"""The codes of warnings that ask whether a person is to be in the CRM at all: they are named first."""
EXAMPLES = 3
SAMPLES = 100
"""Issues of a kind that are kept for the page. The CSV has all of them."""
KINDS_OF_REASON = 200
"""Different codes that are counted apart. All others are counted together."""


class IssueKind(NamedTuple):
    """What makes two issues the same kind."""

    code: str
    column: str


@dataclass(slots=True)
class _IssueCount:
    kind: IssueKind
    severity: Severity
    limit: int | None
    rows: int = 0
    sent: int = 0
    longest: int | None = None
    samples: list[Issue] = field(default_factory=list)

    def frozen(self, most: int) -> IssueGroup:
        sheets = {
            sheet: place for place, sheet in enumerate(dict.fromkeys(one.sheet for one in self.samples))
        }
        examples = tuple(sorted(self.samples, key=lambda one: (sheets[one.sheet], one.row))[:most])
        kind, lengths = self.kind, (self.longest, self.limit)
        return IssueGroup(kind.code, self.severity, kind.column, self.rows, examples, *lengths, self.sent)


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """Rows with the same status and the same code: why the server did not take them."""

    status: Status
    code: str
    message: str
    """As it came with the first of them."""
    rows: int
    examples: tuple[tuple[str, int], ...]
    """(sheet, row) of the first three."""
    by_message: Mapping[str, int] = field(default_factory=dict)
    """Rows by the message they came with, of so many different ones as there are kinds of reasons."""


@dataclass(slots=True)
class _ReasonCount:
    message: str
    rows: int = 0
    examples: list[tuple[str, int]] = field(default_factory=list)
    by_message: Counter[str] = field(default_factory=Counter)


class Tally:
    """Live counts: `rows` were read, `settled` of them have a final status, `counts` are those by status."""

    def __init__(
        self, header: Sequence[str], unused: Sequence[UnusedColumn] = (), name_columns: Sequence[str] = ()
    ) -> None:
        """`unused`: columns whose filled cells are counted. `name_columns` hold the customers' names."""
        self.names: dict[tuple[str, int], str] = {}
        """The customers of the rows that are kept as samples, by sheet and row."""
        self._name_columns = tuple(name_columns)
        self._unused = tuple(unused)
        self._filled = [0] * len(self._unused)
        self.rows = 0
        self.counts: dict[Status, int] = dict.fromkeys(Status, 0)
        self._rank = {name: place for place, name in enumerate(header)}
        self._numbers: dict[tuple[str, str | None, Severity], int] = {}
        self._groups: list[_IssueCount] = []
        self._reasons: dict[tuple[Status, str], _ReasonCount] = {}
        self._new_samples: list[int] = []
        self._doubts_left = DOUBTFUL_ROWS

    @property
    def settled(self) -> int:
        return sum(self.counts.values())

    @property
    def waiting(self) -> int:
        return self.rows - self.settled

    @property
    def done(self) -> bool:
        """True if every row that was read has a status that leaves nothing to do."""
        return not self.waiting and not any(n for status, n in self.counts.items() if not status.done)

    @property
    def overtaken(self) -> int:
        """How many rows were held back, since newer rows of their customers are in."""
        return sum(group.rows for (_, code), group in self._reasons.items() if code in OVERTAKEN)

    def kinds(self) -> tuple[IssueKind, ...]:
        """All kinds of issues seen so far, by number."""
        return tuple(group.kind for group in self._groups)

    def places_taken(self) -> int:
        """How many rows that were sent are in the CRM no more, since another person's row took their place; 0
        where that is said row by row: some of those rows may not have come in."""
        if any(
            self.counts.get(status) for status in Status if not status.done and status is not Status.INVALID
        ):
            return 0
        return sum(group.sent for group in self.issue_groups() if group.code == _PLACE_TAKEN)

    def issue_groups(self, examples: int = EXAMPLES) -> tuple[IssueGroup, ...]:
        """Issues by code, column and severity, the gravest first, most rows first."""

        def order(group: _IssueCount) -> tuple[int, bool, int, IssueKind]:
            return group.severity.rank, group.kind.code not in _OF_PEOPLE, -group.rows, group.kind

        groups = sorted(self._groups, key=order)
        return tuple(group.frozen(examples) for group in groups)

    def unused_columns(self) -> tuple[UnusedColumn, ...]:
        """The columns that go nowhere, with how many of their cells are filled; most filled cells first."""
        counted = (
            replace(column, filled=filled) for column, filled in zip(self._unused, self._filled, strict=True)
        )
        return tuple(sorted(counted, key=lambda column: -column.filled))

    def reason_groups(self) -> tuple[ReasonGroup, ...]:
        """Rows by status and code, where there is a code; most rows first."""
        found = sorted(self._reasons.items(), key=lambda item: (-item[1].rows, item[0]))
        return tuple(
            ReasonGroup(status, code, group.message, group.rows, tuple(group.examples), group.by_message)
            for (status, code), group in found
        )

    def count(self, outcome: Outcome) -> None:
        """Count rows that have their final status."""
        self.counts[outcome.status] += len(outcome.rows)
        if not outcome.code:
            return
        key = (outcome.status, outcome.code)
        if key not in self._reasons and len(self._reasons) >= KINDS_OF_REASON:
            key = (outcome.status, "…")
        group = self._reasons.setdefault(key, _ReasonCount(outcome.message))
        group.rows += len(outcome.rows)
        if outcome.message in group.by_message or len(group.by_message) < KINDS_OF_REASON:
            group.by_message[outcome.message] += len(outcome.rows)
        if len(group.examples) < EXAMPLES:
            rows = sorted(outcome.rows)[: EXAMPLES - len(group.examples)]
            group.examples += [(outcome.sheet, row) for row in rows]

    def stay_behind(self, issues: Sequence[Issue], rows: np.ndarray) -> None:
        """Take back that these rows (int64) of a chunk are sent. `issues`: those that were added with it."""
        found: dict[int, list[np.ndarray]] = {}
        for part in Issues.parts_of(issues):
            number = self._numbers[part.code, part.column, part.severity]
            found.setdefault(number, []).append(Issues.rows_of((part,)))
        for number, some in found.items():
            self._groups[number].sent -= int(np.isin(np.unique(np.concatenate(some)), rows).sum())

    def add(self, chunk: Chunk, issues: Sequence[Issue], sent: np.ndarray | None = None) -> RowIssues:
        """Count the rows of a chunk and their issues. Returns the issues as arrays, by row, then column.

        `sent`: the numbers of the rows that are sent; all of them if nothing is said.

        Raises ConservationError for an issue of a row that is not in the chunk.
        """
        self.rows += len(chunk.frame)
        for place, column in enumerate(self._unused):
            if column.name in chunk.frame.columns:
                self._filled[place] += _filled_cells(chunk, column.name)
        parts = Issues.parts_of(issues)
        if not parts:
            return NO_ISSUES
        rows = Issues.rows_of(parts)
        _check_rows(rows, chunk)
        sizes = [1 if isinstance(part, Issue) else len(part) for part in parts]
        kinds = np.repeat(np.array([self._number(part) for part in parts], dtype=np.int32), sizes)
        ranks = np.array([self._rank.get(group.kind.column, len(self._rank)) for group in self._groups])
        self._keep_names(chunk)
        order = np.lexsort((kinds, ranks[kinds], rows))
        rows, kinds = rows[order], kinds[order]
        first = np.ones(len(rows), dtype=bool)
        first[1:] = (rows[1:] != rows[:-1]) | (kinds[1:] != kinds[:-1])
        rows, kinds = rows[first], kinds[first]
        for number, count in enumerate(np.bincount(kinds).tolist()):
            self._groups[number].rows += count
        away = kinds if sent is None else kinds[np.isin(rows, sent)]
        for number, count in enumerate(np.bincount(away).tolist()):
            self._groups[number].sent += count
        errors = self._by_row([part for part in parts if part.severity is Severity.ERROR])
        return RowIssues(rows, kinds, errors, self._warnings(parts, sent))

    def _number(self, issue: Issue | RepeatedIssue) -> int:
        key = (issue.code, issue.column, issue.severity)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._groups)
            self._groups.append(
                _IssueCount(IssueKind(issue.code, issue.column or ""), issue.severity, issue.limit)
            )
        group = self._groups[number]
        before = len(group.samples)
        room = SAMPLES - before
        if isinstance(issue, Issue):
            group.samples += [issue][:room]
            length = issue.length
        else:
            group.samples += islice(issue, room)
            length = None if issue.lengths is None else int(issue.lengths.max())
        if length is not None and (group.longest is None or length > group.longest):
            group.longest = length
        self._new_samples += [sample.row for sample in group.samples[before:]]
        return number

    def _keep_names(self, chunk: Chunk) -> None:
        """Note whose rows the new samples are."""
        columns = [name for name in self._name_columns if name in chunk.frame.columns]
        if self._new_samples and columns:
            rows = list(dict.fromkeys(self._new_samples))
            places = pa.array(np.searchsorted(chunk.frame.index.to_numpy(), rows))
            texts = (arrow.text_column(chunk, name).take(places).to_pylist() for name in columns)
            for row, *cells in zip(rows, *texts, strict=True):
                self.names[chunk.sheet, row] = " ".join(str(cell).strip() for cell in cells if cell).strip()
        self._new_samples.clear()

    def _warnings(
        self, parts: Sequence[Issue | RepeatedIssue], sent: np.ndarray | None
    ) -> dict[int, list[Issue]]:
        """The warnings of rows that are sent, of so many rows as there is still room for."""
        warnings = [part for part in parts if part.severity is Severity.WARNING]
        if not warnings or not self._doubts_left:
            return {}
        rows = np.unique(Issues.rows_of(warnings))
        rows = (rows if sent is None else rows[np.isin(rows, sent)])[: self._doubts_left]
        self._doubts_left -= rows.size
        wanted = frozenset(rows.tolist())
        kept: list[Issue | RepeatedIssue] = []
        for part in warnings:
            if isinstance(part, Issue):
                kept += [part] if part.row in wanted else []
            else:
                kept += [part.where(np.isin(part.rows, rows))]
        return self._by_row(kept)

    def _by_row(self, parts: Sequence[Issue | RepeatedIssue]) -> dict[int, list[Issue]]:
        rank, last = self._rank, len(self._rank)
        found: dict[int, list[Issue]] = {}
        for part in parts:
            for issue in (part,) if isinstance(part, Issue) else part:
                found.setdefault(issue.row, []).append(issue)
        for several in found.values():
            if len(several) > 1:
                several.sort(key=lambda issue: rank.get(issue.column or "", last))
        return found


def _filled_cells(chunk: Chunk, name: str) -> int:
    lengths = pc.binary_length(arrow.text_column(chunk, name))
    return int(pc.sum(pc.greater(lengths, 0)).as_py() or 0)


def _check_rows(rows: np.ndarray, chunk: Chunk) -> None:
    index = chunk.frame.index.to_numpy()
    if not len(index):
        raise ConservationError("issue-without-row", row=int(rows[0]), sheet=chunk.sheet)
    strange = index[np.minimum(np.searchsorted(index, rows), len(index) - 1)] != rows
    if strange.any():
        raise ConservationError("issue-without-row", row=int(rows[strange][0]), sheet=chunk.sheet)
