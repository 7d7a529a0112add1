"""The history of scheduled jobs: their rounds, and every file that they took.

Each step that moves a file is recorded before the file moves. A round that finds an unfinished record
therefore knows what the round before it was about to do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from importer.exit_codes import ExitCode
from importer.journal.database import Database, Row, Statements
from importer.journal.records import decode_counts, decode_exit_code, decode_time
from importer.models import Status


class FileFate(StrEnum):
    """The outcome of a file in a job."""

    OPEN = ""
    """Taken, not finished."""
    DONE = "done"
    REPEATED = "repeated"
    """The same job has imported this content before."""
    HELD = "held"
    """A tripwire stopped it before anything was sent."""
    FAILED = "failed"
    GONE = "gone"
    """Somebody removed it from the job's folder."""


class RoundResult(StrEnum):
    """How a round ended."""

    RUNNING = "running"
    GOOD = "good"
    HELD = "held"
    FAILED = "failed"
    """A file could not be imported, or too few of its rows. The round went on to its end."""
    STOPPED = "stopped"
    """Ended early; the next round goes on."""
    OVERLAPPED = "overlapped"
    """Another round of the job was running."""
    INTERRUPTED = "interrupted"
    """Ended without a record: still marked as running, but its lock is free. The next round goes on."""


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
    """The message code of the reason; empty if the round was good."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file that a job took: column names and counts, no customer's data."""

    number: int
    job: str
    round: int
    name: str
    """The file's name where it was found."""
    place: Path
    """Where it was taken to."""
    target: Path | None
    """Where it is moved when its fate is decided."""
    after_run: int
    """The number of the last run before the file was taken: only later runs can be about it."""
    released: bool
    """True if somebody looked at the held file and released it: the tripwires no longer stop it."""
    tries: int
    """Rounds that began with it and did not end in order."""
    fate: FileFate
    reason: str
    run: str
    sha256: str
    mapping_digest: str
    destination_key: str
    header: tuple[str, ...]
    rows: int
    filled: Mapping[str, int]
    """For each mapped column the number of rows in which it is not empty."""
    counts: Mapping[Status, int]
    taken: datetime
    settled: datetime | None
    acknowledged: datetime | None = None
    """When somebody took note of it in failed/ or held/."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of a file and its way to the CRM: two files that agree in it are the same."""

    sha256: str
    mapping_digest: str
    destination_key: str


@dataclass(frozen=True, slots=True)
class FileEnding:
    """The decision about a file, recorded before the file moves."""

    fate: FileFate
    target: Path
    """The file's new path."""
    reason: str = ""
    run: str = ""
    counts: Mapping[Status, int] = field(default_factory=dict)


_ALL = 1 << 62
"""More rows than there can be, where a number has to stand."""
_LAST_RUN = "SELECT coalesce(max(number), 0) AS number FROM runs"


