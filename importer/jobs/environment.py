"""The world outside a round: the clock, sleep, the connection to the CRM, a hook for tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from importer.config import Connection


def _now() -> datetime:
    return datetime.now().astimezone()


def no_checkpoint(step: str) -> None:
    """Do nothing: the hook where no test listens."""


@dataclass(frozen=True, slots=True)
class JobEnvironment:
    """The world outside a round. `clock` gives the wall time with its zone, `sleep` takes seconds,
    `checkpoint` is called with the name of every step."""

    clock: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    connection: Connection | None = None
    """Where to send to; None: the profile and the environment decide."""
    checkpoint: Callable[[str], None] = no_checkpoint
    lang: str = "en"
