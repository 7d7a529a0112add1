"""What newer rows have brought in: asked before rows of an older file are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from importer.dataclass import dataclass
from importer.journal.database import Database, Row
from importer.journal.records import BatchState
from importer.journal.row_states import expand_ranges
from importer.journal.sent_rows import read_contacts
from importer.models import Mode

_NEWER = """SELECT c.keys, c.fields, c.age FROM contacts c
            LEFT JOIN batches b ON b.run = c.run AND b.entry = c.entry
            WHERE c.run = ? AND (b.state = ? OR b.state IS NULL)"""
_DROPPED = """SELECT b.sheet, b.rows, s.sent FROM batches b
              JOIN sent_rows s ON s.run = b.run AND s.entry = b.entry
              WHERE b.run = ? AND b.state = ?
              AND b.entry NOT IN (SELECT entry FROM contacts WHERE run = b.run)"""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """For each customer asked about, whether a newer row of it came in. All arrays have one entry each."""

    newest: np.ndarray
    """The place in `runs` of the newest run that has it (int64), or -1."""
    fields: np.ndarray
    """Which fields the newer rows brought (uint32)."""
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Imports:
    """Fingerprints in ascending order, each once, with the newest run that brought it and all its fields."""

    keys: np.ndarray
    newest: np.ndarray
    fields: np.ndarray


class NewerImports:
    """What runs of a lane have imported, by age. Loaded once, in some thirty bytes for each contact that
    later runs brought in; to be made when it is our turn, so that nobody adds to it."""

    def __init__(
        self,
        database: Database,
        lane: str,
        oldest: int,
        names: Sequence[str],
        ages_of: Callable[[Row, str, np.ndarray], np.ndarray],
    ) -> None:
        """`oldest`: the age of the oldest row that will be asked about. `names`: what a bit of its fields
        stands for, as in `Contract.names`. `ages_of`: the ages of rows of a sheet of a run."""
        later = (
            "SELECT number, id, fields FROM runs WHERE lane = ?1 AND number > ?2 AND mode <> ?3"
            " UNION ALL SELECT number, id, fields FROM forgotten WHERE lane = ?1 AND number > ?2"
            " ORDER BY number"
        )
        runs: list[str] = []
        keys: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
        fields: list[np.ndarray] = [np.empty(0, dtype=np.uint32)]
        owners: list[np.ndarray] = [np.empty(0, dtype=np.int32)]
        ages: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
        for run in database.query(later, (lane, oldest, int(Mode.KEEP))):
            there = run["fields"].split(",")
            for these, bits, age in (*_kept(database, run), *_dropped(database, run, ages_of)):
                later_rows = age > oldest
                keys.append(these[later_rows])
                fields.append(_translated(bits[later_rows], there, names))
                owners.append(np.full(keys[-1].size, len(runs), dtype=np.int32))
                ages.append(age[later_rows])
            runs.append(run["id"])
        self.oldest = oldest
        self._runs = tuple(runs)
        self._all = tuple(np.concatenate(part) for part in (keys, fields, owners, ages))
        self._by_age: dict[int, _Imports] = {}

    def __len__(self) -> int:
        return int(self._all[0].size)

    def look_up(self, contacts: np.ndarray, ages: np.ndarray) -> Overtaken:
        """`contacts`: as in `Customers`; `ages`: of each row (int64)."""
        newest = np.full(len(contacts), -1, dtype=np.int64)
        fields = np.zeros(len(contacts), dtype=np.uint32)
        for age in np.unique(ages).tolist() if len(self) else ():
            newer = self._newer_than(age)
            for column in contacts.T if newer.keys.size else ():
                places = np.minimum(np.searchsorted(newer.keys, column), newer.keys.size - 1)
                hit = (newer.keys[places] == column) & (ages == age) & (column != 0)
                newest[hit] = np.maximum(newest[hit], newer.newest[places[hit]])
                fields[hit] |= newer.fields[places[hit]]
        return Overtaken(newest, fields, self._runs)

    def _newer_than(self, age: int) -> _Imports:
        if age not in self._by_age:
            keys, fields, owners, ages = self._all
            later = np.flatnonzero(ages > age)
            order = later[np.lexsort((owners[later], keys[later]))]
            keys = keys[order]
            starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if keys.size else order
            ends = np.append(starts[1:], keys.size) - 1 if keys.size else order
            united = np.bitwise_or.reduceat(fields[order], starts) if keys.size else fields[order]
            self._by_age[age] = _Imports(keys[starts], owners[order][ends], united)
        return self._by_age[age]


_Brought = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Contacts (int64), the fields that came with each (uint32), and the age of each (int64)."""


def _kept(database: Database, run: Row) -> Iterator[_Brought]:
    """Yield what the journal keeps of a run's contacts, as long as an older run can be taken up."""
    for part in database.query(_NEWER, (run["number"], BatchState.ACCEPTED)):
        keys = np.frombuffer(part["keys"], dtype="<i8")
        fields = np.frombuffer(part["fields"], dtype="<u4")
        yield keys, np.broadcast_to(fields, keys.shape), np.full(keys.size, part["age"], dtype=np.int64)


def _dropped(
    database: Database, run: Row, ages_of: Callable[[Row, str, np.ndarray], np.ndarray]
) -> Iterator[_Brought]:
    """Yield the contacts that have been dropped since, of what its rows were sent as: a report may be
    imported when all runs are complete."""
    for request in database.query(_DROPPED, (run["number"], BatchState.ACCEPTED)):
        rows, _ = expand_ranges([request["rows"]])
        with database.decoding():
            contacts, fields = read_contacts(request["sent"])
        at, place = np.nonzero(contacts)
        yield contacts[at, place], fields[at], ages_of(run, request["sheet"], rows)[at]


def _translated(bits: np.ndarray, there: Sequence[str], here: Sequence[str]) -> np.ndarray:
    """Fields of a run with another contract, as ours; those that we have not are left out."""
    if list(there) == list(here):
        return bits
    found = np.zeros_like(bits)
    for number, name in enumerate(there):
        if name in here:
            found |= ((bits >> np.uint32(number)) & np.uint32(1)) << np.uint32(here.index(name))
    return found
