"""What the journal has lost: noticed by a count beside it, and told until somebody acknowledges it.

SQLite takes a log that lost its tail, an empty file or an older copy for a good database: the newest history
is gone, and nobody is told. So each transaction counts itself inside the journal, and the count is written
to a small file beside it once the transaction is on the disk. That file is not forced to the disk, which
would cost as much as the transaction: after a loss of power it may lag behind, but is never ahead. If the
journal has counted less than the file says, it has lost something.

Who puts back an older copy mostly puts back the whole folder, and the count with it. So the same count is
written to the user's cache as well, under a hash of the journal's path.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path
from typing import IO

from importer.dataclass import dataclass
from importer.models import Note
from importer.private_files import (
    ensure_private_file,
    make_private_folder,
    open_plain_file,
    private_opener,
    replace_private_file,
)
from importer.user_folders import cache_folder

LOSSES_SUFFIX = ".losses"
_COUNT_SUFFIX = ".count"
_KEPT_SECONDS = 400 * 86400.0
"""How long the cache keeps the count of a journal that nobody uses."""
_MOST_BYTES = 1_000_000
_UNREADABLE = "journal-losses-unreadable"
_LOSSES = frozenset({"journal-moved-aside", "journal-history-lost", "journal-replaced", _UNREADABLE})


@dataclass(frozen=True, slots=True)
class CommitCount:
    """How many transactions a journal has seen. `journal` is the random name that it was made with."""

    journal: str
    commits: int


class CommitCounter:
    """A file that says how many transactions a journal has seen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    @classmethod
    def beside(cls, journal: Path) -> CommitCounter:
        """The one beside the journal."""
        return cls(journal.with_name(journal.name + _COUNT_SUFFIX))

    @classmethod
    def elsewhere(cls, journal: Path) -> CommitCounter | None:
        """The one in the user's cache; None if this user has none."""
        folder = cache_folder()
        name = hashlib.sha256(os.fsencode(journal.absolute())).hexdigest()[:32]
        return cls(folder / "journals" / f"{name}{_COUNT_SUFFIX}") if folder else None

    def read(self) -> CommitCount | None:
        """Return what the file says; None if there is none, or it says nothing that can be understood."""
        try:
            with open_plain_file(self._path) as file:
                found = re.fullmatch(rb"([0-9a-f]{32}) ([0-9]{20})\n", file.read(100))
        except OSError:
            return None
        return CommitCount(found[1].decode(), int(found[2])) if found else None

    def write(self, count: CommitCount) -> None:
        """Write the count of a transaction that is on the disk. A file that lags behind does no harm."""
        with contextlib.suppress(OSError):
            if self._file is None:
                self._file = open(self._path, "r+b", buffering=0, opener=private_opener)  # noqa: SIM115 - see close
            self._file.seek(0)
            self._file.write(f"{count.journal} {count.commits:020d}\n".encode())

    def begin(self, count: CommitCount) -> None:
        """Make the file, or let it begin anew. Raises OSError."""
        ensure_private_file(self._path)
        self.write(count)

    def begin_anew(self, count: CommitCount) -> None:
        """Do as `begin` in a folder that may not be there, as far as that is possible.

        Counts of journals that nobody has used for long are removed.
        """
        with contextlib.suppress(OSError):
            make_private_folder(self._path.parent)
            self.begin(count)
            long_ago = time.time() - _KEPT_SECONDS
            for path in self._path.parent.glob(f"*{_COUNT_SUFFIX}"):
                if path.stat().st_mtime < long_ago:
                    path.unlink()

    def forget(self) -> None:
        """Remove the file. Raises OSError."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def loss_between(
    noted: CommitCount | None, elsewhere: CommitCount | None, found: CommitCount, journal: Path
) -> Note | None:
    """Return what a journal has lost that has counted `found`.

    `noted`: what the file beside it says. `elsewhere`: what the one in the cache says, which may be that of a
    journal that was there before.
    """
    if noted is not None and noted.journal != found.journal:
        return Note("journal-replaced", (("path", str(journal)),))
    counts = [count.commits for count in (noted, elsewhere) if count and count.journal == found.journal]
    most = max(counts, default=0)
    if most > found.commits:
        lost = (("path", str(journal)), ("lost", most - found.commits), ("count", most))
        return Note("journal-history-lost", lost)
    return None


def losses_file(journal: Path) -> Path:
    """Return the file beside a journal that keeps its losses until they are acknowledged."""
    return journal.with_name(journal.name + LOSSES_SUFFIX)


def read_losses(journal: Path) -> tuple[Note, ...]:
    """Return what the journal has lost, as far as nobody has acknowledged it; the oldest first."""
    path = losses_file(journal)
    try:
        with open_plain_file(path) as file:
            kept = json.loads(file.read(_MOST_BYTES))
        return tuple(_loss(str(code), dict(found)) for code, found in kept)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, RecursionError):
        return (Note(_UNREADABLE, (("path", str(path)),)),)


def _loss(code: str, found: dict[str, object]) -> Note:
    """A loss that this version has words for. Raises ValueError for one that a newer version has kept."""
    if code not in _LOSSES:
        raise ValueError(code)
    return Note(code, tuple(sorted(found.items())))


def add_loss(journal: Path, loss: Note) -> None:
    """Keep a loss until it is acknowledged. A file that cannot be read is put aside. Raises OSError."""
    path = losses_file(journal)
    known = read_losses(journal)
    if [note.found for note in known if note.code == _UNREADABLE] == [(("path", str(path)),)]:
        aside = _free_name(path.with_name(f"{path.name}.unreadable"))
        path.rename(aside)
        known = (Note(_UNREADABLE, (("path", str(aside)),)),)
    content = [[note.code, dict(note.found)] for note in (*known, loss)]
    replace_private_file(path, json.dumps(content, ensure_ascii=True).encode())


def _free_name(path: Path) -> Path:
    names = (path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000)))
    return next(name for name in names if not os.path.lexists(name))


def has_notes(journal: Path) -> bool:
    """Return whether files beside a journal say that it is one: its count, its losses."""
    return CommitCounter.beside(journal).read() is not None or losses_file(journal).is_file()


def acknowledge_losses(journal: Path) -> tuple[Note, ...]:
    """Forget the losses that are known, and return them. Raises OSError."""
    known = read_losses(journal)
    losses_file(journal).unlink(missing_ok=True)
    return known
