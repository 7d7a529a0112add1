"""Tell which rows that are in already have been corrected since: their values differ from what was sent.

A cell that no longer reads as it should is no correction: spreadsheet programs ruin long numbers and leading
zeros. Such a row stays as it is in the CRM, and the reports say so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from importer.batching import Customers, contacts_together
from importer.dataclass import dataclass
from importer.journal import SentAs
from importer.models import Issue, Issues, RepeatedIssue, Severity

CORRECTED = "correction-sent"
"""The code of a note on a row that is in, and is sent once more with other values."""
RUINED = "correction-unreadable"
"""The code of a row that is in and differs, but with cells that cannot be meant so."""
RESTORED = "restored"
"""The code of a note on a row that is in, has not changed, and takes its place in the CRM again."""
NOT_RESTORED = "not-restored"
"""The code of a row that is in and lost its place in the CRM, of which nobody knows whether it is free."""
KEPT = "correction-kept"
"""The code of a row that is in and differs, where the CRM keeps what it has."""
EMPTIED = "correction-emptied"
"""The code of a cell that is empty by now, while the CRM goes on having what was sent."""
STRANGER = "correction-new-contact"
"""The code of a row that is in, and has no phone or e-mail by which the CRM could know it."""


@dataclass(frozen=True, slots=True)
class ImportedRows:
    """Which rows of a chunk are in already, and as what they were sent. One entry, or line, a row."""

    mask: np.ndarray
    """Bool."""
    sent: SentAs
    """As what they were sent last."""
    written: np.ndarray
    """`SentAs.lines` of the run that wrote the report; 0 where it did not send the row."""

    @property
    def comparable(self) -> np.ndarray:
        """Bool: rows that are in, and of which it is known as what they were sent."""
        return np.asarray(self.mask & (self.sent.lines != 0))


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
    emptied: np.ndarray
    """Which fields it had and has no more, uint32; see `Customers.fields`."""
    strangers: np.ndarray
    """It has no phone or e-mail with which it was sent before."""
    without_contact: np.ndarray
    """Of these, those that were sent without any."""
    restored: np.ndarray
    """Nothing differs, but a later row that took its place in the CRM has given up the contact of both."""


def differences(
    imported: ImportedRows, rows: np.ndarray, again: Customers, *, restores: bool = True
) -> Differences:
    """Compare. `again`: the rows that are in as they would be sent now; those that cannot be sent are absent.

    `rows` are the chunk's row numbers. `restores`: a later row takes the place of an earlier one in the CRM.
    """
    known = imported.comparable
    values, contacts = known.copy(), np.zeros(len(rows), dtype=bool)
    emptied = np.zeros(len(rows), dtype=np.uint32)
    if again.sent is None:
        return Differences(contacts, contacts, contacts, emptied, contacts, contacts, contacts)
    places = np.searchsorted(rows, again.rows)
    was, keys = imported.sent, imported.sent.contacts[places]
    values[places] &= again.sent != was.lines[places]
    emptied[places] = np.where(values[places], was.fields[places] & ~again.fields, 0)
    contacts[places] = known[places] & (contacts_together(again.contacts) != contacts_together(keys))
    shared = (again.contacts[:, :, None] == keys[:, None, :]) & (keys[:, None, :] != 0)
    strangers, without_contact = np.zeros((2, len(rows)), dtype=bool)
    strangers[places] = values[places] & ~shared.any(axis=(1, 2))
    without_contact[places] = strangers[places] & ~keys.any(axis=1)
    stale = values & (imported.written == 0)
    stale[places] |= values[places] & (again.sent == imported.written[places])
    restored = known & ~values
    givers = _givers(places, keys, again.contacts, values[places]) if restores else {}
    restored &= np.isin(np.arange(len(rows)), list(givers))
    strangers[[giver for there, giver in givers.items() if restored[there]]] = False
    return Differences(values | restored, contacts, stale, emptied, strangers, without_contact, restored)


def _givers(places: np.ndarray, was: np.ndarray, now: np.ndarray, differ: np.ndarray) -> dict[int, int]:
    """Return by the place of a row that of a later one which has given up a contact that both were sent with;
    between the two no row has it. `was` and `now`: the contacts of the rows at these places."""
    holders: dict[int, int] = {}
    found: dict[int, int] = {}
    changed = np.flatnonzero(differ & (was != 0).any(axis=1))
    wanted = set(was[changed].ravel().tolist()) - {0}
    for number in np.flatnonzero(np.isin(was, list(wanted)).any(axis=1)).tolist() if wanted else ():
        kept = set(now[number].tolist())
        for key in set(was[number].tolist()) & wanted:
            if key in kept:
                holders[key] = int(places[number])
            elif key in holders:
                found[holders[key]] = int(places[number])
    return found


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


def doubts_of_corrections(
    rows: np.ndarray,
    found: Differences,
    sheet: str,
    fields: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    *,
    empties: bool,
) -> Iterator[RepeatedIssue]:
    """Yield warnings on corrections that do not end as their authors expect.

    `fields` are the contract's, in its order; `columns` the columns that feed a field. `empties`: an empty
    cell empties the field in the CRM.
    """
    for bit, name in enumerate(() if empties else fields):
        gone = rows[(found.emptied >> np.uint32(bit)) & np.uint32(1) != 0]
        if gone.size:
            column = next(iter(columns.get(name, ())), None)
            yield RepeatedIssue(EMPTIED, Severity.WARNING, gone, sheet, column, name)
    changed = found.strangers & ~found.without_contact
    for some, wording in ((changed, None), (found.without_contact, "correction-no-contact")):
        if some.any():
            yield RepeatedIssue(STRANGER, Severity.WARNING, rows[some], sheet, wording=wording)


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
