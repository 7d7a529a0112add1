"""Find a person's traces in the journal, and clear them; what was counted stays.

The journal has no customer's data, but keyed fingerprints of contacts, with which somebody who has it can
test a known number, and sentences of the server, which may quote one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from importer.journal.contents import without_keys
from importer.journal.database import Database, Statements
from importer.journal.row_states import MARKED
from importer.journal.sent_rows import clear_sent

_TEXTS = (("outcomes", "message"), ("batches", "message"), ("batches", "data"))


@dataclass(frozen=True, slots=True)
class JournalTraces:
    """How often a person is found in the journal."""

    fingerprints: int
    sentences: int

    def __bool__(self) -> bool:
        return bool(self.fingerprints or self.sentences)


@dataclass(frozen=True, slots=True)
class ErasedPerson:
    """Who is looked for."""

    keys: np.ndarray
    """Fingerprints (int64) of the contacts."""
    cleared: Callable[[str], str]
    """Returns a text without the contacts."""
    rows: Mapping[str, Collection[tuple[str, int]]]
    """Sheet and number of the person's rows, by run."""


def erase_from_journal(database: Database, whom: ErasedPerson, *, clear: bool) -> JournalTraces:
    """Find the fingerprints of a person, sentences that quote a contact, and marks of the person's rows.

    With `clear` they go. What else stood in a row with a contact stays, but nobody knows any more what that
    row said.
    """
    keys, cleared = whom.keys, whom.cleared
    fingerprints = sentences = 0
    with database.transaction() as connection:
        database.alone(connection)
        for row in database.query("SELECT number, keys, fields FROM contacts"):
            there = np.frombuffer(row["keys"], dtype="<i8")
            hit = np.isin(there, keys)
            fingerprints += int(hit.sum())
            if clear and hit.any():
                fields = np.frombuffer(row["fields"], dtype="<u4")
                left = fields if fields.size < there.size else fields[~hit]
                connection.execute(
                    "UPDATE contacts SET keys = ?, fields = ? WHERE number = ?",
                    (there[~hit].tobytes(), left.tobytes(), row["number"]),
                )
        for row in database.query("SELECT number, keys, contents FROM contents"):
            there = np.frombuffer(row["keys"], dtype="<i8")
            hit = np.isin(there, keys)
            fingerprints += int(hit.sum())
            if clear and hit.any():
                parts = without_keys(there, np.frombuffer(row["contents"], dtype="<i8"), hit)
                connection.execute(
                    "UPDATE contents SET keys = ?, contents = ? WHERE number = ?",
                    (*(part.tobytes() for part in parts), row["number"]),
                )
        for row in database.query("SELECT run, entry, sent FROM sent_rows"):
            sent, rows = clear_sent(row["sent"], keys)
            fingerprints += rows
            if clear and rows:
                connection.execute(
                    "UPDATE sent_rows SET sent = ? WHERE run = ? AND entry = ?",
                    (sent, row["run"], row["entry"]),
                )
        fingerprints += _erase_marks(database, connection, whom.rows, clear=clear)
        for table, column in _TEXTS:
            found = database.query(f"SELECT DISTINCT {column} AS text FROM {table} WHERE {column} <> ''")  # noqa: S608 - our own names
            for row in found:
                text = cleared(row["text"])
                if text != row["text"]:
                    sentences += 1
                    if clear:
                        connection.execute(
                            f"UPDATE {table} SET {column} = ? WHERE {column} = ?",  # noqa: S608 - our own names
                            (text, row["text"]),
                        )
    if clear and (fingerprints or sentences):
        database.vacuum()
    return JournalTraces(fingerprints, sentences)


def _erase_marks(
    database: Database,
    connection: Statements,
    rows: Mapping[str, Collection[tuple[str, int]]],
    *,
    clear: bool,
) -> int:
    """Find the marks of rows, and clear them. Return how many there are."""
    found = 0
    for run, places in rows.items():
        marks = database.query(
            "SELECT o.number, o.sheet, o.rows FROM outcomes o JOIN runs r ON r.number = o.run"
            " WHERE r.id = ? AND o.code = ? AND o.message <> ''",
            (run, MARKED),
        )
        sheets = {sheet for sheet, _ in places}
        for mark in marks:
            # Reports of a file with one table name no sheet.
            sheet = "" if sheets == {""} else mark["sheet"]
            if mark["rows"].isdecimal() and (sheet, int(mark["rows"])) in places:
                found += 1
                if clear:
                    connection.execute("UPDATE outcomes SET message = '' WHERE number = ?", (mark["number"],))
    return found