class JobHistory:
    """All jobs' history, in the journal.

    What a method records is on the disk when it returns. Every method raises JournalError.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # Rounds

    def begin_round(self, job: str, now: datetime) -> int:
        """Record that a round begins. Returns its number.

        The caller holds the job's lock, so a round that is still marked as running was interrupted.
        """
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE job_rounds SET result = ? WHERE job = ? AND result = ?",
                (RoundResult.INTERRUPTED, job, RoundResult.RUNNING),
            )
            started = {"job": job, "started": now.isoformat(), "result": RoundResult.RUNNING, "reason": ""}
            return self._database.insert("job_rounds", started)

    def end_round(
        self, number: int, now: datetime, result: RoundResult, exit_code: ExitCode, reason: str = ""
    ) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE job_rounds SET ended = ?, result = ?, exit_code = ?, reason = ? WHERE number = ?",
                (now.isoformat(), result, int(exit_code), reason, number),
            )

    def note_overlap(self, job: str, now: datetime, reason: str) -> None:
        """Record a round that ended at once because another one was running."""
        ended = {
            "job": job,
            "started": now.isoformat(),
            "ended": now.isoformat(),
            "result": RoundResult.OVERLAPPED,
            "exit_code": int(ExitCode.LOCKED),
            "reason": reason,
        }
        with self._database.transaction():
            self._database.insert("job_rounds", ended)

    def rounds(self, job: str, limit: int | None = None) -> tuple[RoundRecord, ...]:
        """The rounds of a job, the newest first."""
        found = self._database.query(
            "SELECT * FROM job_rounds WHERE job = ? ORDER BY number DESC LIMIT ?", (job, limit or _ALL)
        )
        with self._database.decoding():
            return tuple(_round(row) for row in found)

    def last_round(self, job: str, *results: RoundResult) -> RoundRecord | None:
        """The newest round with one of these results."""
        places = ", ".join("?" * len(results))
        found = self._database.query(
            f"SELECT * FROM job_rounds WHERE job = ? AND result IN ({places}) ORDER BY number DESC LIMIT 1",  # noqa: S608 - only question marks
            (job, *results),
        )
        with self._database.decoding():
            return _round(found[0]) if found else None

    # Files

    def take(self, job: str, round_number: int, name: str, place: Path, now: datetime) -> FileRecord:
        """Record that a file is about to be moved to `place`."""
        taken = {"job": job, "round": round_number, "name": name, "place": str(place)}
        texts = ("target", "fate", "reason", "run", "sha256", "mapping_digest", "destination_key")
        nothing = {"released": 0, "tries": 0, "rows": 0, "header": "[]", "filled": "{}", "counts": "{}"}
        with self._database.transaction():
            moment = {"after_run": self._database.query(_LAST_RUN)[0]["number"], "taken": now.isoformat()}
            number = self._database.insert("job_files", taken | dict.fromkeys(texts, "") | nothing | moment)
        return self.file(number)

    def forget(self, number: int) -> None:
        """Remove the record of a file that was not taken after all."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM job_files WHERE number = ?", (number,))

    def release(self, number: int, place: Path) -> FileRecord:
        """Record that a held file is about to be moved to `place` and imported past the tripwires."""
        with self._database.transaction() as connection:
            old = connection.execute("SELECT job, target FROM job_files WHERE number = ?", (number,))
            job, held = old.fetchone()
            _move_runs(connection, job, Path(held), place)
            connection.execute(
                "UPDATE job_files SET place = ?, released = 1, tries = 0, fate = '', reason = '', run = '',"
                " settled = NULL, acknowledged = NULL, after_run = ? WHERE number = ?",
                (str(place), self._database.query(_LAST_RUN)[0]["number"], number),
            )
        return self.file(number)

    def reopen(self, number: int, place: Path) -> FileRecord:
        """Record that a file that was put away is about to be moved to `place`, for its rows to go again."""
        record = self.file(number)
        with self._database.transaction() as connection:
            _move_runs(connection, record.job, record.target or record.place, place)
            connection.execute(
                "UPDATE job_files SET place = ?, tries = 0, fate = '', reason = '', settled = NULL"
                " WHERE number = ?",
                (str(place), number),
            )
        return self.file(number)

    def count_try(self, number: int) -> None:
        """Count one more round that begins with this file; `clear_tries` takes it back."""
        self._set(number, "tries = tries + 1", ())

    def clear_tries(self, number: int) -> None:
        """Set the count of tries to 0: the round ended in order and the file stays where it is."""
        self._set(number, "tries = 0", ())

    def profile(
        self, number: int, content: FileContent, header: Sequence[str], rows: int, filled: Mapping[str, int]
    ) -> None:
        """Record what reading the whole file showed."""
        values = (content.sha256, content.mapping_digest, content.destination_key)
        texts = (_json(list(header)), rows, _json(dict(filled)))
        self._set(
            number,
            "sha256 = ?, mapping_digest = ?, destination_key = ?, header = ?, rows = ?, filled = ?",
            (*values, *texts),
        )

    def decide(self, record: FileRecord, ending: FileEnding) -> FileRecord:
        """Record the file's fate before it moves. The paths in its runs are changed to the new place."""
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
        """Record another target: something lies at the decided one."""
        with self._database.transaction() as connection:
            _move_runs(connection, record.job, record.target or record.place, target)
            connection.execute(
                "UPDATE job_files SET target = ? WHERE number = ?", (str(target), record.number)
            )
        return self.file(record.number)

    def settle(self, number: int, now: datetime) -> None:
        """Record that the file has reached its target."""
        self._set(number, "settled = ?", (now.isoformat(),))

    def acknowledge(self, number: int, now: datetime) -> None:
        """Record that somebody took note of a file in failed/ or held/."""
        self._set(number, "acknowledged = ?", (now.isoformat(),))

    def file(self, number: int) -> FileRecord:
        with self._database.decoding():
            return _file(self._database.query("SELECT * FROM job_files WHERE number = ?", (number,))[0])

    def files(self, job: str, limit: int | None = None) -> tuple[FileRecord, ...]:
        """The files of a job, the newest first."""
        return self._files("job = ? ORDER BY number DESC LIMIT ?", (job, limit or _ALL))

    def every_file(self) -> tuple[FileRecord, ...]:
        """The files of all jobs, the oldest first."""
        return self._files("1 = 1 ORDER BY number", ())

    def lying(self, job: str) -> tuple[FileRecord, ...]:
        """The files that lie in failed/ or held/, the newest first."""
        put = (*self.with_fate(job, FileFate.FAILED), *self.with_fate(job, FileFate.HELD))
        there = (record for record in put if record.target is not None and record.target.exists())
        return tuple(sorted(there, key=lambda record: -record.number))

    def open_files(self, job: str) -> tuple[FileRecord, ...]:
        """Files that were taken and have not reached their target, the oldest first."""
        return self._files("job = ? AND settled IS NULL ORDER BY number", (job,))

    def with_fate(self, job: str, fate: FileFate, limit: int | None = None) -> tuple[FileRecord, ...]:
        """Settled files of that fate, the newest first."""
        return self._files(
            "job = ? AND fate = ? AND settled IS NOT NULL ORDER BY number DESC LIMIT ?",
            (job, fate, limit or _ALL),
        )

    def find_file(self, job: str, content: FileContent, fate: FileFate) -> FileRecord | None:
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
            "SELECT id FROM runs WHERE job = ? AND path IN (?, ?) AND number > ? AND dry_run = 0"
            " ORDER BY number DESC LIMIT 1",
            (record.job, *paths, record.after_run),
        )
        return str(found[0]["id"]) if found else ""

    # Pruning

    def old_runs(self, job: str, before: datetime) -> tuple[str, ...]:
        """The ids of the job's finished runs that ended before, except those of open and held files."""
        found = self._database.query(
            "SELECT id, finished FROM runs WHERE job = ? AND state = 'finished' AND path NOT IN"
            " (SELECT place FROM job_files WHERE settled IS NULL)"
            " AND path NOT IN (SELECT target FROM job_files WHERE fate = ?)",
            (job, FileFate.HELD),
        )
        return tuple(row["id"] for row in found if datetime.fromisoformat(row["finished"]) < before)

    def forget_rounds(self, job: str, before: datetime) -> int:
        """Forget the rounds that began before, except the newest. Returns how many were forgotten."""
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
        with self._database.decoding():
            return tuple(_file(row) for row in found)


def _move_runs(connection: Statements, job: str, old: Path, new: Path) -> None:
    """Change the file's path in its runs, and the reports' folder if it moves with the file."""
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


def _round(row: Row) -> RoundRecord:
    return RoundRecord(
        number=row["number"],
        job=row["job"],
        started=datetime.fromisoformat(row["started"]),
        ended=decode_time(row["ended"]),
        result=RoundResult(row["result"]),
        exit_code=decode_exit_code(row["exit_code"]),
        reason=row["reason"],
    )


def _file(row: Row) -> FileRecord:
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
        counts=decode_counts(row["counts"]),
        taken=datetime.fromisoformat(row["taken"]),
        settled=decode_time(row["settled"]),
        acknowledged=decode_time(row["acknowledged"]),
    )
