"""Send changed rows only: leave out a row whose customer holds just what it says, as the last word.

Rows of one customer are one after the other: once one of them goes, so do those behind it, since what the
customer holds then is not what it was compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from importer.batching import Customers
from importer.fingerprints import FingerprintSet
from importer.journal import LaneContents
from importer.messages import sentence
from importer.models import Note, Outcome, Status
from importer.options import RunOptions

if TYPE_CHECKING:
    from importer.journal import Journal
    from importer.pipeline.plan import RunPlan

UNCHANGED = "unchanged"
"""The code of a row that is left out."""


@dataclass(slots=True)
class ChangedRows:
    """Tells the rows of one run that have changed from those that have not."""

    load: Callable[[], LaneContents]
    lang: str
    wait_for_turn: Callable[[], None] = field(default=lambda: None)
    """What the lane's customers hold is known when it is our turn to send."""
    new: int = 0
    """Rows of customers that the journal has never seen there."""
    changed: int = 0
    unchanged: int = 0
    _held: LaneContents | None = None
    _gone: FingerprintSet = field(default_factory=FingerprintSet)
    """Customers of which a row goes in this run."""

    def leave_out(self, customers: Customers) -> tuple[list[Outcome], Customers]:
        """Return the outcomes of rows that have not changed, and the customers to be sent."""
        if not len(customers) or customers.contents is None:
            return [], customers
        if self._held is None:
            self.wait_for_turn()
            self._held = self.load()
        found = self._held.look_up(customers.contacts, customers.contents)
        goes = ~found.same
        if found.customers.size:
            goes |= self._gone.contains(found.customers.ravel()).reshape(found.customers.shape).any(axis=1)
            _spread(goes, found.customers)
            self._gone.add(found.customers[goes].ravel())
        new = int((goes & ~found.known).sum())
        self.new += new
        self.changed += int(goes.sum()) - new
        self.unchanged += int((~goes).sum())
        if goes.all():
            return [], customers
        rows = tuple(customers.rows[~goes].tolist())
        why = sentence(UNCHANGED, {}, self.lang)
        outcome = Outcome(customers.sheet, rows, Status.SKIPPED, code=UNCHANGED, message=why)
        return [outcome], customers.where(goes)

    def note(self) -> Note:
        """Return how many rows are new, changed and unchanged."""
        return Note(
            "changed-rows",
            (("new", self.new), ("changed", self.changed), ("unchanged", self.unchanged)),
        )


def changed_rows(plan: RunPlan, journal: Journal) -> ChangedRows | None:
    """Return what leaves out unchanged rows. None: all are sent, or nobody knows what they are compared with:
    where they would go, or what a journal has lost of it."""
    there = plan.destination
    if not plan.options.changed_only or plan.options.full or there is None or journal.losses:
        return None
    return ChangedRows(lambda: journal.contents.of(there.lane), plan.options.lang)


def change_notes(changes: ChangedRows | None, options: RunOptions, *, lost: bool) -> tuple[Note, ...]:
    """Return what became of a wish for changed rows only; nothing without one. `lost`: the journal has losses
    that nobody has acknowledged."""
    if not options.changed_only:
        return ()
    if changes is not None:
        return (changes.note(),)
    if options.full:
        return (Note("changed-rows-full"),)
    return (Note("changed-rows-lost" if lost else "changed-rows-nowhere"),)


def _spread(goes: np.ndarray, customers: np.ndarray) -> None:
    """Let go whatever stands behind a row of the same customer that goes, row after row, in place."""
    flat = customers.ravel()
    shared = pd.Series(flat).duplicated(keep=False).to_numpy() & (flat != 0)
    rows = np.flatnonzero(shared.reshape(customers.shape).any(axis=1))
    if not rows.size or goes[rows].all() or not goes[rows].any():
        return
    gone: set[int] = set()
    for row, keys in zip(rows.tolist(), customers[rows].tolist(), strict=True):
        own = {key for key in keys if key}
        goes[row] |= not gone.isdisjoint(own)
        if goes[row]:
            gone |= own
