"""Open the program's own files: readable by their owner only, and never through a link.

Journal, locks, logs, reports, stores and temporary files lie in folders that other programs may reach. A link
planted under one of their names must not make us overwrite, or publish, what it points to. So a new file is
made with O_EXCL and mode 0600, and an existing one is opened with O_NOFOLLOW and has to be a plain file with
one name. Windows has neither modes nor O_NOFOLLOW; there the user's profile folder protects them.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import secrets
import stat
import time
from pathlib import Path
from typing import BinaryIO

from importer.dataclass import dataclass

FILE_MODE = 0o600
FOLDER_MODE = 0o700

_ABANDONED = 3600.0
"""Seconds after which nobody writes a part any more."""
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def private_opener(path: str, flags: int) -> int:
    """The `opener` of `open`: mode 0600 for a new file.

    Raises OSError for what somebody may have planted there: a link (ELOOP), a second name of another file
    (EMLINK), a pipe or a device (EINVAL), which would make us wait, too.
    """
    # What is planted must not be emptied before it was looked at.
    descriptor = _open_plain(path, flags & ~os.O_TRUNC | _NO_LINKS)
    try:
        if os.fstat(descriptor).st_nlink > 1:
            raise OSError(errno.EMLINK, "the file has a second name", path)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_plain_file(path: Path) -> BinaryIO:
    """Open a file for reading, whoever put it there. Raises OSError for a link, a pipe, a device."""
    return open(path, "rb", opener=lambda name, flags: _open_plain(name, flags | _NO_LINKS))


def _open_plain(path: str, flags: int) -> int:
    """Open a plain file without waiting for anybody. Raises OSError, EINVAL for anything else."""
    descriptor = os.open(path, flags | _NO_WAIT, FILE_MODE)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a plain file", path)


@dataclass(frozen=True, slots=True)
class FileAccess:
    """Who besides the user can do what with a file. All False on Windows, where folders keep others out."""

    foreign: bool = False
    """The file, or the link that leads to it, is another user's; root counts as no other."""
    others_write: bool = False
    others_read: bool = False
    """A group counts among the others, unless its owner is alone in it."""
    mode: int = 0


def read_with_access(path: Path) -> tuple[bytes, FileAccess]:
    """Read a file that settings stand in, and tell who else can reach it: both of the same open file.

    Of a link its owner counts, too. What a group may do counts unless nobody but the owner is in it. Raises
    OSError, for all but a plain file.
    """
    with open(path, "rb", opener=_open_plain) as file:
        found = os.fstat(file.fileno())
        return file.read(), _access(path, found) if os.name == "posix" else FileAccess()


def _access(path: Path, found: os.stat_result) -> FileAccess:
    mode = stat.S_IMODE(found.st_mode)
    if mode & stat.S_IRWXG and _only_owner_in_group(found):
        mode &= ~stat.S_IRWXG
    owners = {found.st_uid, path.lstat().st_uid}
    return FileAccess(
        foreign=not owners <= {os.geteuid(), 0},
        others_write=bool(mode & (stat.S_IWGRP | stat.S_IWOTH)),
        others_read=bool(mode & (stat.S_IRGRP | stat.S_IROTH)),
        mode=stat.S_IMODE(found.st_mode),
    )


def _only_owner_in_group(found: os.stat_result) -> bool:
    """Whether the file's group is its owner's own, as many systems make one for each user."""
    import grp
    import pwd

    try:
        owner, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    own = (group.gr_gid, group.gr_name) == (owner.pw_gid, owner.pw_name)
    return own and set(group.gr_mem) <= {owner.pw_name}


def create_new_file(path: Path, content: bytes) -> None:
    """Write a file that a user asked for, where there is none, with the user's usual mode.

    Raises FileExistsError for anything under that name (a link that leads nowhere, too), else OSError.
    """
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags | _NO_LINKS, 0o666)) as file:
        file.write(content)


def make_private_folder(folder: Path) -> None:
    """Make a folder of mode 0700 with its parents; one that is there stays as it is. Raises OSError."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def create_private_file(path: Path) -> BinaryIO:
    """Make a new file and open it for reading and writing.

    What lies under the name is removed first: a part that a crash left, or a link (never what it points to).
    Raises OSError, also where somebody puts something there at the same moment.
    """
    path.unlink(missing_ok=True)
    return open(path, "x+b", buffering=1 << 20, opener=private_opener)


def open_private_file(path: Path) -> BinaryIO:
    """Open an own file that exists, for reading and writing. Raises OSError as `private_opener`."""
    return open(path, "r+b", opener=private_opener)


def ensure_private_file(path: Path) -> None:
    """Make an empty file unless it is there, and give it mode 0600. Raises OSError as `private_opener`."""
    descriptor = private_opener(str(path), os.O_RDWR | os.O_CREAT | _BINARY)
    try:
        if os.name == "posix":
            os.fchmod(descriptor, FILE_MODE)
    finally:
        os.close(descriptor)


def ensure_private_database(path: Path) -> None:
    """Do as `ensure_private_file` for an SQLite database, whose own files SQLite would open through links."""
    for companion in ("-wal", "-shm", "-journal"):
        beside = path.with_name(path.name + companion)
        if os.path.lexists(beside):
            ensure_private_file(beside)
    ensure_private_file(path)


def file_size_limit() -> int | None:
    """The most bytes that a file of this process may have (`ulimit -f`); None if there is no limit."""
    if os.name != "posix":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def replace_private_file(path: Path, content: bytes, mode: int = FILE_MODE) -> None:
    """Write a file whole, under another name first: a reader sees the old content or the new. Raises OSError.

    `mode` is for a file that its owner shares with others.
    """
    # Another process may write the same file at this moment: each has a part of its own.
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with create_private_file(part) as file:
            file.write(content)
        if mode != FILE_MODE:
            part.chmod(mode)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _remove_old_parts(path)


def _remove_old_parts(path: Path) -> None:
    """Remove what processes left that were killed while they wrote this file."""
    with contextlib.suppress(OSError):
        for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            if time.time() - part.lstat().st_mtime > _ABANDONED:
                part.unlink()


def leave_foreign(path: Path, ours: re.Pattern[bytes], length: int, what: str) -> None:
    """Raise FileExistsError for a file whose first bytes (`length` of them) do not match what we write there.

    A file that is empty or not there is nobody's. `what` says in English what it would be: “log”.
    """
    with contextlib.suppress(FileNotFoundError), open_plain_file(path) as file:
        begin = file.read(length)
        if begin and not ours.fullmatch(begin):
            raise FileExistsError(errno.EEXIST, f"the file is no {what} of the importer")
