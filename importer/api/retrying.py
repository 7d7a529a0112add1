"""Repeat a request as the attempt before it decided.

An attempt returns a decision. tenacity carries it out: another attempt after the wait that the decision
names, or the end. What is decided, and why, stands with each caller as a function without side effects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import tenacity


class Decided(Protocol):
    """What an attempt returns."""

    @property
    def wait(self) -> float | None:
        """Seconds until the next attempt; None if there is to be none."""
        ...


def retry_loop(sleep: Callable[[float], None]) -> Callable[..., Any]:
    """Return the loop around an attempt: `retry_loop(sleep)(attempt, *args)` returns its last decision.

    `sleep` takes seconds and may end early. One loop serves any number of threads.
    """
    again = tenacity.Retrying(retry=tenacity.retry_if_result(_again), wait=_decided_wait, sleep=sleep)

    def loop(attempt: Callable[..., Decided], *args: object) -> Decided:
        made = [attempt(*args)]
        if made[0].wait is None:  # as nearly always
            return made[0]
        return again(lambda: made.pop() if made else attempt(*args))

    return loop


def _again(decision: Decided) -> bool:
    return decision.wait is not None


def _decided_wait(call: tenacity.RetryCallState) -> float:
    decision: Decided = call.outcome.result()  # type: ignore[union-attr]  # tenacity asks after an attempt
    return decision.wait or 0.0
