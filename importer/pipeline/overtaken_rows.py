"""Hold back rows of a report that rows of the same file have overtaken: the row itself, as another report
brought it in since, or a later row of the same customer.

The rows of a file count in its order, whenever they come in. In mode `keep` the first wins: nothing is held.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from importer.batching import Customers, contacts_together
from importer.dataclass import dataclass
from importer.messages import join_sentences, sentence
from importer.models import Outcome, Status
from importer.pipeline.newer_rows import NEWER_IMPORT
from importer.pipeline.row_history import PriorImports


@dataclass(slots=True)
class OvertakenRows:
    """Finds rows that would put older values of their own file over newer ones.

    A later row is known by all its contacts together. So it is found if this row has all of them.
    """

    prior: PriorImports
    lang: str

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
            later = _last_of_contacts(sent.rows, sent.prints[:, 1], customers.contacts[places])
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


def _last_of_contacts(rows: np.ndarray, together: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """Return for each line of `contacts` the last of the rows (int64) that has some of them and no others; 0
    for none. `together` has one number for all contacts of each of the rows."""
    found = np.zeros(len(contacts), dtype=np.int64)
    some = together != 0
    order = np.lexsort((rows[some], together[some]))
    keys, rows = together[some][order], rows[some][order]
    if not keys.size:
        return found
    columns = range(contacts.shape[1])
    for chosen in (these for count in columns for these in combinations(columns, count + 1)):
        sums = contacts_together(np.ascontiguousarray(contacts[:, chosen]))
        places = np.maximum(np.searchsorted(keys, sums, side="right") - 1, 0)
        hit = (keys[places] == sums) & (sums != 0)
        found[hit] = np.maximum(found[hit], rows[places[hit]])
    return found
