"""The rate at which requests leave, over all workers: the user's bound, `Retry-After`, slow recovery."""

from __future__ import annotations

import threading
from collections import deque

from importer.delivery.base import Clock
from importer.models import Action, Verdict

_SLOWEST = 1.0
"""Seconds between requests that slowing down leads to at most; a batch's own waits come on top."""
_UNNOTICEABLE = 0.002
_EASE = 0.95
_PATHFINDERS = 32


class RateLimiter:
    """Limits the rate of requests. Without a bound and without complaints of the server there is no wait."""

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._bound = 1.0 / rate if rate else 0.0
        self._interval = self._bound
        self._clock = clock
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._paused_until = float("-inf")
        self._slowed_at = float("-inf")
        self._left: deque[float] = deque(maxlen=_PATHFINDERS)

    def acquire(self, stop: threading.Event) -> float | None:
        """Wait until a request may leave. Return the time it does, or None if the run stops."""
        while not stop.is_set():
            with self._lock:
                now = self._clock.now()
                wait = max(self._paused_until, self._next if self._interval else now) - now
                if wait <= 0:
                    # One interval may be caught up, so that late wake-ups do not add up to a lower rate.
                    self._next = max(self._next, now - self._interval) + self._interval
                    self._left.append(now)
                    return now
            self._clock.sleep(wait, stop)
        return None

    def pause(self, seconds: float) -> None:
        """Let nothing leave for so many seconds."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock.now() + seconds)

    def learn(self, verdict: Verdict, sent: float) -> float | None:
        """Learn from the answer to what left at `sent`. Return the new rate if it slows down, else None."""
        answered = verdict.http_status or 0
        # An answer that makes a request wait is a rate limit, by status 429 or in words.
        if answered >= 500 or (answered and verdict.action is Action.WAIT):
            return self._slow_down(sent)
        if self._interval > self._bound:
            with self._lock:
                eased = self._interval * _EASE
                self._interval = self._bound if eased < max(self._bound, _UNNOTICEABLE) else eased
        return None

    def _slow_down(self, sent: float) -> float | None:
        with self._lock:
            # What left before the last slow-down says nothing of the rate since.
            if sent < self._slowed_at:
                return None
            self._slowed_at = self._clock.now()
            self._interval = min(max(2 * self._observed(), self._interval), max(_SLOWEST, self._bound))
            return 1.0 / self._interval

    def _observed(self) -> float:
        if len(self._left) < 2:
            return max(self._interval, 0.1)
        return max(self._interval, (self._left[-1] - self._left[0]) / (len(self._left) - 1), _UNNOTICEABLE)
