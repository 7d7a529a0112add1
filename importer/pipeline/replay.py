"""A run that is taken up again: what the journal has of its rows stands, the rest is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from importer.batching import Customers
from importer.journal import RowStates
from importer.models import Outcome, Status


@dataclass(slots=True)
class Replay:
    """`resend_unknown`: rows with neither phone nor e-mail are sent again too, although the CRM may then
    have them twice. `send` False: nothing is open, for drawing reports again."""

    known: RowStates
    resend_unknown: bool = False
    send: bool = True
    again: int = 0
    """Rows handed out so far although a request with them went out before: nobody knows its answer."""

    def final(self, sheet: str, rows: np.ndarray) -> Iterator[Outcome]:
        """The outcomes of rows that need nothing more; all that are known if nothing is sent."""
        return self.known.outcomes(sheet, rows[self._settled(sheet, rows)])

    def without_final(self, outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
        """The same outcomes without the rows for which the journal's word stands."""
        left = []
        for outcome in outcomes:
            rows = np.asarray(outcome.rows, dtype=np.int64)
            rows = rows[~self._settled(outcome.sheet, rows)]
            if rows.size:
                left.append(replace(outcome, rows=tuple(rows.tolist())))
        return tuple(left)

    def open(self, customers: Customers) -> tuple[list[Outcome], Customers]:
        """Rows that stay unknown, and the customers that are to be sent now."""
        settled = self._settled(customers.sheet, customers.rows)
        stuck = np.zeros(len(customers), dtype=bool)
        if self.send and not self.resend_unknown:
            unreachable = ~customers.contacts.any(axis=1)
            stuck = self.known.unanswered(customers.sheet, customers.rows) & unreachable & ~settled
        outcomes = [
            replace(outcome, status=Status.UNKNOWN, code=outcome.code or "no-answer-known")
            for outcome in self.known.outcomes(customers.sheet, customers.rows[stuck])
        ]
        left = customers.where(~settled & ~stuck)
        self.again += int(self.known.unanswered(left.sheet, left.rows).sum())
        return outcomes, left

    def _settled(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        if self.send:
            return self.known.final(sheet, rows)
        return self.known.state_indexes(sheet, rows) >= 0
