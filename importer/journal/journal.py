"""The journal of all runs of a user: start, reopen, look back, forget."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from importer.errors import UnknownRunError
from importer.journal import row_states
from importer.journal.database import BUSY_SECONDS, FILE_NAME, Database, state_folder
from importer.journal.job_history import JobHistory
from importer.journal.locks import Lock, Locks, holder
from importer.journal.records import RequestRecord, RunKind, RunRecord, RunState
from importer.journal.row_states import RowStates, union_rows
from importer.journal.run_journal import RunJournal
from importer.models import Destination, ExitCode, Mode, Status

_COLUMNS = (
    *("id", "kind", "parent", "job", "source", "path", "sha256", "size", "read_options", "mode", "contract"),
    *(
        "mapping",
        "mapping_name",
        "mapping_digest",
        "destination_key",
        "host",
        "tenant_id",
        "app_key",
        "store",
    ),
    *("settings", "dry_run", "report_dir", "started", "finished", "state", "exit_code", "stop", "counts"),
    *("resumes", "settled"),
)


class Journal:
    """The one record of what happened, as a SQLite file of mode 0600.

    `moved_aside` names the damaged journal that had to make way, if there was one. Every method raises
    JournalError where the file cannot be read or written.
    """

    def __init__(self, database: Database, locks: Locks) -> None:
        self._database = database
        self._locks = locks

    @classmethod
    def open(cls, path: Path | None = None, *, busy_seconds: float = BUSY_SECONDS) -> Journal:
        """Opens or makes the journal: `path`, or `journal.db` in the user's state folder."""
        path = path or state_folder() / FILE_NAME
        return cls(Database(path, busy_seconds), Locks(path.parent / "locks"))

    @property
    def path(self) -> Path:
        return self._database.path

    @property
    def moved_aside(self) -> Path | None:
        return self._database.moved_aside

    @property
    def jobs(self) -> JobHistory:
        """What scheduled jobs did."""
        return JobHistory(self._database)

    def job_lock(self, name: str) -> Lock:
        """The lock of a job, not yet taken."""
        return self._locks.job(name)

    def job_running(self, name: str) -> bool:
        """True if a living process is at work on a round of the job."""
        return self._locks.job_held(name)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, record: RunRecord) -> RunJournal:
        """Begins a run and takes its locks. Raises LockedError if the same source is on its way already."""
        now = datetime.now().astimezone()
        record = replace(record, started=now, state=RunState.RUNNING)
        locks = self._lock(record, now)
        try:
            values = _values(record)
            with self._database.transaction() as connection:
                places = ", ".join("?" * len(values))
                number = connection.execute(
                    f"INSERT INTO runs ({', '.join(values)}) VALUES ({places})",  # noqa: S608 - our own column names
                    tuple(values.values()),
                ).lastrowid
            assert number is not None  # noqa: S101 - an INSERT into a rowid table has one
            return RunJournal(self._database, number, record, locks)
        except BaseException:
            _release(locks)
            raise

    def reopen(self, run_id: str) -> RunJournal:
        """Takes a run up again and its locks. Raises JournalError `unknown-run`, LockedError."""
        record = self.run(run_id)
        now = datetime.now().astimezone()
        locks = self._lock(record, now)
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    "UPDATE runs SET state = ?, finished = NULL, exit_code = NULL, stop = '',"
                    " resumes = resumes + 1 WHERE id = ?",
                    (RunState.RUNNING, run_id),
                )
            return RunJournal(self._database, self._number(run_id), self.run(run_id), locks)
        except BaseException:
            _release(locks)
            raise

    def _lock(self, record: RunRecord, now: datetime) -> Sequence[Lock]:
        wanted = [(self._locks.run(record.id), "run-locked")]
        if record.destination is not None and not record.dry_run:
            wanted.append((self._locks.source(record.sha256, record.destination_key), "source-locked"))
        held: list[Lock] = []
        try:
            for lock, code in wanted:
                lock.acquire(holder(record.id, now), code)
                held.append(lock)
        except BaseException:
            _release(held)
            raise
        return held

    def run(self, run_id: str) -> RunRecord:
        """The run of that name. Raises UnknownRunError `unknown-run`."""
        found = self._records("WHERE id = ?", (run_id,))
        if not found:
            raise UnknownRunError("unknown-run", run=run_id)
        return found[0]

    def find(self, name: str) -> RunRecord:
        """The run of that name, or the only one whose name begins so.

        Raises UnknownRunError `unknown-run` or `several-runs`.
        """
        found = [record for record in self.runs() if record.id.startswith(name)]
        exact = next((record for record in found if record.id == name), None)
        if exact is None and len(found) > 1:
            raise UnknownRunError("several-runs", run=name, count=len(found), newest=found[0].id)
        if not found:
            raise UnknownRunError("unknown-run", run=name)
        return exact or found[0]

    def runs(self, limit: int | None = None) -> tuple[RunRecord, ...]:
        """All runs, the newest first."""
        return tuple(self._records("ORDER BY number DESC LIMIT ?", (-1 if limit is None else limit,)))

    def newest_interrupted(self) -> RunRecord | None:
        """The newest run that `resume` can take up."""
        for record in self._records(
            "WHERE state IN (?, ?) AND NOT dry_run ORDER BY number DESC", (RunState.RUNNING, RunState.STOPPED)
        ):
            if record.state.resumable:
                return record
        return None

    def imported_before(
        self, sha256: str, destination_key: str, mapping_digest: str, mode: Mode
    ) -> RunRecord | None:
        """The newest finished run that brought rows of this very file to this destination in the same way,
        or found nothing in it to bring."""
        found = self._records(
            "WHERE sha256 = ? AND destination_key = ? AND mapping_digest = ? AND mode = ? AND NOT dry_run"
            " AND state = ? AND exit_code <> ? ORDER BY number DESC",
            (
                *(sha256, destination_key, mapping_digest, int(mode)),
                *(RunState.FINISHED, int(ExitCode.TRIPWIRE)),
            ),
        )
        done = (record for record in found if record.exit_code is ExitCode.DONE or _brought_in(record))
        return next(done, None)

    def children(self, run_id: str) -> tuple[RunRecord, ...]:
        """The runs that name this one as their parent, the oldest first."""
        return tuple(self._records("WHERE parent = ? AND parent <> '' ORDER BY number", (run_id,)))

    def known(self, run_id: str) -> RowStates:
        """What is recorded of each row of a run. Raises JournalError `unknown-run`."""
        return row_states.read_row_states(self._database, self._number(run_id))

    def requests(self, run_id: str) -> tuple[RequestRecord, ...]:
        """Every request of a run, as they were begun. Raises JournalError `unknown-run`."""
        return row_states.read_requests(self._database, self._number(run_id))

    def _number(self, run_id: str) -> int:
        found = self._database.query("SELECT number FROM runs WHERE id = ?", (run_id,))
        if not found:
            raise UnknownRunError("unknown-run", run=run_id)
        return int(found[0]["number"])

    def imported_rows(self, run_id: str, destination_key: str) -> dict[str, np.ndarray]:
        """Row numbers (int64, ascending) by sheet that the run, or a retry of it, got into this destination.

        Rows of a report that were skipped, since an earlier run had imported them, count as well. Empty if
        the journal does not know the run, or it went elsewhere.
        """
        parts: list[dict[str, np.ndarray]] = []
        waiting = self._records("WHERE id = ?", (run_id,))
        while waiting:
            record = waiting.pop()
            if record.destination_key != destination_key or record.dry_run:
                continue
            known = self.known(record.id)
            parts.append({sheet: known.rows(sheet, Status.IMPORTED) for sheet in known.sheets})
            parts.append(
                {sheet: known.with_code(sheet, Status.SKIPPED, "imported-before") for sheet in known.sheets}
            )
            waiting += [child for child in self.children(record.id) if child.kind is RunKind.RETRY]
        return union_rows(parts)

    def imported_by_reports(
        self, run_id: str, destination_key: str, before: datetime | None = None
    ) -> dict[str, np.ndarray]:
        """Row numbers (int64, ascending) of a run by sheet that came in with a report of it, corrected or
        not; `before`: only by runs that began before then."""
        found: dict[str, list[int]] = {}
        lines = self._database.query(
            "SELECT r.id, o.sheet, o.rows, o.from_sheet, o.from_rows FROM origins o"
            " JOIN runs r ON r.number = o.run WHERE o.from_run = ? AND r.destination_key = ?"
            " AND (? IS NULL OR r.started < ?)",
            (run_id, destination_key, *(2 * (before.isoformat() if before else None,))),
        )
        for run, sheet, numbers, from_sheet, from_rows in lines:
            imported = self.imported_rows(run, destination_key).get(sheet, np.empty(0, np.int64))
            known = np.isin(np.array(json.loads(numbers), dtype=np.int64), imported)
            origins = np.array(json.loads(from_rows), dtype=np.int64)
            found.setdefault(from_sheet, []).extend(origins[known].tolist())
        return {sheet: np.unique(np.array(some, dtype=np.int64)) for sheet, some in found.items()}

    def prune(self, older_than: datetime) -> int:
        """Forgets the runs that began before, except those at work. Returns how many there were."""
        return self.forget(
            [record.id for record in self.runs() if record.started and record.started < older_than]
        )

    def forget(self, run_ids: Iterable[str]) -> int:
        """Forgets these runs, except those at work. Returns how many there were."""
        old = [run_id for run_id in run_ids if not self._locks.held(run_id)]
        with self._database.transaction() as connection:
            for run_id in old:
                for table in ("outcomes", "batches", "origins"):
                    connection.execute(
                        f"DELETE FROM {table} WHERE run = (SELECT number FROM runs WHERE id = ?)",  # noqa: S608 - our own table names
                        (run_id,),
                    )
                connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))
        for run_id in old:
            self._locks.forget(run_id)
        if old:
            self._database.vacuum()
        return len(old)

    def _records(self, where: str, values: tuple[object, ...]) -> list[RunRecord]:
        found = self._database.query(f"SELECT * FROM runs {where}", values)  # noqa: S608 - our own clauses
        return [self._record(row) for row in found]

    def _record(self, row: sqlite3.Row) -> RunRecord:
        state = RunState(row["state"])
        if state is RunState.RUNNING and not self._locks.held(row["id"]):
            state = RunState.INTERRUPTED
        return _record(row, state)


