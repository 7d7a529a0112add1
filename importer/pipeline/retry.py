"""Choose the rows of an earlier run that a retry sends again, and those that it holds back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import dropwhile, takewhile
from pathlib import Path

import numpy as np

from importer.dataclass import dataclass
from importer.exit_codes import ExitCode
from importer.journal import Journal, RowStates, RunKind, RunRecord, RunState, union_rows
from importer.models import Outcome, Status
from importer.option_layers import options_from_json
from importer.pipeline.flow import RunContext, checked_chunks
from importer.pipeline.plan import RunPlan
from importer.pipeline.row_history import SUPPRESSED
from importer.pipeline.run import Lineage
from importer.reports.tally import OVERTAKEN

LEFT = (Status.FAILED, Status.UNKNOWN, Status.NOT_SENT)
NO_ANSWER_KNOWN = "no-answer-known"
"""The code of a row that may be in, and that the CRM would not recognise."""


@dataclass(frozen=True, slots=True)
class RetryScope:
    """The scope of a retry: rows of its parent that were not imported.

    A row that the parent's journal says nothing about was not sent. Of a parent that is a retry itself only
    the rows that it was about.
    """

    known: RowStates
    rejected: bool
    """Whether rejected rows are among them."""
    imported: Mapping[str, np.ndarray]
    """Row numbers by sheet that the parent, its other retries or its corrected reports have brought in."""
    within: RetryScope | None = None
    left_out: bool = False
    """Whether rows that a list left out are among them."""

    def mask(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Return for each row number whether the retry sends it."""
        statuses = (*LEFT, Status.REJECTED) if self.rejected else LEFT
        left: np.ndarray = self.known.has_status(sheet, rows, *statuses) | self.known.unanswered(sheet, rows)
        left |= self.known.state_indexes(sheet, rows) < 0
        if self.left_out:
            left |= np.isin(rows, self.known.rows_with_code(sheet, Status.SKIPPED, SUPPRESSED))
        left &= ~np.isin(rows, self.imported.get(sheet, np.empty(0, np.int64)))
        return left if self.within is None else left & self.within.mask(sheet, rows)

    def maybe_in(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Return for each row number whether it was sent and no answer is known."""
        maybe: np.ndarray = self.known.unanswered(sheet, rows)
        maybe |= self.known.has_status(sheet, rows, Status.UNKNOWN)
        return maybe if self.within is None else maybe | self.within.maybe_in(sheet, rows)


def retry_scope(
    journal: Journal, record: RunRecord, *, rejected: bool, before: RunRecord | None = None
) -> RetryScope:
    """The rows that a retry of `record` is about, if it begins now or, for one that has begun, `before`."""
    within = _scope(journal, record) if record.kind is RunKind.RETRY else None
    imported = imported_since(journal, record, before)
    return RetryScope(journal.row_states(record.id), rejected, imported, within)


def imported_since(journal: Journal, record: RunRecord, before: RunRecord | None) -> dict[str, np.ndarray]:
    """The rows of a run's source, by sheet, that it, its retries and their corrected reports brought in.

    `before`: only what happened before this run of the same source began.
    """
    parts: list[Mapping[str, np.ndarray]] = []
    until = before.id if before else None
    for member in takewhile(lambda member: member.id != until, journal.family(record)):
        states = journal.row_states(member.id)
        parts.append({sheet: states.rows_with_status(sheet, Status.IMPORTED) for sheet in states.sheets})
        parts.append(journal.imported_by_reports(member.id, record.destination_key, until))
    return union_rows(parts)


def retried_since(journal: Journal, record: RunRecord) -> RunRecord | None:
    """Return the newest retry of the same source that began after this run; it is resumed instead."""
    after = dropwhile(lambda member: member.id != record.id, journal.family(record))
    later = [member for member in after if member.id != record.id and not came_to_nothing(member)]
    return later[-1] if later else None


def came_to_nothing(run: RunRecord) -> bool:
    """Whether a run ended before it counted or sent a row, as if it had never been."""
    tripped = run.exit_code is ExitCode.TRIPWIRE
    return run.state is RunState.FINISHED and bool(run.stop) and not run.counts and not tripped


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Rows of a retry, or of a run that is resumed, that must not be sent, as (sheet, row)."""

    overtaken: frozenset[tuple[str, int]]
    """A later row has imported their customer since."""
    overtaken_unsure: frozenset[tuple[str, int]]
    """The same, but a request with the row went out before, and nobody answered."""
    unsure: frozenset[tuple[str, int]]
    """The CRM may have them. Without phone and e-mail it would not recognise them and store them twice."""
    reported: frozenset[tuple[str, int]] = frozenset()
    """A report that was imported, corrected or not, has brought them in."""

    def outcomes(self, sheet: str, rows: np.ndarray) -> list[Outcome]:
        """Return the outcomes of the rows among `rows` that are held back."""
        kinds = (
            (self.reported, Status.SKIPPED, "imported-before"),
            (self.overtaken, Status.NOT_SENT, "held-back"),
            (self.overtaken_unsure, Status.UNKNOWN, "held-back"),
            (self.unsure, Status.UNKNOWN, NO_ANSWER_KNOWN),
        )
        held = (
            Outcome(sheet, tuple(row for row in rows.tolist() if (sheet, row) in those), status, code=code)
            for those, status, code in kinds
            if those
        )
        return [outcome for outcome in held if outcome.rows]


def retry_lineage(plan: RunPlan, journal: Journal, record: RunRecord) -> Lineage:
    """Return the lineage of a retry: the rows to send and those held back. Reads the whole file once."""
    left = retry_scope(journal, record, rejected=plan.options.rejected)
    held = _held_back(plan, left, journal, record)
    rows = rows_left(record, rejected=plan.options.rejected)
    return Lineage(RunKind.RETRY, record.id, record.job, left, held, rows or None, _beside(record))


def _beside(record: RunRecord) -> Path:
    """Return where a retry makes its reports folder: beside that of its run, unless a job owns it."""
    folder = Path(record.report_dir).parent
    return folder if record.report_dir and not record.job and folder.is_dir() else Path("reports")


def lineage_of(plan: RunPlan, journal: Journal, record: RunRecord) -> Lineage:
    """Return the lineage of a run that is resumed, with the rows that it holds back."""
    if record.kind is not RunKind.RETRY:
        held = _overtaken_since(plan, journal, record)
        return Lineage(record.kind, record.parent, record.job, held=held)
    scope = _scope(journal, record)
    held = _held_back(plan, scope, journal, record)
    return Lineage(record.kind, record.parent, record.job, scope, held)


def rows_left(record: RunRecord, *, rejected: bool) -> int:
    """Return how many rows a retry of a finished run would send."""
    statuses = (*LEFT, Status.REJECTED) if rejected else LEFT
    return sum(record.counts.get(status, 0) for status in statuses)


@dataclass(frozen=True, slots=True)
class Rest:
    """The rows of a finished run that are not in, by what another retry would make of them."""

    unsent: int
    """It would send them."""
    doubtful: int
    """It would not: the CRM may have them and, without phone and e-mail, would store them twice."""
    stay: int
    """It would not, and nothing is left to do: newer rows of their customers are in, or these must not be
    sent by now."""


def rest_of(journal: Journal, record: RunRecord) -> Rest:
    """Return what a finished run has left, as far as it knows."""
    left = rows_left(record, rejected=False)
    if not left:
        return Rest(0, 0, 0)
    codes = journal.row_states(record.id).codes(*LEFT)
    stay = sum(codes[code] for code in (*OVERTAKEN, SUPPRESSED))
    return Rest(left - stay - codes[NO_ANSWER_KNOWN], codes[NO_ANSWER_KNOWN], stay)


def _scope(journal: Journal, record: RunRecord) -> RetryScope:
    """Return the rows that a retry took from its parent when it began."""
    took_rejected = options_from_json(record.settings).rejected
    parent = journal.run(record.parent)
    return retry_scope(journal, parent, rejected=took_rejected, before=record)


def _overtaken_since(plan: RunPlan, journal: Journal, record: RunRecord) -> HeldBack | None:
    """Return the rows of a run that its own reports have brought in, and those that these, or rows of the run
    that are in already, have overtaken. None without such reports, unless a list left out rows of the run."""
    reported = journal.imported_by_reports(record.id, record.destination_key)
    if not (reported or record.state.resumable):
        return None
    states = journal.row_states(record.id)
    # Who was on a list and is on none any more goes now, but not over later rows that are in.
    if not (reported or states.codes(Status.SKIPPED)[SUPPRESSED]):
        return None
    left = RetryScope(states, False, reported, left_out=True)
    found = _held_back(plan, left, journal, record)
    rows = frozenset((sheet, row) for sheet, numbers in reported.items() for row in numbers.tolist())
    return replace(found, unsure=frozenset(), reported=rows)


def _held_back(plan: RunPlan, left: RetryScope, journal: Journal, record: RunRecord) -> HeldBack:
    waiting: dict[int, list[tuple[str, int]]] = {}
    overtaken: set[tuple[str, int]] = set()
    sent: set[tuple[str, int]] = set()
    unsure: set[tuple[str, int]] = set()
    imported = imported_since(journal, record, None)
    # What is in stays in, whoever must not be sent by now.
    for checked in checked_chunks(plan, RunContext(suppresses=False)):
        customers = checked.customers
        wanted = left.mask(customers.sheet, customers.rows)
        maybe = left.maybe_in(customers.sheet, customers.rows)
        done = np.isin(customers.rows, imported.get(customers.sheet, np.empty(0, np.int64)))
        for place in np.flatnonzero(wanted | done).tolist():
            contacts = {key for key in customers.contacts[place].tolist() if key}
            row = (customers.sheet, int(customers.rows[place]))
            if done[place]:
                for key in contacts & waiting.keys():
                    overtaken.update(waiting.pop(key))
                continue
            if maybe[place]:
                sent.add(row)
            if not contacts and maybe[place] and not plan.options.resend_unknown:
                unsure.add(row)
            for key in contacts:
                waiting.setdefault(key, []).append(row)
    return HeldBack(frozenset(overtaken - sent), frozenset(overtaken & sent), frozenset(unsure))
