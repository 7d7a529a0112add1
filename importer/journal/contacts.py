"""Whose customers the requests of a lane carry: what came in newer, and what may still be carried out.

A request leaves the fingerprints of its customers' contacts in the journal before its first byte leaves. They
go when it is refused, and otherwise at the end of its run, unless a run that is older can still be taken up
again: then those of what came in stay, so that the older run overwrites nothing. Those of a request without
an answer stay for a day.

A row is as old as the file that it comes from: its age is the number of the first run of that file, for rows
of a retry and of a report, too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from importer.api import READ_TIMEOUT
from importer.batching import flat_contacts
from importer.dataclass import dataclass
from importer.fingerprints import FingerprintKey
from importer.journal import row_states
from importer.journal.database import Database, Row
from importer.journal.newer_imports import NewerImports
from importer.journal.records import (
    BatchState,
    BegunEntry,
    RowsOfRun,
    RunKind,
    RunRecord,
    RunState,
    SettledEntry,
    decode_counts,
)
from importer.models import Mode

LONGEST_SETTLE = 86_400.0
"""Seconds for which the contacts of a request without an answer are kept."""
STAMP_EVERY = 5.0
"""Seconds between two notes that a run sends: its latest attempt began at most so long after the last."""

_OPEN = """UPDATE batches SET ended = ?2, silent = ?2 WHERE run = ?1 AND ended IS NULL"""
_LATE = """SELECT b.run, r.id, b.sheet, b.rows, b.silent, c.keys
           FROM batches b JOIN runs r ON r.number = b.run
           JOIN contacts c ON c.run = b.run AND c.entry = b.entry
           WHERE b.silent > ? AND r.lane = ?"""
INSERT_CONTACTS = "INSERT INTO contacts (run, entry, age, keys, fields) VALUES (?, ?, ?, ?, ?)"
DELETE_CONTACTS = "DELETE FROM contacts WHERE run = ? AND entry = ?"
NEVER = 1 << 62
"""More than any age."""
_UNNEEDED = """DELETE FROM contacts WHERE run = ?1 AND age <= ?2 AND NOT EXISTS
               (SELECT 1 FROM batches b WHERE b.run = contacts.run AND b.entry = contacts.entry
                AND (b.ended IS NULL OR b.silent > ?3))"""


def fingerprint_key(database: Database) -> FingerprintKey:
    """The key of the journal's fingerprints."""
    first, second = np.frombuffer(database.query("SELECT key FROM fingerprint_key")[0]["key"], dtype="<u8")
    return int(first), int(second)


@dataclass(frozen=True, slots=True)
class LateRequest:
    """A request that nobody answered and that may still be carried out."""

    run: str
    contacts: frozenset[int]
    seconds: float
    """How much longer it is waited for."""
    rows: frozenset[tuple[str, int]] = frozenset()
    """Its rows as (sheet, row), if they are of the file that asks: they may go out again at once."""


def end_open_requests(database: Database, number: int) -> None:
    """Note when the requests of a run whose process is gone ended: when they must have, or by now."""
    if not database.query("SELECT 1 FROM batches WHERE run = ? AND ended IS NULL LIMIT 1", (number,)):
        return
    sent = database.query("SELECT sent FROM runs WHERE number = ?", (number,))[0]["sent"]
    now = database.now()
    ended = now if sent is None else min(now, sent + STAMP_EVERY + READ_TIMEOUT)
    # A sender that is only cut off may still send what it has signed, until the signature has expired.
    ended += database.signed_for
    with database.transaction() as connection:
        connection.execute(_OPEN, (number, ended))


def _with_open_requests(database: Database, lane: str, own: int) -> list[tuple[int, str]]:
    """Number and id of the lane's other runs with requests that have no end on record."""
    found = database.query(
        "SELECT DISTINCT r.number, r.id FROM batches b JOIN runs r ON r.number = b.run"
        " WHERE b.ended IS NULL AND r.lane = ? AND r.number <> ?",
        (lane, own),
    )
    return [(row["number"], row["id"]) for row in found]


def late_requests(
    database: Database, lane: str, settle: float, family: frozenset[int]
) -> tuple[LateRequest, ...]:
    """The lane's requests whose last attempt without an answer ended less than `settle` seconds ago.

    `family`: the numbers of the runs of the file that asks.
    """
    now = database.now()
    found = []
    for row in database.query(_LATE, (now - settle, lane)):
        # A clock that was set back makes nobody wait longer than that.
        seconds = min(row["silent"] + settle - now, settle)
        rows: Iterable[int] = ()
        if row["run"] in family:
            with database.decoding():
                rows = row_states.decode_ranges(row["rows"])
        with database.decoding():
            contacts = frozenset(np.frombuffer(row["keys"], dtype="<i8").tolist())
        members = frozenset((row["sheet"], number) for number in rows)
        found.append(LateRequest(row["id"], contacts, seconds, members))
    return tuple(found)


