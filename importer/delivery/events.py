"""What happens on the way, for whoever shows progress. Rows are only counted, never shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from importer.delivery.base import DeliveryObserver
from importer.errors import ImporterError
from importer.journal import LaneUser


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """All rows of a batch have their final status."""

    ordinal: int
    rows: int

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_batch_finished(self)


@dataclass(frozen=True, slots=True)
class Attempted:
    """One request is over, with or without an answer."""

    ordinal: int
    again: bool
    """True if the same body went out before."""
    seconds: float

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_attempted(self)


@dataclass(frozen=True, slots=True)
class Retrying:
    """A batch was not accepted and goes out again after a wait."""

    ordinal: int
    attempt: int
    """How many there were."""
    code: str
    message: str
    wait: float
    """Seconds."""

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_retrying(self)


@dataclass(frozen=True, slots=True)
class Isolating:
    """A batch was refused for its content: the guilty rows are looked for."""

    ordinal: int
    rows: int
    code: str
    message: str

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_isolating(self)


@dataclass(frozen=True, slots=True)
class SlowedDown:
    """The server complains of too much: so many requests a second from now on."""

    rate: float
    code: str

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_slowed_down(self)


@dataclass(frozen=True, slots=True)
class RateLowered:
    """Another run with the same access key keeps to so many requests a second, so this one does, too."""

    rate: float

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_rate_lowered(self)


@dataclass(frozen=True, slots=True)
class Paused:
    """The server asked all workers to wait (`Retry-After`)."""

    seconds: float

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_paused(self)


@dataclass(frozen=True, slots=True)
class ClockCorrected:
    """Requests are signed with the server's time, which is so many ms ahead of ours."""

    offset_ms: int

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_clock_corrected(self)


@dataclass(frozen=True, slots=True)
class CanaryAnswered:
    """The first row of a run was answered, and the answer is understood: the rest goes out."""

    code: str
    trace_id: str
    found: str
    """The form of the answer."""
    as_documented: bool
    """False if the form is not quite the documented one."""

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_canary_answered(self)


@dataclass(frozen=True, slots=True)
class WaitingForTurn:
    """Another run sends to the same lane. Batches gather, and none leaves until it is our turn."""

    user: LaneUser
    """Who goes first."""
    rows_left: int | None
    """About how many rows that run still has to settle; None if nobody knows."""
    others: int
    """How many more runs come before this one."""
    limit: float
    """Seconds after which the wait ends."""
    again: bool
    """The same run was told of before."""

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_waiting_for_turn(self)


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """The lane is ours, after a wait."""

    seconds: float

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_turn_taken(self)


@dataclass(frozen=True, slots=True)
class WaitingForLate:
    """Rows wait, because requests without an answer may still be carried out for their customers."""

    requests: int
    rows: int
    seconds: float
    """Until the first of the requests is waited for no longer."""

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_waiting_for_late(self)


@dataclass(frozen=True, slots=True)
class LateOver:
    """No row waits any more for a request without an answer."""

    seconds: float
    """How long some did."""

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_late_over(self)


@dataclass(frozen=True, slots=True)
class Stopping:
    """No more batches leave. `waiting_for` batches are in flight."""

    reason: ImporterError
    waiting_for: int

    def notify(self, observer: DeliveryObserver) -> None:
        observer.on_stopping(self)


DeliveryEvent = (
    Attempted
    | BatchFinished
    | Retrying
    | Isolating
    | SlowedDown
    | Paused
    | RateLowered
    | ClockCorrected
    | CanaryAnswered
    | WaitingForTurn
    | TurnTaken
    | WaitingForLate
    | LateOver
    | Stopping
)
EventListener = Callable[[DeliveryEvent], None]
"""Called from the delivery's threads, one event at a time; must not block."""
