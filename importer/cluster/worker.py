"""What a worker does with a task that it was handed, and what it may ask while it does.

The engine reads tasks in the loop by which scheduler and workers tell each other that they are alive. So
this module imports nothing of the importer; the rest, which takes seconds on a busy machine, is imported in
the task's own thread.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from importer import __version__

if TYPE_CHECKING:
    from importer.pipeline.stop_token import StopToken

PROGRESS = "nxlink-progress-"
"""The engine's topic on which workers tell how far they are; the group follows."""
STOP = "nxlink-stop-"
"""The engine's event by which all of a group is stopped; the group follows."""
INTERRUPT = "nxlink-interrupt-"
"""The engine's event that says it was Ctrl-C that stops a group, set before the other; the group follows."""
_STOP_LOOK = 1.0
"""Seconds after which a worker looks whether the whole is to stop."""


@dataclass(frozen=True, slots=True)
class OtherVersion:
    """A worker has another version of the importer, and has not looked at the task."""

    here: str
    """The worker's."""


@dataclass(frozen=True, slots=True)
class NotBegun:
    """All was stopped before the worker came to the task."""


@dataclass
class WorkerSide:
    """What a task may ask of the worker that carries it out."""

    name: str = ""
    """Of the worker and its machine."""
    is_stopped: Callable[[], bool] = lambda: False
    """Whether all is to stop."""
    tell: Callable[[dict[str, object]], None] = lambda told: None
    """Tells the client how far it is."""
    is_interrupted: Callable[[], bool] = lambda: False
    """Whether it is Ctrl-C that stops all."""

    @contextlib.contextmanager
    def watched(self, stopper: StopToken) -> Iterator[None]:
        """Stop what is at work in order when all is to stop."""
        from importer.errors import InterruptedRun, TerminatedRun

        over = threading.Event()

        def look() -> None:
            while not over.wait(_STOP_LOOK):
                if self.is_stopped():
                    by_hand = self.is_interrupted()
                    stopper.stop(InterruptedRun("interrupted") if by_hand else TerminatedRun("terminated"))
                    return

        threading.Thread(target=look, name="stop", daemon=True).start()
        try:
            yield
        finally:
            over.set()


def work(version: str, function: str, parcel: bytes, group: str) -> Any:
    """Carry a task out inside a worker, in a thread of its own. Return its outcome, OtherVersion or NotBegun.

    `version`: the client's. `function`: `module:name`, of what takes the task and a WorkerSide. `parcel`: the
    task, pickled. Raises ImportError for a package that is not there.
    """
    if version != __version__:
        return OtherVersion(__version__)
    from distributed import Event, get_client, get_worker

    worker = get_worker()
    stop, interrupt = (Event(name + group, client=get_client()) for name in (STOP, INTERRUPT))

    def is_set(event: Event) -> bool:
        # A scheduler that is gone stops nothing: what is at work is brought to its end.
        with contextlib.suppress(Exception):
            return bool(event.is_set())
        return False

    def is_stopped() -> bool:
        return is_set(stop)

    def tell(told: dict[str, object]) -> None:
        with contextlib.suppress(Exception):
            worker.log_event(PROGRESS + group, told)

    if is_stopped():
        return NotBegun()
    module, _, name = function.partition(":")
    carry_out = getattr(import_module(module), name)
    machine = os.uname().nodename if hasattr(os, "uname") else ""
    task = pickle.loads(parcel)  # noqa: S301 - from the client, whom the engine lets do anything
    return carry_out(
        task, WorkerSide(f"{worker.name}@{machine}", is_stopped, tell, lambda: is_set(interrupt))
    )
