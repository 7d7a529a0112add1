"""The history of scheduled jobs: their rounds, and every file that they took.

Each step that moves a file is recorded before the file moves. A round that finds an unfinished record
therefore knows what the round before it was about to do.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from importer.journal.database import Database
from importer.models import ExitCode, Status


class FileFate(StrEnum):
    """What a job made of a file."""

    OPEN = ""
    """Taken, and not through yet."""
    DONE = "done"
    REPEATED = "repeated"
    """The same job has imported this content before."""
    HELD = "held"
    """A tripwire stopped it before anything was sent."""
    FAILED = "failed"
    GONE = "gone"
    """Somebody took it out of the job's folder."""


class RoundResult(StrEnum):
    """How a round ended."""

    RUNNING = "running"
    GOOD = "good"
    HELD = "held"
    FAILED = "failed"
    """A file could not be imported, or not enough of it; the round went on to its end."""
    STOPPED = "stopped"
    """Ended early; the next round goes on."""
    OVERLAPPED = "overlapped"
    """Another round was at work."""
    INTERRUPTED = "interrupted"
    """Died without a word; the next round goes on."""


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """One round of a job."""

    number: int
    job: str
    started: datetime
    ended: datetime | None
    result: RoundResult
    exit_code: ExitCode | None
    reason: str
    """The message code of why it is not good."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file that a job took. Column names and counts; no customer's data."""

    number: int
    job: str
    round: int
    name: str
    """As it was called where it was found."""
    place: Path
    """Where it was taken to."""
    target: Path | None
    """Where it goes, or went, with its fate."""
    after_run: int
    """Runs with a higher number may be this file's."""
    released: bool
    """Somebody has looked at it: the tripwires are silent."""
    tries: int
    """Rounds that began with it and did not come to an orderly end."""
    fate: FileFate
    reason: str
    run: str
    sha256: str
    mapping_digest: str
    destination_key: str
    header: tuple[str, ...]
    rows: int
    filled: Mapping[str, int]
    """For each mapped column in how many rows it held something."""
    counts: Mapping[Status, int]
    taken: datetime
    settled: datetime | None


@dataclass(frozen=True, slots=True)
class FileContent:
    """What makes two files of a job the same."""

    sha256: str
    mapping_digest: str
    destination_key: str


@dataclass(frozen=True, slots=True)
class FileEnding:
    """The end of a file, before it moves."""

    fate: FileFate
    target: Path
    """The file's new path."""
    reason: str = ""
    run: str = ""
    counts: Mapping[Status, int] = field(default_factory=dict)


