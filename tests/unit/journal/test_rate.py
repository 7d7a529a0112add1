"""One access key has one rate, whoever signs with it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from importer.delivery.rate_limit import RateLimiter
from importer.journal.locks import FileLocks
from importer.journal.rate import SharedRate, Turn
from importer.models import Action, Verdict
from tests.support.delivery import FakeClock

COMPLAINT = Verdict(Action.WAIT, maybe_processed=False, code="http-429", http_status=429)
GOOD = Verdict(Action.DONE, maybe_processed=False, code="0", http_status=200)


class Runs:
    """Runs with one access key, as far as the rate is concerned."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.path = folder / "rate.json"
        self.clock = FakeClock()
        self.clock.time = time.monotonic()
        self.gone: set[str] = set()
        self.told: list[tuple[str, float]] = []
        self.lowered: list[tuple[str, float]] = []
        self._locks = FileLocks(folder)

    def share(self, run: str) -> SharedRate:
        return SharedRate(self.path, self._locks.rate("key"), run, lambda name: name not in self.gone)

    def limiter(self, run: str, rate: float | None) -> RateLimiter:
        return RateLimiter(
            rate,
            self.clock,
            self.share(run),
            lambda seconds: self.told.append((run, seconds)),
            lambda lower: self.lowered.append((run, lower)),
        )


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "locks")


@pytest.mark.parametrize("rate", [0.5, 1, 3, 10, 32, 100])
def test_no_second_sees_more_requests_than_the_rate_whoever_sends_them(runs: Runs, rate: float) -> None:
    both = [runs.limiter("one", rate), runs.limiter("two", rate)]
    times = [send(both[number % 3 % 2]) for number in range(200)]
    many = max(int(rate), 1)
    # Beyond 32 a second one request may be caught up.
    spare = 0 if rate <= 32 else 1
    for first, last in zip(times, times[many + spare :], strict=False):
        assert last - first >= many / rate - 1e-6
    assert times[-1] - times[0] <= 200 / rate * 1.03


def test_the_lowest_rate_at_work_holds_for_all(runs: Runs) -> None:
    fast, slow, free = runs.limiter("fast", 50), runs.limiter("slow", 2), runs.limiter("free", None)
    assert gap(free) == 0
    assert gap(fast) <= 0.02
    send(slow)
    runs.clock.time += 1
    for limiter in (fast, free, slow):
        assert gap(limiter, 4) >= 1.5
    assert runs.lowered == [("fast", 2), ("free", 2)]
    runs.gone.add("slow")
    assert gap(fast, 10) <= 0.3
    runs.gone.add("fast")
    runs.clock.time += 1
    send(free)
    assert gap(free) == 0


def test_a_run_without_a_bound_reads_only_what_another_has_written(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, slow = runs.limiter("free", None), runs.limiter("slow", 2)
    looks: list[str] = []
    take = SharedRate.take

    def counted(rate: SharedRate, *asked: Any) -> Turn:
        looks.append(rate.run)
        return take(rate, *asked)

    monkeypatch.setattr(SharedRate, "take", counted)
    for _ in range(20):
        send(free)
        runs.clock.time += 1
    assert looks == ["free"]
    send(slow)
    assert gap(free, 4) >= 1.5


def test_a_complaint_slows_all_and_is_forgotten(runs: Runs) -> None:
    one, two = runs.limiter("one", 10), runs.limiter("two", 10)
    for _ in range(5):
        sent = send(one)
    assert one.learn(COMPLAINT, sent) == pytest.approx(5, rel=0.1)
    assert gap(two, 10) >= 1.8
    for _ in range(100):
        two.learn(GOOD, send(two))
    assert gap(one, 10) <= 1.1
    one.learn(COMPLAINT, send(one))
    runs.clock.time += 100
    assert gap(two, 10) <= 1.1


def test_a_pause_holds_for_all_who_are_told_of_it_once(runs: Runs) -> None:
    one, two, late = runs.limiter("one", 10), runs.limiter("two", None), runs.limiter("late", 5)
    send(two)
    one.pause(30)
    runs.clock.time += 1
    begun = runs.clock.time
    assert [send(limiter) >= begun + 29 - 1e-6 for limiter in (two, late, one)] == [True] * 3
    assert [(run, round(seconds)) for run, seconds in runs.told] == [("two", 29)]


def test_what_an_earlier_start_of_the_machine_left_is_no_reason_to_wait(runs: Runs) -> None:
    with runs.share("one").hold() as state:
        state.paused_until = runs.clock.time + 1000
    content = runs.path.read_text().replace('"boot": ', '"boot": -1')
    runs.path.write_text(content)
    send(runs.limiter("two", 10))
    assert runs.told == []


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]\n", b'{"next": NaN}\n', b'{"rates": {"x": 0}}\n', b"\xff"]
)
def test_a_damaged_file_is_begun_anew(runs: Runs, damage: bytes) -> None:
    runs.path.write_bytes(damage)
    limiter = runs.limiter("one", 4)
    assert gap(limiter, 4) >= 0.7
    assert gap(runs.limiter("two", 4), 4) >= 0.7


@pytest.mark.skipif(os.name != "posix", reason="links need no rights there")
def test_a_link_in_the_place_of_the_file_is_not_followed(runs: Runs, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    runs.path.symlink_to(target)
    assert gap(runs.limiter("one", 4), 4) >= 0.7
    assert target.read_text() == "mine"


def send(limiter: RateLimiter) -> float:
    """When a request that is asked for now may leave."""
    sent = limiter.acquire(threading.Event())
    assert sent is not None
    return sent


def gap(limiter: RateLimiter, requests: int = 1) -> float:
    """Seconds over so many requests after one."""
    begun = send(limiter)
    for _ in range(requests):
        last = send(limiter)
    return last - begun
