"""The rate of one access key: what all runs that sign with it know together, whichever process they are in.

It lies in a small file beside the locks, named by a hash of the key. A request costs one short lock and a
few hundred bytes read and written, nothing that waits for the disk. Losing the file is no harm: it says when
the last requests left, and who is at work now.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import field, fields
from io import FileIO
from pathlib import Path

import filelock

from importer.dataclass import dataclass
from importer.journal.locks import FileLock, FileLocks
from importer.private_files import private_opener

REMEMBERED = 32
"""How many requests are remembered by the time at which they left."""
SILENCE = 60.0
"""Seconds without a request after which a complaint of the server is forgotten."""
_CLOCK_STEP = 60.0
"""Seconds that the wall clock and the monotonic one drift apart only if the machine slept or began anew."""
_LOCK_SECONDS = 2.0
_ON_THE_WAY = 0.01
"""Seconds by which requests may differ in how long they take to the server. No second there is to see more of
them than the rate."""
NO_WAIT = 1e-6
"""Seconds that are no wait."""


@dataclass(slots=True)
class RateState:
    """What is known of an access key's requests.

    Times are seconds of `time.monotonic`, which all processes of a machine share.
    """

    next: float = 0.0
    """When the next request may leave, if there is an interval."""
    slow: float = 0.0
    """Seconds between two requests since the server complained; 0 if it does not."""
    slowed_at: float = 0.0
    paused_until: float = 0.0
    left: list[float] = field(default_factory=list)
    """When the last requests left, the latest last."""
    rates: dict[str, float] = field(default_factory=dict)
    """The bounds of the runs at work, in requests a second, by the run's id."""
    boot: float = 0.0
    """When the monotonic clock began, by the wall clock."""

    @property
    def bound(self) -> float:
        """Seconds between two requests by the lowest rate at work; 0 without a bound."""
        return 1.0 / min(self.rates.values()) if self.rates else 0.0

    @property
    def interval(self) -> float:
        """Seconds between two requests, whoever asks for them; 0 for no wait."""
        return max(self.bound, self.slow)

    def note(self, now: float) -> None:
        """A request leaves."""
        del self.left[: -REMEMBERED + 1]
        self.left.append(now)

    def forget(self, now: float) -> None:
        """Forget a complaint after which nobody sent anything for long."""
        latest = max(self.slowed_at, self.paused_until, self.left[-1] if self.left else 0.0)
        if self.slow and now - latest > SILENCE:
            self.slow = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer to a request that wants to leave."""

    now: float
    """When it was looked at."""
    wait: float
    """Seconds until the turn comes; at most `NO_WAIT` if it has come, and is taken."""
    limited: bool = False
    """Whether anything keeps requests apart."""
    slowed: bool = False
    """Whether the server has complained."""
    paused_until: float = 0.0
    lowest: float = math.inf
    """The lowest bound of the runs at work, in requests a second."""


class OwnRate:
    """The rate of one run that shares it with nobody."""

    turn_lasts = math.inf
    """Seconds in which a turn can be used."""

    def __init__(self, run: str = "") -> None:
        self.run = run
        self._mutex = threading.Lock()
        self._state = RateState()

    def close(self) -> None:
        """Keep nothing open."""

    @contextlib.contextmanager
    def hold(self) -> Iterator[RateState]:
        """The state, to be looked at and changed; nobody else sees it meanwhile."""
        with self._mutex:
            yield self._state

    @property
    def touched(self) -> bool:
        """Whether anybody may have changed the state since it was last looked at; this is asked often."""
        return True

    def take(self, now: Callable[[], float], rate: float | None, wanted: int = 1) -> Turn:
        """Take the next turn, if it has come. `now` is the clock, `rate` the bound of this run.

        `wanted`: how many requests of this process want to leave; who hands out turns ahead may take as many.
        """
        with self.hold() as state:
            moment = now()
            state.forget(moment)
            if rate is not None:
                state.rates[self.run] = rate
            interval = state.interval
            wait = pause = state.paused_until - moment
            if interval:
                wait = max(pause, _until_next(state) - moment)
            if wait <= NO_WAIT and interval:
                # One interval may be caught up, so that late wake-ups do not add up to a lower rate.
                state.next = max(state.next, moment - interval) + interval
                state.note(moment)
            lowest = min(state.rates.values(), default=math.inf)
            return Turn(moment, wait, interval > 0, state.slow > 0, state.paused_until, lowest)


class SharedRate(OwnRate):
    """The rate of an access key over all processes of one journal.

    Where the file cannot be locked, read or written, the run goes on by what it knows itself.
    """

    @classmethod
    def beside(cls, journal: Path, access_key: str, run_id: str = "") -> SharedRate:
        """The rate of an access key, as the runs of this journal share it. The journal need not be there."""
        locks = FileLocks(journal.parent / "locks")
        lock = locks.rate(access_key)
        return cls(lock.path.with_suffix(".json"), lock, run_id, locks.run_held)

    def __init__(self, path: Path, lock: FileLock, run: str, at_work: Callable[[str], bool]) -> None:
        super().__init__(run)
        self._path = path
        self._lock = lock
        self._at_work = at_work
        self._seen: tuple[int, ...] = ()

    @property
    def touched(self) -> bool:
        try:
            return _written(self._path.stat()) != self._seen
        except OSError:
            return True

    @contextlib.contextmanager
    def hold(self) -> Iterator[RateState]:
        with self._mutex, self._opened() as file:
            if file is not None:
                self._state = self._load(file)
            yield self._state
            if file is not None:
                self._save(file)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[FileIO | None]:
        """The file, locked; None where that fails."""
        try:
            self._lock.hold(_LOCK_SECONDS)
        except (OSError, filelock.Timeout):
            yield None
            return
        try:
            with self._open() as file:
                yield file
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def _open(self) -> Iterator[FileIO | None]:
        try:
            file = FileIO(self._path, "r+", opener=_opener)
        except OSError:
            yield None
            return
        with file:
            yield file

    def _load(self, file: FileIO) -> RateState:
        try:
            state = decode_state(file.readall())
        except (ValueError, TypeError, AttributeError):
            state = RateState()
        if abs(state.boot - _boot()) > _CLOCK_STEP:
            state = RateState()
        for run in [run for run in state.rates if run != self.run and not self._at_work(run)]:
            del state.rates[run]
        return state

    def _save(self, file: FileIO) -> None:
        self._state.boot = _boot()
        content = {each.name: getattr(self._state, each.name) for each in fields(self._state)}
        # Over what is there: to cut the file first would make some file systems wait for the disk.
        with contextlib.suppress(OSError):
            file.seek(0)
            file.write(json.dumps(content).encode() + b"\n")
            self._seen = _written(os.fstat(file.fileno()))


def _opener(path: str, flags: int) -> int:
    return private_opener(path, flags | os.O_CREAT)


def decode_state(content: bytes) -> RateState:
    """The state that a file's first line holds. Raises ValueError or TypeError for what nobody wrote so."""
    if not content:
        return RateState()
    state = RateState(**json.loads(content.partition(b"\n")[0]))
    numbers = [state.next, state.slow, state.slowed_at, state.paused_until, state.boot, *state.left]
    if not all(math.isfinite(number) for number in (*numbers, *state.rates.values())):
        raise ValueError("no number")
    if not all(rate > 0 for rate in state.rates.values()):
        raise ValueError("no rate")
    return state


def _written(file: os.stat_result) -> tuple[int, ...]:
    """What differs once somebody else has written to a file."""
    return file.st_ino, file.st_size, file.st_mtime_ns


def _until_next(state: RateState) -> float:
    """When the next request may leave so that no second sees more than the bound."""
    bound = state.bound
    many = max(int(1.0 / bound + 1e-9), 1) if bound else 0
    if not many or many > len(state.left):
        return state.next
    return max(state.next, state.left[-many] + many * bound + _ON_THE_WAY)


def _boot() -> float:
    return time.time() - time.monotonic()
