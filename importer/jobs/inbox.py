"""List the files of an inbox that are ready: complete, no temporary files, oldest first.

A file is ready if it was written long enough ago and did not change between two looks, or if a marker
`NAME.done` lies beside it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from importer.errors import InputError
from importer.jobs.config import Job, SourceKind

MARKER = ".done"
TEMPORARY = (".part", ".tmp", ".partial", ".filepart", ".crdownload", MARKER)
LOOK_SECONDS = 2.0
"""Between the two looks at a file's size."""
SECOND_NANOSECONDS = 1_000_000_000
_MOMENTS = ("mtime", "LastModified", "last_modified", "updated")
"""Where stores say when a file was written."""


@dataclass(frozen=True, slots=True)
class InboxFile:
    """A file as it was when it was looked at."""

    path: Path
    size: int
    modified_ns: int
    inode: int
    marked: bool

    def same_as(self, other: InboxFile) -> bool:
        """True if the file was not written to between the two looks."""
        return (self.size, self.modified_ns, self.inode) == (other.size, other.modified_ns, other.inode)

    @classmethod
    def of_store(cls, entry: dict[str, Any]) -> InboxFile:
        """Return a file of a bucket or a file server, of which `entry` says what the store says of it."""
        moment = next((entry[key] for key in _MOMENTS if entry.get(key)), 0)
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        seconds = moment.timestamp() if isinstance(moment, datetime) else float(moment)
        tag = _content_tag(entry)
        inode = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:6]) if tag else 0
        name = PurePosixPath(str(entry["name"])).name
        return cls(
            Path(name), int(entry["size"] or 0), int(seconds * SECOND_NANOSECONDS), inode, marked=False
        )

    def age(self, now: float) -> float:
        """Seconds since it was written; negative if the clock has gone back since."""
        return now - self.modified_ns / SECOND_NANOSECONDS


def _content_tag(entry: dict[str, Any]) -> str:
    """Return what shows a file's content. Google's and Azure's own ETags change when a file is copied."""
    azure = entry.get("content_settings") or {}
    digest = azure.get("content_md5")
    if digest:
        return bytes(digest).hex()
    keys = ("md5Hash", "crc32c", "ETag", "etag", "generation")
    return str(next((entry[key] for key in keys if entry.get(key)), ""))


@dataclass(frozen=True, slots=True)
class InboxListing:
    """The files of an inbox: `ready` ones oldest first; `waiting` ones may still be written."""

    ready: tuple[InboxFile, ...]
    waiting: tuple[InboxFile, ...]


class Candidates(Protocol):
    """A place that files come in at, other than a folder on a disk."""

    def candidates(self) -> list[InboxFile]:
        """Return the files as they are now, ready or not."""


def list_inbox(
    job: Job, now: Callable[[], float], sleep: Callable[[float], None], remote: Candidates | None = None
) -> InboxListing:
    """Look twice at every file of the job's folder, or of `remote`. Raises InputError.

    The age of a file whose time stamp lies in the future says nothing (the clock was set back, or a file
    server's clock is ahead): such a file is watched for the whole settle time.
    """
    first = {found.path: found for found in (remote.candidates() if remote else _candidates(job))}
    if not first:
        return InboxListing((), ())
    unmarked = [found for found in first.values() if not found.marked]
    moment = now()
    if any(found.age(moment) < 0 for found in unmarked):
        sleep(max(job.settle, LOOK_SECONDS))
    elif any(found.age(moment) >= job.settle for found in unmarked):
        sleep(LOOK_SECONDS)
    ready: list[InboxFile] = []
    waiting: list[InboxFile] = []
    now_there = {found.path: found for found in remote.candidates()} if remote else {}
    for found in first.values():
        again = now_there.get(found.path) if remote else look_at(found.path)
        if again is None:
            continue
        whole = again.marked or (again.same_as(found) and not 0 <= found.age(moment) < job.settle)
        (ready if whole else waiting).append(again)
    return InboxListing(_oldest_first(ready), _oldest_first(waiting))


def look_at(path: Path) -> InboxFile | None:
    """Return the file as it is now; None if it is gone or no regular file (a folder, a link)."""
    try:
        seen = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(seen.st_mode):
        return None
    return InboxFile(path, seen.st_size, seen.st_mtime_ns, seen.st_ino, _marked(path, seen))


def marker_of(path: Path) -> Path:
    return path.with_name(path.name + MARKER)


def may_be_taken(name: str) -> bool:
    """False for the temporary files of office programs, browsers and file transfers."""
    return not name.startswith((".", "~$")) and not name.lower().endswith(TEMPORARY)


def _candidates(job: Job) -> Iterator[InboxFile]:
    if job.kind is SourceKind.FILE:
        check_folder(job.source.parent)
        names = [job.source.name]
    else:
        folder = job.source if job.kind is SourceKind.INBOX else job.source.parent
        pattern = "*" if job.kind is SourceKind.INBOX else job.source.name
        names = [name for name in _listed(folder) if fnmatch.fnmatch(name, pattern) and may_be_taken(name)]
    folder = job.source if job.kind is SourceKind.INBOX else job.source.parent
    for name in names:
        found = look_at(folder / name)
        if found is not None:
            yield found


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names, not paths, and an error at once
    except OSError as error:
        raise InputError("job-folder-unreadable", folder=folder, reason=error.strerror) from error


def check_folder(folder: Path) -> None:
    """Check that a folder can be read. Raises InputError `job-folder-unreadable`."""
    _listed(folder)


def _marked(path: Path, seen: os.stat_result) -> bool:
    """True if a marker lies beside the file. One that is older than the file was for an earlier file."""
    try:
        marker = marker_of(path).lstat()
    except OSError:
        return False
    return stat.S_ISREG(marker.st_mode) and marker.st_mtime_ns >= seen.st_mtime_ns


def _oldest_first(found: list[InboxFile]) -> tuple[InboxFile, ...]:
    return tuple(sorted(found, key=lambda each: (each.modified_ns, each.path.name)))
