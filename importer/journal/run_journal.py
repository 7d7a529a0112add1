"""The journal of one run at work: requests are noted before they leave, outcomes when they are known."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

import numpy as np

from importer.exit_codes import ExitCode
from importer.journal import row_states
from importer.journal.contacts import DELETE_CONTACTS, INSERT_CONTACTS, RunContacts, drop_unneeded
from importer.journal.contents import INSERT_CONTENTS, begun_contents, compact, keeps_contents
from importer.journal.database import Database, Fence
from importer.journal.departures import Departures
from importer.journal.lanes import Ticket
from importer.journal.locks import Lock
from importer.journal.records import BegunEntry, RequestRecord, RowsOfRun, RunRecord, RunState, SettledEntry
from importer.journal.row_states import RowStates
from importer.journal.sent_rows import INSERT_SENT, encode_sent
from importer.models import Batch, Outcome, Status
from importer.option_layers import options_from_json

_BEGIN = """INSERT INTO batches (run, entry, ordinal, part, sheet, rows, body_sha256,
                                 state, attempts, code, message, trace_id, data, begun)
            VALUES (?, ?, ?, ?, ?, ?, ?, 'begun', 0, '', '', '', '', ?)"""
_END = """UPDATE batches SET state = ?, attempts = ?, code = ?, message = ?, trace_id = ?, data = ?,
                 ended = ?, silent = ? WHERE run = ? AND entry = ?"""
_OUTCOME = """INSERT INTO outcomes
              (run, entry, sheet, rows, status, final, batch, attempts, code, message, trace_id)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_LAST_NUMBERS = """SELECT coalesce((SELECT max(entry) FROM batches WHERE run = ?1), 0) AS begun,
                 coalesce((SELECT max(entry) FROM outcomes WHERE run = ?1), 0) AS settled,
                 coalesce((SELECT max(ordinal) FROM batches WHERE run = ?1), 0) AS ordinal"""


