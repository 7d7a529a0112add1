"""Let Ctrl-C and SIGTERM stop a run in order."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from importer.errors import ImporterError, InterruptedRun, TerminatedRun

if TYPE_CHECKING:
    from importer.pipeline.run import StopToken


@contextlib.contextmanager
def stop_on_signals(stopper: StopToken) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the run in order, and a second one at once. Main thread only."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stopper.reason is not None:
            raise KeyboardInterrupt
        terminated = number == signal.SIGTERM
        reason: ImporterError = TerminatedRun("terminated") if terminated else InterruptedRun("interrupted")
        stopper.stop(reason)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
