"""What a run tells while it goes on, and the meter that counts requests from it. Nothing is printed here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from importer.delivery import Attempted, BatchFinished, DeliveryEvent
from importer.journal import RunRecord
from importer.pipeline.plan import RunPlan
from importer.reports import ReportResult, Tally, Timeline, TimelineStep


@dataclass(frozen=True, slots=True)
class Prechecking:
    """The whole file is validated before anything is sent; so many rows were read."""

    rows: int


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first row is about to be read."""

    record: RunRecord
    plan: RunPlan


@dataclass(frozen=True, slots=True)
class Progress:
    """Something moved. `tally` is the live one: look, don't keep."""

    tally: Tally


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The journal and the reports are closed."""

    record: RunRecord
    closed: ReportResult


Event = Prechecking | RunStarted | Progress | RunEnded | DeliveryEvent
Observer = Callable[[Event], None]
"""Called from the run's own thread, but for the delivery's events, which come from its threads."""


def ignore_event(event: Event) -> None:
    """Nobody watches."""


class RequestMeter:
    """Gets every event of the delivery, one at a time, and hands it on."""

    def __init__(
        self, onward: Callable[[DeliveryEvent], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._onward = onward
        self._clock = clock
        self._first: float | None = None
        self._timeline = Timeline()
        self.requests = 0
        self.retries = 0

    def take(self, event: DeliveryEvent) -> None:
        """One event."""
        now = self._clock()
        if isinstance(event, Attempted):
            if self._first is None:
                self._first = now - event.seconds
            self.requests += 1
            self.retries += event.again
            self._timeline.request(now - self._first, event.seconds, again=event.again)
        elif isinstance(event, BatchFinished) and self._first is not None:
            self._timeline.settled(now - self._first, event.rows)
        self._onward(event)

    def steps(self) -> tuple[TimelineStep, ...]:
        """Sending over time."""
        return self._timeline.steps()
