"""Fetch files that stay where they are, but those that have not changed only once: their copies lie here.

Beside the copy of such a file stands what the place showed of it: size, time and tag. While it shows the
same, or a web server says so itself, the next round takes the copy, as long as the copy's own content is what
was imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from importer.config import ConfigFile
from importer.jobs.inbox import SECOND_NANOSECONDS, InboxFile
from importer.journal.job_history import FileRecord
from importer.private_files import create_private_file
from importer.sources.fetching import fetch_changed, find_settings, take_in
from importer.sources.locations import DatabaseQuery, LocalCopy, Location, Scheme
from importer.sources.spool import discard
from importer.sources.stores import PIECE, RemoteStore
from importer.sources.web_headers import WebVersion

_NOTE = ".seen.json"
"""Lies in the folder of the copy, and goes with it."""
_SURE_AFTER = 10 * SECOND_NANOSECONDS
"""Where nothing but size and time tells a file from a later one, it has to be older than this when it is
fetched: times of a file server may have no more than seconds."""


@dataclass
class KnownCopies:
    """The copies of earlier rounds, of which `records` tell."""

    records: Iterable[FileRecord] = ()
    _found: dict[str, list[FileRecord]] | None = field(default=None, init=False)

    def find(self, found: InboxFile) -> Path | None:
        """Return the copy of a file that is as it was when it was fetched; None if it has to be fetched."""
        return next((copy for copy, _ in self._copies(found.path.name, _sight(found).__eq__)), None)

    def newest_of_web(self, name: str) -> tuple[Path, WebVersion] | None:
        """Return the newest copy of a file from a web address, and its version as the server told it; None
        without a copy beside which one is noted."""
        names = {one.name for one in fields(WebVersion)}
        noted = self._copies(name, lambda noted: isinstance(noted, dict) and set(noted) == names)
        return next(((copy, WebVersion(**said)) for copy, said in noted), None)

    def _copies(self, name: str, fits: Callable[[Any], object]) -> Iterator[tuple[Path, Any]]:
        """Yield the copies of a name beside which something fitting is noted, with the note, newest first."""
        if self._found is None:
            self._found = {}
            for record in sorted(self.records, key=lambda one: one.number, reverse=True):
                if record.sha256 and record.target is not None:
                    self._found.setdefault(record.name, []).append(record)
        for record in self._found.get(name, ()):
            copy = record.target
            if copy is not None and fits(noted := _noted(copy)) is True and _digest(copy) == record.sha256:
                yield copy, noted


def note_sight(found: InboxFile, copy: Path, now: float) -> None:
    """Note beside a copy as what its original was seen at `now` (seconds), if that can be told again."""
    tagged = found.inode != 0
    if tagged or now * SECOND_NANOSECONDS - found.modified_ns >= _SURE_AFTER:
        _note(copy, _sight(found))


def _note(copy: Path, said: object) -> None:
    # Without the note the file is fetched once more, and that is all.
    with contextlib.suppress(OSError), create_private_file(copy.with_name(_NOTE)) as note:
        note.write(json.dumps(said).encode())


def take_copy(known: Path, place: Path) -> None:
    """Copy a known copy to its place in working/, whole or not at all, with what stands beside it."""
    with known.open("rb") as source:
        write_whole(place, iter(lambda: source.read(PIECE), b""))
    with contextlib.suppress(OSError):
        note = known.with_name(_NOTE).read_bytes()
        with create_private_file(place.with_name(_NOTE)) as file:
            file.write(note)


def write_whole(place: Path, pieces: Iterable[bytes]) -> None:
    """Write a file of these pieces to its place, whole or not at all."""
    part = place.with_name(".copy.part")
    with create_private_file(part) as copy:
        copy.writelines(pieces)
        copy.flush()
        os.fsync(copy.fileno())
    part.rename(place)


def _move_whole(copy: Path, place: Path) -> None:
    """Move a file to its place, whole or not at all."""
    part = place.with_name(".copy.part")
    shutil.move(copy, part)
    part.rename(place)


def _sight(found: InboxFile) -> list[int]:
    return [found.size, found.modified_ns, found.inode]


def _noted(copy: Path) -> object:
    try:
        return json.loads(copy.with_name(_NOTE).read_bytes())
    except (OSError, ValueError):
        return None


def _digest(copy: Path) -> str:
    try:
        with copy.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@dataclass
class AddressSource:
    """One file at an address, or the result of a query, which stays where it is.

    Each round a query is asked; a file is fetched, unless it is as it was.
    """

    named: Location | DatabaseQuery
    config: ConfigFile
    known: KnownCopies = field(default_factory=KnownCopies)

    def candidates(self) -> list[InboxFile]:
        name = self.named.name if isinstance(self.named, Location) else f"{self.named.database}.arrow"
        return [InboxFile(Path(name), 0, 0, 0, marked=True)]

    def bring(self, found: InboxFile, record: FileRecord) -> bool:
        """Fetch the file, or ask the database, and put the result to its place in working/."""
        if isinstance(self.named, Location) and self.named.scheme is Scheme.HTTPS:
            self._bring_from_web(self.named, found, record)
            return True
        seen = self._look()
        known = self.known.find(seen) if seen else None
        if known is not None:
            take_copy(known, record.place)
            return True
        with self.borrowed(found) as copy:
            _move_whole(copy, record.place)
        if seen is not None:
            note_sight(seen, record.place, time.time())
        return True

    def _bring_from_web(self, named: Location, found: InboxFile, record: FileRecord) -> None:
        known = self.known.newest_of_web(found.path.name)
        answer = fetch_changed(named, known[1] if known else None, self.config)
        if answer.copy is None:
            assert known is not None  # noqa: S101 - the server was told of it
            take_copy(known[0], record.place)
            return
        try:
            _move_whole(answer.copy.path, record.place)
        finally:
            discard(answer.copy.path)
        if answer.version is not None:
            _note(record.place, asdict(answer.version))

    def _look(self) -> InboxFile | None:
        """Return the file as it is now; None for the result of a query."""
        if not isinstance(self.named, Location):
            return None
        store = RemoteStore(self.named, find_settings(self.named, self.config))
        try:
            return InboxFile.of_store(store.info(store.root, self.named.shown()))
        finally:
            store.close()

    def shown(self, found: InboxFile) -> str:
        """Return the address, or the database, as people see it."""
        return str(self.named)

    @contextlib.contextmanager
    def borrowed(self, found: InboxFile) -> Iterator[Path]:
        """Yield a copy of the file, or of the result."""
        named = self.named.address if isinstance(self.named, Location) else self.named
        copy = take_in(named, config=self.config)
        assert isinstance(copy, LocalCopy)  # noqa: S101 - no path
        try:
            yield copy.path
        finally:
            discard(copy.path)

    def put_away(self, record: FileRecord) -> None:
        """Do nothing: the file stays."""

    def settle(self, records: dict[int, FileRecord]) -> None:
        """Learn which copies there are of the file. Nothing was moved."""
        self.known = KnownCopies(records.values())

    def close(self) -> None:
        """Do nothing: no connection is kept."""
