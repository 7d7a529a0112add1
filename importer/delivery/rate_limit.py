"""The rate at which requests leave, over all workers, and over all processes that sign with the same key:
the bounds that users gave, `Retry-After`, slow recovery.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from importer.delivery.base import Clock
from importer.journal.rate import NO_WAIT, REMEMBERED, OwnRate, RateState
from importer.models import Action, Verdict

_SLOWEST = 1.0
"""Seconds between requests that slowing down leads to at most; a batch's own waits come on top."""
_UNNOTICEABLE = 0.002
_EASE = 0.95
_RECENT = 10.0
"""Seconds for which the times of requests say something of the present rate."""
_NOT_FREE = float("-inf")
_LOOK_EVERY = 0.25
"""Seconds after which a run without a bound looks whether others have one."""


class RateLimiter:
    """Limits the rate of requests. Without a bound and without complaints of the server there is no wait.

    The lowest bound of the runs at work holds for all of them; `rate` is that of this run, in requests a
    second. `told` is called with the seconds of a pause that the server asked another run for, `lowered` with
    the bound of another run where it is lower, in requests a second.
    """

    def __init__(
        self,
        rate: float | None,
        clock: Clock,
        shared: OwnRate | None = None,
        told: Callable[[float], None] = lambda seconds: None,
        lowered: Callable[[float], None] = lambda rate: None,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._shared = shared or OwnRate()
        self._told = told
        self._told_until = 0.0
        self._lowered = lowered
        self._lowered_to = float("inf") if rate is None else rate
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._asking = 0
        """How many workers want to send."""
        self._free_until = _NOT_FREE
        """Until then nobody limits this run, as far as it knows."""
        self._slowed = False
        """Whether the server complained, when it was last looked at."""
        self._left: deque[float] = deque(maxlen=REMEMBERED)

    def acquire(self, stop: threading.Event) -> float | None:
        """Wait until a request may leave. Return the time it does, or None if the run stops."""
        now = self._clock.now()
        if now >= self._free_until > _NOT_FREE and not self._shared.touched:
            self._free_until = now + _LOOK_EVERY
        if now < self._free_until and not stop.is_set():
            self._left.append(now)
            return now
        with self._counting:
            self._asking += 1
        try:
            # One worker at a time waits for the next request of this process.
            with self._turn:
                while not stop.is_set():
                    now, wait = self._look()
                    if wait <= NO_WAIT:
                        self._left.append(now)
                        return now
                    self._clock.sleep(wait, stop)
        finally:
            with self._counting:
                self._asking -= 1
        return None

    def is_over(self, sent: float) -> bool:
        """Return whether a turn that was taken at `sent` is too long ago to be used."""
        return self._clock.now() - sent > self._shared.turn_lasts

    def pause(self, seconds: float) -> None:
        """Let nothing leave for so many seconds."""
        with self._shared.hold() as state:
            state.paused_until = max(state.paused_until, self._clock.now() + seconds)
            self._told_until = state.paused_until
            self._free_until = _NOT_FREE

    def learn(self, verdict: Verdict, sent: float) -> float | None:
        """Learn from the answer to what left at `sent`. Return the new rate if it slows down, else None."""
        answered = verdict.http_status or 0
        # An answer that makes a request wait is a rate limit, by status 429 or in words.
        if answered >= 500 or (answered and verdict.action is Action.WAIT):
            return self._slow_down(sent)
        if self._slowed:
            with self._shared.hold() as state:
                eased = state.slow * _EASE
                state.slow = 0.0 if eased < max(state.bound, _UNNOTICEABLE) else eased
                self._slowed = state.slow > 0
        return None

    def _look(self) -> tuple[float, float]:
        """Take the next request's turn, if it has come. Return the time and the seconds until it comes."""
        turn = self._shared.take(self._clock.now, self._rate, self._asking)
        self._slowed = turn.slowed
        free = turn.wait <= NO_WAIT and not turn.limited
        self._free_until = turn.now + _LOOK_EVERY if free else _NOT_FREE
        pause = turn.paused_until - turn.now
        new_pause = pause > NO_WAIT and turn.paused_until > self._told_until
        self._told_until = max(self._told_until, turn.paused_until)
        if new_pause:
            self._told(pause)
        if turn.lowest < self._lowered_to:
            self._lowered(turn.lowest)
        self._lowered_to = turn.lowest
        return turn.now, turn.wait

    def _slow_down(self, sent: float) -> float | None:
        with self._shared.hold() as state:
            # What left before the last slow-down says nothing of the rate since.
            if sent < state.slowed_at:
                return None
            now = self._clock.now()
            state.slowed_at = now
            slowest = max(_SLOWEST, state.bound)
            state.slow = min(max(2 * self._observed(state, now), state.interval), slowest)
            self._slowed = True
            self._free_until = _NOT_FREE
            return 1.0 / state.slow

    def _observed(self, state: RateState, now: float) -> float:
        """Seconds between the latest requests: those of all runs where they are limited, else our own."""
        times = [time for time in state.left if now - time < _RECENT]
        if len(times) < 2:
            times = list(self._left)
        if len(times) < 2:
            return max(state.interval, 0.1)
        return max(state.interval, (times[-1] - times[0]) / (len(times) - 1), _UNNOTICEABLE)
