"""The order of batches: rows that share a contact never overtake each other.

A batch waits for the latest unfinished earlier batch that has any of its contacts, and for requests without
an answer that may still be carried out. Only unfinished batches are remembered, so memory is bounded by the
window, not by the file. Rows that have to wait for such a request, or for rows that do, leave their batch and
the window, so that the others need not wait with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from importer.batching import distinct_contacts, rows_where
from importer.delivery.retry import AttemptState
from importer.journal import LateRequest
from importer.models import Batch


class InFlightBatch:
    """A batch between its submission and its end.

    `state` and `silent_at` belong to the worker that has the batch, everything else to the dispatcher.
    """

    __slots__ = (
        "abandoned",
        "batch",
        "body",
        "contacts",
        "digest",
        "followers",
        "held_up",
        "journaled",
        "leaving",
        "non_idempotent",
        "settled_rows",
        "silent_at",
        "state",
        "takes_room",
        "waiting",
    )

    def __init__(self, batch: Batch, body: bytes, *, non_idempotent: bool = False) -> None:
        self.batch = batch
        self.body = body
        self.digest = hashlib.sha256(body).digest()
        self.non_idempotent = non_idempotent
        """Some row must not go twice. Such a batch is journaled when it leaves, not ahead, so that after a
        crash its rows count as sent only if they were."""
        self.state = AttemptState(batch.ordinal)
        self.silent_at: float | None = None
        """When the last attempt ended, of the batch or a part of it, that nobody answered."""
        self.journaled = False
        """The journal has it, so it may leave."""
        self.leaving = False
        """It waits for nothing, so a worker has it or will."""
        self.abandoned = False
        """Settled without its worker. What the worker still says of it does not count."""
        self.settled_rows: list[tuple[int, ...]] = []
        """The rows that are settled already."""
        self.contacts = distinct_contacts(batch.contacts)
        self.followers: list[InFlightBatch] = []
        """Later batches that wait for this one."""
        self.waiting = 0
        """How many earlier batches and late requests it still waits for."""
        self.held_up = False
        """It waits for a late request, or for a batch that does."""
        self.takes_room = True
        """False for what is held up, which stands beside the window."""

    def rows_left(self) -> tuple[int, ...]:
        """Return the rows that are not settled yet."""
        settled = {row for rows in self.settled_rows for row in rows}
        return tuple(row for row in self.batch.rows if row not in settled)


_MOST_BESIDE = 400
"""Batches and parts of batches that wait beside the window, at most: a bound for their memory."""


class _Late:
    """A request that may still be carried out, until a time of the delivery's clock."""

    __slots__ = ("contacts", "followers", "members", "until")

    def __init__(
        self, contacts: Iterable[int], until: float, members: frozenset[tuple[str, int]] = frozenset()
    ) -> None:
        self.contacts = contacts
        self.until = until
        self.members = members
        self.followers: list[InFlightBatch] = []

    def holds(self, sheet: str, row: int) -> bool:
        """Whether it holds up a row that shares a contact: not if the row itself went out with it."""
        return (sheet, row) not in self.members

    def covers(self, other: _Late) -> bool:
        """Whether it holds up whatever the other one does, and at least as long."""
        return other.until <= self.until and self.members <= other.members