class RunJournal:
    """Records one run, and holds its locks until `close`. Made by `Journal.start` and `Journal.reopen`.

    Safe to use from several threads. What a method writes is on the disk when it returns. It raises
    JournalError if it could not write: nothing more may be sent then.
    """

    def __init__(
        self,
        database: Database,
        number: int,
        record: RunRecord,
        locks: Sequence[Lock],
        ticket: Ticket | None = None,
        contacts: RunContacts | None = None,
    ) -> None:
        self.record = record
        self.ticket = ticket
        """The run's place in its lane; None for a run that sends nothing."""
        self.contacts = contacts
        """Whose customers its requests carry, and those of the lane; None for a run that sends nothing."""
        self._database = database
        self._number = number
        self._locks = tuple(locks)
        counted = database.query(_LAST_NUMBERS, (number,))[0]
        self.next_ordinal: int = counted["ordinal"] + 1
        """The number for the next batch; a resumed run goes on counting."""
        self._last_entry: int = max(counted["begun"], counted["settled"])
        self._entry_lock = threading.Lock()
        self.departures = Departures(locks[0], self._last_entry) if ticket is not None else None
        """Which requests left; None for a run that sends nothing."""

    @property
    def _fence(self) -> Fence | None:
        return None if self.ticket is None else self.ticket.fence

    @property
    def has_imported(self) -> bool:
        """True if the CRM has accepted any row of this run."""
        found = "SELECT 1 FROM outcomes WHERE run = ? AND status = ? LIMIT 1"
        return bool(self._database.query(found, (self._number, Status.IMPORTED)))

    @property
    def has_requests(self) -> bool:
        """True if a request of this run was sent, or was about to be."""
        return bool(self._database.query("SELECT 1 FROM batches WHERE run = ? LIMIT 1", (self._number,)))

    @property
    def id(self) -> str:
        return self.record.id

    def entry(self) -> int:
        """The number for the run's next event."""
        with self._entry_lock:
            self._last_entry += 1
            return self._last_entry

    def begin(self, batch: Batch, body_sha256: bytes, part: int = 0) -> int:
        """Record that a batch is about to be sent. Returns its entry number for `write`."""
        entry = self.entry()
        self.write([BegunEntry(entry, batch, part, body_sha256)], ())
        return entry

    def settle(self, outcomes: Sequence[Outcome], *, final: bool = True) -> None:
        """Record the outcomes of rows that no request of this run is about: held back, skipped and so on."""
        if outcomes:
            self.write((), [SettledEntry(self.entry(), tuple(outcomes), final=final)])

    def write(self, begun: Sequence[BegunEntry], settled: Sequence[SettledEntry]) -> None:
        """Record many events in one transaction."""
        now = self._database.now()
        run = self._number
        begins = [
            (
                run,
                e.entry,
                e.batch.ordinal,
                e.part,
                e.batch.sheet,
                row_states.encode_ranges(e.batch.rows),
                e.body_sha256,
                now,
            )
            for e in begun
        ]
        sent = [(run, e.entry, found) for e in begun if (found := encode_sent(e.batch.contacts)) is not None]
        ends = [
            # Texts and numbers of Python itself: others SQLite asks how they are to be stored, one by one.
            (
                e.state.value,
                e.attempts,
                e.code,
                e.message,
                e.trace_id,
                e.data,
                now,
                _ago(e, now),
                run,
                e.entry,
            )
            for e in settled
            if e.state is not None
        ]
        outcomes = [self._outcome(event, outcome) for event in settled for outcome in event.outcomes]
        carried = self.contacts.begun(begun) if self.contacts else []
        refused = self.contacts.refused(settled) if self.contacts else []
        lane = self._contents_lane if begun else ""
        held = begun_contents(lane, run, begun) if lane else []
        with self._database.transaction(self._fence) as connection:
            for statement, values in (
                (INSERT_CONTACTS, carried),
                (DELETE_CONTACTS, refused),
                (INSERT_CONTENTS, held),
                (INSERT_SENT, sent),
                (_BEGIN, begins),
                (_END, ends),
                (_OUTCOME, outcomes),
            ):
                if values:
                    connection.executemany(statement, values)

    @cached_property
    def _contents_lane(self) -> str:
        """The run's lane, if what its customers hold is kept; "" if not. Asked when it is our turn."""
        there = self.record.destination
        if there is None or self.record.dry_run:
            return ""
        wanted = options_from_json(self.record.settings).changed_only
        return there.lane if wanted or keeps_contents(self._database, there.lane) else ""

    def _outcome(self, event: SettledEntry, outcome: Outcome) -> tuple[object, ...]:
        return (
            self._number,
            event.entry,
            None if event.whole else outcome.sheet,
            None if event.whole else row_states.encode_ranges(outcome.rows),
            outcome.status.value,
            int(event.final),
            outcome.batch,
            outcome.attempts,
            outcome.code,
            outcome.message,
            outcome.trace_id,
        )

    def reopen_rejected(self, code: str) -> None:
        """Mark rows refused with this code as not final: a resumed run sends them again.

        For a code with which every row was refused, so that no row is at fault.
        """
        with self._database.transaction(self._fence) as connection:
            connection.execute(
                "UPDATE outcomes SET final = 0 WHERE run = ? AND status = ? AND code = ?",
                (self._number, Status.REJECTED, code),
            )

    def came_from(self, sheet: str, rows: np.ndarray, origin: RowsOfRun) -> None:
        """Record which rows of an earlier run these rows of a report (int64) are, one for one."""
        if self.contacts is not None:
            self.contacts.note_origin(sheet, rows, origin)
        values = (self._number, sheet, json.dumps(rows.tolist()), origin.run, origin.sheet)
        with self._database.transaction(self._fence) as connection:
            connection.execute(
                "INSERT INTO origins (run, sheet, rows, from_run, from_sheet, from_rows)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*values, json.dumps(list(origin.rows))),
            )

    def row_states(self) -> RowStates:
        """What is recorded last of each row of this run."""
        has_left = self.departures.has_left if self.departures else row_states.nobody_knows
        return row_states.read_row_states(self._database, self._number, has_left)

    def requests(self) -> tuple[RequestRecord, ...]:
        """Every request of this run, in the order in which they were begun."""
        return row_states.read_requests(self._database, self._number)

    def keep_mapping(self, text: str) -> None:
        """Record the mapping (TOML) with what the whole file proved; `mapping` and its digest stay."""
        with self._database.transaction(self._fence) as connection:
            connection.execute("UPDATE runs SET settled = ? WHERE number = ?", (text, self._number))
        self.record = replace(self.record, settled=text)

    def keep_lists(self, text: str) -> None:
        """Record the lists of people who must not be sent, and what each did, as JSON text."""
        with self._database.transaction(self._fence) as connection:
            connection.execute("UPDATE runs SET suppression = ? WHERE number = ?", (text, self._number))

    def finish(
        self, state: RunState, exit_code: ExitCode, counts: Mapping[Status, int], stop: str = ""
    ) -> RunRecord:
        """End the run: `FINISHED`, or `STOPPED` with the message code of the reason. The locks stay."""
        now = datetime.now().astimezone()
        with self._database.transaction(self._fence) as connection:
            connection.execute(
                "UPDATE runs SET state = ?, exit_code = ?, counts = ?, stop = ?, finished = ?"
                " WHERE number = ?",
                (state, int(exit_code), json.dumps(dict(counts)), stop, now.isoformat(), self._number),
            )
        self.record = replace(
            self.record, state=state, exit_code=exit_code, counts=dict(counts), stop=stop, finished=now
        )
        if self.record.destination is not None and not self.record.dry_run:
            drop_unneeded(self._database, self.record.destination.lane)
            if "_contents_lane" in self.__dict__ and self._contents_lane:
                compact(self._database, self._contents_lane, self._fence)
        if self.departures is not None and not counts.get(Status.UNKNOWN):
            self.departures.forget()
        return self.record

    def close(self) -> None:
        """Release the lane and the locks. A run that was not finished counts as interrupted from now on."""
        if self.departures is not None:
            self.departures.close()
        if self.ticket is not None:
            self.ticket.release()
        for lock in self._locks:
            with contextlib.suppress(OSError):
                lock.release()

    def __enter__(self) -> RunJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ago(settled: SettledEntry, now: float) -> float | None:
    """When the last attempt of a request ended that nobody answered; None if each was."""
    return None if settled.silent_for is None else now - settled.silent_for
