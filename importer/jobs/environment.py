"""What a round needs from outside: the clock, sleep, the connection to the CRM, a hook for tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from importer.config import Connection


def _now() -> datetime:
    return datetime.now().astimezone()


def no_checkpoint(step: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class JobEnvironment:
    """The world outside a round. `clock` gives the wall time with its zone, `sleep` takes seconds, `reach`
    is told of every step."""

    clock: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    connection: Connection | None = None
    """Where to send to; None: the profile and the environment decide."""
    checkpoint: Callable[[str], None] = no_checkpoint
    lang: str = "en"