class BatchOrder:
    """The order of the unfinished batches, by their contacts. Not for several threads at once."""

    def __init__(
        self,
        make: Callable[[Batch], InFlightBatch] | None = None,
        free_room: Callable[[], None] = lambda: None,
    ) -> None:
        """`make` builds the parts of a batch that is split; without it none is. `free_room` is called when a
        batch leaves the window to wait beside it."""
        self._make = make
        self._free_room = free_room
        self._taken: set[int] = set()
        """The contacts of all batches that are not final."""
        self._late: dict[int, tuple[_Late, ...]] = {}
        """For each contact its late requests, without those that another one covers."""
        self._lates: list[_Late] = []
        self._batches: dict[InFlightBatch, None] = {}
        self._beside = 0
        """Batches that take no room in the window."""

    def __len__(self) -> int:
        """Return how many contacts are held."""
        return len(self._taken)

    @property
    def batches(self) -> tuple[InFlightBatch, ...]:
        """The batches that are not final, in the order they entered."""
        return tuple(self._batches)

    @property
    def next_expiry(self) -> float | None:
        """When the next late request that somebody waits for is waited for no longer; None: nobody waits."""
        return min((late.until for late in self._lates if late.followers), default=None)

    @property
    def held_up(self) -> tuple[int, int]:
        """Return how many late requests are waited for, and by how many rows."""
        waited_for = [late for late in self._lates if late.followers]
        batches = {follower for late in waited_for for follower in late.followers}
        return len(waited_for), sum(len(batch.batch) for batch in batches)

    def hold(self, request: LateRequest, now: float) -> None:
        """Let later rows of its customers wait for a request of the lane that may still be carried out."""
        self._hold(_Late(request.contacts, now + request.seconds, request.rows))

    def enter(self, batch: InFlightBatch) -> list[InFlightBatch]:
        """Make the batch the latest of all its contacts; it waits for those that were.

        Return it, or the parts that it was split into: first the rows that no late request holds up.
        """
        parts = self._split(batch)
        for part in parts:
            self._enter(part)
        return parts

    def leave(self, batch: InFlightBatch, late_until: float | None = None) -> list[InFlightBatch]:
        """Take out a final batch. Return those that wait for nothing more, in the order they entered.

        `late_until`: a request of it may still be carried out until then, so later rows go on waiting.
        """
        self._batches.pop(batch, None)
        self._beside -= not batch.takes_room
        if not batch.leaving:
            for late in self._lates:
                late.followers = [follower for follower in late.followers if follower is not batch]
        self._taken -= batch.contacts
        # Who shares a contact waits for the batch. One that ends before it has left may have shared more.
        for other in batch.followers if batch.leaving else self._batches:
            self._taken |= other.contacts
        if late_until is not None:
            self._hold(_Late(batch.contacts, late_until))
            return self._anew()
        return self._released(batch.followers)

    def expire(self, now: float) -> list[InFlightBatch]:
        """Forget late requests whose time is over. Return the batches that wait for nothing more."""
        freed: list[InFlightBatch] = []
        over = [late for late in self._lates if late.until <= now]
        for late in over:
            self._lates.remove(late)
            for contact in late.contacts:
                left = tuple(one for one in self._late.get(contact, ()) if one is not late)
                if left:
                    self._late[contact] = left
                else:
                    self._late.pop(contact, None)
            freed += self._released(late.followers)
        return freed

    def _hold(self, late: _Late) -> None:
        self._lates.append(late)
        alone = (late,)
        for contact in late.contacts:
            others = self._late.get(contact, ())
            if not any(other.covers(late) for other in others):
                rest = tuple(other for other in others if not late.covers(other))
                self._late[contact] = rest + alone if rest else alone

    def _enter(self, batch: InFlightBatch) -> None:
        earlier: set[InFlightBatch | _Late] = set(self._latest(batch.contacts))
        if self._late:
            earlier |= self._holding(batch.batch)
        for before in earlier:
            before.followers.append(batch)
        batch.waiting = len(earlier)
        batch.leaving = not earlier
        batch.held_up = any(isinstance(before, _Late) or before.held_up for before in earlier)
        if batch.held_up and batch.takes_room and self._beside < _MOST_BESIDE:
            batch.takes_room = False
            self._beside += 1
            self._free_room()
        self._taken |= batch.contacts
        self._batches[batch] = None

    def _latest(self, contacts: set[int]) -> list[InFlightBatch]:
        """The batches that are the latest of any of these contacts; nearly always none."""
        left = self._taken & contacts
        found = []
        for batch in reversed(self._batches) if left else ():
            if not left.isdisjoint(batch.contacts):
                found.append(batch)
                left -= batch.contacts
        return found

    def _released(self, followers: list[InFlightBatch]) -> list[InFlightBatch]:
        freed = []
        for follower in followers:
            follower.waiting -= 1
            if follower.waiting == 0:
                follower.leaving = True
                follower.held_up = False
                freed.append(follower)
        return freed

    def _anew(self) -> list[InFlightBatch]:
        """Find out again what every batch that has not left waits for, and split those that a late request
        holds up in part. Return the batches that may leave now."""
        batches = list(self._batches)
        self._taken.clear()
        self._batches.clear()
        for late in self._lates:
            late.followers.clear()
        freed = []
        for batch in batches:
            batch.followers.clear()
            if batch.leaving:
                self._taken |= batch.contacts
                self._batches[batch] = None
            else:
                freed += [part for part in self.enter(batch) if part.leaving]
        return freed

    def _holding(self, batch: Batch) -> set[_Late]:
        """The late requests that hold up any row of a batch."""
        found: set[_Late] = set()
        for row, contacts in zip(batch.rows, batch.contacts, strict=True):
            for contact in contacts:
                found.update(late for late in self._late.get(contact, ()) if late.holds(batch.sheet, row))
        return found

    def _split(self, whole: InFlightBatch) -> list[InFlightBatch]:
        """The rows that a late request holds up, and later ones of their customers, become a part."""
        if self._make is None or not self._lates or self._beside >= _MOST_BESIDE:
            return [whole]
        batch = whole.batch
        spread: set[int] = set()
        held: list[bool] = []
        for row, contacts in zip(batch.rows, batch.contacts, strict=True):
            held.append(
                not spread.isdisjoint(contacts)
                or any(self._holds_up(batch.sheet, row, contact) for contact in contacts)
            )
            if held[-1]:
                spread.update(contacts)
        if all(held) or not any(held):
            return [whole]
        parts = [
            self._make(rows_where(batch, [not one for one in held])),
            self._make(rows_where(batch, held)),
        ]
        # The first part keeps the room; the other is held up, so it needs none.
        parts[0].takes_room = whole.takes_room
        parts[1].takes_room = False
        self._beside += 1
        return parts

    def _holds_up(self, sheet: str, row: int, contact: int) -> bool:
        """Whether a late request, or a batch that one holds up, holds up a row with this contact."""
        if any(batch.held_up for batch in self._latest({contact})):
            return True
        return any(late.holds(sheet, row) for late in self._late.get(contact, ()))
