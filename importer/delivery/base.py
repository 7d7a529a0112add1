"""What all of the delivery shares: its policy, its clock, the cancel token, and what it needs of the API."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from importer.errors import ImporterError
from importer.models import Verdict


@dataclass(frozen=True, slots=True)
class Policy:
    """Times are seconds. The defaults are the design's."""

    concurrency: int = 4
    """Requests in flight at once, at most."""
    rate: float | None = None
    """Requests a second over all workers, at most; None for no bound."""
    attempts: int = 8
    """For one body; attempts that count against the patience are not among them."""
    patience: float = 300.0
    """How long a server may stay away before the run stops."""
    first_wait: float = 1.0
    """The longest wait before the second attempt; it doubles from attempt to attempt."""
    longest_wait: float = 30.0
    retries: int = 500
    """For the whole run: retries that led nowhere. A batch that gets in at last gives its own back."""
    resend_unknown: bool = False
    """Rows without phone and e-mail go out again too after an attempt that may have been processed, although
    the CRM may then have them twice."""
    drain: float = 30.0
    """How long a stopping run waits for the answers to what is in flight."""
    alike_batches: int = 2
    alike_rows: int = 20
    """Every row refused alike: so many batches and single rows, and no success (API.md, “Answers”)."""

    @property
    def window(self) -> int:
        """Batches handed in and not yet final, at most: enough that no worker waits for reading."""
        return 4 * self.concurrency + 16


class Sender(Protocol):
    """Posts bodies. Called by all workers at once."""

    def attempt(self, body: bytes) -> Verdict:
        """One signed attempt, judged; never raises for what the network or the server does."""
        ...

    def correct_clock(self, server_time_ms: int) -> int:
        """Takes the server's time (ms since 1970) for signing from now on; returns the offset in ms."""
        ...


class BodyBuilder(Protocol):
    """Makes bodies of customers."""

    def body(self, customers: Sequence[bytes]) -> bytes: ...


class Clock(Protocol):
    """`now` in seconds from any start, never going back; `sleep` ends early when the event is set."""

    def now(self) -> float: ...

    def sleep(self, seconds: float, until: threading.Event) -> None: ...


class SystemClock:
    """This machine's time."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, until: threading.Event) -> None:
        until.wait(seconds)


class CancelToken:
    """Pulled once; the first reason counts. `pulled` wakes every wait of the delivery."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.reason: ImporterError | None = None
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], None]] = []

    def on_cancel(self, wake: Callable[[], None]) -> None:
        """Also wakes those who wait for something else than the event."""
        self._wakes.append(wake)

    def cancel(self, reason: ImporterError) -> None:
        with self._lock:
            if self.reason is None:
                self.reason = reason
        self.cancelled.set()
        for wake in self._wakes:
            wake()
