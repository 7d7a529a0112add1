"""What each row of a run was sent as: fingerprints of its content and of its contacts.

They tell whether a row of a report that is in already has been corrected since. Each is an int64 under the
journal's key; sixteen bytes a row stand in the line of its request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from importer.batching import ContactSets
from importer.dataclass import dataclass
from importer.journal.database import Database, Row
from importer.journal.records import BatchState
from importer.journal.row_states import expand_ranges

_REQUESTS = """SELECT r.number, r.id, b.sheet, b.rows, b.sent FROM batches b JOIN runs r ON r.number = b.run
               WHERE r.id = ? AND b.state = ? AND b.sent IS NOT NULL ORDER BY b.entry"""
_ORIGINS = """SELECT r.id AS run, o.sheet, o.rows, o.from_sheet, o.from_rows FROM origins o
              JOIN runs r ON r.number = o.run
              WHERE o.from_run = ? AND r.destination_key = ? AND r.dry_run = 0 AND r.number < ?
              ORDER BY o.run"""


def encode_sent(contacts: Sequence[tuple[int, ...]]) -> bytes | None:
    """Return what the journal keeps of a request's rows; None if their fingerprints were not made."""
    if not isinstance(contacts, ContactSets) or contacts.sent is None:
        return None
    return np.column_stack((contacts.sent, contacts.each_together())).astype("<i8").tobytes()


@dataclass(frozen=True, slots=True)
class SentRows:
    """What rows of one sheet were sent as, ascending by row, each once."""

    rows: np.ndarray
    """Row numbers, int64."""
    prints: np.ndarray
    """Two columns of int64, a line a row: fingerprints of the content, and of all contacts together."""
    senders: np.ndarray
    """The number of the run that sent it, int64."""
    names: Mapping[int, str]
    """The ids of these runs by number."""

    def look_up(self, rows: np.ndarray) -> np.ndarray:
        """Return the fingerprints of these rows (int64), as `prints`; zeros where they are not known."""
        found = np.zeros((len(rows), 2), dtype=np.int64)
        if self.rows.size:
            places = np.minimum(np.searchsorted(self.rows, rows), self.rows.size - 1)
            hit = self.rows[places] == rows
            found[hit] = self.prints[places[hit]]
        return found

    def sender(self, row: int) -> str:
        """Return the id of the run that sent a row that is known."""
        return self.names[int(self.senders[np.searchsorted(self.rows, row)])]

    def of(self, wanted: np.ndarray, rows: np.ndarray) -> SentRows:
        """Return what is known of the rows `wanted`, as that of `rows`: one for one."""
        known = np.isin(wanted, self.rows)
        places = np.searchsorted(self.rows, wanted[known])
        return SentRows(rows[known], self.prints[places], self.senders[places], self.names)


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


def _of_run(database: Database, run: str) -> dict[str, SentRows]:
    requests: dict[str, list[Row]] = {}
    for request in database.query(_REQUESTS, (run, BatchState.ACCEPTED)):
        requests.setdefault(request["sheet"], []).append(request)
    found: dict[str, SentRows] = {}
    for sheet, some in requests.items():
        rows, _ = expand_ranges([request["rows"] for request in some])
        prints = np.frombuffer(b"".join(request["sent"] for request in some), dtype="<i8").reshape(-1, 2)
        senders = np.full(len(rows), some[0]["number"], dtype=np.int64)
        found[sheet] = _last([SentRows(rows, prints, senders, {some[0]["number"]: some[0]["id"]})])
    return found


def _last(parts: Sequence[SentRows]) -> SentRows:
    """Return of each row what the newest run sent last."""
    rows = np.concatenate([part.rows for part in parts])
    prints = np.concatenate([part.prints for part in parts])
    senders = np.concatenate([part.senders for part in parts])
    names = {number: name for part in parts for number, name in part.names.items()}
    order = np.lexsort((senders, rows))  # stable: within a run the last stays the last
    ends = np.flatnonzero(np.append(np.diff(rows[order]) != 0, True)) if rows.size else order
    last = order[ends]
    return SentRows(rows[last], prints[last], senders[last], names)
