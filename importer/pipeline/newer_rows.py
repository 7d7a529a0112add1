"""Hold back rows of an older file whose customer a later run has brought in since.

Asked by what sends older data: `resume`, `retry`, and a report that is imported again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

import numpy as np

from importer.batching import Customers
from importer.contracts import Contract
from importer.dataclass import dataclass
from importer.journal import NewerImports, RunContacts
from importer.messages import join_sentences, sentence
from importer.models import Mode, Outcome, Status

NEWER_IMPORT = "newer-import"
"""The code of a row that is held back."""


@dataclass(slots=True)
class NewerRows:
    """Finds rows that would overwrite what a later run has brought in.

    In mode `replace` any newer row of the customer holds an older one back, in `update` one that brought a
    field that the older row brings, too. In `keep` the first wins, so nothing is ever held back.
    """

    contacts: RunContacts
    contract: Contract
    mode: Mode
    lang: str
    wait_for_turn: Callable[[], None] = field(default=lambda: None)
    """What a newer run brings in is known when it is our turn to send."""
    _imports: NewerImports | None = None

    def hold(self, customers: Customers, unanswered: np.ndarray) -> tuple[list[Outcome], Customers]:
        """Return what becomes of the rows that are held back, and the customers that may be sent.

        `unanswered`: bool for each row, true where a request with it went out and nobody answered. Such a row
        is `unknown`, the others are `not_sent`.
        """
        if self.mode is Mode.KEEP or not len(customers):
            return [], customers
        ages = self.contacts.ages(customers.sheet, customers.rows)
        if self._imports is None or ages.min() < self._imports.oldest:
            self.wait_for_turn()
            self._imports = self.contacts.newer(int(ages.min()), self.contract.names)
        found = self._imports.look_up(customers.contacts, ages)
        held = found.newest >= 0
        if self.mode is Mode.UPDATE:
            held &= (customers.fields & found.fields) != 0
        if not held.any():
            return [], customers
        only_here = np.where(held, customers.fields & ~found.fields, 0)
        kinds = np.column_stack((found.newest, only_here, unanswered))[held]
        rows = customers.rows[held]
        outcomes = []
        for newest, lost, sent in np.unique(kinds, axis=0).tolist():
            these = rows[(kinds == (newest, lost, sent)).all(axis=1)]
            outcomes.append(
                Outcome(
                    customers.sheet,
                    tuple(these.tolist()),
                    Status.UNKNOWN if sent else Status.NOT_SENT,
                    code=NEWER_IMPORT,
                    message=self._message(found.runs[newest], lost, sent=bool(sent)),
                )
            )
        return outcomes, customers.where(~held)

    def _message(self, run: str, lost: int, *, sent: bool) -> str:
        names = [name for bit, name in enumerate(self.contract.names) if lost >> bit & 1]
        found: dict[str, object] = {"run": run, "fields": ", ".join(names)}
        return join_sentences(
            self.lang,
            sentence(NEWER_IMPORT, found, self.lang),
            sentence("newer-import-fields", found, self.lang) if names else "",
            sentence("newer-import-unanswered", found, self.lang) if sent else "",
        )
