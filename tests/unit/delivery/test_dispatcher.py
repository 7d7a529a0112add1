"""Rows of one customer are never in two requests in flight, and arrive in file order."""

from __future__ import annotations

import threading

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer.delivery import Policy
from importer.delivery.order import BatchOrder, InFlightBatch
from importer.models import Action, Batch, Status, Verdict
from tests.support.delivery import MakeBatches, Result, Rig, Rows

BUSY = Verdict(Action.RETRY, maybe_processed=True, code="http-503", http_status=503)
REFUSED = Verdict(Action.ISOLATE, maybe_processed=False, code="9000")


def test_batches_without_common_contacts_go_out_at_once(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    barrier = threading.Barrier(4, timeout=60)

    def answer(rows: Rows, number: int) -> Verdict:
        barrier.wait()
        return accepted

    assert rig.deliver(make_batches(400), answer, Policy(concurrency=4)).counts() == {Status.IMPORTED: 400}


def test_a_file_in_which_every_row_has_the_same_phone_goes_out_batch_after_batch(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(
        make_batches(2000, contacts=lambda row: (7,)), lambda rows, number: accepted, Policy(concurrency=8)
    )
    assert [rows[0] for rows in result.server.requests] == list(range(2, 2002, 100))
    assert result.server.overlaps == 0


def test_a_contact_is_held_through_retries_and_isolation(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    def answer(rows: Rows, number: int) -> Verdict:
        if 50 in rows:
            return REFUSED
        return BUSY if number % 2 else accepted

    result = rig.deliver(make_batches(400, contacts=lambda row: (row % 10,)), answer, Policy(concurrency=4))
    assert result.server.overlaps == 0
    assert result.having(Status.REJECTED) == [50]
    for rows in result.server.order.values():
        assert rows == sorted(rows)


def test_rows_without_contacts_wait_for_nobody() -> None:
    order = BatchOrder()
    in_flight = [_in_flight() for _ in range(3)]
    for batch in in_flight:
        order.enter(batch)
    assert [batch.waiting for batch in in_flight] == [0, 0, 0]
    assert len(order) == 0


def test_a_batch_waits_for_the_latest_of_each_of_its_contacts() -> None:
    order = BatchOrder()
    first, second, both, later = _in_flight(1), _in_flight(2), _in_flight(1, 2), _in_flight(2)
    for batch in (first, second, both, later):
        order.enter(batch)
    assert [batch.waiting for batch in (first, second, both, later)] == [0, 0, 2, 1]
    assert order.leave(first) == []
    assert order.leave(second) == [both]
    assert order.leave(both) == [later]
    assert order.leave(later) == []
    assert len(order) == 0


def _in_flight(*contacts: int) -> InFlightBatch:
    return InFlightBatch(Batch(1, "", (2,), (b"{}",), (contacts,)), b"")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contacts=st.lists(st.lists(st.integers(1, 12), max_size=3).map(tuple), min_size=1, max_size=60),
    size=st.integers(1, 7),
    workers=st.integers(1, 4),
    answers=st.lists(
        st.sampled_from(["ok", "ok", "ok", "busy", "lost", "refused", "odd", "away"]), min_size=1, max_size=30
    ),
    bad=st.sets(st.integers(2, 61), max_size=5),
)
def test_whatever_the_server_does_every_row_has_one_status_and_no_order_is_broken(
    rig: Rig,
    make_batches: MakeBatches,
    accepted: Verdict,
    contacts: list[Rows],
    size: int,
    workers: int,
    answers: list[str],
    bad: set[int],
) -> None:
    verdicts = {
        "ok": accepted,
        "busy": Verdict(Action.RETRY, maybe_processed=False, code="9001"),
        "lost": Verdict(Action.RETRY, maybe_processed=True, code="connection-lost"),
        "refused": REFUSED,
        "odd": Verdict(Action.RETRY_THEN_ISOLATE, maybe_processed=False, code="9100"),
        "away": Verdict(Action.WAIT, maybe_processed=False, code="connection-refused"),
    }

    def answer(rows: Rows, number: int) -> Verdict:
        return REFUSED if bad & set(rows) else verdicts[answers[number % len(answers)]]

    given_batches = make_batches(len(contacts), size=size, contacts=lambda row: tuple(set(contacts[row - 2])))
    result = rig.deliver(given_batches, answer, Policy(concurrency=workers, attempts=3))
    assert sorted(result.rows) == list(range(2, len(contacts) + 2))
    assert result.server.overlaps == 0
    for rows in result.server.order.values():
        assert rows == sorted(rows)
    assert sorted(result.server.accepted) == result.having(Status.IMPORTED)
    assert set(result.server.accepted.values()) <= {1}
    _journal_agrees(result)


def _journal_agrees(result: Result) -> None:
    import numpy as np

    known = result.run.row_states()
    told = {
        row: outcome for outcome in known.outcomes("", np.array(sorted(result.rows))) for row in outcome.rows
    }
    for row, outcome in result.rows.items():
        if outcome.status is Status.NOT_SENT and row not in told:
            continue
        assert (told[row].status, told[row].code, told[row].batch) == (
            outcome.status,
            outcome.code,
            outcome.batch,
        )
