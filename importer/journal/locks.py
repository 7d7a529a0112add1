"""Locks between processes: one for each run, scheduled job, lane, ticket, and source on its way to a lane.

The operating system holds the lock and releases it when the process ends, however it ends. A lock file that
nobody holds is stale and means nothing. A note beside the lock file says who holds it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import socket
from abc import ABC, abstractmethod
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import filelock

from importer.dataclass import dataclass
from importer.errors import JournalPlaceError, LockedError
from importer.private_files import FILE_MODE, make_private_folder, open_plain_file, replace_private_file

_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC)
"""Limits of the system, which have words of their own."""
DEPARTURES = ".sent"
"""Ends the name of the file beside a run's lock that says which of its requests left."""
_PATIENCE = 0.3
"""Seconds to wait for a lock: a process that checks whether the lock is free holds it for a moment."""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds a lock."""

    pid: int
    host: str
    run: str
    """The run's id, or the job's name."""
    since: str

    @classmethod
    def current(cls, run_id: str, now: datetime) -> LockHolder:
        """This process as the holder of a lock for a run, or a job."""
        return cls(os.getpid(), socket.gethostname(), run_id, now.isoformat(timespec="seconds"))


class TurnDoubtError(Exception):
    """It is not sure any more that the lane is ours: nothing may leave before that is known again."""


class Lock(ABC):
    """One lock between processes, at first not taken; `release` may be called twice."""

    name: str

    @abstractmethod
    def acquire(self, holder: LockHolder, code: str) -> None:
        """Take the lock and write the note. Raises LockedError `code` that names the holder."""

    @property
    @abstractmethod
    def held(self) -> bool:
        """Whether this object holds the lock."""

    @abstractmethod
    def holder(self) -> LockHolder | None:
        """Who holds the lock, by the note; None if it is missing or damaged."""

    @abstractmethod
    def remove(self) -> None:
        """Clear away a lock that nobody will take again."""

    @abstractmethod
    def release(self) -> None:
        """Give the lock back."""


def locked_by(other: LockHolder | None, code: str) -> LockedError:
    """Return the error for a lock that somebody holds."""
    return LockedError(
        code,
        pid=other.pid if other else "?",
        host=other.host if other else "?",
        run=other.run if other else "?",
        since=other.since if other else "?",
    )


class FileLock(Lock):
    """A lock on a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._lock = _file_lock(path)

    def acquire(self, holder: LockHolder, code: str) -> None:
        try:
            make_private_folder(self.path.parent)
            self._lock.acquire(timeout=_PATIENCE, poll_interval=0.05)
        except filelock.Timeout:
            raise locked_by(self.holder(), code) from None
        except OSError as error:
            if error.errno in _LIMITS:
                raise
            raise JournalPlaceError("journal-unwritable", path=self.path, problem=error) from error
        # On a full disk the lock holds all the same; only the note is missing.
        with contextlib.suppress(OSError):
            replace_private_file(_note(self.path), json.dumps(asdict(holder)).encode())

    def hold(self, seconds: float) -> None:
        """Take the lock for a moment, without a note. Raises filelock.Timeout, OSError."""
        self._lock.acquire(timeout=seconds, poll_interval=0.001)

    @property
    def held(self) -> bool:
        return bool(self._lock.is_locked)

    def holder(self) -> LockHolder | None:
        return read_holder(self.path)

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def release(self) -> None:
        if self._lock.is_locked:
            # Before the lock is free, or the note of the next holder would be removed.
            with contextlib.suppress(OSError):
                _note(self.path).unlink(missing_ok=True)
            self._lock.release()


class Locks(ABC):
    """All locks of one journal."""

    def run(self, run_id: str) -> Lock:
        return self.lock(f"run-{run_id}.lock")

    def source(self, sha256: str, lane: str) -> Lock:
        """The lock of one file's content on its way to one lane."""
        return self.lock(f"source-{_digest(f'{sha256}|{lane}')}.lock")

    def lane(self, lane: str) -> Lock:
        """The lock of who sends on a lane."""
        return self.lock(f"lane-{_digest(lane)}.lock")

    def ticket(self, name: str) -> Lock:
        """The lock that shows that the process of a ticket is alive."""
        return self.lock(f"ticket-{name}.lock")

    def job(self, name: str) -> Lock:
        """The lock of one scheduled job."""
        return self.lock(f"job-{name}.lock")

    def run_held(self, run_id: str) -> bool:
        """True if a living process is at work on the run."""
        return self.held(f"run-{run_id}.lock")

    def job_held(self, name: str) -> bool:
        """True if a living process is at work on a round of the job."""
        return self.held(f"job-{name}.lock")

    def forget(self, run_id: str) -> None:
        """Clear away what lies beside the journal for a run that it has forgotten."""
        self.remove(f"run-{run_id}.lock")

    @abstractmethod
    def lock(self, name: str) -> Lock:
        """The lock of a name."""

    @abstractmethod
    def held(self, name: str) -> bool:
        """True if a living process holds the lock of this name."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Clear away the lock of this name, and the note about its holder."""

    def keep(self) -> bool:
        """Make sure that what we hold is still ours. Return whether it was lost meanwhile, and taken again.

        A lock on a file is ours as long as this process lives. Raises JournalError.
        """
        return False

    def look(self) -> None:  # noqa: B027 - nothing to look at is the rule
        """Raise TurnDoubtError if it is not sure that what we hold is still ours. Does not wait."""

    def close(self) -> None:  # noqa: B027
        """Give back what is held."""


class FileLocks(Locks):
    """Locks on files beside a journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lock(self, name: str) -> Lock:
        return FileLock(self._folder / name)

    def rate(self, access_key: str) -> FileLock:
        """The lock of what is known of an access key's rate."""
        return FileLock(self._folder / f"{rate_name(access_key)}.lock")

    def held(self, name: str) -> bool:
        path = self._folder / name
        if not path.exists():
            return False
        probe = _file_lock(path)
        try:
            probe.acquire(timeout=0)
        except filelock.Timeout:
            return True
        probe.release()
        return False

    def remove(self, name: str) -> None:
        lock = self._folder / name
        for path in (lock, _note(lock), lock.with_suffix(DEPARTURES)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def rate_name(access_key: str) -> str:
    """Return the name under which an access key's rate is kept: a hash of the key."""
    return f"rate-{_digest(f'rate|{access_key}')}"


def read_holder(path: Path) -> LockHolder | None:
    """Read the note beside a lock; None if it is missing or damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError), open_plain_file(_note(path)) as note:
        return LockHolder(**json.loads(note.read()))
    return None


def _file_lock(path: Path) -> filelock.BaseFileLock:
    """The system's lock on a file; like `private_files` it makes the file private and follows no link."""
    return filelock.FileLock(path, mode=FILE_MODE, thread_local=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _note(path: Path) -> Path:
    return path.with_suffix(".holder")
