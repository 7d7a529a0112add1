"""Rows of one customer leave one after the other, and not before a late request can no longer come."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.delivery.order import BatchOrder, InFlightBatch
from importer.journal import LateRequest
from importer.models import Batch

Contacts = tuple[int, ...]


def batch(ordinal: int, first: int, contacts: list[Contacts]) -> Batch:
    rows = tuple(range(first, first + len(contacts)))
    return Batch(ordinal, "", rows, (b"{}",) * len(rows), tuple(contacts))


def in_flight(given_batch: Batch) -> InFlightBatch:
    return InFlightBatch(given_batch, b"")


class Yard:
    """An order with a clock. What leaves is checked as it leaves."""

    def __init__(self) -> None:
        self.order = BatchOrder(in_flight)
        self.now = 0.0
        self.out: list[InFlightBatch] = []
        """Batches that have left and are not final."""
        self.left: list[int] = []
        """Rows, as they left."""
        self._rows = 0
        self._batches = 0
        self._lates: list[tuple[frozenset[int], float, frozenset[int]]] = []
        """Late requests: their contacts, until when they may come, and rows that may go out before."""
        self._latest: dict[int, int] = {}
        """The last row of each contact that has left."""

    def hold(self, contacts: Contacts, seconds: float, rows: frozenset[int]) -> None:
        members = frozenset(("", row) for row in rows)
        self.order.hold(LateRequest("run", frozenset(contacts), seconds, members), self.now)
        self._lates.append((frozenset(contacts), self.now + seconds, rows))

    def enter(self, contacts: list[Contacts]) -> None:
        self._batches += 1
        parts = self.order.enter(in_flight(batch(self._batches, self._rows, contacts)))
        self._rows += len(contacts)
        self._leave(part for part in parts if part.leaving)

    def end(self, at: int, late: float | None) -> None:
        """The batch becomes final; `late`: for so many seconds a request of it may still be carried out."""
        ended = self.out.pop(at % len(self.out))
        until = None if late is None else self.now + late
        if until is not None:
            self._lates.append((frozenset(ended.contacts), until, frozenset()))
        self._leave(self.order.leave(ended, until))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._leave(self.order.expire(self.now))

    def _leave(self, freed: Iterable[InFlightBatch]) -> None:
        for one in freed:
            held = {contact for other in self.out for contact in other.contacts}
            assert held.isdisjoint(one.contacts), "two requests in flight with one customer"
            self.out.append(one)
            for row, contacts in zip(one.batch.rows, one.batch.contacts, strict=True):
                for late, until, rows in self._lates:
                    assert late.isdisjoint(contacts) or until <= self.now or row in rows
                for contact in contacts:
                    assert self._latest.get(contact, -1) < row
                    self._latest[contact] = row
                self.left.append(row)

    def finish(self) -> None:
        """Nothing more comes, and every request is answered: in the end all rows have left, once."""
        for _ in range(3 * self._rows + 3):
            while self.out:
                self.end(0, None)
            expiry = self.order.next_expiry
            if expiry is None:
                break
            self.wait(expiry - self.now)
        assert sorted(self.left) == list(range(self._rows))
        assert self.order.batches == ()
        assert len(self.order) == 0


people = st.lists(st.integers(0, 6), max_size=2, unique=True).map(tuple)
seconds = st.integers(1, 5).map(float)
steps = st.one_of(
    st.tuples(st.just("enter"), st.lists(people, min_size=1, max_size=6)),
    st.tuples(st.just("end"), st.integers(0, 9), st.none() | seconds),
    st.tuples(st.just("wait"), seconds),
)
held = st.tuples(
    st.lists(st.integers(0, 6), min_size=1, max_size=2, unique=True).map(tuple),
    seconds,
    st.frozensets(st.integers(0, 9), max_size=4),
)


@given(st.lists(held, max_size=3), st.lists(steps, max_size=25))
def test_no_row_overtakes_another_or_a_late_request(
    before: list[tuple[Contacts, float, frozenset[int]]], play: list[tuple[object, ...]]
) -> None:
    yard = Yard()
    for one in before:
        yard.hold(*one)
    for name, *more in play:
        if name != "end" or yard.out:
            getattr(yard, str(name))(*more)
    yard.finish()


def test_rows_without_a_tie_leave_their_batch_and_go_on() -> None:
    yard = Yard()
    yard.hold((1,), 5.0, frozenset())
    yard.enter([(1,), (2,), (3, 1), (3,), (4,)])
    assert yard.left == [1, 4]
    assert yard.order.held_up == (1, 3)
    yard.wait(4.9)
    assert yard.left == [1, 4]
    yard.wait(0.2)
    assert yard.left == [1, 4, 0, 2, 3]


@pytest.mark.parametrize(("rows", "left"), [(frozenset[int](), []), (frozenset({0}), [0])])
def test_a_row_may_be_repeated_while_its_own_request_may_still_come(
    rows: frozenset[int], left: list[int]
) -> None:
    yard = Yard()
    yard.hold((1,), 5.0, rows)
    yard.enter([(1,)])
    assert yard.left == left
