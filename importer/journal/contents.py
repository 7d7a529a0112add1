"""What the customers of a lane hold, as far as the journal knows it: fingerprints of the rows last sent.

Each row that is sent leaves a line: the keys of its contacts, and the fingerprint of its content. A line is
known if its request was accepted. It is unknown if the request was refused, failed, or nobody knows what
became of it, and from the moment in which the request is about to leave.

Contacts that ever stood in one row are one customer's: the lines that reach each other through them are a
group. What a customer holds, its newest line says. Lines are written only for lanes in which somebody asked
for changed rows. A line takes eight bytes, and eight for each contact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from importer.batching import ContactSets, flat_contacts
from importer.dataclass import dataclass
from importer.fingerprints import COUNT, known_lines
from importer.journal.database import Database, Fence
from importer.journal.records import BatchState, BegunEntry

INSERT_CONTENTS = "INSERT INTO contents (lane, run, entry, keys, contents) VALUES (?, ?, ?, ?, ?)"
_LINES = """SELECT c.keys, c.contents, c.entry, b.state FROM contents c
            LEFT JOIN batches b ON b.run = c.run AND b.entry = c.entry
            WHERE c.lane = ? ORDER BY c.number"""
_LINES_TOGETHER = 16384
"""Lines in one row of the table, once they are put together."""


class Contents:
    """What the customers of all lanes hold, as far as the journal knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keeps(self, lane: str) -> bool:
        """Return whether it is kept for a lane: somebody has asked for changed rows there before."""
        return keeps_contents(self._database, lane)

    def of(self, lane: str) -> LaneContents:
        """Load what the customers of a lane hold."""
        return LaneContents(self._database, lane)


def keeps_contents(database: Database, lane: str) -> bool:
    """Return whether somebody has asked for changed rows in this lane before."""
    return bool(database.query("SELECT 1 FROM contents WHERE lane = ? LIMIT 1", (lane,)))


def begun_contents(lane: str, run: int, entries: Sequence[BegunEntry]) -> list[tuple[object, ...]]:
    """Return what to insert by `INSERT_CONTENTS` before these requests leave."""
    found: list[tuple[object, ...]] = []
    for entry in entries:
        contacts = entry.batch.contacts
        keys, places, _ = flat_contacts(contacts)
        lines = np.bincount(places, minlength=len(contacts)).astype(np.int64)
        if isinstance(contacts, ContactSets) and contacts.contents is not None:
            lines = known_lines(contacts.contents, lines)
        if lines.any():
            found.append(
                (lane, run, entry.entry, keys.astype("<i8").tobytes(), lines.astype("<i8").tobytes())
            )
    return found