def _brought_in(record: RunRecord) -> bool:
    return record.counts.get(Status.IMPORTED, 0) > 0


def _release(locks: Iterable[Lock]) -> None:
    for lock in locks:
        lock.release()


def _values(record: RunRecord) -> dict[str, Any]:
    destination = record.destination
    special = {
        "destination_key": record.destination_key,
        "host": destination.host if destination else "",
        "tenant_id": destination.tenant_id if destination else "",
        "app_key": destination.app_key if destination else "",
        "store": destination.store if destination else "",
        "mode": int(record.mode),
        "started": record.started.isoformat() if record.started else None,
        "finished": None,
        "exit_code": None,
        "counts": "{}",
    }
    return {name: special[name] if name in special else getattr(record, name) for name in _COLUMNS}


def _record(row: sqlite3.Row, state: RunState) -> RunRecord:
    destination = Destination(row["host"], row["tenant_id"], row["app_key"], row["contract"], row["store"])
    special: dict[str, Any] = {
        "destination": destination if row["destination_key"] else None,
        "mode": Mode(row["mode"]),
        "kind": RunKind(row["kind"]),
        "dry_run": bool(row["dry_run"]),
        "started": datetime.fromisoformat(row["started"]),
        "finished": datetime.fromisoformat(row["finished"]) if row["finished"] else None,
        "state": state,
        "exit_code": None if row["exit_code"] is None else ExitCode(row["exit_code"]),
        "counts": {Status(name): count for name, count in json.loads(row["counts"]).items()},
    }
    return RunRecord(
        **{f.name: special[f.name] if f.name in special else row[f.name] for f in fields(RunRecord)}
    )
