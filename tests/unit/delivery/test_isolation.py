"""Guilty rows are found and named, the others get in, and it costs no more requests than it must."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable

import pytest

from importer.delivery import Delivery, Isolating, Policy
from importer.errors import RefusedError
from importer.models import Action, Outcome, Status, Verdict
from tests.support.delivery import MakeBatches, Rig, Rows

ONE = Policy(concurrency=1)
REFUSED = Verdict(
    Action.ISOLATE, maybe_processed=False, code="9000", message="birthday is wrong", trace_id="t-9000"
)
ODD = Verdict(
    Action.RETRY_THEN_ISOLATE, maybe_processed=False, code="9100", message="no idea", trace_id="t-9100"
)
BUSY = Verdict(Action.RETRY, maybe_processed=False, code="9001", message="system error")


def refusing(
    bad: Iterable[int], accepted: Verdict, refusal: Verdict = REFUSED
) -> Callable[[Rows, int], Verdict]:
    return lambda rows, number: refusal if set(rows) & set(bad) else accepted


@pytest.mark.parametrize("bad", [2, 3, 50, 51, 52, 77, 100, 101])
def test_one_bad_row_in_a_hundred_costs_at_most_fifteen_requests(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict, bad: int
) -> None:
    result = rig.deliver(make_batches(100), refusing([bad], accepted), ONE)
    assert result.having(Status.REJECTED) == [bad]
    assert result.counts()[Status.IMPORTED] == 99
    assert len(result.server.requests) <= 15
    assert max(result.server.accepted.values()) == 1
    outcome = result.rows[bad]
    assert (outcome.code, outcome.message, outcome.trace_id) == ("9000", "birthday is wrong", "t-9000")


@pytest.mark.parametrize(
    "bad", [[2, 101], [2, 3], [40, 41, 90], list(range(2, 102, 10)), list(range(2, 102))]
)
def test_several_bad_rows_cost_in_proportion(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict, bad: list[int]
) -> None:
    result = rig.deliver(make_batches(100), refusing(bad, accepted), ONE)
    assert result.having(Status.REJECTED) == bad
    assert len(result.server.requests) <= min(15 * len(bad), 199)


def test_parts_are_sent_in_file_order(rig: Rig, make_batches: MakeBatches, accepted: Verdict) -> None:
    result = rig.deliver(make_batches(100), refusing([20, 60], accepted), ONE)
    sent = [rows[0] for rows in result.server.requests if not set(rows) & {20, 60}]
    assert sent == sorted(sent)


def test_a_batch_of_one_row_is_rejected_without_another_request(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(make_batches(1), refusing([2], accepted), ONE)
    assert result.counts() == {Status.REJECTED: 1}
    assert len(result.server.requests) == 1


def test_attempts_count_every_request_that_carried_the_row(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(make_batches(4), refusing([2], accepted), ONE)
    assert result.rows[2].attempts == sum(1 for rows in result.server.requests if 2 in rows)


def test_a_part_that_is_never_accepted_fails_alone(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    def answer(rows: Rows, number: int) -> Verdict:
        if 2 in rows:
            return REFUSED
        return BUSY if rows == tuple(range(52, 102)) or 101 in rows else accepted

    result = rig.deliver(make_batches(100), answer, ONE)
    assert result.having(Status.REJECTED) == [2]
    assert set(result.counts()) == {Status.REJECTED, Status.FAILED, Status.IMPORTED}
    assert 101 in result.having(Status.FAILED)


def test_an_undocumented_code_is_retried_with_waits_before_it_is_isolated(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(make_batches(100), refusing([7], accepted, ODD), ONE)
    assert result.having(Status.REJECTED) == [7]
    assert [len(rows) for rows in result.server.requests[:9]] == [100] * 8 + [50]
    assert len(result.server.requests) <= 8 + 14
    assert len([wait for wait in rig.clock.slept if wait]) == 7


def test_an_undocumented_code_that_passes_is_no_refusal(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(make_batches(100), lambda rows, number: ODD if number < 4 else accepted, ONE)
    assert result.counts() == {Status.IMPORTED: 100}
    assert not result.told(Isolating)


def test_only_one_batch_at_a_time_is_isolated_for_an_undocumented_code(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    parts: dict[int, list[int]] = {}
    lock = threading.Lock()

    def answer(rows: Rows, number: int) -> Verdict:
        with lock:
            if len(rows) == 100:
                return ODD if set(rows) & {7, 107, 207, 307} else accepted
            parts.setdefault((rows[0] - 2) // 100, []).append(number)
        return ODD if set(rows) & {7, 107, 207, 307} else accepted

    result = rig.deliver(make_batches(600), answer, Policy(concurrency=4, attempts=2))
    assert result.having(Status.REJECTED) == [7, 107, 207, 307]
    spans = sorted((min(numbers), max(numbers)) for numbers in parts.values())
    assert all(before[1] < after[0] for before, after in itertools.pairwise(spans))


def test_every_row_refused_alike_stops_the_run(rig: Rig, make_batches: MakeBatches) -> None:
    result = rig.deliver(make_batches(20_000), lambda rows, number: REFUSED, Policy(concurrency=2))
    stopped = result.delivery.stopped
    assert isinstance(stopped, RefusedError)
    assert stopped.code == "refused-alike"
    assert len(result.server.requests) < 150
    assert len(result.rows) == 20_000
    assert len(result.having(Status.REJECTED)) >= 20


def test_rows_refused_alike_are_open_for_a_resumed_run(rig: Rig, make_batches: MakeBatches) -> None:
    import numpy as np

    result = rig.deliver(make_batches(1000), lambda rows, number: REFUSED, Policy(concurrency=2))
    assert not result.run.row_states().final("", np.arange(2, 1002)).any()


def test_an_undocumented_code_for_everything_stops_the_run_before_long(
    rig: Rig, make_batches: MakeBatches
) -> None:
    result = rig.deliver(make_batches(20_000), lambda rows, number: ODD, Policy(concurrency=4))
    assert result.delivery.stopped.code == "refused-alike"
    assert len(result.server.requests) < 150


def test_one_batch_refused_alike_is_rejected_and_the_run_goes_on(rig: Rig, make_batches: MakeBatches) -> None:
    result = rig.deliver(make_batches(100), lambda rows, number: REFUSED, Policy(concurrency=2))
    assert result.counts() == {Status.REJECTED: 100}
    assert result.delivery.stopped is None


def test_many_refused_rows_after_a_success_are_just_rejected(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(
        make_batches(1000), lambda rows, number: accepted if 2 in rows and len(rows) == 100 else REFUSED, ONE
    )
    assert result.counts() == {Status.IMPORTED: 100, Status.REJECTED: 900}
    assert result.delivery.stopped is None


def test_a_resumed_run_remembers_that_rows_got_in_before(rig: Rig, make_batches: MakeBatches) -> None:
    run = rig.start()
    run.settle([Outcome("", (9000,), Status.IMPORTED, 1)])
    server = rig.server(lambda rows, number: REFUSED)
    with Delivery(server, rig.envelope, run, Policy(concurrency=2, settle=0), clock=rig.clock) as delivery:
        for batch in make_batches(60, size=20):
            delivery.submit(batch)
        told = {row: outcome.status for outcome in delivery.finish() for row in outcome.rows}
    assert set(told.values()) == {Status.REJECTED}
    assert delivery.stopped is None


def test_a_row_refused_after_an_attempt_without_an_answer_is_unknown(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    """The attempt that nobody answered may have stored it, whatever was said of the next one."""
    lost = Verdict(Action.RETRY, maybe_processed=True, code="timeout", message="no answer")

    def answer(rows: Rows, number: int) -> Verdict:
        if not seen:
            seen.append(rows)
            return lost
        return REFUSED if 3 in rows else accepted

    seen: list[Rows] = []
    result = rig.deliver(make_batches(4), answer, ONE)
    assert result.having(Status.UNKNOWN) == [3]
    assert result.counts() == {Status.IMPORTED: 3, Status.UNKNOWN: 1}
    assert (result.rows[3].code, result.rows[3].message) == ("9000", "birthday is wrong")
