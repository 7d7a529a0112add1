"""The world outside a round: the clock, sleep, the connection to the CRM, a hook for tests."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from importer.config import Profile
from importer.options import RunOptions
from importer.pipeline.run import SendTarget
from importer.pipeline.session import open_connection, open_target


def _now() -> datetime:
    return datetime.now().astimezone()


def no_checkpoint(step: str) -> None:
    """Do nothing: the hook where no test listens."""


Connect = Callable[[Profile, RunOptions], AbstractContextManager[SendTarget]]


@contextlib.contextmanager
def connect(profile: Profile, options: RunOptions) -> Iterator[SendTarget]:
    """The connection of the profile's settings. Raises SettingsError."""
    with open_connection(profile, options) as connection:
        assert connection is not None  # noqa: S101 - no dry run
        with open_target(connection, options) as ready:
            yield ready


@dataclass(frozen=True, slots=True)
class JobEnvironment:
    """The world outside a round. `clock` gives the wall time with its zone, `sleep` takes seconds,
    `checkpoint` is called with the name of every step."""

    clock: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    connect: Connect = connect
    checkpoint: Callable[[str], None] = no_checkpoint
    lang: str = "en"
