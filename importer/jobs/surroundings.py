"""The world outside a round: time, sleep, and the connection to the CRM."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from importer.config import Profile
from importer.options import RunOptions
from importer.pipeline.sending import Sending, connected, sending


def _now() -> datetime:
    return datetime.now().astimezone()


def unwatched(step: str) -> None:
    """Nobody wants to know."""


Connect = Callable[[Profile, RunOptions], AbstractContextManager[Sending]]


@contextlib.contextmanager
def connect(profile: Profile, options: RunOptions) -> Iterator[Sending]:
    """The connection of the profile's settings. Raises SettingsError."""
    with connected(profile, options) as connection:
        assert connection is not None  # noqa: S101 - no dry run
        with sending(connection, options) as ready:
            yield ready


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The world outside a round. `clock` gives the wall time with its zone, `sleep` takes seconds, `reach`
    is told of every step."""

    clock: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    connect: Connect = connect
    reach: Callable[[str], None] = unwatched
    lang: str = "en"
