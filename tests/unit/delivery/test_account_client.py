"""What a person asks of the account counts with what runs send."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.api.account import fields
from importer.delivery import account_client
from importer.delivery.account_client import AccountClient
from importer.delivery.base import SystemClock
from importer.delivery.rate_limit import RateLimiter
from importer.errors import UnreachableError
from importer.journal import Journal
from importer.sandbox import Sandbox

NEVER = threading.Event()


class CountingClock(SystemClock):
    """Notes the waits instead of waiting."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.passed = 0.0

    def now(self) -> float:
        return super().now() + self.passed

    def sleep(self, seconds: float, until: threading.Event) -> None:
        self.waits.append(seconds)
        self.passed += seconds


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path))
    with Journal.open() as journal:
        yield journal


def test_a_question_waits_behind_runs_of_the_journal_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("NXLINK_JOURNAL", str(tmp_path / "shared" / "history.db"))
    with Journal.open() as journal, Sandbox() as box:
        with journal.rate(box.connection.rate_key, "").hold() as state:
            state.slow, state.slowed_at = 1.0, SystemClock().now()
            state.next = state.slowed_at + 5.0
        clock = CountingClock()
        with AccountClient(box.connection, clock=clock) as client:
            assert fields(client)
        assert sum(clock.waits) == pytest.approx(5.0, abs=1.0)


def test_a_question_waits_behind_the_requests_of_a_run(journal: Journal) -> None:
    with Sandbox() as box:
        connection = box.connection
        with journal.rate(connection.rate_key, "").hold() as state:
            state.next = SystemClock().now() + 5.0
            state.slow = 1.0
            state.slowed_at = SystemClock().now()
        clock = CountingClock()
        with AccountClient(connection, clock=clock) as client:
            assert fields(client)
        assert sum(clock.waits) == pytest.approx(5.0, abs=1.0)


def test_a_limit_that_a_question_meets_holds_for_runs(journal: Journal) -> None:
    with Sandbox(faults=["status status=429 retry_after=30 requests=1 endpoint=fields"]) as box:
        connection = box.connection
        with AccountClient(connection) as client, pytest.raises(UnreachableError):
            fields(client)
        run_clock = CountingClock()
        RateLimiter(None, run_clock, journal.rate(connection.rate_key, "")).acquire(NEVER)
        assert sum(run_clock.waits) > 20


def test_where_nobody_ever_ran_it_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path / "state"))
    with Sandbox() as box, AccountClient(box.connection) as client:
        assert fields(client)
    assert not (tmp_path / "state").exists()


def test_a_question_does_not_wait_for_ever(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_client, "PATIENCE", 0.05)
    with Sandbox() as box:
        with journal.rate(box.connection.rate_key, "").hold() as state:
            state.paused_until = SystemClock().now() + 3600
        with AccountClient(box.connection) as client:
            assert fields(client)
