"""What each row of a run was sent as: fingerprints of its content and of its contacts, and its fields.

They tell whether a row of a report that is in already has been corrected since, and which rows of a file
share a contact. All are under the journal's key. A row takes eight bytes, and eight for each contact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from importer.batching import ContactSets
from importer.dataclass import dataclass
from importer.fingerprints import COUNT
from importer.journal.database import Database, Row
from importer.journal.records import BatchState
from importer.journal.row_states import expand_ranges

INSERT_SENT = "INSERT INTO sent_rows (run, entry, sent) VALUES (?, ?, ?)"
_REQUESTS = """SELECT r.number, r.id, b.sheet, b.rows, s.sent FROM runs r JOIN batches b ON b.run = r.number
               JOIN sent_rows s ON s.run = b.run AND s.entry = b.entry
               WHERE r.id = ? AND b.state = ? ORDER BY b.entry"""
_ORIGINS = """SELECT r.id AS run, o.sheet, o.rows, o.from_sheet, o.from_rows FROM origins o
              JOIN runs r ON r.number = o.run
              WHERE o.from_run = ? AND r.destination_key = ? AND r.number < ?
              ORDER BY o.run"""
_SINCE = """SELECT s.sent FROM runs o JOIN runs r ON r.lane = o.lane AND r.number > o.number
            JOIN sent_rows s ON s.run = r.number WHERE o.id = ? AND r.id <> ?"""
_PRUNED = """SELECT 1 FROM runs o JOIN forgotten f ON f.lane = o.lane AND f.number > o.number
             WHERE o.id = ? LIMIT 1"""
_KEY = 8
"""Bytes of a line, or of a key."""


def encode_sent(contacts: Sequence[tuple[int, ...]]) -> bytes | None:
    """Return what the journal keeps of a request's rows; None if their fingerprints were not made.

    That is how many rows there are, a line for each, the keys of their contacts, and a mask of fields for
    each row, or one if they have the same.
    """
    if not isinstance(contacts, ContactSets) or contacts.sent is None:
        return None
    return _encode(contacts.sent, contacts.keys(), contacts.fields)


def clear_sent(sent: bytes, keys: np.ndarray) -> tuple[bytes, int]:
    """Take rows with one of these keys (int64) out of what the journal keeps of a request.

    Of such a row it is not known any more as what it was sent. Returns what is left, and how many rows went.
    """
    lines, contacts, fields = _decode(sent)
    hit = np.asarray(np.isin(contacts, keys).any(axis=1))
    if not hit.any():
        return sent, 0
    contacts = np.where(hit[:, None], 0, contacts)
    return _encode(np.where(hit, 0, lines), contacts[contacts != 0], np.where(hit, 0, fields)), int(hit.sum())


def _encode(lines: np.ndarray, keys: np.ndarray, fields: np.ndarray) -> bytes:
    if fields.size and (fields == fields[0]).all():
        fields = fields[:1]
    head = np.array([lines.size], dtype="<u4")
    return b"".join(
        part.tobytes() for part in (head, lines.astype("<i8"), keys.astype("<i8"), fields.astype("<u4"))
    )


def _decode(sent: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lines (int64), contacts (int64, a line a row, zeros behind the last), and fields (uint32)."""
    rows = int(np.frombuffer(sent, dtype="<u4", count=1)[0])
    lines = np.frombuffer(sent, dtype="<i8", count=rows, offset=4)
    counts = lines & COUNT
    keys = np.frombuffer(sent, dtype="<i8", count=int(counts.sum()), offset=4 + _KEY * rows)
    fields = np.frombuffer(sent, dtype="<u4", offset=4 + _KEY * (rows + keys.size))
    contacts = np.zeros((rows, int(counts.max(initial=0))), dtype=np.int64)
    contacts[np.arange(contacts.shape[1]) < counts[:, None]] = keys
    return lines, contacts, np.broadcast_to(fields, rows)