def _blobs(keys: np.ndarray, fields: np.ndarray) -> tuple[bytes, bytes]:
    """Fingerprints and fields for the journal; the fields once if they are all the same."""
    if fields.size and (fields == fields[0]).all():
        fields = fields[:1]
    return keys.astype("<i8").tobytes(), fields.astype("<u4").tobytes()


def _family(database: Database, first: str) -> list[int]:
    """The numbers of a run, its retries, theirs and so on."""
    found = database.query(
        "WITH RECURSIVE member (id, number) AS (SELECT id, number FROM runs WHERE id = ?1 UNION"
        " SELECT r.id, r.number FROM runs r JOIN member m ON r.parent = m.id"
        " WHERE r.kind = ?2 AND r.parent <> '') SELECT number FROM member",
        (first, RunKind.RETRY),
    )
    return [row["number"] for row in found]


# Ages


def first_of_family(database: Database, run_id: str) -> tuple[int, str] | None:
    """Number and id of the first run of a file, whose retries and theirs the run is one of; None: unknown."""
    while True:
        found = database.query("SELECT number, id, kind, parent FROM runs WHERE id = ?", (run_id,))
        if not found:
            return None
        if found[0]["kind"] != RunKind.RETRY or not found[0]["parent"]:
            return found[0]["number"], found[0]["id"]
        run_id = found[0]["parent"]


def ages_of(database: Database, run_id: str, sheet: str, rows: np.ndarray, otherwise: int) -> np.ndarray:
    """The age (int64) of rows of a run; rows of a report are as old as the rows that they were."""
    first = first_of_family(database, run_id)
    if first is None:
        return np.full(len(rows), otherwise, dtype=np.int64)
    ages = np.full(len(rows), first[0], dtype=np.int64)
    origins = database.query("SELECT * FROM origins WHERE run = ? AND sheet = ?", (first[0], sheet))
    for origin in origins:
        with database.decoding():
            there = dict(zip(json.loads(origin["rows"]), json.loads(origin["from_rows"]), strict=True))
        places = np.flatnonzero(np.isin(rows, list(there)))
        if places.size and origin["from_run"] != run_id:
            before = np.array([there[row] for row in rows[places].tolist()], dtype=np.int64)
            ages[places] = ages_of(database, origin["from_run"], origin["from_sheet"], before, first[0])
    return ages


def read_parents(database: Database, run_id: str) -> dict[tuple[str, int], tuple[str, str, int]]:
    """By sheet and row of a run of a report, or of its retries, the run, sheet and row that it was before."""
    first = first_of_family(database, run_id)
    parents: dict[tuple[str, int], tuple[str, str, int]] = {}
    for origin in database.query("SELECT * FROM origins WHERE run = ?", (first[0],)) if first else ():
        with database.decoding():
            pairs = zip(json.loads(origin["rows"]), json.loads(origin["from_rows"]), strict=True)
            for row, before in pairs:
                parents[origin["sheet"], row] = (origin["from_run"], origin["from_sheet"], before)
    return parents


# One run


