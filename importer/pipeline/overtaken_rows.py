"""Hold back rows of a report that rows of the same file have overtaken: the row itself, as another report
brought it in since, or a later row of the same customer.

The rows of a file count in its order, whenever they come in. In mode `keep` the first wins: nothing is held.
"""

from __future__ import annotations

from dataclasses import field

import numpy as np

from importer.batching import Customers
from importer.dataclass import dataclass
from importer.journal import SentRows
from importer.messages import join_sentences, sentence
from importer.models import Outcome, Status
from importer.pipeline.newer_rows import NEWER_IMPORT
from importer.pipeline.row_history import PriorImports


@dataclass(frozen=True, slots=True)
class LaterRows:
    """The last row of each contact that a sheet has brought in, ascending by `keys`."""

    keys: np.ndarray
    """Contacts (int64), each once."""
    rows: np.ndarray
    """Row numbers, int64."""

    @classmethod
    def of(cls, sent: SentRows) -> LaterRows:
        places, columns = np.nonzero(sent.contacts)
        keys, rows = sent.contacts[places, columns], sent.rows[places]
        order = np.lexsort((rows, keys))
        last = order[np.append(np.diff(keys[order]) != 0, True)] if keys.size else order
        return cls(keys[last], rows[last])

    def last(self, contacts: np.ndarray) -> np.ndarray:
        """Return for each line of `Customers.contacts` the last of the rows (int64) that has one of these
        contacts; 0 for none."""
        found = np.zeros(contacts.shape, dtype=np.int64)
        if self.keys.size:
            places = np.minimum(np.searchsorted(self.keys, contacts), self.keys.size - 1)
            hit = (self.keys[places] == contacts) & (contacts != 0)
            found[hit] = self.rows[places[hit]]
        return np.asarray(found.max(axis=1, initial=0))


@dataclass(slots=True)
class OvertakenRows:
    """Finds rows that would put older values of their own file over newer ones."""

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