def read_contacts(sent: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return of what the journal keeps of a request the contacts (int64, a line a row, zeros behind the last)
    and the fields (uint32) of its rows."""
    _, contacts, fields = _decode(sent)
    return contacts, fields


@dataclass(frozen=True, slots=True)
class SentAs:
    """As what rows were sent that are asked about. One entry, or line, a row; zeros where nobody knows."""

    lines: np.ndarray
    """As `Customers.sent`; int64."""
    contacts: np.ndarray
    """The keys of its contacts (int64), a line a row, zeros behind the last."""
    fields: np.ndarray
    """Which fields it had, uint32; see `Customers.fields`."""

    @classmethod
    def unknown(cls, rows: int) -> SentAs:
        """Of so many rows nothing is known."""
        lines, contacts = np.zeros(rows, dtype=np.int64), np.zeros((rows, COUNT), dtype=np.int64)
        return cls(lines, contacts, np.zeros(rows, dtype=np.uint32))

    def put(self, places: np.ndarray, other: SentAs) -> None:
        """Take over what is known of the rows at these places."""
        self.lines[places] = other.lines
        self.contacts[places, : other.contacts.shape[1]] = other.contacts
        self.fields[places] = other.fields


@dataclass(frozen=True, slots=True)
class SentRows:
    """What rows of one sheet were sent as, ascending by row, each once. One entry, or line, a row."""

    rows: np.ndarray
    """Row numbers, int64."""
    lines: np.ndarray
    """As `Customers.sent`; int64."""
    contacts: np.ndarray
    """The keys of its contacts (int64), a line a row, zeros behind the last."""
    fields: np.ndarray
    """Which fields it had, uint32; see `Customers.fields`."""
    senders: np.ndarray
    """The number of the run that sent it, int64."""
    names: Mapping[int, str]
    """The ids of these runs by number."""

    def look_up(self, rows: np.ndarray) -> SentAs:
        """Return as what these rows (int64) were sent."""
        found = SentAs.unknown(len(rows))
        if self.rows.size:
            places = np.minimum(np.searchsorted(self.rows, rows), self.rows.size - 1)
            hit = self.rows[places] == rows
            there = places[hit]
            found.put(hit, SentAs(self.lines[there], self.contacts[there], self.fields[there]))
        return found

    def sender(self, row: int) -> str:
        """Return the id of the run that sent a row that is known."""
        return self.names[int(self.senders[np.searchsorted(self.rows, row)])]

    def has(self, row: int) -> bool:
        """Whether it is known as what a row was sent."""
        return bool(np.isin(row, self.rows))

    def after(self, row: int, other: int) -> bool:
        """Whether a newer run sent the one row than the other; both are known."""
        one, two = self.senders[np.searchsorted(self.rows, [row, other])].tolist()
        return bool(one > two)

    def of(self, wanted: np.ndarray, rows: np.ndarray) -> SentRows:
        """Return what is known of the rows `wanted`, as that of `rows`: one for one."""
        known = np.isin(wanted, self.rows)
        return self._some(np.searchsorted(self.rows, wanted[known]), rows[known])

    def _some(self, places: np.ndarray, rows: np.ndarray) -> SentRows:
        return SentRows(
            rows,
            self.lines[places],
            self.contacts[places],
            self.fields[places],
            self.senders[places],
            self.names,
        )


def read_sent_rows(
    database: Database, runs: Sequence[str], destination_key: str, until: int
) -> dict[str, SentRows]:
    """Return by sheet what the rows of a run were sent as last.

    `runs`: the run and its retries. Rows that came in with a report of one of them since, or with a report of
    that, count as they came in then, if it was a run with a number below `until`.
    """
    parts: dict[str, list[SentRows]] = {}
    for run in runs:
        for sheet, one in _of_run(database, run).items():
            parts.setdefault(sheet, []).append(one)
    for run in runs:
        later: dict[str, dict[str, SentRows]] = {}
        for origin in database.query(_ORIGINS, (run, destination_key, until)):
            by_sheet = later.get(origin["run"])
            if by_sheet is None:
                by_sheet = later[origin["run"]] = read_sent_rows(
                    database, [origin["run"]], destination_key, until
                )
            if origin["sheet"] not in by_sheet:
                continue
            there = np.array(json.loads(origin["rows"]), dtype=np.int64)
            rows = np.array(json.loads(origin["from_rows"]), dtype=np.int64)
            parts.setdefault(origin["from_sheet"], []).append(by_sheet[origin["sheet"]].of(there, rows))
    return {sheet: _last(some) for sheet, some in parts.items()}


def read_contacts_since(database: Database, run: str, own: str) -> np.ndarray | None:
    """Return the keys of all contacts that runs to the same lane sent which began after `run`, other than
    `own`, answered or not. None: one of them was pruned, so nobody knows."""
    if database.query(_PRUNED, (run,)):
        return None
    found = [np.empty(0, dtype=np.int64)]
    for request in database.query(_SINCE, (run, own)):
        with database.decoding():
            found.append(_decode(request["sent"])[1].ravel())
    return np.unique(np.concatenate(found))


def _of_run(database: Database, run: str) -> dict[str, SentRows]:
    requests: dict[str, list[Row]] = {}
    for request in database.query(_REQUESTS, (run, BatchState.ACCEPTED)):
        requests.setdefault(request["sheet"], []).append(request)
    found: dict[str, SentRows] = {}
    for sheet, some in requests.items():
        rows, _ = expand_ranges([request["rows"] for request in some])
        with database.decoding():
            decoded = [_decode(request["sent"]) for request in some]
        lines = np.concatenate([one[0] for one in decoded])
        contacts = _stacked([one[1] for one in decoded])
        fields = np.concatenate([one[2] for one in decoded])
        senders = np.full(len(rows), some[0]["number"], dtype=np.int64)
        names = {some[0]["number"]: some[0]["id"]}
        found[sheet] = _last([SentRows(rows, lines, contacts, fields, senders, names)])
    return found


def _stacked(tables: Sequence[np.ndarray]) -> np.ndarray:
    """The contacts of many, under one another."""
    width = max(table.shape[1] for table in tables)
    return np.concatenate([np.pad(table, ((0, 0), (0, width - table.shape[1]))) for table in tables])


def join_sheets(sheets: Sequence[SentRows], apart: int) -> SentRows:
    """Return the rows of all sheets as those of one: the numbers of the n-th are n times `apart` higher."""
    rows = np.concatenate([one.rows + apart * number for number, one in enumerate(sheets, start=1)])
    return _joined(sheets, rows, np.arange(rows.size))


def _last(parts: Sequence[SentRows]) -> SentRows:
    """Return of each row what the newest run sent last."""
    rows = np.concatenate([part.rows for part in parts])
    senders = np.concatenate([part.senders for part in parts])
    order = np.lexsort((senders, rows))  # stable: within a run the last stays the last
    ends = np.flatnonzero(np.append(np.diff(rows[order]) != 0, True)) if rows.size else order
    return _joined(parts, rows, order[ends])


def _joined(parts: Sequence[SentRows], rows: np.ndarray, places: np.ndarray) -> SentRows:
    """Return the rows at these places of all parts, under the numbers `rows`."""
    return SentRows(
        rows[places],
        np.concatenate([part.lines for part in parts])[places],
        _stacked([part.contacts for part in parts])[places],
        np.concatenate([part.fields for part in parts])[places],
        np.concatenate([part.senders for part in parts])[places],
        {number: name for part in parts for number, name in part.names.items()},
    )
