"""What is sent again, how often, and what its rows are called if it never gets better."""

from __future__ import annotations

import numpy as np
import pytest

from importer.delivery import ClockCorrected, Policy, Retrying
from importer.delivery.retry import AttemptState, RunHealth, decide
from importer.errors import RefusedError, UnreachableError
from importer.models import Action, Status, Verdict
from tests.support.delivery import FakeClock, MakeBatches, Result, Rig

BUSY = Verdict(Action.RETRY, maybe_processed=False, code="9001", message="system error", trace_id="t-9")
LOST = Verdict(Action.RETRY, maybe_processed=True, code="connection-lost", message="connection lost")
AWAY = Verdict(Action.WAIT, maybe_processed=False, code="connection-refused", message="connection refused")
EXPIRED = Verdict(Action.CORRECT_CLOCK, maybe_processed=False, code="1004", server_time_ms=5_000)
LIMITED = Verdict(Action.WAIT, maybe_processed=False, code="http-429", http_status=429)
ONE = Policy(concurrency=1)


def test_a_batch_that_gets_in_at_the_third_attempt_is_imported_with_three_attempts(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(make_batches(100), lambda rows, number: LOST if number < 3 else accepted, ONE)
    assert result.counts() == {Status.IMPORTED: 100}
    assert result.rows[2].attempts == 3
    assert result.rows[2].code == ""
    assert [event.attempt for event in result.told(Retrying)] == [1, 2]


def test_waits_grow_and_stay_below_the_longest(rig: Rig, make_batches: MakeBatches) -> None:
    rig.deliver(make_batches(1), lambda rows, number: BUSY, ONE)
    assert len(rig.clock.slept) == 7
    for place, wait in enumerate(rig.clock.slept):
        longest = min(30.0, 2.0**place)
        assert longest / 2 <= wait <= longest


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [([BUSY], Status.FAILED), ([LOST], Status.UNKNOWN), ([LOST, BUSY], Status.UNKNOWN)],
    ids=["answered with an error each time", "never answered", "once not answered"],
)
def test_used_up_attempts_end_in_failed_or_unknown(
    rig: Rig, make_batches: MakeBatches, verdicts: list[Verdict], status: Status
) -> None:
    result = rig.deliver(
        make_batches(3),
        lambda rows, number: verdicts[min(number, len(verdicts)) - 1],
        Policy(concurrency=1, attempts=4),
    )
    assert result.counts() == {status: 3}
    assert result.rows[2].attempts == 4
    assert result.rows[2].code == verdicts[-1].code
    assert result.run.row_states().states[0].final


