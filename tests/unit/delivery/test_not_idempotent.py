"""Rows with neither phone nor e-mail: the CRM would not know them again, so they must not go twice."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from importer.delivery import Policy
from importer.models import Action, Batch, Status, Verdict
from tests.support.delivery import MakeBatches, Rig, Rows

ONE = Policy(concurrency=1)
LOST = Verdict(Action.RETRY, maybe_processed=True, code="connection-lost", message="connection lost")
BUSY = Verdict(Action.RETRY, maybe_processed=False, code="9001", message="system error")
REFUSED = Verdict(Action.ISOLATE, maybe_processed=False, code="9000", message="bad")
BARE = [3, 50, 101]


@pytest.fixture
def batches(make_batches: MakeBatches) -> list[Batch]:
    return make_batches(100, contacts=lambda row: () if row in BARE else (row,))


def test_an_attempt_that_may_have_been_processed_leaves_them_unknown_and_repeats_the_others(
    rig: Rig, batches: list[Batch], accepted: Verdict
) -> None:
    result = rig.deliver(batches, lambda rows, number: LOST if number == 1 else accepted, ONE)
    assert result.having(Status.UNKNOWN) == BARE
    assert result.counts()[Status.IMPORTED] == 97
    assert [len(rows) for rows in result.server.requests] == [100, 97]
    assert result.rows[3].code == "connection-lost"
    assert result.rows[3].attempts == 1
    assert result.rows[4].attempts == 2


def test_a_resumed_run_knows_that_nobody_knows(rig: Rig, batches: list[Batch], accepted: Verdict) -> None:
    result = rig.deliver(batches, lambda rows, number: LOST if number == 1 else accepted, ONE)
    known = result.run.row_states()
    rows = np.arange(2, 102)
    assert rows[known.unanswered("", rows)].tolist() == BARE
    assert known.has_status("", rows, Status.IMPORTED).sum() == 97


def test_an_attempt_that_was_answered_with_an_error_is_repeated_whole(
    rig: Rig, batches: list[Batch], accepted: Verdict
) -> None:
    result = rig.deliver(batches, lambda rows, number: BUSY if number == 1 else accepted, ONE)
    assert result.counts() == {Status.IMPORTED: 100}
    assert [len(rows) for rows in result.server.requests] == [100, 100]


def test_a_batch_of_nothing_else_is_sent_once(rig: Rig, make_batches: MakeBatches, accepted: Verdict) -> None:
    result = rig.deliver(make_batches(100, contacts=lambda row: ()), lambda rows, number: LOST, ONE)
    assert result.counts() == {Status.UNKNOWN: 100}
    assert len(result.server.requests) == 1
    assert result.delivery.stopped is None


def test_whoever_wants_it_has_them_sent_again(rig: Rig, batches: list[Batch], accepted: Verdict) -> None:
    policy = Policy(concurrency=1, resend_unknown=True)
    result = rig.deliver(batches, lambda rows, number: LOST if number < 3 else accepted, policy)
    assert result.counts() == {Status.IMPORTED: 100}
    assert [len(rows) for rows in result.server.requests] == [100] * 3


def test_parts_of_a_refused_batch_keep_the_rule(rig: Rig, batches: list[Batch], accepted: Verdict) -> None:
    seen = []

    def answer(rows: Rows, number: int) -> Verdict:
        if 80 in rows:
            return REFUSED
        if 3 in rows and len(rows) > 1:
            seen.append(rows)
            return LOST
        return accepted

    result = rig.deliver(batches, answer, ONE)
    assert len(seen) == 1
    assert {3, 50} <= set(result.having(Status.UNKNOWN))
    assert result.having(Status.REJECTED) == [80]
    assert len(result.rows) == 100
    for row in BARE:
        assert sum(1 for rows in result.server.requests[1:] if row in rows and 80 not in rows) <= 1


def test_an_accepted_half_without_its_bare_rows_does_not_prove_the_other_half_guilty(
    rig: Rig, batches: list[Batch], accepted: Verdict
) -> None:
    """The guilty row may be one that was left behind."""
    first_half: list[Rows] = []

    def answer(rows: Rows, number: int) -> Verdict:
        if len(rows) == 100:
            return REFUSED
        if 2 in rows and not first_half:
            first_half.append(rows)
            return LOST
        return accepted

    result = rig.deliver(batches, answer, ONE)
    assert [len(rows) for rows in result.server.requests] == [100, 50, 48, 50]
    assert result.counts() == {Status.IMPORTED: 98, Status.UNKNOWN: 2}


def test_only_those_that_have_left_count_as_sent(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    """What a crash leaves in the journal while two requests are in flight."""
    arrived, go = threading.Semaphore(0), threading.Event()

    def answer(rows: Rows, number: int) -> Verdict:
        arrived.release()
        go.wait(60)
        return accepted

    with rig.delivering(answer, Policy(concurrency=2)) as (delivery, _server, run, _events):
        for batch in make_batches(2000, contacts=lambda row: ()):
            delivery.submit(batch)
        arrived.acquire()
        arrived.acquire()
        left = run.row_states().unanswered("", np.arange(2, 2002)).sum()
        go.set()
        assert left == 200
        assert len({row for outcome in delivery.finish() for row in outcome.rows}) == 2000


def test_batches_that_wait_for_others_leave_too(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    given = make_batches(1000, contacts=lambda row: () if row % 10 else (1,))
    result = rig.deliver(given, lambda rows, number: accepted, Policy(concurrency=3))
    assert result.counts() == {Status.IMPORTED: 1000}
    assert result.server.overlaps == 0
    assert len(result.run.requests()) == 10
