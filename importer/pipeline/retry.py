"""`retry`: which rows of an earlier run are to be sent again, and which are better held back."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from importer.journal import Journal, Kind, Known, RunRecord
from importer.model import Outcome, Status
from importer.pipeline.flow import checked_chunks
from importer.pipeline.plan import Plan
from importer.pipeline.run import Lineage

LEFT = (Status.FAILED, Status.UNKNOWN, Status.NOT_SENT)


@dataclass(frozen=True, slots=True)
class LeftOver:
    """The scope of a retry: rows of its parent that were not imported.

    A row that the parent's journal says nothing about was not sent. Of a parent that is a retry itself only
    the rows that it was about.
    """

    known: Known
    rejected: bool
    """Rejected rows too."""
    within: LeftOver | None = None

    def mask(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Bool for each row number."""
        statuses = (*LEFT, Status.REJECTED) if self.rejected else LEFT
        left: np.ndarray = self.known.having(sheet, rows, *statuses) | self.known.unanswered(sheet, rows)
        left |= self.known.look(sheet, rows) < 0
        return left if self.within is None else left & self.within.mask(sheet, rows)

    def maybe_in(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Bool for each row number: a request with it went out, and no answer is known."""
        maybe: np.ndarray = self.known.unanswered(sheet, rows)
        maybe |= self.known.having(sheet, rows, Status.UNKNOWN)
        return maybe


def left_over(journal: Journal, record: RunRecord, *, rejected: bool) -> LeftOver:
    """The rows that a retry of `record` is about."""
    within = _scope(journal, record) if record.kind is Kind.RETRY else None
    return LeftOver(journal.known(record.id), rejected, within)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Rows of a retry that must not be sent, as (sheet, row)."""

    overtaken: frozenset[tuple[str, int]]
    """Their customer has been imported by a later row since."""
    unsure: frozenset[tuple[str, int]]
    """They may be in, and have neither phone nor e-mail by which the CRM would know them again."""

    def outcomes(self, sheet: str, rows: np.ndarray) -> list[Outcome]:
        """What becomes of those of the given rows that are held back."""
        overtaken = tuple(row for row in rows.tolist() if (sheet, row) in self.overtaken)
        unsure = tuple(row for row in rows.tolist() if (sheet, row) in self.unsure)
        held = (
            Outcome(sheet, overtaken, Status.NOT_SENT, code="held-back"),
            Outcome(sheet, unsure, Status.UNKNOWN, code="no-answer-known"),
        )
        return [outcome for outcome in held if outcome.rows]


def retry(plan: Plan, journal: Journal, record: RunRecord) -> Lineage:
    """Makes a plan of a past run into one for its left-over rows. Goes once through the whole file."""
    left = left_over(journal, record, rejected=plan.options.rejected)
    return Lineage(Kind.RETRY, record.id, record.job, left, _held_back(plan, left, journal, record))


def lineage_of(journal: Journal, record: RunRecord) -> Lineage:
    """Where a run that is taken up again comes from."""
    if record.kind is not Kind.RETRY:
        return Lineage(record.kind, record.parent, record.job)
    return Lineage(record.kind, record.parent, record.job, _scope(journal, record))


def _scope(journal: Journal, record: RunRecord) -> LeftOver:
    """The rows that a retry took from its parent."""
    took_rejected = bool(json.loads(record.settings).get("rejected"))
    return left_over(journal, journal.run(record.parent), rejected=took_rejected)


def _held_back(plan: Plan, left: LeftOver, journal: Journal, record: RunRecord) -> HeldBack:
    waiting: dict[int, list[tuple[str, int]]] = {}
    overtaken: set[tuple[str, int]] = set()
    unsure: set[tuple[str, int]] = set()
    imported = journal.imported_rows(_root(journal, record).id, record.destination_key)
    for checked in checked_chunks(plan):
        customers = checked.customers
        wanted = left.mask(customers.sheet, customers.rows)
        maybe = left.maybe_in(customers.sheet, customers.rows) & (not plan.options.resend_unknown)
        done = np.isin(customers.rows, imported.get(customers.sheet, np.empty(0, np.int64)))
        for place in np.flatnonzero(wanted | done).tolist():
            contacts = {key for key in customers.contacts[place].tolist() if key}
            row = (customers.sheet, int(customers.rows[place]))
            if wanted[place] and not contacts and maybe[place]:
                unsure.add(row)
            elif wanted[place]:
                for key in contacts:
                    waiting.setdefault(key, []).append(row)
            else:
                for key in contacts & waiting.keys():
                    overtaken.update(waiting.pop(key))
    return HeldBack(frozenset(overtaken), frozenset(unsure))


def _root(journal: Journal, record: RunRecord) -> RunRecord:
    while record.kind is Kind.RETRY and record.parent:
        record = journal.run(record.parent)
    return record
