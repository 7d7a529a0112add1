"""Hold back rows of a report that rows of the same file have overtaken: the row itself, as another report
brought it in since, or a later row of the same customer.

The rows of a file count in its order, whenever they come in. In mode `keep` the first wins: nothing is held.
"""

from __future__ import annotations

from dataclasses import field
from itertools import combinations

import numpy as np

from importer.batching import Customers, contacts_together
from importer.dataclass import dataclass
from importer.journal import SentRows
from importer.messages import join_sentences, sentence
from importer.models import Outcome, Status
from importer.pipeline.newer_rows import NEWER_IMPORT
from importer.pipeline.row_history import PriorImports


@dataclass(frozen=True, slots=True)
class LaterRows:
    """The last row of each set of contacts that a sheet has brought in, ascending by `keys`."""

    keys: np.ndarray
    """One number (int64) for all contacts of a row; a set that many rows have stands there as often."""
    rows: np.ndarray

    @classmethod
    def of(cls, sent: SentRows) -> LaterRows:
        together = sent.prints[:, 1]
        order = np.lexsort((sent.rows, together))
        order = order[together[order] != 0]
        return cls(together[order], sent.rows[order])

    def last(self, contacts: np.ndarray) -> np.ndarray:
        """Return for each line of `Customers.contacts` the last of the rows (int64) that has some of these
        contacts and no others; 0 for none."""
        found = np.zeros(len(contacts), dtype=np.int64)
        columns = range(contacts.shape[1] if self.keys.size else 0)
        for chosen in (these for count in columns for these in combinations(columns, count + 1)):
            sums = contacts_together(np.ascontiguousarray(contacts[:, chosen]))
            places = np.maximum(np.searchsorted(self.keys, sums, side="right") - 1, 0)
            hit = (self.keys[places] == sums) & (sums != 0)
            found[hit] = np.maximum(found[hit], self.rows[places[hit]])
        return found


@dataclass(slots=True)
class OvertakenRows:
    """Finds rows that would put older values of their own file over newer ones.

    A later row is known by all its contacts together. So it is found if this row has all of them.
    """

    prior: PriorImports
    lang: str
    _later: dict[tuple[str, str], LaterRows] = field(default_factory=dict)

    def hold(
        self, customers: Customers, unanswered: np.ndarray, stale: np.ndarray
    ) -> tuple[list[Outcome], Customers]:
        """Return what becomes of the rows that are held back, and the customers that may be sent.

        `unanswered`: bool for each row, true where a request with it went out and nobody answered. `stale`:
        the numbers of rows whose values are older than what is in.
        """
        origins = self.prior.noted_origins(customers.sheet, customers.rows)
        if not origins:
            return [], customers
        old = frozenset(stale.tolist())
        held = np.zeros(len(customers), dtype=bool)
        outcomes = []
        for run, sheet in sorted({(run, sheet) for run, sheet, _ in origins.values()}):
            sent = self.prior.sent_by(run).get(sheet)
            if sent is None:
                continue
            places = [
                place for place, row in enumerate(customers.rows.tolist())
                if origins.get(row, ("", "", 0))[:2] == (run, sheet)
            ]  # fmt: skip
            was = np.array([origins[int(customers.rows[place])][2] for place in places], dtype=np.int64)
            if (run, sheet) not in self._later:
                self._later[run, sheet] = LaterRows.of(sent)
            later = self._later[run, sheet].last(customers.contacts[places])
            for place, own, other in zip(places, was.tolist(), later.tolist(), strict=True):
                row = int(customers.rows[place])
                if other > own:
                    found = {"row": other, "run": sent.sender(other)}
                    why = sentence("newer-import-row", found, self.lang)
                elif row in old:
                    found = {"run": sent.sender(own)}
                    why = sentence(NEWER_IMPORT, found, self.lang)
                else:
                    continue
                held[place] = True
                status = Status.UNKNOWN if unanswered[place] else Status.NOT_SENT
                told = sentence("newer-import-unanswered", {}, self.lang) if unanswered[place] else ""
                message = join_sentences(self.lang, why, told)
                outcomes.append(Outcome(customers.sheet, (row,), status, code=NEWER_IMPORT, message=message))
        return outcomes, customers.where(~held)
