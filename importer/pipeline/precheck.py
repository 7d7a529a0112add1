"""Validate the whole file before anything is sent: for `--max-invalid` and the tripwires of jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow.compute as pc

from importer import arrow
from importer.dataclass import dataclass
from importer.errors import TripwireError
from importer.models import Chunk, IssueGroup, Status
from importer.pipeline.flow import RunContext, checked_chunks
from importer.pipeline.plan import RunPlan
from importer.reports import Tally


@dataclass(frozen=True, slots=True)
class PrecheckResult:
    """What validating a whole file found. `counts` are rows by status; the `to_send` rows have none yet."""

    header: tuple[str, ...]
    rows: int
    to_send: int
    counts: Mapping[Status, int]
    issues: tuple[IssueGroup, ...]
    filled: Mapping[str, int]
    """For each mapped column, the number of rows in which it holds something."""

    @property
    def invalid_percent(self) -> float:
        return 100.0 * self.counts[Status.INVALID] / self.rows if self.rows else 0.0


PrecheckGate = Callable[[RunPlan, PrecheckResult], None]
"""Raises TripwireError where a file must not be sent."""


def precheck(plan: RunPlan, memory: RunContext, pulse: Callable[[int], None]) -> PrecheckResult:
    """Take every chunk along the real path, up to the batches. `pulse` gets the rows read so far."""
    tally = Tally(plan.header)
    filled = dict.fromkeys(plan.used, 0)
    for checked in checked_chunks(plan, memory):
        tally.add(checked.chunk, checked.issues)
        unchanged = memory.changes.leave_out(checked.customers)[0] if memory.changes is not None else ()
        for outcome in (*checked.outcomes, *unchanged):
            tally.count(outcome)
        for name in filled:
            filled[name] += _filled(checked.chunk, name)
        pulse(tally.rows)
    counts = dict(tally.counts)
    to_send = tally.rows - sum(counts.values())
    return PrecheckResult(plan.header, tally.rows, to_send, counts, tally.issue_groups(), filled)


def max_invalid_gate(limit: float) -> PrecheckGate:
    """Return the gate of `--max-invalid`. `limit` is in percent of the rows."""

    def gate(plan: RunPlan, found: PrecheckResult) -> None:
        if found.invalid_percent > limit:
            invalid, rows = found.counts[Status.INVALID], found.rows
            percent = f"{found.invalid_percent:.1f}"
            raise TripwireError(
                "max-invalid", invalid=invalid, rows=rows, percent=percent, limit=f"{limit:g}"
            )

    return gate


def _filled(chunk: Chunk, name: str) -> int:
    if name not in chunk.frame.columns:
        return 0
    return int(pc.sum(pc.not_equal(arrow.text_column(chunk, name), "")).as_py() or 0)
