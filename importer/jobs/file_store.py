"""Move a file through a job's folders: taken into working/, put away into done/, failed/ or held/.

Each file has a directory of its own, named by the time at which it was taken; its reports lie beside it.
What is about to happen is in the history before it happens, and a move is one rename. Wherever a crash
falls, the file is in one place and the next round knows what was to come.
"""

from __future__ import annotations

import contextlib
import errno
import html
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from importer.errors import ImporterError, InputError, SettingsError, UsageError
from importer.escaping import printable, readable_name, to_json
from importer.jobs import inbox
from importer.jobs.config import Job, SharingSettings, SourceKind, no_checkpoint
from importer.jobs.inbox import InboxFile
from importer.jobs.remote_inbox import FATE_FOLDERS, WORKING, RemoteSource
from importer.journal.job_history import FileEnding, FileFate, FileRecord, JobHistory
from importer.private_files import FOLDER_MODE, create_private_file, make_private_folder, replace_private_file
from importer.reports.files import REPORT_FILES, REPORT_HTML, SUMMARY_JSON

_READ = 0o444


def share_reports(directory: Path, how: SharingSettings) -> None:
    """Give the files of a folder the job's mode and group. Raises SettingsError `job-sharing-refused`."""
    if how.mode is None and not how.group:
        return
    share_folder(directory, how)
    for path in directory.iterdir():
        if path.is_dir():
            share_reports(path, how)
        else:
            _share(path, how.mode, how.group)


def share_folder(directory: Path, how: SharingSettings) -> None:
    """Let those who may read the files list the folder. Raises SettingsError `job-sharing-refused`."""
    if how.mode is None and not how.group:
        return
    mode = None
    if how.mode is not None:
        mode = how.mode | ((how.mode & _READ) >> 2)
    _share(directory, mode, how.group)


