"""Ctrl-C and SIGTERM: what is in flight is waited for, everything is told, and `resume` goes on."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence

import pytest

from importer.delivery import Policy
from importer.sandbox.faults import Fault, FaultScript
from tests.support.interruptions import GatedScript, MakeDesk


class CountingScript(FaultScript):
    """Counts requests as they come, those that are never answered too."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(faults)
        self._arrived = threading.Semaphore(0)

    def next(self, endpoint: str, customers: Sequence[object]) -> list[Fault]:
        self._arrived.release()
        return super().next(endpoint, customers)

    def wait(self, requests: int) -> None:
        """Until so many more have come."""
        for _ in range(requests):
            assert self._arrived.acquire(timeout=60)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_in_order_and_resume_goes_on(make_desk: MakeDesk, number: int, code: int) -> None:
    desk = make_desk()
    script = desk.box.application.script = GatedScript(free=2)
    process = desk.run("--concurrency", "2")
    script.wait()
    process.send_signal(number)
    desk.wait_for_words(process, "stopping")
    script.opened.set()
    ended, said = desk.end(process)
    assert ended == code
    assert "importer resume" in said
    assert len(desk.results()) == desk.rows
    first = desk.statuses()
    assert set(first) == {"imported", "not_sent"}
    assert first["imported"] == 100 * desk.box.application.total
    assert desk.complete() == 0
    assert desk.statuses() == {"imported": desk.rows}
    desk.check_store()
    assert desk.box.application.total == desk.rows / 100


def test_a_second_ctrl_c_does_not_wait_for_the_answer(make_desk: MakeDesk) -> None:
    desk = make_desk()
    script = desk.box.application.script = CountingScript(["no-answer requests=2-"])
    process = desk.run("--concurrency", "2")
    script.wait(2)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    desk.wait_for_words(process, "stopping")
    process.send_signal(signal.SIGINT)
    assert desk.end(process)[0] == 130
    assert time.monotonic() - begun < Policy().drain
    desk.box.misbehave()
    assert desk.complete() in (0, 1)
    assert set(desk.statuses()) <= {"imported", "unknown"}
    desk.check_store()


def test_a_signal_while_the_server_is_away_is_not_kept_waiting(make_desk: MakeDesk) -> None:
    desk = make_desk(faults=["away seconds=100 requests=2"])
    process = desk.run("--concurrency", "2")
    desk.wait_for_requests(2)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert desk.end(process)[0] == 130
    assert time.monotonic() - begun < 100
    assert len(desk.results()) == desk.rows
