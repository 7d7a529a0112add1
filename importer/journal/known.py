"""What a run's journal knows of each row, as arrays: eight bytes a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from importer.journal import ranges
from importer.models import Outcome, Status

NOTHING = -1
"""In place of an index: the journal has nothing about the row."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What is known of some rows. `status` is None where a request was begun and no answer is known."""

    status: Status | None
    final: bool
    """False where only the stop of the run settled the row: a resumed run takes it up again."""
    batch: int | None = None
    attempts: int = 0
    code: str = ""
    message: str = ""
    trace_id: str = ""

    @property
    def unanswered(self) -> bool:
        """True if the server may have the rows, and nobody knows: killed, or stopped while waiting."""
        return self.status is None or (self.status is Status.UNKNOWN and not self.final)


class Known:
    """The last thing that the journal has about each row of a run.

    `fates` are the distinct fates; `look` gives for row numbers the index of each one's fate.
    """

    def __init__(self, fates: Sequence[Fate], sheets: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self.fates = tuple(fates)
        self._sheets = sheets
        self._final = np.array([fate.final for fate in fates] + [False], dtype=bool)
        self._unanswered = np.array([fate.unanswered for fate in fates] + [False], dtype=bool)

    def __len__(self) -> int:
        """How many rows the journal knows."""
        return sum(len(rows) for rows, _ in self._sheets.values())

    @property
    def sheets(self) -> tuple[str, ...]:
        return tuple(self._sheets)

    @property
    def nbytes(self) -> int:
        """The memory that the rows take."""
        return sum(rows.nbytes + fates.nbytes for rows, fates in self._sheets.values())

    def look(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """For row numbers (int64) of a sheet the index of each one's fate, or `NOTHING` (int32)."""
        found = np.full(len(rows), NOTHING, dtype=np.int32)
        known, fates = self._sheets.get(sheet, (np.empty(0, np.int32), np.empty(0, np.int32)))
        if known.size:
            places = np.minimum(np.searchsorted(known, rows), known.size - 1)
            hit = known[places] == rows
            found[hit] = fates[places[hit]]
        return found

    def final(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Which of these rows have their final status (bool)."""
        return np.asarray(self._final[self.look(sheet, rows)])

    def unanswered(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Which of these rows were sent, or about to be, with no answer known (bool)."""
        return np.asarray(self._unanswered[self.look(sheet, rows)])

    def having(self, sheet: str, rows: np.ndarray, *statuses: Status) -> np.ndarray:
        """Which of these rows have one of the statuses (bool)."""
        wanted = np.array([fate.status in statuses for fate in self.fates] + [False], dtype=bool)
        return np.asarray(wanted[self.look(sheet, rows)])

    def rows(self, sheet: str, *statuses: Status) -> np.ndarray:
        """All row numbers of a sheet with one of the statuses, ascending (int64)."""
        if sheet not in self._sheets:
            return np.empty(0, np.int64)
        known, fates = self._sheets[sheet]
        wanted = np.array([fate.status in statuses for fate in self.fates], dtype=bool)
        return np.asarray(known[wanted[fates]], dtype=np.int64)

    def coded(self, sheet: str, status: Status, code: str) -> np.ndarray:
        """All row numbers of a sheet with this status for this reason, ascending (int64)."""
        if sheet not in self._sheets:
            return np.empty(0, np.int64)
        known, fates = self._sheets[sheet]
        wanted = np.array([fate.status is status and fate.code == code for fate in self.fates], dtype=bool)
        return np.asarray(known[wanted[fates]], dtype=np.int64)

    def outcomes(self, sheet: str, rows: np.ndarray) -> Iterator[Outcome]:
        """The recorded outcomes of these rows, those of one fate together.

        Rows with no answer known come as `unknown`, rows that the journal has nothing about not at all.
        """
        found = self.look(sheet, rows)
        order = np.argsort(found, kind="stable")
        cuts = np.flatnonzero(np.diff(found[order])) + 1
        for group in np.split(order, cuts):
            if not group.size or found[group[0]] == NOTHING:
                continue
            fate = self.fates[found[group[0]]]
            yield Outcome(
                sheet=sheet,
                rows=tuple(int(row) for row in rows[group]),
                status=fate.status or Status.UNKNOWN,
                batch=fate.batch,
                attempts=fate.attempts,
                code=fate.code,
                message=fate.message,
                trace_id=fate.trace_id,
            )


def united(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Row numbers by sheet (int64, ascending) that stand in any of the parts."""
    found: dict[str, np.ndarray] = {}
    for part in parts:
        for sheet, rows in part.items():
            found[sheet] = np.union1d(found[sheet], rows) if sheet in found else rows
    return found


@dataclass(frozen=True, slots=True)
class Event:
    """Something recorded about rows of one sheet; of two about one row the later one counts."""

    order: tuple[int, int]
    sheet: str
    rows: str
    fate: Fate


def gather(events: Sequence[Event]) -> Known:
    """Works out what is known last about each row."""
    events = sorted(events, key=lambda event: event.order)
    fates: dict[Fate, int] = {}
    numbers = np.array([fates.setdefault(event.fate, len(fates)) for event in events], dtype=np.int32)
    sheets: dict[str, list[int]] = {}
    for place, event in enumerate(events):
        sheets.setdefault(event.sheet, []).append(place)
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for sheet, places in sheets.items():
        rows, owners = ranges.expand([events[place].rows for place in places])
        found[sheet] = _last(rows, numbers[np.array(places)][owners])
    return Known(tuple(fates), found)


def _last(rows: np.ndarray, fates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the (row, fate) pairs in order of time the last one for each row, by ascending row."""
    if rows.size > 1 and not (np.diff(rows) > 0).all():
        order = np.argsort(rows, kind="stable")
        rows, fates = rows[order], fates[order]
        last = np.append(rows[1:] != rows[:-1], True)
        rows, fates = rows[last], fates[last]
    small = rows.size == 0 or rows[-1] < np.iinfo(np.int32).max
    return rows.astype(np.int32 if small else np.int64), fates
