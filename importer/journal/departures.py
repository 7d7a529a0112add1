"""Tell of a run that was killed which of its requests had left.

The journal notes requests before they leave, several at a time, and of the last ones it does not say whether
they did. A file beside the run's lock takes the number of each at the moment it leaves. It does not wait for
the disk, so it says something of a killed process, and nothing once the machine has been started anew.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from importer.journal.locks import DEPARTURES, FileLock, Lock
from importer.private_files import open_plain_file, private_opener

_BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Linux names each start of the machine. Elsewhere nothing is known."""


class Departures:
    """The requests of one run that left. Thread-safe. Where nothing can be noted, nothing is known."""

    def __init__(self, lock: Lock, last_entry: int, boot: str | None = None) -> None:
        """Go on with what an earlier process noted. `lock` is the run's, `last_entry` its latest so far.

        `boot` names this start of the machine; None: ask the system.
        """
        self._file: int | None = None
        self._left: set[int] = set()
        self._since = last_entry
        """Nothing is known of this request and those before."""
        self._boot = _this_boot() if boot is None else boot
        self._path = lock.path.with_suffix(DEPARTURES) if isinstance(lock, FileLock) else None
        if self._path is not None and self._boot:
            with contextlib.suppress(OSError):
                self._open(self._path)

    def _open(self, path: Path) -> None:
        before = self._read(path)
        if before is None:
            path.unlink(missing_ok=True)
        else:
            self._since, self._left = before
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = private_opener(str(path), flags)
        if before is None:
            self._write(f"{self._boot} {self._since}\n")

    def _read(self, path: Path) -> tuple[int, set[int]] | None:
        """Return since when everything is known, and what left; None if that means nothing any more."""
        try:
            with open_plain_file(path) as file:
                head, *lines = file.read().decode("ascii").splitlines()
            boot, since = head.split()
            return (int(since), {int(line) for line in lines}) if boot == self._boot else None
        except (OSError, ValueError):
            return None

    def note(self, entry: int) -> None:
        """Note that a request leaves now, by its number in the journal."""
        if self._file is not None:
            self._left.add(entry)
            self._write(f"{entry}\n")

    def _write(self, text: str) -> None:
        try:
            assert self._file is not None  # noqa: S101 - it is open
            os.write(self._file, text.encode())
        except OSError:  # a full disk; a note that is missing would be a wrong one
            self.forget()

    def has_left(self, entry: int) -> bool | None:
        """Return whether a request left, by its number; None if that is not known."""
        return None if self._file is None or entry <= self._since else entry in self._left

    def forget(self) -> None:
        """Remove what was noted: the run is over, and each of its requests has an end."""
        self.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Note nothing more."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _this_boot() -> str:
    try:
        return _BOOT.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
