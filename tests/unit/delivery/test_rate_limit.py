"""The rate over all workers, slowing down, and speeding up again."""

from __future__ import annotations

import threading

import pytest

from importer.api.answers import Answer, judge
from importer.delivery import Isolating, Paused, Policy, SlowedDown
from importer.delivery.rate_limit import RateLimiter
from importer.errors import UnreachableError
from importer.models import Action, Status, Verdict
from tests.support.delivery import MakeBatches, Rig

BUSY = Verdict(Action.RETRY, maybe_processed=True, code="http-503", http_status=503)
OK = Verdict(Action.DONE, maybe_processed=False, code="0", http_status=200)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_rate_holds_over_all_workers(
    rig: Rig,
    make_batches: MakeBatches,
    accepted: Verdict,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    turns: list[float] = []

    class Noting(RateLimiter):
        """Notes when requests may leave. When they arrive depends on who else the machine serves."""

        def acquire(self, stop: threading.Event) -> float | None:
            sent = super().acquire(stop)
            if sent is not None:
                turns.append(sent)
            return sent

    monkeypatch.setattr("importer.delivery.delivery.RateLimiter", Noting)
    rig.deliver(
        make_batches(2000, size=10), lambda rows, number: accepted, Policy(concurrency=workers, rate=10)
    )
    times = sorted(turns)
    assert len(times) == 200
    assert times[-1] - times[0] >= 199 / 10 - 0.2
    for start in range(len(times) - 12):
        assert times[start + 12] - times[start] >= 0.99


def test_without_a_rate_nobody_waits(rig: Rig, make_batches: MakeBatches, accepted: Verdict) -> None:
    rig.deliver(make_batches(2000, size=10), lambda rows, number: accepted)
    assert rig.clock.slept == []


def test_pace_halves_on_complaints_and_recovers_slowly(rig: Rig) -> None:
    pace, stop = RateLimiter(100.0, rig.clock), threading.Event()
    for _ in range(19):
        pace.acquire(stop)
    rates = [_complain(pace, stop) for _ in range(4)]
    assert rates[0] == pytest.approx(50, rel=0.1)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] >= 1.0
    good = 0
    while _gap(pace, stop, rig) > 0.0101:
        pace.learn(OK, rig.clock.now())
        good += 1
    assert 20 < good < 150


def test_answers_to_what_left_before_slowing_down_do_not_slow_down_again(rig: Rig) -> None:
    pace, stop = RateLimiter(10.0, rig.clock), threading.Event()
    sent = [_turn(pace, stop) for _ in range(4)]
    assert pace.learn(BUSY, sent[-1]) is not None
    assert [pace.learn(BUSY, when) for when in sent[:-1]] == [None] * 3


def test_a_server_without_a_bound_is_slowed_down_too_and_told_of(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    result = rig.deliver(
        make_batches(1000, size=10),
        lambda rows, number: BUSY if number == 30 else accepted,
        Policy(concurrency=1),
    )
    assert result.counts() == {Status.IMPORTED: 1000}
    assert len(result.told(SlowedDown)) == 1
    assert rig.clock.slept


def test_a_limit_in_words_slows_down_and_splits_no_batch(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    spoken = judge(Answer(200, {}, b'{"code": 28, "message": "appkey access rate limit"}', 0.1, 0.0))
    result = rig.deliver(
        make_batches(300),
        lambda rows, number: spoken if 2 <= number <= 12 else accepted,
        Policy(concurrency=1),
    )
    assert result.counts() == {Status.IMPORTED: 300}
    assert {len(rows) for rows in result.server.requests} == {100}
    assert result.told(SlowedDown)
    assert not result.told(Isolating)


def test_a_limit_in_words_that_never_ends_uses_up_the_patience(rig: Rig, make_batches: MakeBatches) -> None:
    spoken = judge(Answer(200, {}, '{"code": 28, "message": "操作过于频繁"}'.encode(), 0.1, 0.0))
    result = rig.deliver(make_batches(200), lambda rows, number: spoken, Policy(concurrency=1))
    assert result.counts() == {Status.FAILED: 100, Status.NOT_SENT: 100}
    assert {len(rows) for rows in result.server.requests} == {100}
    assert isinstance(result.delivery.stopped, UnreachableError)
    assert rig.clock.now() >= Policy().patience


def test_all_workers_pause_when_the_server_asks_for_it(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    asked = Verdict(Action.RETRY, maybe_processed=True, code="http-503", http_status=503, retry_after=40.0)
    result = rig.deliver(
        make_batches(600), lambda rows, number: asked if number == 1 else accepted, Policy(concurrency=3)
    )
    assert result.told(Paused) == [Paused(40.0)]
    assert result.counts() == {Status.IMPORTED: 600}


def test_a_stopped_run_gets_no_turn(rig: Rig) -> None:
    stop = threading.Event()
    stop.set()
    assert RateLimiter(1.0, rig.clock).acquire(stop) is None


def _turn(pace: RateLimiter, stop: threading.Event) -> float:
    """Waits for a request's turn. Returns when it came."""
    sent = pace.acquire(stop)
    assert sent is not None
    return sent


def _complain(pace: RateLimiter, stop: threading.Event) -> float:
    """A request that is answered with a complaint. Returns the new rate."""
    rate = pace.learn(BUSY, _turn(pace, stop))
    assert rate is not None
    return rate


def _gap(pace: RateLimiter, stop: threading.Event, rig: Rig) -> float:
    pace.acquire(stop)
    before = rig.clock.now()
    pace.acquire(stop)
    return rig.clock.now() - before