class JobHistory:
    """All jobs' history, in the journal. Every method is durable on return and raises JournalError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Rounds

    def begin_round(self, job: str, now: datetime) -> int:
        """A round begins; returns its number. The caller holds the job's lock, so that a round that is
        still recorded as running has died."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE job_rounds SET result = ? WHERE job = ? AND result = ?",
                (RoundResult.INTERRUPTED, job, RoundResult.RUNNING),
            )
            return _inserted(
                connection,
                "INSERT INTO job_rounds (job, started, result, reason) VALUES (?, ?, ?, '')",
                (job, now.isoformat(), RoundResult.RUNNING),
            )

    def end_round(
        self, number: int, now: datetime, result: RoundResult, exit_code: ExitCode, reason: str = ""
    ) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE job_rounds SET ended = ?, result = ?, exit_code = ?, reason = ? WHERE number = ?",
                (now.isoformat(), result, int(exit_code), reason, number),
            )

    def note_overlap(self, job: str, now: datetime, reason: str) -> None:
        """A round found another one at work, and ended."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO job_rounds (job, started, ended, result, exit_code, reason)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(job, now.isoformat(), now.isoformat(), RoundResult.OVERLAPPED),
                    *(int(ExitCode.LOCKED), reason),
                ),
            )

    def rounds(self, job: str, limit: int | None = None) -> tuple[RoundRecord, ...]:
        """The rounds of a job, the newest first."""
        found = self._database.query(
            "SELECT * FROM job_rounds WHERE job = ? ORDER BY number DESC LIMIT ?",
            (job, -1 if limit is None else limit),
        )
        return tuple(_round(row) for row in found)

    def last_round(self, job: str, *results: RoundResult) -> RoundRecord | None:
        """The newest round with one of these results."""
        places = ", ".join("?" * len(results))
        found = self._database.query(
            f"SELECT * FROM job_rounds WHERE job = ? AND result IN ({places}) ORDER BY number DESC LIMIT 1",  # noqa: S608 - only question marks
            (job, *results),
        )
        return _round(found[0]) if found else None

    # Files

    def take(self, job: str, round_number: int, name: str, place: Path, now: datetime) -> FileRecord:
        """A file is about to be moved to `place`."""
        with self._database.transaction() as connection:
            number = _inserted(
                connection,
                "INSERT INTO job_files (job, round, name, place, target, after_run, released, tries, fate,"
                " reason, run, sha256, mapping_digest, destination_key, header, rows, filled, counts, taken)"
                " VALUES (?, ?, ?, ?, '', (SELECT coalesce(max(number), 0) FROM runs), 0, 0, '', '', '', '',"
                " '', '', '[]', 0, '{}', '{}', ?)",
                (job, round_number, name, str(place), now.isoformat()),
            )
        return self.file(number)

    def forget(self, number: int) -> None:
        """A file was not taken after all."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM job_files WHERE number = ?", (number,))

    def release(self, number: int, place: Path) -> FileRecord:
        """A held file is about to be moved to `place`, to be imported whatever the tripwires say."""
        with self._database.transaction() as connection:
            old = connection.execute("SELECT job, target FROM job_files WHERE number = ?", (number,))
            job, held = old.fetchone()
            _move_runs(connection, job, Path(held), place)
            connection.execute(
                "UPDATE job_files SET place = ?, released = 1, tries = 0, fate = '', reason = '', run = '',"
                " settled = NULL, after_run = (SELECT coalesce(max(number), 0) FROM runs) WHERE number = ?",
                (str(place), number),
            )
        return self.file(number)

    def count_try(self, number: int) -> None:
        """A round begins with a file; `orderly` takes it back."""
        self._set(number, "tries = tries + 1", ())

    def clear_tries(self, number: int) -> None:
        """The round ended in order, with the file where it is."""
        self._set(number, "tries = 0", ())

    def profile(
        self, number: int, content: FileContent, header: Sequence[str], rows: int, filled: Mapping[str, int]
    ) -> None:
        """What the look through the whole file found."""
        values = (content.sha256, content.mapping_digest, content.destination_key)
        texts = (_json(list(header)), rows, _json(dict(filled)))
        self._set(
            number,
            "sha256 = ?, mapping_digest = ?, destination_key = ?, header = ?, rows = ?, filled = ?",
            (*values, *texts),
        )

    def decide(self, record: FileRecord, ending: FileEnding) -> FileRecord:
        """The file's fate, before it moves; the journal's runs of it follow it to its new place."""
        with self._database.transaction() as connection:
            _move_runs(connection, record.job, record.place, ending.target)
            connection.execute(
                "UPDATE job_files SET fate = ?, target = ?, reason = ?, run = ?, counts = ? WHERE number = ?",
                (
                    *(ending.fate, str(ending.target), ending.reason, ending.run),
                    *(_json({str(name): count for name, count in ending.counts.items()}), record.number),
                ),
            )
        return self.file(record.number)

    def retarget(self, record: FileRecord, target: Path) -> FileRecord:
        """The decided place turned out to be taken."""
        with self._database.transaction() as connection:
            _move_runs(connection, record.job, record.target or record.place, target)
            connection.execute(
                "UPDATE job_files SET target = ? WHERE number = ?", (str(target), record.number)
            )
        return self.file(record.number)

    def settle(self, number: int, now: datetime) -> None:
        """The file lies where it was to go."""
        self._set(number, "settled = ?", (now.isoformat(),))

    def file(self, number: int) -> FileRecord:
        return _file(self._database.query("SELECT * FROM job_files WHERE number = ?", (number,))[0])

    def files(self, job: str, limit: int | None = None) -> tuple[FileRecord, ...]:
        """The files of a job, the newest first."""
        return self._files("job = ? ORDER BY number DESC LIMIT ?", (job, -1 if limit is None else limit))

    def open_files(self, job: str) -> tuple[FileRecord, ...]:
        """Files that were taken and do not lie where they are to go, the oldest first."""
        return self._files("job = ? AND settled IS NULL ORDER BY number", (job,))

    def with_fate(self, job: str, fate: FileFate, limit: int | None = None) -> tuple[FileRecord, ...]:
        """Settled files of that fate, the newest first."""
        return self._files(
            "job = ? AND fate = ? AND settled IS NOT NULL ORDER BY number DESC LIMIT ?",
            (job, fate, -1 if limit is None else limit),
        )

    def known(self, job: str, content: FileContent, fate: FileFate) -> FileRecord | None:
        """The newest file of the job with this content and fate."""
        found = self._files(
            "job = ? AND sha256 = ? AND mapping_digest = ? AND destination_key = ? AND fate = ?"
            " ORDER BY number DESC LIMIT 1",
            (job, content.sha256, content.mapping_digest, content.destination_key, fate),
        )
        return found[0] if found else None

    def run_of(self, record: FileRecord) -> str:
        """The id of the newest run of a file, empty if none was begun."""
        paths = (str(record.place), str(record.target or record.place))
        found = self._database.query(
            "SELECT id FROM runs WHERE job = ? AND path IN (?, ?) AND number > ? AND NOT dry_run"
            " ORDER BY number DESC LIMIT 1",
            (record.job, *paths, record.after_run),
        )
        return str(found[0]["id"]) if found else ""

    # Pruning

    def old_runs(self, job: str, before: datetime) -> tuple[str, ...]:
        """The ids of the job's finished runs that ended before; open files' runs are not among them."""
        found = self._database.query(
            "SELECT id, finished FROM runs WHERE job = ? AND state = 'finished' AND path NOT IN"
            " (SELECT place FROM job_files WHERE settled IS NULL)"
            " AND path NOT IN (SELECT target FROM job_files WHERE fate = ?)",
            (job, FileFate.HELD),
        )
        return tuple(row["id"] for row in found if datetime.fromisoformat(row["finished"]) < before)

    def forget_rounds(self, job: str, before: datetime) -> int:
        """Forgets the rounds that began before, but for the newest. Returns how many there were."""
        old = [record for record in self.rounds(job)[1:] if record.started < before]
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM job_rounds WHERE number = ?", [(record.number,) for record in old]
            )
        return len(old)

    def _set(self, number: int, what: str, values: tuple[object, ...]) -> None:
        with self._database.transaction() as connection:
            connection.execute(f"UPDATE job_files SET {what} WHERE number = ?", (*values, number))  # noqa: S608 - our own clauses

    def _files(self, where: str, values: tuple[object, ...]) -> tuple[FileRecord, ...]:
        found = self._database.query(f"SELECT * FROM job_files WHERE {where}", values)  # noqa: S608 - our own clauses
        return tuple(_file(row) for row in found)


