"""Time as the delivery sees it, so that a test can make hours pass in an instant."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """`now` in seconds from any start, never going back; `sleep` ends early when the event is set."""

    def now(self) -> float: ...

    def sleep(self, seconds: float, until: threading.Event) -> None: ...


class RealClock:
    """This machine's time."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, until: threading.Event) -> None:
        until.wait(seconds)