def without_keys(keys: np.ndarray, lines: np.ndarray, gone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return keys and lines (int64) without the keys at which the mask `gone` is true.

    A line that had one stays for its other contacts, unknown: what they held before it must not come up.
    """
    counts = lines & COUNT
    owners = np.repeat(np.arange(lines.size), counts)
    lost = np.bincount(owners[gone], minlength=lines.size).astype(np.int64)
    left = np.where(lost > 0, counts - lost, lines)
    return keys[~gone], left[(left != 0) | (lost == 0)]


@dataclass(frozen=True, slots=True)
class HeldContents:
    """For each row asked about what is known of its customer. All have one entry a row, or a line a row."""

    same: np.ndarray
    """Bool: its customer holds just this row, as the last one that was sent."""
    known: np.ndarray
    """Bool: rows with one of its contacts were sent before."""
    customers: np.ndarray
    """For each contact a number (int64) that all contacts of its customer share; 0 where there is none."""


class LaneContents:
    """What the customers of a lane hold. Loaded once; to be made when it is our turn, so that nobody changes
    it. It takes some forty bytes for each contact."""

    def __init__(self, database: Database, lane: str) -> None:
        keys, lines = _load(database, lane)
        counts = lines & COUNT
        self._alone = np.unique(lines[(counts == 0) & (lines != 0)])
        """Contents of rows without any contact, which are customers of their own."""
        self._keys, nodes = np.unique(keys, return_inverse=True)
        owners = np.repeat(np.arange(lines.size), counts)
        self._groups = groups(nodes, owners, self._keys.size)
        newest = np.full(self._keys.size, -1, dtype=np.int64)
        np.maximum.at(newest, self._groups[nodes], owners)
        self._newest = np.where(newest >= 0, lines[newest], 0) if lines.size else newest

    def __len__(self) -> int:
        """Return how many contacts are known."""
        return int(self._keys.size)

    def look_up(self, contacts: np.ndarray, contents: np.ndarray) -> HeldContents:
        """`contacts` and `contents`: as in `Customers`."""
        rows = len(contacts)
        counts = np.count_nonzero(contacts, axis=1)
        asked = known_lines(contents, counts)
        same = (counts == 0) & np.isin(asked, self._alone)
        known, customers = same.copy(), contacts.copy()
        if not self._keys.size:
            return HeldContents(same, known, customers)
        first = np.zeros(rows, dtype=bool)
        for number, column in enumerate(contacts.T):
            places = np.minimum(np.searchsorted(self._keys, column), self._keys.size - 1)
            hit = (self._keys[places] == column) & (column != 0)
            own = self._groups[places]
            # A customer is named by a contact of its group, in the same numbers as contacts that are new.
            customers[:, number] = np.where(hit, self._keys[own], column)
            known |= hit
            # Equal contents mean equal contacts, which the line made one group: so the first one tells.
            same |= hit & ~first & (self._newest[own] == asked)
            first |= column != 0
        return HeldContents(same, known, customers)


def compact(database: Database, lane: str, fence: Fence | None = None) -> None:
    """Put the lines of a lane together, without those that a newer line makes needless.

    A line goes if a newer one has all its contacts. Nobody sends in this lane meanwhile, or, by the `fence`,
    nothing happens: JournalError `journal-lane-lost`.
    """
    with database.transaction(fence) as connection:
        database.alone(connection)  # nor is anybody erased
        parts, latest = _compacted(database, lane)
        connection.execute("DELETE FROM contents WHERE lane = ? AND number <= ?", (lane, latest))
        connection.executemany(INSERT_CONTENTS, parts)


def _compacted(database: Database, lane: str) -> tuple[list[tuple[object, ...]], int]:
    """Return what to insert by `INSERT_CONTENTS` for all lines of a lane, and the number of the last."""
    latest = database.query("SELECT coalesce(max(number), 0) AS number FROM contents WHERE lane = ?", (lane,))
    keys, lines = _load(database, lane)
    counts = lines & COUNT
    owners = np.repeat(np.arange(lines.size), counts)
    found, nodes = np.unique(keys, return_inverse=True)
    newest = np.full(found.size, -1, dtype=np.int64)
    np.maximum.at(newest, nodes, owners)
    needed = np.zeros(lines.size, dtype=bool)
    if keys.size:
        last = newest[nodes]
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        lowest, highest = np.minimum.reduceat(last, starts), np.maximum.reduceat(last, starts)
        mine = owners[starts]
        needed[mine] = (lowest != highest) | (highest == mine)
    alone = np.flatnonzero((counts == 0) & (lines != 0))
    needed[alone[np.unique(lines[alone], return_index=True)[1]]] = True
    kept_keys = keys[needed[owners]] if keys.size else keys
    kept = lines[needed]
    ends = np.concatenate(([0], np.cumsum(kept & COUNT)))
    return [
        (
            lane,
            None,
            None,
            kept_keys[ends[start] : ends[min(start + _LINES_TOGETHER, kept.size)]].tobytes(),
            kept[start : start + _LINES_TOGETHER].tobytes(),
        )
        for start in range(0, kept.size, _LINES_TOGETHER)
    ], int(latest[0]["number"])


def _load(database: Database, lane: str) -> tuple[np.ndarray, np.ndarray]:
    """The keys (int64) of all lines of a lane, and the lines (int64), in the order in which they left."""
    keys: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
    lines: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
    for row in database.query(_LINES, (lane,)):
        if row["state"] == BatchState.NOT_SENT:
            continue
        these = np.frombuffer(row["contents"], dtype="<i8")
        if row["entry"] is not None and row["state"] != BatchState.ACCEPTED:
            these = these & COUNT
        keys.append(np.frombuffer(row["keys"], dtype="<i8"))
        lines.append(these)
    return np.concatenate(keys), np.concatenate(lines)


def groups(nodes: np.ndarray, owners: np.ndarray, count: int) -> np.ndarray:
    """Return for each contact (0 to `count` - 1) the lowest one that it can be reached from through the rows.

    `nodes` are the contacts of all rows, `owners` their rows, ascending.
    """
    found = np.arange(count)
    if not nodes.size:
        return found
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    rows = np.repeat(np.arange(starts.size), np.diff(np.append(starts, nodes.size)))
    while True:
        before = found.copy()
        lowest = np.minimum.reduceat(before[nodes], starts)
        np.minimum.at(found, nodes, lowest[rows])
        np.minimum.at(found, before[nodes], lowest[rows])
        found = found[found]
        if (found == before).all():
            return found
