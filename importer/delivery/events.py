"""What happens on the way, for whoever shows progress. Rows are only counted, never shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from importer.errors import ImporterError


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """All rows of a batch have their final status."""

    ordinal: int
    rows: int


@dataclass(frozen=True, slots=True)
class Attempted:
    """One request is over, with or without an answer."""

    ordinal: int
    again: bool
    """True if the same body went out before."""
    seconds: float


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


@dataclass(frozen=True, slots=True)
class Isolating:
    """A batch was refused for its content: the guilty rows are looked for."""

    ordinal: int
    rows: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SlowedDown:
    """The server complains of too much: so many requests a second from now on."""

    rate: float
    code: str


@dataclass(frozen=True, slots=True)
class Paused:
    """The server asked all workers to wait (`Retry-After`)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ClockCorrected:
    """Requests are signed with the server's time, which is so many ms ahead of ours."""

    offset_ms: int


@dataclass(frozen=True, slots=True)
class Stopping:
    """No more batches leave. `waiting_for` batches are in flight."""

    reason: ImporterError
    waiting_for: int


DeliveryEvent = (
    Attempted | BatchFinished | Retrying | Isolating | SlowedDown | Paused | ClockCorrected | Stopping
)
EventListener = Callable[[DeliveryEvent], None]
"""Called from the delivery's threads, one event at a time; must not block."""