def test_failed_batches_do_not_keep_others_from_getting_in(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(make_batches(500), lambda rows, number: BUSY if 2 in rows else accepted)
    assert result.having(Status.FAILED) == list(range(2, 102))
    assert result.counts()[Status.IMPORTED] == 400


def test_an_absent_server_is_waited_for_and_does_not_use_up_attempts(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(make_batches(100), lambda rows, number: AWAY if number < 15 else accepted, ONE)
    assert result.counts() == {Status.IMPORTED: 100}
    assert len(result.server.requests) == 15


def test_a_server_that_stays_away_stops_the_run_when_the_patience_ends(
    rig: Rig, make_batches: MakeBatches
) -> None:
    result = rig.deliver(make_batches(1000), lambda rows, number: AWAY, Policy(concurrency=2, patience=300))
    assert isinstance(result.delivery.stopped, UnreachableError)
    assert result.delivery.stopped.code == "server-away"
    assert "300" in result.delivery.stopped.sentence()
    assert len(result.rows) == 1000
    assert set(result.counts()) == {Status.FAILED, Status.NOT_SENT}
    assert not result.run.row_states().final("", _rows(result)).any()


def test_the_patience_begins_anew_with_every_answer(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    away_nine_in_ten = rig.deliver(
        make_batches(1000),
        lambda rows, number: accepted if number % 10 == 0 else AWAY,
        Policy(concurrency=1, patience=200),
    )
    assert away_nine_in_ten.counts() == {Status.IMPORTED: 1000}
    assert rig.clock.time - 1000 > 400


def test_retry_after_is_obeyed_to_the_second_by_all_workers(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    asked = Verdict(Action.WAIT, maybe_processed=False, code="http-429", http_status=429, retry_after=17.0)
    result = rig.deliver(make_batches(300), lambda rows, number: asked if number == 1 else accepted, ONE)
    assert result.counts() == {Status.IMPORTED: 300}
    assert result.server.times[1] - result.server.times[0] >= 17.0


def test_a_server_that_asks_for_more_patience_than_there_is_stops_the_run_at_once(
    rig: Rig, make_batches: MakeBatches
) -> None:
    asked = Verdict(Action.WAIT, maybe_processed=False, code="http-429", http_status=429, retry_after=3600.0)
    result = rig.deliver(make_batches(300), lambda rows, number: asked, ONE)
    assert result.delivery.stopped.code == "server-asks-to-wait"
    assert len(result.server.requests) == 1
    assert not rig.clock.slept


def test_endless_429_ends_with_the_patience(rig: Rig, make_batches: MakeBatches) -> None:
    result = rig.deliver(make_batches(100), lambda rows, number: LIMITED, ONE)
    assert isinstance(result.delivery.stopped, UnreachableError)


def test_a_wrong_clock_is_corrected_once_and_the_batch_sent_again_without_a_wait(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(make_batches(100), lambda rows, number: EXPIRED if number == 1 else accepted, ONE)
    assert result.counts() == {Status.IMPORTED: 100}
    assert result.server.offset == 5_000
    assert result.told(ClockCorrected) == [ClockCorrected(5_000)]
    assert not any(rig.clock.slept)


def test_a_clock_that_stays_wrong_after_the_correction_stops_the_run(
    rig: Rig, make_batches: MakeBatches
) -> None:
    result = rig.deliver(make_batches(200), lambda rows, number: EXPIRED, ONE)
    assert isinstance(result.delivery.stopped, RefusedError)
    assert result.delivery.stopped.code == "clock-refused"
    assert len(result.told(ClockCorrected)) == 1


def test_a_clock_fault_without_a_date_cannot_be_corrected(rig: Rig, make_batches: MakeBatches) -> None:
    no_date = Verdict(Action.CORRECT_CLOCK, maybe_processed=False, code="1004")
    result = rig.deliver(make_batches(2), lambda rows, number: no_date, ONE)
    assert result.delivery.stopped.code == "clock-refused"
    assert not result.told(ClockCorrected)


def test_fruitless_retries_of_a_run_are_bounded(rig: Rig, make_batches: MakeBatches) -> None:
    result = rig.deliver(
        make_batches(3000, size=10), lambda rows, number: BUSY, Policy(concurrency=1, retries=50)
    )
    assert result.delivery.stopped.code == "retries-used-up"
    assert len(result.server.requests) <= 52


def test_retries_that_led_to_success_do_not_count(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(
        make_batches(1000, size=10),
        lambda rows, number: accepted if number % 3 == 0 else BUSY,
        Policy(concurrency=1, retries=5),
    )
    assert result.counts() == {Status.IMPORTED: 1000}


def _rows(result: Result) -> np.ndarray:
    return np.array(sorted(result.rows))


def test_what_is_left_of_the_patience_by_rounding_alone_is_nothing() -> None:
    """A clock that stands at 1307.6 s does not move by 1e-13 s: the attempts would never end."""
    clock = FakeClock()
    health = RunHealth(Policy(patience=300.0), clock)
    away = Verdict(Action.WAIT, maybe_processed=False, code="connection-refused")
    health.learn(away)
    clock.time += 300.0 - 2e-13
    state = AttemptState(1)
    state.learn(away)
    assert health.patience_left() > 0
    decision = decide(away, state, Policy(), health, resendable=True, stopping=False)
    assert decision.wait is None
    assert decision.stop is not None
