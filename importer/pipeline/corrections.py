"""Tell which rows that are in already have been corrected since: their values differ from what was sent.

A cell that no longer reads as it should is no correction: spreadsheet programs ruin long numbers and leading
zeros. Such a row stays as it is in the CRM, and the reports say so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

import numpy as np

from importer.batching import Customers, contacts_together
from importer.dataclass import dataclass
from importer.models import Issue, Issues, RepeatedIssue, Severity

CORRECTED = "correction-sent"
"""The code of a note on a row that is in, and is sent once more with other values."""
RUINED = "correction-unreadable"
"""The code of a row that is in and differs, but with cells that cannot be meant so."""
KEPT = "correction-kept"
"""The code of a row that is in and differs, where the CRM keeps what it has."""


@dataclass(frozen=True, slots=True)
class ImportedRows:
    """Which rows of a chunk are in already, and as what they were sent. One entry, or line, a row."""

    mask: np.ndarray
    """Bool."""
    prints: np.ndarray
    """As `SentRows.prints`: int64, two columns; zeros where nobody knows."""

    written: np.ndarray
    """The first column of the prints (int64), as the run that wrote the report sent the row; 0 where it did
    not."""

    @property
    def comparable(self) -> np.ndarray:
        """Bool: rows that are in, and of which it is known as what they were sent."""
        return np.asarray(self.mask & self.prints.any(axis=1))


@dataclass(frozen=True, slots=True)
class Differences:
    """Rows that are in and differ from what was sent. One entry for each row of the chunk, bool."""

    values: np.ndarray
    """Some value differs."""
    contacts: np.ndarray
    """A phone or an e-mail does."""
    stale: np.ndarray
    """A report of the same run has brought the row in since, and this one says what it said before, or it
    cannot be known."""


def differences(imported: ImportedRows, rows: np.ndarray, again: Customers) -> Differences:
    """Compare. `again`: the rows that are in as they would be sent now; those that cannot be sent are absent.

    `rows` are the chunk's row numbers.
    """
    known = imported.comparable
    values, contacts = known.copy(), np.zeros(len(rows), dtype=bool)
    if again.sent is None:
        return Differences(contacts, contacts, contacts)
    places = np.searchsorted(rows, again.rows)
    was = imported.prints[places]
    values[places] &= again.sent != was[:, 0]
    contacts[places] = known[places] & (contacts_together(again.contacts) != was[:, 1])
    stale = values & (imported.written == 0)
    stale[places] |= values[places] & (again.sent == imported.written[places])
    return Differences(values, contacts, stale)


def ruined_rows(
    rows: np.ndarray, found: Differences, issues: Issues, identifiers: Collection[str]
) -> np.ndarray:
    """Bool for each row: it differs, and has an error, or a doubtful phone or number where a contact differs.

    `identifiers` are the columns of those.
    """
    errors = Issues.rows_of(part for part in issues.parts if part.severity is Severity.ERROR)
    doubts = Issues.rows_of(
        part for part in issues.parts if part.severity is not Severity.NOTE and part.column in identifiers
    )
    ruined = found.values & (np.isin(rows, errors) | (found.contacts & np.isin(rows, doubts)))
    return np.asarray(ruined)


def as_warnings(issues: Issues, rows: np.ndarray) -> Iterator[Issue | RepeatedIssue]:
    """Yield the issues, with the errors of these rows as warnings: what is in cannot be kept back."""
    for part in issues.parts:
        if part.severity is not Severity.ERROR:
            yield part
        elif isinstance(part, Issue):
            kept = part.row not in rows
            yield part if kept else dataclasses.replace(part, severity=Severity.WARNING)
        else:
            mine = np.isin(part.rows, rows)
            if not mine.all():
                yield part.where(~mine)
            if mine.any():
                yield dataclasses.replace(part.where(mine), severity=Severity.WARNING)
