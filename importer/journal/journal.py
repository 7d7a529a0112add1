"""The journal of all runs of a user: start, reopen, look back, prune."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from importer.errors import UnknownRunError
from importer.exit_codes import ExitCode
from importer.fingerprints import FingerprintKey
from importer.journal import contacts, row_states, schema
from importer.journal.contacts import RunContacts
from importer.journal.contents import Contents
from importer.journal.database import Database, Row
from importer.journal.lanes import Lanes, Ticket
from importer.journal.locks import Lock, LockHolder, Locks
from importer.journal.opening import open_place, open_rate
from importer.journal.rate import OwnRate
from importer.journal.records import (
    BatchState,
    RunFilter,
    RunKind,
    RunRecord,
    RunState,
    decode_run,
    encode_run,
)
from importer.journal.row_states import IN_ALREADY, RowStates, union_rows
from importer.journal.run_journal import RunJournal
from importer.journal.run_totals import NEWEST_OF_EACH, RunTotals, read_totals
from importer.journal.sent_rows import SentRows, read_contacts_since, read_sent_rows
from importer.journal.sqlite import BUSY_SECONDS
from importer.models import Destination, Mode, Note, Status

if TYPE_CHECKING:
    from importer.journal.erasure import ErasedPerson, JournalTraces
    from importer.journal.job_history import JobHistory


class Journal:
    """The one record of what happened, in a SQLite file of mode 0600.

    `moved_aside` names the damaged journal that this one replaces, if there was one. Every method raises
    JournalError if the file cannot be read or written.
    """

    def __init__(self, database: Database, locks: Locks) -> None:
        self._database = database
        self._locks = locks
        self._rates: list[OwnRate] = []

    @classmethod
    def open(cls, path: Path | str | None = None, *, busy_seconds: float = BUSY_SECONDS) -> Journal:
        """Open the journal, or make a new one: at `path`, which may be a PostgreSQL address, or the user's.

        Raises JournalError; SettingsError for an address that cannot be used.
        """
        return cls(*open_place(path, busy_seconds))

    @property
    def path(self) -> Path:
        return self._database.path

    @property
    def shared(self) -> bool:
        return self._database.shared

    @property
    def moved_aside(self) -> Path | None:
        return self._database.moved_aside

    @cached_property
    def losses(self) -> tuple[Note, ...]:
        """What the journal has lost and nobody has acknowledged, when it was first asked for."""
        return self._database.losses

    def acknowledge_losses(self) -> tuple[Note, ...]:
        """Forget what was lost, and return it. What customers held before is not known any more."""
        if self._database.losses:
            with self._database.transaction() as connection:
                connection.execute("DELETE FROM contents")
        return self._database.acknowledge_losses()

    @property
    def jobs(self) -> JobHistory:
        """The history of scheduled jobs."""
        from importer.journal.job_history import JobHistory  # no single run needs it

        return JobHistory(self._database)

    def job_lock(self, name: str) -> Lock:
        """The lock of a job, not yet taken."""
        return self._locks.job(name)

    def job_running(self, name: str) -> bool:
        """True if a living process is at work on a round of the job."""
        return self._locks.job_held(name)

    def patient(self, seconds: float, stopped: Callable[[], object]) -> AbstractContextManager[None]:
        """Wait no longer for a database that is away, and not when `stopped` returns something."""
        return self._database.patient(seconds, stopped)

    def close(self) -> None:
        for rate in self._rates:
            rate.close()
        self._locks.close()
        self._database.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def lanes(self) -> Lanes:
        """Who sends where, and who waits for it."""
        return Lanes(self._database, self._locks)

    def rate(self, access_key: str, run_id: str) -> OwnRate:
        """The rate of an access key, which this run shares with all others that sign with it."""
        self._rates.append(open_rate(self._database, self._locks, access_key, run_id))
        return self._rates[-1]

    def start(self, record: RunRecord, ticket: Ticket | None = None, rows: int | None = None) -> RunJournal:
        """Begin a run and take its locks. Raises LockedError if the same source is on its way already.

        `ticket`: the run's place in its lane, drawn before; without one, a run that sends draws it now.
        `rows`: about how many it has, for those who wait behind it.
        """
        now = datetime.now().astimezone()
        record = replace(record, started=now, state=RunState.RUNNING, machine=socket.gethostname())
        locks = self._lock(record, now)
        try:
            ticket = self._ticket(record, ticket)
            with self._database.transaction() as connection:
                number = schema.next_number(self._database, connection)
                if ticket is not None:
                    number = ticket.number
                    ticket.describe(connection, record.id, record.source, rows)
                self._database.insert("runs", {"number": number} | encode_run(record))
            return self._run_journal(number, record, locks, ticket)
        except BaseException:
            _release(locks)
            if ticket is not None:
                ticket.release()
            raise

    def reopen(self, run_id: str, ticket: Ticket | None = None, rows: int | None = None) -> RunJournal:
        """Go on with a run and take its locks. Raises UnknownRunError `unknown-run`, LockedError.

        `ticket` and `rows` as in `start`. The run keeps its number.
        """
        record = self.run(run_id)
        now = datetime.now().astimezone()
        locks = self._lock(record, now)
        try:
            ticket = self._ticket(record, ticket)
            with self._database.transaction() as connection:
                if ticket is not None:
                    ticket.describe(connection, record.id, record.source, rows)
                connection.execute(
                    "UPDATE runs SET state = ?, finished = NULL, exit_code = NULL, stop = '',"
                    " resumes = resumes + 1 WHERE id = ?",
                    (RunState.RUNNING, run_id),
                )
            number = self._number(run_id)
            contacts.end_open_requests(self._database, number)
            return self._run_journal(number, self.run(run_id), locks, ticket)
        except BaseException:
            _release(locks)
            if ticket is not None:
                ticket.release()
            raise

    def _run_journal(
        self, number: int, record: RunRecord, locks: Sequence[Lock], ticket: Ticket | None
    ) -> RunJournal:
        sends = record.destination is not None
        known = RunContacts(self._database, number, record, self._locks.run_held) if sends else None
        return RunJournal(self._database, number, record, locks, ticket, known)

    @property
    def contents(self) -> Contents:
        """What the customers of each lane hold, as far as the journal knows."""
        return Contents(self._database)

    @cached_property
    def fingerprint_key(self) -> FingerprintKey:
        """The key of this journal's fingerprints of contacts."""
        return contacts.fingerprint_key(self._database)

    def _ticket(self, record: RunRecord, drawn: Ticket | None) -> Ticket | None:
        """The run's own ticket; None for a run that sends nothing. One for another lane is given back."""
        lane = record.destination.lane if record.destination and not record.dry_run else None
        if drawn is not None and drawn.lane != lane:
            drawn.release()
            drawn = None
        if lane is None:
            return None
        return drawn or self.lanes.draw(lane, record.source)

    def _lock(self, record: RunRecord, now: datetime) -> Sequence[Lock]:
        wanted = [(self._locks.run(record.id), "run-locked")]
        if record.destination is not None and not record.dry_run:
            wanted.append((self._locks.source(record.sha256, record.destination.lane), "source-locked"))
        held: list[Lock] = []
        try:
            for lock, code in wanted:
                lock.acquire(LockHolder.current(record.id, now), code)
                held.append(lock)
        except BaseException:
            _release(held)
            raise
        return held

    def run(self, run_id: str) -> RunRecord:
        """The run of that name. Raises UnknownRunError `unknown-run`."""
        found = self._records("WHERE id = ?", (run_id,))
        if not found:
            raise self._unknown(run_id)
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
            raise self._unknown(name)
        return exact or found[0]

    def _unknown(self, name: str) -> UnknownRunError:
        return UnknownRunError("run-perhaps-lost" if self.losses else "unknown-run", run=name)

    def runs(self, limit: int | None = None, wanted: RunFilter | None = None) -> tuple[RunRecord, ...]:
        """All runs, or those that are wanted, the newest first; `limit` of them at most."""
        if wanted is not None:
            fitting = (record for record in self.runs() if wanted.fits(record))
            return tuple(itertools.islice(fitting, limit))
        bound, values = ("", ()) if limit is None else ("LIMIT ?", (limit,))
        return tuple(self._records(f"ORDER BY number DESC {bound}", values))

    def newest_of_each(self) -> tuple[RunTotals, ...]:
        """The newest run of each job and tenant that was no dry run, with what it took; the oldest first."""
        return tuple(read_totals(self._database, record) for record in self._records(NEWEST_OF_EACH, ()))

    def imported_before(
        self, sha256: str, destination_key: str, mapping_digest: str, mode: Mode
    ) -> RunRecord | None:
        """The newest finished run of this content to this destination, with this mapping and mode.

        It imported rows, or found none to import. A run that got nothing in does not count.
        """
        found = self._records(
            "WHERE sha256 = ? AND destination_key = ? AND mapping_digest = ? AND mode = ? AND dry_run = 0"
            " AND state = ? AND exit_code <> ? ORDER BY number DESC",
            (
                *(sha256, destination_key, mapping_digest, int(mode)),
                *(RunState.FINISHED, int(ExitCode.TRIPWIRE)),
            ),
        )
        done = (one for one in found if one.exit_code is ExitCode.DONE or one.counts.get(Status.IMPORTED))
        return next(done, None)

    def has_reached(self, there: Destination) -> bool:
        """Return whether the tenant there, by the same variant of the API, has accepted a request before."""
        found = (
            "SELECT 1 FROM runs r WHERE r.host = ? AND r.store = ? AND r.tenant_id = ? AND r.contract = ?"
            " AND EXISTS (SELECT 1 FROM batches b WHERE b.run = r.number AND b.state = ?) LIMIT 1"
        )
        place = (there.host, there.store, there.tenant_id, there.contract)
        return bool(self._database.query(found, (*place, BatchState.ACCEPTED)))

    def children(self, run_id: str) -> tuple[RunRecord, ...]:
        """The runs that name this one as their parent, the oldest first."""
        return tuple(self._records("WHERE parent = ? AND parent <> '' ORDER BY number", (run_id,)))

    def family(self, record: RunRecord) -> tuple[RunRecord, ...]:
        """The first run of a source and all retries that come from it, the oldest first."""
        while record.kind is RunKind.RETRY and record.parent:
            record = self.run(record.parent)
        return self._with_retries(record.id)

    def _with_retries(self, run_id: str) -> tuple[RunRecord, ...]:
        """A run, its retries, their retries and so on, the oldest first. Empty for an unknown run."""
        return tuple(
            self._records(
                "WHERE id IN (WITH RECURSIVE member (id) AS (SELECT ? UNION SELECT r.id FROM runs r"
                " JOIN member m ON r.parent = m.id WHERE r.kind = ? AND r.parent <> '')"
                " SELECT id FROM member) ORDER BY number",
                (run_id, RunKind.RETRY),
            )
        )

    def row_states(self, run_id: str) -> RowStates:
        """What is recorded last of each row of a run. Raises UnknownRunError `unknown-run`."""
        return row_states.read_row_states(self._database, self._number(run_id))

    def _number(self, run_id: str) -> int:
        found = self._database.query("SELECT number FROM runs WHERE id = ?", (run_id,))
        if not found:
            raise self._unknown(run_id)
        return int(found[0]["number"])

    def imported_rows(self, run_id: str, destination_key: str) -> dict[str, np.ndarray]:
        """Row numbers (int64, ascending) by sheet that a run and its retries imported into this destination.

        Rows of a report count as well if they were skipped because an earlier run had imported them. Empty if
        the journal does not know the run, or it had another destination.
        """
        parts: list[dict[str, np.ndarray]] = []
        for record in self._with_retries(run_id):
            if record.destination_key != destination_key or record.dry_run:
                continue
            states = self.row_states(record.id)
            for sheet in states.sheets:
                parts.append({sheet: states.rows_with_status(sheet, Status.IMPORTED)})
                parts += [{sheet: states.rows_with_code(sheet, Status.SKIPPED, code)} for code in IN_ALREADY]
        return union_rows(parts)

    def sent_rows(self, run_id: str, there: str, before: str, *, reports: bool) -> dict[str, SentRows]:
        """What a run's rows were sent as, by sheet: by it, its retries, and `reports` `before` a run."""
        runs = [one.id for one in self._with_retries(run_id) if one.destination_key == there]
        return read_sent_rows(self._database, runs, there, self._number(before) if reports else 0)

    def contacts_since(self, run_id: str, own: str) -> np.ndarray | None:
        """As `sent_rows.read_contacts_since`."""
        return read_contacts_since(self._database, run_id, own)

    def parents(self, run_id: str) -> dict[tuple[str, int], tuple[str, str, int]]:
        """As `contacts.read_parents`."""
        return contacts.read_parents(self._database, run_id)

    def imported_by_reports(
        self, run_id: str, destination_key: str, before: str | None = None
    ) -> dict[str, np.ndarray]:
        """Row numbers (int64, ascending) of a run by sheet that came in with a report of it, corrected or
        not. `before`: only with runs of lower numbers than the run of this id (clocks are set back)."""
        earlier = "AND r.number < (SELECT number FROM runs WHERE id = ?)" if before else ""
        origins = self._database.query(
            "SELECT r.id AS run, o.sheet, o.rows, o.from_sheet, o.from_rows FROM origins o"  # noqa: S608 - our own clause
            f" JOIN runs r ON r.number = o.run WHERE o.from_run = ? AND r.destination_key = ? {earlier}",
            (run_id, destination_key, *([before] if before else [])),
        )
        imported: dict[str, dict[str, np.ndarray]] = {}
        found: list[dict[str, np.ndarray]] = []
        for origin in origins:
            run = origin["run"]
            if run not in imported:
                by_reports = self.imported_by_reports(run, destination_key, before)
                imported[run] = union_rows((by_reports, self.imported_rows(run, destination_key)))
            there = imported[run].get(origin["sheet"], np.empty(0, np.int64))
            with self._database.decoding():
                came_in = np.isin(np.array(json.loads(origin["rows"]), dtype=np.int64), there)
                rows = np.array(json.loads(origin["from_rows"]), dtype=np.int64)[came_in]
            found.append({origin["from_sheet"]: np.unique(rows)})
        return union_rows(found)

    def erase(self, whom: ErasedPerson, *, clear: bool) -> JournalTraces:
        """Find a person's traces and, with `clear`, clear them."""
        from importer.journal.erasure import erase_from_journal  # hardly anybody asks for it

        return erase_from_journal(self._database, whom, clear=clear)

    def prunable(self, older_than: datetime) -> tuple[RunRecord, ...]:
        """Return the runs that began before and need no journal any more.

        A run at work does, and so does one that can be resumed: rows of it may be on their way.
        """
        old = (record for record in self.runs() if record.started and record.started < older_than)
        return tuple(record for record in old if record.state is RunState.FINISHED or record.dry_run)

    def prune(self, run_ids: Iterable[str]) -> int:
        """Forget these runs, but none at work or with a request still to come. Returns how many it forgot."""
        idle = {run_id for run_id in run_ids if not self._locks.run_held(run_id)}
        known = {self._number(record.id): record for record in self.runs() if record.id in idle}
        old = {number: known[number] for number in contacts.forget_runs(self._database, list(known))}
        with self._database.transaction() as connection:
            ids = [(number,) for number in old]
            for table in ("outcomes", "sent_rows", "batches", "origins"):
                connection.executemany(f"DELETE FROM {table} WHERE run = ?", ids)  # noqa: S608 - our own names
            connection.executemany("DELETE FROM runs WHERE number = ?", ids)
        for record in old.values():
            self._locks.forget(record.id)
        for lane in {record.destination.lane for record in old.values() if record.destination}:
            contacts.drop_unneeded(self._database, lane)
        if old:
            self._database.vacuum()
        return len(old)

    def _records(self, where: str, values: tuple[object, ...]) -> list[RunRecord]:
        found = self._database.query(f"SELECT * FROM runs {where}", values)  # noqa: S608 - our own clauses
        with self._database.decoding():
            return [self._record(row) for row in found]

    def _record(self, row: Row) -> RunRecord:
        state = RunState(row["state"])
        if state is RunState.RUNNING and not self._locks.run_held(row["id"]):
            state = RunState.INTERRUPTED
        return decode_run(row, state)


def _release(locks: Iterable[Lock]) -> None:
    for lock in locks:
        lock.release()
