"""Counts and times the answers of a run, from the delivery's events."""

from __future__ import annotations

import time
from collections.abc import Callable

from importer.delivery import Attempted, BatchFinished, DeliveryEvent
from importer.reports import Timeline, TimelineStep


class Meter:
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