def _share(path: Path, mode: int | None, group: str) -> None:
    if os.name != "posix":
        return
    try:
        if group:
            shutil.chown(path, group=group)
        if mode is not None:
            path.chmod(mode)
    except (OSError, LookupError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError("job-sharing-refused", path=path, group=group or "–", reason=reason) from error


def rewrite_report_paths(folder: Path, new: Path) -> None:
    """Replace the path of `folder` by `new` in its summary and page.

    Doing it twice does no harm. A report that cannot be written keeps the old path.
    """
    for name, written in ((SUMMARY_JSON, _in_json), (REPORT_HTML, _in_page)):
        path = folder / name
        try:
            text = path.read_bytes().decode()
            changed = text.replace(written(str(folder)), written(str(new)))
            if changed != text:
                replace_private_file(path, changed.encode(), path.stat().st_mode & 0o777)
        except (OSError, UnicodeDecodeError):
            continue


def _in_json(text: str) -> str:
    return to_json(text)[1:-1]


def _in_page(text: str) -> str:
    """The text as the page has it: its template engine writes quotation marks by number."""
    return html.escape(printable(text)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


FOLDERS = FATE_FOLDERS
_EVERYWHERE = (WORKING, *dict.fromkeys(FOLDERS.values()))
_LONGEST_STEM = 60


@dataclass
class FileStore:
    """Moves one job's files; the caller holds the job's lock. `checkpoint` is called with every step."""

    job: Job
    history: JobHistory
    clock: Callable[[], datetime]
    checkpoint: Callable[[str], None] = field(default=no_checkpoint)
    remote: RemoteSource | None = None
    """Where the files come from, if not from a disk."""

    def prepare(self) -> None:
        """Make the job's folders, but not the one that files come into: its drive may not be mounted.

        Raises InputError `job-folder-unreadable`, `job-folder-emptied`, `job-folder-unwritable` or
        `job-other-filesystem`."""
        folder = self.job.folder
        if self.remote is None:
            inbox.check_folder(self._source_folder())
        self._check_mounted()
        try:
            folder.mkdir(parents=self.remote is not None, exist_ok=True)
            for name in _EVERYWHERE:
                make_private_folder(folder / name)
                share_folder(folder / name, self.job.sharing)
            here = folder.stat().st_dev
            moves = self.remote is None and not self.job.keep_source
            if moves and self._source_folder().stat().st_dev != here:
                raise InputError("job-other-filesystem", source=self._source_folder(), folder=folder)
        except OSError as error:
            raise InputError("job-folder-unwritable", folder=folder, reason=error.strerror) from error
        if self.remote is not None:
            self.remote.settle({record.number: record for record in self.history.files(self.job.name)})
            self.checkpoint("remote-settled")

    def _check_mounted(self) -> None:
        """Refuse a folder without the working/ of earlier rounds: another drive is mounted in its place."""
        newest = self.history.files(self.job.name, 1)
        working = self.job.folder / WORKING
        if newest and newest[0].place.parent.parent == working and not working.is_dir():
            raise InputError("job-folder-emptied", folder=self.job.folder, working=working)

    def take(self, found: InboxFile, round_number: int) -> FileRecord | None:
        """Take a file into working/. None if it was written to, or vanished, in that moment.

        Raises InputError `job-file-not-taken`.
        """
        directory = self._directory(found.path)
        place = directory / _kept_name(found.path.name)
        name = legible(found.path.name)
        record = self.history.take(self.job.name, round_number, name, place, self.clock())
        self.checkpoint("noted")
        try:
            directory.mkdir(mode=FOLDER_MODE)
            self.checkpoint("directory-made")
            if self.remote is not None:
                taken = self.remote.bring(found, record)
            elif found.marked:
                # Before the file moves: a marker left behind would vouch for the next file of that name.
                inbox.marker_of(found.path).unlink(missing_ok=True)
                self.checkpoint("marker-removed")
            if self.remote is None:
                taken = _copied(found, place) if self.job.keep_source else _moved(found, place)
        except ImporterError:
            self._let_go(record)
            raise
        except FileNotFoundError:
            taken = False
        except OSError as error:
            self._let_go(record)
            raise InputError("job-file-not-taken", file=name, reason=error.strerror) from error
        self.checkpoint("taken")
        if taken:
            return record
        self._let_go(record)
        return None

    def take_up(self, record: FileRecord) -> FileRecord | None:
        """Finish what an earlier round left undone. Returns the file if it lies in working/, else None."""
        if record.fate is not FileFate.OPEN:
            self._put_away(record)
            return None
        if record.target is not None and not record.place.exists() and record.target.exists():
            self._move_directory(record.target, record.place)
        if record.place.exists():
            return record
        if self.history.run_of(record):
            gone = FileEnding(FileFate.GONE, record.place, "job-file-gone", self.history.run_of(record))
            self._put_away(self.history.decide(record, gone))
        else:
            self._let_go(record)
        return None

    def unknown_files(self, round_number: int) -> Iterator[FileRecord]:
        """Take up files in working/ that the history does not know, because the journal was lost."""
        known = {record.place.parent for record in self.history.open_files(self.job.name)}
        for directory in sorted((self.job.folder / WORKING).iterdir()):
            if directory in known or not directory.is_dir():
                continue
            files = [path for path in directory.iterdir() if path.is_file() and path.name not in REPORT_FILES]
            whole = [path for path in files if inbox.may_be_taken(path.name)]
            if len(whole) == 1:
                yield self.history.take(self.job.name, round_number, whole[0].name, whole[0], self.clock())
            elif not whole:
                _clear(directory)

    def put_away(self, record: FileRecord, fate: FileFate, **facts: object) -> FileRecord:
        """Move a file and its reports to the folder of its fate. `facts` are fields of `FileEnding`."""
        target = self._free(self.job.folder / FOLDERS[fate], record.place.parent.name) / record.place.name
        record = self.history.decide(record, FileEnding(fate, target, **facts))  # type: ignore[arg-type]
        self.checkpoint("decided")
        return self._put_away(record)

    def drop_copy(self, record: FileRecord) -> None:
        """Remove a copy whose original stays where it is, as if it had never been taken."""
        shutil.rmtree(record.place.parent)
        self.checkpoint("copy-removed")
        self.history.forget(record.number)

    def held(self, name: str) -> FileRecord:
        """The held file of that name: the file's own, its folder's, or a path. Raises UsageError
        `job-no-held-file`."""
        held = self.history.with_fate(self.job.name, FileFate.HELD)
        there = [record for record in held if record.target is not None and record.target.exists()]
        for record in there:
            if is_called(record, name):
                return record
        known = ", ".join(record.target.parent.name for record in there if record.target) or "–"
        raise UsageError("job-no-held-file", file=name, job=self.job.name, known=known)

    def release(self, record: FileRecord) -> FileRecord:
        """Move a held file back into working/, to be imported past the tripwires."""
        return self._back(record, self.history.release)

    def reopen(self, record: FileRecord) -> FileRecord:
        """Move a file whose rows were not all delivered back into working/, for them to go again."""
        return self._back(record, self.history.reopen)

    def _back(self, record: FileRecord, noted: Callable[[int, Path], FileRecord]) -> FileRecord:
        assert record.target is not None  # noqa: S101 - a file that was put away lies somewhere
        lies = record.target.parent
        directory = self._free(self.job.folder / WORKING, lies.name, lies)
        target, record = record.target, noted(record.number, directory / record.target.name)
        self.checkpoint("released")
        self._move_directory(target, record.place)
        self.checkpoint("taken")
        return record

    def _put_away(self, record: FileRecord) -> FileRecord:
        target = record.target
        assert target is not None  # noqa: S101 - decided
        if record.place.exists():
            if target.parent.exists():
                target = self._free(target.parent.parent, target.parent.name) / target.name
                record = self.history.retarget(record, target)
            rewrite_report_paths(record.place.parent, target.parent)
            self.checkpoint("reports-renamed")
            self._move_directory(record.place, target)
        elif not target.exists():
            record = self.history.decide(
                record, FileEnding(FileFate.GONE, target, "job-file-gone", record.run)
            )
        self.checkpoint("put-away")
        if self.remote is not None:
            self.remote.put_away(record)
            self.checkpoint("remote-put-away")
        self.history.settle(record.number, self.clock())
        self.checkpoint("settled")
        return self.history.file(record.number)

    def _move_directory(self, place: Path, target: Path) -> None:
        try:
            place.parent.rename(target.parent)
        except OSError as error:
            raise InputError("job-file-not-taken", file=place, reason=error.strerror) from error
        _sync(target.parent.parent)

    def _let_go(self, record: FileRecord) -> None:
        """Undo a `take` that did not succeed; the file is where it was."""
        _clear(record.place.parent)
        self.history.forget(record.number)

    def _source_folder(self) -> Path:
        return self.job.source if self.job.kind is SourceKind.INBOX else self.job.source.parent

    def _directory(self, path: Path) -> Path:
        stem = legible(path.stem)[:_LONGEST_STEM].strip(" .") or "file"
        return self._free(self.job.folder / WORKING, f"{self.clock():%Y%m%d-%H%M%S}-{stem}")

    def _free(self, parent: Path, name: str, leaving: Path | None = None) -> Path:
        """A path in `parent` that is free: the name, with a number if it is taken. `leaving`: the folder that
        moves there from elsewhere, whose name is not taken then."""
        folders = [parent] if parent.name != WORKING else [self.job.folder / each for each in _EVERYWHERE]
        number, free = 1, name
        while any((folder / free).exists() and folder / free != leaving for folder in folders):
            number += 1
            free = f"{name}-{number}"
        return parent / free


def is_called(record: FileRecord, name: str) -> bool:
    """Whether a name means a file that was put away: its own, its folder's, or a path."""
    target = record.target
    if target is None:
        return False
    names = (record.name, target.name, target.parent.name, str(target))
    return name in names or Path(name).absolute() in (target, target.parent)


def legible(name: str) -> str:
    """The name as a person reads it, where its bytes are not UTF-8: as GBK, or with their numbers."""
    return readable_name(name).encode("utf-8", "replace").decode()


def _kept_name(name: str) -> str:
    """The file's name in its folder, changed if a report has that name."""
    name = legible(name)
    return f"source-{name}" if name.lower() in REPORT_FILES else name


def _moved(found: InboxFile, place: Path) -> bool:
    """Move the file with one rename. False, and the file moved back, if it was written to meanwhile."""
    found.path.rename(place)
    taken = inbox.look_at(place)
    if taken is not None and taken.same_as(found):
        _sync(place.parent)
        return True
    if not found.path.exists():
        place.rename(found.path)
        return False
    return True  # another one has come in its stead, so this one is whole


def _copied(found: InboxFile, place: Path) -> bool:
    """Copy the file, whole or not at all. False if it was written to meanwhile."""
    part = place.with_name(".copy.part")
    with create_private_file(part) as copy, found.path.open("rb") as source:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    now = inbox.look_at(found.path)
    if now is None or not now.same_as(found):
        part.unlink()
        return False
    part.rename(place)
    _sync(place.parent)
    return True


def _clear(directory: Path) -> None:
    """Remove the folder and the parts of an unfinished copy in it; never a file of the user."""
    with contextlib.suppress(OSError):
        for part in directory.glob(".*.part"):
            part.unlink()
        directory.rmdir()


def _sync(folder: Path) -> None:
    """Write a folder to the disk, and a rename in it; some file systems cannot do so."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
