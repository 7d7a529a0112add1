"""Find a person's traces in the journal, and clear them; what was counted stays.

The journal has no customer's data, but keyed fingerprints of contacts, with which somebody who has it can
test a known number, and sentences of the server, which may quote one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from importer.journal.database import Database

_COUNT = 7
"""The low bits of a line of `contents`: how many keys it has."""
_TEXTS = (("outcomes", "message"), ("batches", "message"), ("batches", "data"))


@dataclass(frozen=True, slots=True)
class JournalTraces:
    """How often a person is found in the journal."""

    fingerprints: int
    sentences: int

    def __bool__(self) -> bool:
        return bool(self.fingerprints or self.sentences)


def erase_from_journal(
    database: Database, keys: np.ndarray, cleared: Callable[[str], str], *, clear: bool
) -> JournalTraces:
    """Find the fingerprints (int64) of a person's contacts, and texts that `cleared` would change.

    With `clear` they go: fingerprints with the line that they belong to, texts as `cleared` returns them.
    """
    fingerprints = sentences = 0
    with database.transaction() as connection:
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
            lines = np.frombuffer(row["contents"], dtype="<i8")
            owners = np.repeat(np.arange(lines.size), lines & _COUNT)
            hit = np.isin(owners, owners[np.isin(there, keys)])
            gone = np.unique(owners[hit])
            fingerprints += int(gone.size)
            if clear and gone.size:
                connection.execute(
                    "UPDATE contents SET keys = ?, contents = ? WHERE number = ?",
                    (there[~hit].tobytes(), np.delete(lines, gone).tobytes(), row["number"]),
                )
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
