"""Erasing a person from the journal leaves nothing of the contacts, and nobody else with older values."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from importer.batching import ContactSets
from importer.errors import JournalError
from importer.exit_codes import ExitCode
from importer.fingerprints import known_lines, text_mark
from importer.journal import (
    MARKED,
    BatchState,
    BegunEntry,
    Journal,
    RunJournal,
    RunState,
    SettledEntry,
    schema,
)
from importer.journal.contents import compact
from importer.journal.database import Fence
from importer.journal.erasure import ErasedPerson
from importer.journal.postgres import PostgresDatabase
from importer.models import Batch, Outcome, Status
from tests.support.journal import DESTINATION, record
from tests.support.postgres import PostgresServer

LANE = DESTINATION.lane
PHONE, MAIL, OTHER = 0x1122334455667788, 0x2233445566778899, 0x33445566778899AA


def send(run: RunJournal, content: int, *contacts: int) -> None:
    table = np.zeros((1, 3), dtype=np.int64)
    table[0, : len(contacts)] = contacts
    contents = np.array([content << 8], dtype=np.int64)
    lines = known_lines(contents, np.array([len(contacts)]))
    sets = ContactSets(table, np.ones(1, dtype=np.uint32), contents, lines)
    entry = run.entry()
    run.write([BegunEntry(entry, Batch(1, "", (entry,), [b"{}"], sets), 0, b"")], ())
    run.write((), [SettledEntry(entry, (), BatchState.ACCEPTED)])


def same(journal: Journal, content: int, *contacts: int) -> bool:
    asked = np.array([contacts], dtype=np.int64)
    return bool(journal.contents.of(LANE).look_up(asked, np.array([content << 8])).same[0])


def person(*keys: int) -> ErasedPerson:
    return ErasedPerson(np.array(keys, dtype=np.int64), lambda text: text, {})


@pytest.mark.parametrize("compacted", [False, True])
def test_an_older_line_of_who_shares_a_contact_does_not_come_up(tmp_path: Path, compacted: bool) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        with journal.start(record("run-1", settings='{"changed_only": true}')) as run:
            send(run, 1, MAIL)
            send(run, 2, PHONE, MAIL)
            send(run, 3, OTHER)
            if compacted:
                run.finish(RunState.FINISHED, ExitCode.DONE, {Status.IMPORTED: 3})
        assert not same(journal, 1, MAIL)
        assert journal.erase(person(PHONE), clear=True).fingerprints
        assert not same(journal, 1, MAIL)
        assert not same(journal, 2, PHONE, MAIL)
        assert same(journal, 3, OTHER)
        assert not journal.erase(person(PHONE), clear=False)


def test_no_fingerprint_of_a_contact_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal, journal.start(record("run-1")) as run:
        send(run, 1, PHONE)
        send(run, 2, OTHER)
        assert (
            PHONE.to_bytes(8, "little") in path.read_bytes() + path.with_name("journal.db-wal").read_bytes()
        )
        assert journal.erase(person(PHONE), clear=True).fingerprints
    assert PHONE.to_bytes(8, "little") not in path.read_bytes()
    assert OTHER.to_bytes(8, "little") in path.read_bytes()


def test_marks_of_the_persons_rows_go_and_no_others(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.db") as journal, journal.start(record("run-1")) as run:
        for row in (3, 4):
            run.settle([Outcome("", (row,), Status.INVALID, code=MARKED, message=f"mark {row}")])
        whom = ErasedPerson(np.empty(0, np.int64), lambda text: text, {"run-1": {("", 3)}})
        assert journal.erase(whom, clear=True).fingerprints == 1
        states = journal.row_states("run-1").states
        assert [state.message for state in states] == ["", "mark 4"]


def test_marks_of_older_versions_come_under_the_journals_key(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    plain = hashlib.sha256(b"0171234567").hexdigest()[:24]
    with Journal.open(path) as journal, journal.start(record("run-1")) as run:
        run.settle([Outcome("", (3,), Status.INVALID, code=MARKED, message=f",{plain}")])
    rekeying = next(one for one in schema.MIGRATIONS if not list(schema.statements(one)))
    with sqlite3.connect(path) as connection:
        schema.key_marks(rekeying, connection.execute)
    connection.close()
    with Journal.open(path) as journal:
        (state,) = journal.row_states("run-1").states
        assert state.message == f",{text_mark('0171234567', journal.fingerprint_key)}"
    assert plain.encode() not in path.read_bytes()


@pytest.mark.extras
def test_who_has_lost_the_lane_puts_nothing_together(server: PostgresServer) -> None:
    place = server.database()
    with Journal.open(place) as journal:
        with journal.start(record("run-1", settings='{"changed_only": true}')) as run:
            send(run, 1, MAIL)
            send(run, 2, MAIL)
        database = PostgresDatabase(place)
        with pytest.raises(JournalError) as lost:
            compact(database, LANE, Fence(LANE, -1))
        database.close()
        assert lost.value.code == "journal-lane-lost"
        assert same(journal, 2, MAIL)
