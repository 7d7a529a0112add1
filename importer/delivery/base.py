"""What all of the delivery shares: policy, clock, observer, cancel token, and what it needs of the API."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from importer.api import READ_TIMEOUT
from importer.dataclass import dataclass
from importer.errors import ImporterError
from importer.models import Verdict

if TYPE_CHECKING:
    from importer.delivery.events import (
        Attempted,
        BatchFinished,
        CanaryAnswered,
        ClockCorrected,
        Isolating,
        LateOver,
        Paused,
        RateLowered,
        Retrying,
        SlowedDown,
        Stopping,
        TurnTaken,
        WaitingForLate,
        WaitingForTurn,
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """Times are seconds. The defaults are those of docs/architecture.md."""

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
    settle: float = READ_TIMEOUT
    """For how long after its end a request without an answer may still be carried out. Later rows of its
    customers wait till then."""
    canary: bool = False
    """The first batch goes alone, and the others only once its answer is understood."""
    turn_wait: float = 3600.0
    """How long another run that sends to the same lane is waited for."""
    drain: float = 30.0
    """How long a stopping run waits for the answers to what is in flight."""
    alike_batches: int = 2
    alike_rows: int = 20
    """Every row refused alike: so many batches and single rows, and no success.

    The rule is docs/remote-api.md, “Answers”.
    """

    @property
    def window(self) -> int:
        """Batches handed in and not yet final, at most: enough that no worker waits for reading."""
        return 4 * self.concurrency + 16


class Sender(Protocol):
    """Posts bodies. Called by all workers at once."""

    def attempt(self, body: bytes) -> Verdict:
        """Send a body once, signed. Return what came of it, whatever network and server do."""
        ...

    def correct_clock(self, server_time_ms: int) -> int:
        """Sign with the server's time (ms since 1970) from now on. Return its offset to ours in ms."""
        ...


@runtime_checkable
class GuardedSender(Protocol):
    """A sender that can look once more before what it has signed leaves."""

    def guarded(self, look: Callable[[], None]) -> Sender:
        """Return a sender that calls `look` between signing and sending; what it raises is raised."""
        ...


class BodyBuilder(Protocol):
    """Builds request bodies."""

    def body(self, customers: Sequence[bytes]) -> bytes:
        """Return the body that carries these customers, each a JSON object in UTF-8."""
        ...


class Clock(Protocol):
    """Time for waits and rates."""

    def now(self) -> float:
        """Return seconds from any start. Never goes back."""
        ...

    def sleep(self, seconds: float, until: threading.Event) -> None:
        """Sleep. Ends early when the event is set."""
        ...


class SystemClock:
    """This machine's time."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, until: threading.Event) -> None:
        until.wait(seconds)


class CancelToken:
    """Ends the delivery, once and for all. `cancelled` wakes every wait of its threads."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.reason: ImporterError | None = None
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], None]] = []

    def on_cancel(self, wake: Callable[[], None]) -> None:
        """Have `wake` called as well, for threads that wait for something else than the event."""
        self._wakes.append(wake)

    def cancel(self, reason: ImporterError) -> None:
        """Send nothing more. The first reason counts."""
        with self._lock:
            if self.reason is None:
                self.reason = reason
        self.cancelled.set()
        for wake in self._wakes:
            wake()


class DeliveryObserver:
    """Sees what happens on the way to the server. A method that is not overridden calls `on_event`."""

    def on_event(self, event: object) -> None:
        """Take an event whose own method is not overridden; does nothing here."""

    def on_batch_finished(self, event: BatchFinished) -> None:
        self.on_event(event)

    def on_attempted(self, event: Attempted) -> None:
        self.on_event(event)

    def on_retrying(self, event: Retrying) -> None:
        self.on_event(event)

    def on_isolating(self, event: Isolating) -> None:
        self.on_event(event)

    def on_slowed_down(self, event: SlowedDown) -> None:
        self.on_event(event)

    def on_rate_lowered(self, event: RateLowered) -> None:
        self.on_event(event)

    def on_paused(self, event: Paused) -> None:
        self.on_event(event)

    def on_clock_corrected(self, event: ClockCorrected) -> None:
        self.on_event(event)

    def on_canary_answered(self, event: CanaryAnswered) -> None:
        self.on_event(event)

    def on_waiting_for_turn(self, event: WaitingForTurn) -> None:
        self.on_event(event)

    def on_turn_taken(self, event: TurnTaken) -> None:
        self.on_event(event)

    def on_waiting_for_late(self, event: WaitingForLate) -> None:
        self.on_event(event)

    def on_late_over(self, event: LateOver) -> None:
        self.on_event(event)

    def on_stopping(self, event: Stopping) -> None:
        self.on_event(event)
