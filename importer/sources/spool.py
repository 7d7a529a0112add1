"""Keep copies of files that came from elsewhere, so that a run can be taken up again and reported.

Each copy lies in a folder of its own in the state folder, under the file's own name and for its owner alone.
A copy belongs to the run that reads it, and goes when `runs prune` forgets the run.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from importer.errors import InputError
from importer.patterns import late_pattern
from importer.private_files import FILE_MODE, create_private_file, make_private_folder
from importer.sources.locations import LocalCopy
from importer.user_folders import state_folder

MOST_BYTES = 1 << 33
"""Bytes that a file from elsewhere may have: as many as an archive may unpack to."""
_UNFIT = late_pattern(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
_LONGEST_NAME = 100
_LEFTOVER_SECONDS = 86_400.0
"""After so long a copy that no run reads, or a part of one, is left over from a process that was killed."""
_GUARD, _GUARD_SECONDS = ".lock", 10.0


def spool_folder() -> Path:
    """Return the folder of all copies."""
    return state_folder() / "spool"


def is_spooled(path: Path) -> bool:
    """Return whether a file lies among the copies."""
    return path.parent.parent == spool_folder()


def new_copy(name: str) -> Path:
    """Return the path of a new copy, in a new folder. `name` is the file's own.

    Raises InputError `no-room` if the folder cannot be made.
    """
    folder = spool_folder() / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    try:
        make_private_folder(folder)
    except OSError as error:
        raise no_room(name, error) from None
    return folder / plain_name(name)


def plain_name(name: str) -> str:
    """Return a file name that every system takes, with its suffix."""
    fit = _UNFIT.sub("_", name).strip(" .") or "download"
    stem, dot, suffix = fit.rpartition(".")
    if not stem or len(suffix) > 10:
        return fit[:_LONGEST_NAME]
    return f"{stem[:_LONGEST_NAME]}{dot}{suffix}"


def write_copy(pieces: Iterable[bytes], name: str, own_name: str = "") -> LocalCopy:
    """Write a copy of what comes in pieces, and return it under the name `name`.

    Raises InputError `no-room` or `source-too-large`; nothing of the copy is then left.
    """
    path, size = new_copy(own_name or name), 0
    try:
        with create_private_file(path) as file:
            for piece in pieces:
                size += len(piece)
                check_size(size, name)
                file.write(piece)
    except OSError as error:
        discard(path)
        raise no_room(name, error) from None
    except BaseException:
        discard(path)
        raise
    return LocalCopy(path, name)


def check_size(size: int, name: str, most: int = MOST_BYTES) -> None:
    """Raise InputError `source-too-large` for more bytes than a file may have."""
    if size > most:
        raise InputError("source-too-large", name=name, gigabytes=f"{most / (1 << 30):g}")


def check_room(size: int, folder: Path, name: str) -> None:
    """Raise InputError `no-room` if so many bytes do not fit on the disk of a folder."""
    import errno
    import os

    if size > shutil.disk_usage(folder).free:
        raise no_room(name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def no_room(name: str, error: OSError) -> InputError:
    """Return the error of a copy that cannot be written."""
    return InputError("no-room", name=name, reason=error.strerror or str(error))


def discard(path: Path) -> None:
    """Remove a copy with its folder. Does nothing for any other file."""
    if is_spooled(path):
        shutil.rmtree(path.parent, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Part:
    """Where a file lies that is being fetched, and what is known of it, so that another process can go on."""

    path: Path
    notes: Path
    lock: Path

    @classmethod
    def named(cls, key: str) -> Part:
        """Return the part of a file; `key` stands for its address."""
        return cls(*(spool_folder() / f"{key}{suffix}" for suffix in (".part", ".json", ".lock")))

    def remove(self) -> None:
        """Remove what has come: nobody will go on from there."""
        self.path.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)


@contextmanager
def hold_part(part: Part) -> Iterator[bool]:
    """Hold a part, and yield True; or False if another process holds it. Raises OSError."""
    from filelock import FileLock, Timeout

    make_private_folder(spool_folder())
    # Lock files come and go under this one, which stays: else one process could lock a file under a name that
    # another has removed meanwhile.
    guard = FileLock(spool_folder() / _GUARD, timeout=_GUARD_SECONDS, mode=FILE_MODE)
    lock = FileLock(part.lock, timeout=0, mode=FILE_MODE)
    try:
        with guard:
            lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        with suppress(Timeout, OSError), guard:
            lock.release()
            part.lock.unlink(missing_ok=True)
        lock.release()


def prune_copies(
    read: Collection[str],
    forgotten: Collection[str] = (),
    older_than: float = _LEFTOVER_SECONDS,
    now: float | None = None,
) -> None:
    """Remove copies that no run reads any more; `read` are the paths of those that some run does.

    Those of runs that were `forgotten` just now go at once. Any other of the last day stays: its run may not
    have begun. A part that nobody is fetching goes after `older_than` seconds, or a day if that is less.
    `now`: seconds since 1970; None: the clock's.
    """
    folder = spool_folder()
    if not folder.is_dir():
        return
    now = time.time() if now is None else now
    for entry in list(folder.iterdir()):
        with suppress(OSError):
            if entry.is_dir():
                files = [path for path in entry.iterdir() if path.is_file()]
                newest = max(path.stat().st_mtime for path in [entry, *files])
                left = now - newest > _LEFTOVER_SECONDS or any(str(path) in forgotten for path in files)
                if left and not any(str(path) in read for path in files):
                    shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != _GUARD and now - entry.stat().st_mtime >= min(older_than, _LEFTOVER_SECONDS):
                _remove_part(Part.named(entry.stem))


def _remove_part(part: Part) -> None:
    with hold_part(part) as held:
        if held:
            part.remove()
