"""An inbox in a bucket or on a file server: files are claimed there, fetched, and put away there.

A file that is taken moves into working/ of the inbox, in a folder that bears the number of the file in the
history and the mark of the journal; from there it moves to done/, failed/ or held/ when its copy does. A file
server renames, so one of several takers gets the file. A bucket cannot: there a claim is made first, which
only one can make, and the file is copied and deleted. What a crash leaves between two steps is finished, or
undone, by the next round.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import platform
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from importer.errors import InputError
from importer.jobs.config import Job, JobPlace
from importer.jobs.inbox import MARKER, InboxFile, may_be_taken
from importer.jobs.kept_source import AddressSource, KnownCopies, note_sight, take_copy, write_whole
from importer.journal.job_history import FileFate, FileRecord
from importer.private_files import FOLDER_MODE
from importer.sources.fetching import find_settings
from importer.sources.locations import Location, Scheme
from importer.sources.spool import discard, new_copy
from importer.sources.stores import RemoteStore

WORKING = "working"
FATE_FOLDERS = {
    FileFate.DONE: "done",
    FileFate.REPEATED: "done",
    FileFate.FAILED: "failed",
    FileFate.HELD: "held",
}
_CLAIMS = ".claims"
_TAKEN = re.compile(r"(?P<folder>.+)\.(?P<owner>[0-9a-f]{8})-(?P<number>\d+)")


def journal_mark(journal: Path) -> str:
    """Return the mark of this machine's journal: what another one has taken is left alone."""
    return hashlib.sha256(f"{platform.node()}|{journal.absolute()}".encode()).hexdigest()[:8]


