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
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import filelock

from importer.dataclass import dataclass
from importer.errors import JournalPlaceError, LockedError
from importer.private_files import FILE_MODE, make_private_folder, open_plain_file, replace_private_file

_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC)
"""Limits of the system, which have words of their own."""
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


class Lock:
    """One lock between processes, at first not taken; `release` may be called twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _file_lock(path)

    def acquire(self, holder: LockHolder, code: str) -> None:
        """Take the lock and write the note. Raises LockedError `code` that names the holder,
        JournalPlaceError if there can be no lock."""
        try:
            make_private_folder(self.path.parent)
            self._lock.acquire(timeout=_PATIENCE, poll_interval=0.05)
        except filelock.Timeout:
            other = read_holder(self.path)
            raise LockedError(
                code,
                pid=other.pid if other else "?",
                host=other.host if other else "?",
                run=other.run if other else "?",
                since=other.since if other else "?",
            ) from None
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
        """Whether this object holds the lock."""
        return bool(self._lock.is_locked)

    def remove(self) -> None:
        """Delete the file of a lock that nobody will take again."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def release(self) -> None:
        if self._lock.is_locked:
            # Before the lock is free, or the note of the next holder would be removed.
            with contextlib.suppress(OSError):
                _note(self.path).unlink(missing_ok=True)
            self._lock.release()


class Locks:
    """All locks beside one journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, run_id: str) -> Lock:
        return Lock(self._folder / f"run-{run_id}.lock")

    def source(self, sha256: str, lane: str) -> Lock:
        """The lock of one file's content on its way to one lane."""
        return Lock(self._folder / f"source-{_digest(f'{sha256}|{lane}')}.lock")

    def lane(self, lane: str) -> Lock:
        """The lock of who sends on a lane."""
        return Lock(self._folder / f"lane-{_digest(lane)}.lock")

    def rate(self, access_key: str) -> Lock:
        """The lock of what is known of an access key's rate; its file is named by a hash of the key."""
        return Lock(self._folder / f"rate-{_digest(f'rate|{access_key}')}.lock")

    def ticket(self, name: str) -> Lock:
        """The lock that shows that the process of a ticket is alive."""
        return Lock(self._folder / f"ticket-{name}.lock")

    def job(self, name: str) -> Lock:
        """The lock of one scheduled job."""
        return Lock(self._folder / f"job-{name}.lock")

    def run_held(self, run_id: str) -> bool:
        """True if a living process is at work on the run."""
        return self.held(f"run-{run_id}.lock")

    def job_held(self, name: str) -> bool:
        """True if a living process is at work on a round of the job."""
        return self.held(f"job-{name}.lock")

    def held(self, name: str) -> bool:
        """True if a living process holds the lock whose file has this name."""
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
        """Delete the lock file of this name, and the note beside it."""
        for path in (self._folder / name, _note(self._folder / name)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def forget(self, run_id: str) -> None:
        """Remove the lock files of a run that the journal has forgotten."""
        self.remove(f"run-{run_id}.lock")


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
