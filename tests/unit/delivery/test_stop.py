"""However a run stops, it stops quickly, sends nothing more, and says of every row what became of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest

from importer.delivery import Delivery, DeliveryEvent, Policy, Stopping
from importer.errors import FaultError, InterruptedRun, JournalError, RefusedError
from importer.journal import BatchState, BegunEntry, SettledEntry
from importer.models import Action, Status, Verdict
from tests.support.delivery import MakeBatches, Rig, Rows

WRONG_SECRET = Verdict(
    Action.STOP, maybe_processed=False, code="1003", message="invalid sign", http_status=200
)
LOST = Verdict(Action.RETRY, maybe_processed=True, code="read-timeout", message="no answer")
INTERRUPTED = InterruptedRun("interrupted")


@pytest.mark.parametrize("workers", [1, 4, 8])
def test_a_wrong_secret_costs_no_more_requests_than_workers(
    rig: Rig, make_batches: MakeBatches, workers: int
) -> None:
    result = rig.deliver(make_batches(10_000), lambda rows, number: WRONG_SECRET, Policy(concurrency=workers))
    assert len(result.server.requests) <= workers
    assert isinstance(result.delivery.stopped, RefusedError)
    assert result.delivery.stopped.code == "api-1003"
    assert "<" not in str(result.delivery.stopped)
    assert len(result.rows) == 10_000
    assert result.counts()[Status.NOT_SENT] >= 10_000 - 100 * workers
    assert {result.rows[row].code for row in result.having(Status.FAILED)} == {"1003"}


def test_rows_after_a_stop_are_not_journaled_and_cost_next_to_nothing(
    rig: Rig, make_batches: MakeBatches
) -> None:
    result = rig.deliver(make_batches(10_000), lambda rows, number: WRONG_SECRET, Policy(concurrency=2))
    known = result.run.row_states()
    assert len(known) <= 100 * (Policy(concurrency=2).window + 1)
    assert not known.final("", np.arange(2, 10_002)).any()


def test_what_is_in_flight_is_waited_for(rig: Rig, make_batches: MakeBatches, accepted: Verdict) -> None:
    arrived, go = threading.Semaphore(0), threading.Event()

    def answer(rows: Rows, number: int) -> Verdict:
        arrived.release()
        go.wait(60)
        return accepted

    with rig.delivering(answer, Policy(concurrency=2)) as (delivery, server, run, events):
        for batch in make_batches(800):
            delivery.submit(batch)
        arrived.acquire()
        arrived.acquire()
        delivery.stop(INTERRUPTED)
        while not any(isinstance(event, Stopping) for event in events):
            time.sleep(0.001)
        go.set()
        outcomes = list(delivery.finish())
    statuses = {row: outcome.status for outcome in outcomes for row in outcome.rows}
    assert len(statuses) == 800
    assert sum(status is Status.IMPORTED for status in statuses.values()) == 200
    assert sum(status is Status.NOT_SENT for status in statuses.values()) == 600
    assert delivery.stopped is INTERRUPTED
    assert len(server.requests) == 2
    known = run.row_states()
    assert known.has_status("", np.arange(2, 802), Status.IMPORTED).sum() == 200


@pytest.mark.parametrize("at_once", [True, False])
def test_who_does_not_answer_is_waited_for_only_so_long(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()
    arrived = threading.Event()

    def answer(rows: Rows, number: int) -> Verdict:
        arrived.set()
        never.wait(20)
        return accepted

    monkeypatch.setattr(rig.clock, "now", time.monotonic)
    with rig.delivering(answer, Policy(concurrency=1, drain=0.2)) as (delivery, _server, run, _events):
        for batch in make_batches(300):
            delivery.submit(batch)
        assert arrived.wait(60)
        delivery.stop(INTERRUPTED, at_once=at_once)
        outcomes = list(delivery.finish())
    never.set()
    statuses = {row: outcome.status for outcome in outcomes for row in outcome.rows}
    assert [row for row, status in statuses.items() if status is Status.UNKNOWN] == list(range(2, 102))
    assert sum(status is Status.NOT_SENT for status in statuses.values()) == 200
    known = run.row_states()
    assert known.unanswered("", np.arange(2, 302)).tolist() == [True] * 100 + [False] * 200


def test_a_batch_between_two_attempts_does_not_wait_for_the_next(
    rig: Rig, make_batches: MakeBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(rows: Rows, number: int) -> Verdict:
        delivery_box[0].stop(INTERRUPTED)
        return LOST

    delivery_box = []
    with rig.delivering(answer, Policy(concurrency=1)) as (delivery, server, run, _events):
        delivery_box.append(delivery)
        monkeypatch.setattr(rig.clock, "sleep", lambda seconds, until: until.wait(20))
        delivery.submit(make_batches(100)[0])
        outcomes = list(delivery.finish())
    assert [outcome.status for outcome in outcomes] == [Status.UNKNOWN]
    assert len(server.requests) == 1
    assert run.row_states().unanswered("", np.arange(2, 102)).all()


def test_a_stop_in_the_middle_of_isolation_leaves_the_rest_open(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    refused = Verdict(Action.ISOLATE, maybe_processed=False, code="9000", message="bad")

    def answer(rows: Rows, number: int) -> Verdict:
        if number == 5:
            delivery_box[0].stop(INTERRUPTED)
            while delivery_box[0].stopped is None:
                time.sleep(0.001)
        return refused if 2 in rows else accepted

    delivery_box = []
    with rig.delivering(answer, Policy(concurrency=1)) as (delivery, _server, run, _events):
        delivery_box.append(delivery)
        delivery.submit(make_batches(100)[0])
        outcomes = list(delivery.finish())
    statuses = {row: outcome.status for outcome in outcomes for row in outcome.rows}
    assert len(statuses) == 100
    assert set(statuses.values()) == {Status.FAILED}
    known = run.row_states()
    assert not known.final("", np.arange(2, 102)).any()
    assert not known.unanswered("", np.arange(2, 102)).any()


def test_submit_gives_way_when_the_run_stops_while_it_waits(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    go = threading.Event()

    def answer(rows: Rows, number: int) -> Verdict:
        go.wait(60)
        return accepted

    with rig.delivering(answer, Policy(concurrency=1)) as (delivery, _server, _run, _events):
        given = make_batches(10_000)
        timer = threading.Timer(0.1, lambda: delivery.stop(INTERRUPTED))
        timer.start()
        for batch in given:
            delivery.submit(batch)
        go.set()
        told = {row for outcome in delivery.finish() for row in outcome.rows}
        timer.join()
    assert len(told) == 10_000


def test_a_full_disk_stops_the_run_before_anything_more_is_sent(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = rig.start()
    written = run.write
    calls = []

    def write(begun: Sequence[BegunEntry], settled: Sequence[SettledEntry]) -> None:
        calls.append(1)
        if len(calls) > 3:
            raise JournalError("journal-full", path="journal.db")
        written(begun, settled)

    monkeypatch.setattr(run, "write", write)
    server = rig.server(lambda rows, number: accepted)
    with Delivery(server, rig.envelope, run, Policy(concurrency=1, settle=0), clock=rig.clock) as delivery:
        for batch in make_batches(10_000):
            delivery.submit(batch)
        told = {row: outcome.status for outcome in delivery.finish() for row in outcome.rows}
    monkeypatch.undo()
    assert delivery.stopped.code == "journal-full"
    assert len(told) == 10_000
    sent = {row for rows in server.requests for row in rows}
    assert {row for row, status in told.items() if status is Status.IMPORTED} == sent
    known = run.row_states()
    everything = np.arange(2, 10_002)
    begun = set(everything[known.state_indexes("", everything) >= 0].tolist())
    assert sent <= begun


def test_a_fault_of_our_own_is_raised_and_not_swallowed(rig: Rig, make_batches: MakeBatches) -> None:
    def answer(rows: Rows, number: int) -> Verdict:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rig.deliver(make_batches(300), answer)


def test_leaving_early_for_another_error_stops_the_workers(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    with pytest.raises(KeyError), rig.delivering(lambda rows, number: accepted) as (delivery, _s, _r, _e):  # noqa: PT012
        delivery.submit(make_batches(100)[0])
        raise KeyError
    assert isinstance(delivery.stopped, FaultError)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dispatcher")]


def test_the_first_reason_counts(rig: Rig, make_batches: MakeBatches, accepted: Verdict) -> None:
    with rig.delivering(lambda rows, number: accepted) as (delivery, _server, _run, _events):
        delivery.stop(INTERRUPTED)
        delivery.stop(RefusedError("clock-refused", message=""))
        list(delivery.finish())
    assert delivery.stopped is INTERRUPTED


def test_requests_end_in_the_journal_with_what_the_server_said(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    said = Verdict(
        Action.ISOLATE, maybe_processed=False, code="9000", message="bad", trace_id="t", data='{"row": 1}'
    )
    result = rig.deliver(
        make_batches(2), lambda rows, number: said if 2 in rows else accepted, Policy(concurrency=1)
    )
    requests = result.run.requests()
    assert [(r.rows, r.part, r.state) for r in requests] == [
        ((2, 3), 0, BatchState.REFUSED),
        ((2,), 1, BatchState.REFUSED),
        ((3,), 2, BatchState.ACCEPTED),
    ]
    assert requests[0].data == '{"row": 1}'


def test_a_delivery_of_nothing_ends_at_once(rig: Rig, accepted: Verdict) -> None:
    result = rig.deliver([], lambda rows, number: accepted)
    assert result.outcomes == []
    assert result.delivery.requests == 0
    assert result.delivery.stopped is None


def test_outcomes_can_be_asked_for_after_the_end(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(make_batches(300), lambda rows, number: accepted)
    assert result.delivery.outcomes() == []
    assert list(result.delivery.finish()) == []


def test_a_listener_that_fails_ends_the_run_with_its_own_error(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    def notify(event: DeliveryEvent) -> None:
        raise LookupError

    run, server = rig.start(), rig.server(lambda rows, number: accepted)
    delivery = Delivery(
        server, rig.envelope, run, Policy(concurrency=2, settle=0), notify=notify, clock=rig.clock
    )
    delivery.submit(make_batches(100)[0])
    with pytest.raises(LookupError):
        list(delivery.finish())