def _inserted(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> int:
    number = connection.execute(sql, values).lastrowid
    assert number is not None  # noqa: S101 - an INSERT into a rowid table has one
    return number


def _move_runs(connection: sqlite3.Connection, job: str, old: Path, new: Path) -> None:
    """Runs name the file's new path, and the reports' folder if that moves along with the file."""
    runs = connection.execute(
        "SELECT number, report_dir FROM runs WHERE job = ? AND path = ?", (job, str(old))
    ).fetchall()
    for number, directory in runs:
        if Path(directory).is_relative_to(old.parent):
            directory = str(new.parent / Path(directory).relative_to(old.parent))
        connection.execute(
            "UPDATE runs SET path = ?, source = ?, report_dir = ? WHERE number = ?",
            (str(new), str(new), directory, number),
        )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _round(row: sqlite3.Row) -> RoundRecord:
    return RoundRecord(
        number=row["number"],
        job=row["job"],
        started=datetime.fromisoformat(row["started"]),
        ended=datetime.fromisoformat(row["ended"]) if row["ended"] else None,
        result=RoundResult(row["result"]),
        exit_code=None if row["exit_code"] is None else ExitCode(row["exit_code"]),
        reason=row["reason"],
    )


def _file(row: sqlite3.Row) -> FileRecord:
    return FileRecord(
        number=row["number"],
        job=row["job"],
        round=row["round"],
        name=row["name"],
        place=Path(row["place"]),
        target=Path(row["target"]) if row["target"] else None,
        after_run=row["after_run"],
        released=bool(row["released"]),
        tries=row["tries"],
        fate=FileFate(row["fate"]),
        reason=row["reason"],
        run=row["run"],
        sha256=row["sha256"],
        mapping_digest=row["mapping_digest"],
        destination_key=row["destination_key"],
        header=tuple(json.loads(row["header"])),
        rows=row["rows"],
        filled=json.loads(row["filled"]),
        counts={Status(name): count for name, count in json.loads(row["counts"]).items()},
        taken=datetime.fromisoformat(row["taken"]),
        settled=datetime.fromisoformat(row["settled"]) if row["settled"] else None,
    )