@dataclass
class RemoteInbox:
    """The inbox of one job. Every method raises InputError, SourceRefusedError, SourceAwayError."""

    job: Job
    location: Location
    pattern: str
    store: RemoteStore
    mark: str
    known: KnownCopies = field(default_factory=KnownCopies)
    """Of files that stay where they are."""

    @classmethod
    def of_job(cls, job: Job, place: JobPlace, journal: Path) -> RemoteInbox:
        """Open the inbox of a job; nothing is connected yet."""
        assert isinstance(place.named, Location)  # noqa: S101 - no query has a folder
        store = RemoteStore(place.named, find_settings(place.named, place.config))
        return cls(job, place.named, place.pattern, store, journal_mark(journal))

    def candidates(self) -> list[InboxFile]:
        """Return the files that may be taken, ready or not."""
        found = {one.path.name: one for one in self._listed("")}
        markers = {name.removesuffix(MARKER): one for name, one in found.items() if name.endswith(MARKER)}
        return [
            InboxFile(one.path, one.size, one.modified_ns, one.inode, _vouches(markers.get(name), one))
            for name, one in found.items()
            if may_be_taken(name) and fnmatch.fnmatchcase(name, self.pattern)
        ]

    def bring(self, found: InboxFile, record: FileRecord) -> bool:
        """Claim a file and fetch it to its place in working/. False if somebody else was quicker."""
        name = found.path.name
        if self.job.keep_source:
            copy = self.known.find(found)
            if copy is not None:
                take_copy(copy, record.place)
                return True
            self._fetch(self._at(name), record.place)
            note_sight(found, record.place, time.time())
            return True
        if not self._claim(name, record):
            return False
        self._fetch(self._at(WORKING, self._folder_of(record), name), record.place)
        if found.marked:
            with contextlib.suppress(InputError):
                self._remove(self._at(f"{name}{MARKER}"))
        return True

    def put_away(self, record: FileRecord) -> None:
        """Move a file whose copy was put away. Does nothing if it has been moved already."""
        fate = FATE_FOLDERS.get(record.fate)
        if self.job.keep_source or fate is None:
            return
        for place in (WORKING, FATE_FOLDERS[FileFate.HELD]):
            if place == fate:
                continue
            for folder in self._folders(place):
                found = _TAKEN.fullmatch(folder)
                if found and (found["owner"], int(found["number"])) == (self.mark, record.number):
                    self._move_all(self._at(place, folder), self._at(fate, folder))

    def settle(self, records: dict[int, FileRecord]) -> None:
        """Finish or undo what a round that was killed left. `records`: the job's files by their numbers."""
        if self.job.keep_source:
            self.known = KnownCopies(records.values())
            return
        for folder in self._folders(WORKING):
            found = _TAKEN.fullmatch(folder)
            if found is None or found["owner"] != self.mark:
                continue
            record = records.get(int(found["number"]))
            here = self._at(WORKING, folder)
            if record is None or (record.place.parent.name != found["folder"] and not record.released):
                self._give_back(here)
            elif record.fate is not FileFate.OPEN:
                self.put_away(record)
            elif not record.place.exists() and not record.released:
                self._fetch_again(here, record)
        self._settle_claims()

    @contextlib.contextmanager
    def borrowed(self, found: InboxFile) -> Iterator[Path]:
        """Yield a copy of a file, which stays where it is."""
        place = new_copy(found.path.name)
        try:
            self._fetch(self._at(found.path.name), place)
            yield place
        finally:
            discard(place)

    def close(self) -> None:
        """End the connection."""
        self.store.close()

    # Claims

    def _claim(self, name: str, record: FileRecord) -> bool:
        here, there = self._at(name), self._at(WORKING, self._folder_of(record), name)
        if self._renames:
            return self._rename(here, there)
        if not self._make_claim(name):
            return False
        try:
            self._copy(here, there)
        except InputError as error:
            if error.code != "source-missing":
                raise
            self._remove(self._at(_CLAIMS, name))
            return False
        self._remove(here)
        self._remove(self._at(_CLAIMS, name))
        return True

    def _make_claim(self, name: str) -> bool:
        path, made = self._at(_CLAIMS, name), False

        def make() -> None:
            nonlocal made
            try:
                self.store.system.pipe_file(path, self.mark.encode(), mode="create")
                made = True
            except FileExistsError:
                made = self.store.system.cat_file(path) == self.mark.encode()

        self.store.retried(self._shown(name), make)
        return made

    def _settle_claims(self) -> None:
        """Finish claims of ours: the file may have been copied, and not deleted yet."""
        if self._renames:
            return
        for claim in self._listed(_CLAIMS):
            name = claim.path.name
            path = self._at(_CLAIMS, name)
            owner = b""

            def read(path: str = path) -> None:
                nonlocal owner
                owner = self.store.system.cat_file(path)

            self.store.retried(self._shown(name), read)
            if owner != self.mark.encode():
                continue
            originals = {one.path.name: one for one in self._listed("")}
            original = originals.get(name)
            if original is not None and any(_is_same(copy, original) for copy in self._own_copies()):
                self._remove(self._at(name))
            self._remove(path)

    def _own_copies(self) -> Iterator[InboxFile]:
        """Yield the files that this journal has taken and not put away."""
        for folder in self._folders(WORKING):
            if f".{self.mark}-" in folder:
                yield from self._listed(WORKING, folder)

    # Moves

    @property
    def _renames(self) -> bool:
        return self.location.scheme is Scheme.SFTP

    def _rename(self, here: str, there: str) -> bool:
        """Rename a file. False if it is gone."""
        gone = False

        def rename() -> None:
            nonlocal gone
            self.store.system.makedirs(str(PurePosixPath(there).parent), exist_ok=True)
            try:
                self.store.system.mv(here, there)
            except FileNotFoundError:
                # A connection that was lost after the rename brings us here again.
                gone = not self.store.system.exists(there)

        self.store.retried(self._shown(PurePosixPath(here).name), rename)
        if gone:
            self._forget_folder(str(PurePosixPath(there).parent))
        return not gone

    def _move_all(self, here: str, there: str) -> None:
        """Move the files of a folder into another one."""
        for path in self._paths(here):
            target = f"{there}/{PurePosixPath(path).name}"
            if self._renames:
                self._rename(path, target)
            else:
                self._copy(path, target)
                self._remove(path)
        if self._renames:
            self._forget_folder(here)

    def _give_back(self, here: str) -> None:
        """Move the file of a folder back into the inbox, under a name that is free there."""
        names = {one.path.name for one in self._listed("")}
        for path in self._paths(here):
            name = PurePosixPath(path).name
            while name in names:
                stem, dot, suffix = name.partition(".")
                name = f"{stem}-again{dot}{suffix}"
            if self._renames:
                self._rename(path, self._at(name))
            else:
                self._copy(path, self._at(name))
                self._remove(path)
        if self._renames:
            self._forget_folder(here)

    def _forget_folder(self, path: str) -> None:
        with contextlib.suppress(Exception):
            self.store.system.rmdir(path)

    def _copy(self, here: str, there: str) -> None:
        self.store.retried(self._shown(PurePosixPath(here).name), lambda: self.store.copy(here, there))

    def _remove(self, path: str) -> None:
        def remove() -> None:
            with contextlib.suppress(FileNotFoundError):
                self.store.system.rm_file(path)

        self.store.retried(self._shown(PurePosixPath(path).name), remove)

    def _fetch(self, path: str, place: Path) -> None:
        """Fetch a file to its place, whole or not at all."""
        write_whole(place, self.store.pieces(path, self._shown(place.name), lambda received, total: None))

    def _fetch_again(self, here: str, record: FileRecord) -> None:
        record.place.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
        for path in self._paths(here):
            self._fetch(path, record.place)

    # What is there

    def _folder_of(self, record: FileRecord) -> str:
        return f"{record.place.parent.name}.{self.mark}-{record.number}"

    def _at(self, *parts: str) -> str:
        return "/".join([self.store.root.rstrip("/"), *(part for part in parts if part)])

    def shown(self, found: InboxFile) -> str:
        """Return the address of a file."""
        return self._shown(found.path.name)

    def _shown(self, name: str) -> str:
        return f"{self.location.shown().rstrip('/')}/{name}"

    def _entries(self, path: str) -> list[dict[str, Any]]:
        """Return what the store says of a folder's entries; nothing for a folder that is not there."""
        found: list[dict[str, Any]] = []

        def ask() -> None:
            found.clear()
            try:
                found.extend(self.store.system.ls(path, detail=True))
            except FileNotFoundError:
                if path == self.store.root and self._renames:
                    raise

        self.store.retried(self._shown(""), ask)
        return [one for one in found if str(one["name"]).rstrip("/") != path.rstrip("/")]

    def _listed(self, *parts: str) -> Iterator[InboxFile]:
        for one in self._entries(self._at(*parts)):
            if one.get("type") == "file":
                yield InboxFile.of_store(one)

    def _paths(self, path: str) -> list[str]:
        return [str(one["name"]) for one in self._entries(path) if one.get("type") == "file"]

    def _folders(self, place: str) -> list[str]:
        entries = self._entries(self._at(place))
        return [PurePosixPath(str(one["name"])).name for one in entries if one.get("type") == "directory"]


RemoteSource = RemoteInbox | AddressSource


def remote_source(job: Job, journal: Path) -> RemoteSource | None:
    """Return where the files of a job come from, if not from a disk."""
    if job.place is None:
        return None
    if job.place.pattern:
        return RemoteInbox.of_job(job, job.place, journal)
    return AddressSource(job.place.named, job.place.config)


def _vouches(marker: InboxFile | None, file: InboxFile) -> bool:
    return marker is not None and marker.modified_ns >= file.modified_ns


def _is_same(copy: InboxFile, original: InboxFile) -> bool:
    """Whether a file is still the one that was copied, and none that came since under its name."""
    found = (copy.path.name, copy.size, copy.inode)
    return found == (original.path.name, original.size, original.inode)