class RunContacts:
    """The contacts of one run that sends. Thread-safe, like its journal."""

    def __init__(
        self, database: Database, number: int, record: RunRecord, is_alive: Callable[[str], bool]
    ) -> None:
        """`is_alive`: whether a process is at work on the run of an id."""
        assert record.destination is not None  # noqa: S101 - it sends
        self._database = database
        self._number = number
        self._is_alive = is_alive
        self._lane = record.destination.lane
        first = first_of_family(database, record.id)
        self._age = first[0] if first else number
        self._family = frozenset(_family(database, first[1] if first else record.id))
        self._origins: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._stamped = -STAMP_EVERY

    def note_origin(self, sheet: str, rows: np.ndarray, origin: RowsOfRun) -> None:
        """Remember which rows of an earlier run these rows of a report are, one for one."""
        there = np.array(origin.rows, dtype=np.int64)
        ages = ages_of(self._database, origin.run, origin.sheet, there, self._age)
        self._origins.setdefault(sheet, []).append((rows, ages))

    def ages(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """The age (int64) of each of these rows."""
        found = np.full(len(rows), self._age, dtype=np.int64)
        for known, ages in self._origins.get(sheet, ()):
            order = np.argsort(known)
            places = np.minimum(np.searchsorted(known[order], rows), known.size - 1)
            hit = known[order][places] == rows
            found[hit] = ages[order][places[hit]]
        return found

    def begun(self, entries: Sequence[BegunEntry]) -> list[tuple[object, ...]]:
        """What to insert by `INSERT_CONTACTS`, before the requests leave."""
        found: list[tuple[object, ...]] = []
        for entry in entries:
            keys, places, fields = flat_contacts(entry.batch.contacts)
            if not self._origins:
                if keys.size:
                    found.append((self._number, entry.entry, self._age, *_blobs(keys, fields)))
                continue
            ages = self.ages(entry.batch.sheet, np.array(entry.batch.rows, dtype=np.int64))[places]
            for age in np.unique(ages).tolist():
                these = ages == age
                found.append((self._number, entry.entry, age, *_blobs(keys[these], fields[these])))
        return found

    def refused(self, settled: Sequence[SettledEntry]) -> list[tuple[object, ...]]:
        """What to delete by `DELETE_CONTACTS`, now that these requests are over: of what did not come in.

        The others wait for `drop_unneeded`. To delete them one by one would write most pages twice.
        """
        return [
            (self._number, entry.entry)
            for entry in settled
            if entry.state not in (None, BatchState.ACCEPTED) and entry.silent_for is None
        ]

    def stamp(self) -> None:
        """Note that the run sends, before an attempt leaves; from time to time is enough."""
        now = time.monotonic()
        if now - self._stamped < STAMP_EVERY:
            return
        self._stamped = now
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE runs SET sent = ? WHERE number = ?", (self._database.now(), self._number)
            )

    def late(self, settle: float) -> tuple[LateRequest, ...]:
        """The lane's requests that may still be carried out; to be asked when it is our turn."""
        for number, run_id in _with_open_requests(self._database, self._lane, self._number):
            if not self._is_alive(run_id):
                end_open_requests(self._database, number)
        return late_requests(self._database, self._lane, settle, self._family)

    def newer(self, oldest: int, names: Sequence[str]) -> NewerImports:
        """What rows newer than those of age `oldest` have brought in; to be asked when it is our turn."""
        return NewerImports(self._database, self._lane, oldest, names, self._ages_of_run)

    def _ages_of_run(self, run: Row, sheet: str, rows: np.ndarray) -> np.ndarray:
        return ages_of(self._database, run["id"], sheet, rows, run["number"])


# What may go


def oldest_open(database: Database, lane: str) -> int | None:
    """The number of the lane's oldest run that can still be taken up again; None if there is none."""
    runs = database.query("SELECT number, state, counts FROM runs WHERE lane = ? ORDER BY number", (lane,))
    for run in runs:
        with database.decoding():
            counts = decode_counts(run["counts"])
        if run["state"] != RunState.FINISHED or not all(one.done for one, count in counts.items() if count):
            return int(run["number"])
    return None


def drop_unneeded(database: Database, lane: str) -> None:
    """Drop the contacts that no run which can still be taken up, and no late request, has need of."""
    holders = database.query(
        "SELECT number, mode FROM runs WHERE lane = ?1"
        " UNION ALL SELECT number, 0 AS mode FROM forgotten WHERE lane = ?1",
        (lane,),
    )
    numbers = {row["run"] for row in database.query("SELECT DISTINCT run FROM contacts")}
    holding = [(row["number"], row["mode"]) for row in holders if row["number"] in numbers]
    if not holding:
        return
    oldest = oldest_open(database, lane)
    unneeded, late = NEVER if oldest is None else oldest, database.now() - LONGEST_SETTLE
    with database.transaction() as connection:
        connection.executemany(
            _UNNEEDED,
            # In `keep` the first wins, so nothing of it can be overwritten.
            [(number, NEVER if mode == Mode.KEEP else unneeded, late) for number, mode in holding],
        )
        connection.execute(
            "DELETE FROM forgotten WHERE lane = ? AND number NOT IN (SELECT run FROM contacts)", (lane,)
        )


def forget_runs(database: Database, numbers: Sequence[int]) -> list[int]:
    """Keep of runs that are about to be forgotten what they imported. Return those that may be forgotten:
    all but those of which a request may still be carried out. Nobody is at work on any of them."""
    since = database.now() - LONGEST_SETTLE
    late = "SELECT 1 FROM batches WHERE run = ? AND silent > ? LIMIT 1"
    for number in numbers:
        end_open_requests(database, number)
    numbers = [number for number in numbers if not database.query(late, (number, since))]
    with database.transaction() as connection:
        for number in numbers:
            connection.execute(
                "DELETE FROM contacts WHERE run = ?1 AND NOT EXISTS (SELECT 1 FROM batches b"
                " WHERE b.run = contacts.run AND b.entry = contacts.entry AND b.state = ?2)",
                (number, BatchState.ACCEPTED),
            )
            connection.execute(
                "INSERT INTO forgotten SELECT number, id, lane, fields FROM runs"
                " WHERE number = ?1 AND mode <> ?2 AND EXISTS (SELECT 1 FROM contacts WHERE run = ?1)"
                " ON CONFLICT DO NOTHING",
                (number, int(Mode.KEEP)),
            )
    return numbers
