"""The last recorded state of each row of a run, read from the journal into arrays of eight bytes a row.

Row numbers are stored as text, as people write them ("2-101,103"). The functions that write and read this
text are here as well; they are fast enough for a million rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from importer.dataclass import dataclass
from importer.journal.database import Database, Row
from importer.journal.records import BatchState, RequestRecord
from importer.models import Outcome, Status

IN_ALREADY = ("imported-before", "correction-unreadable", "correction-kept")
"""The codes of skipped rows that an earlier run imported."""
MARKED = "marked"
"""The code of an invalid row whose message is a mark of damage that its cells do not show."""
NOT_RECORDED = -1
"""Stands for an index where nothing is recorded of a row."""


@dataclass(frozen=True, slots=True)
class RowState:
    """The recorded state of some rows. `status` is None if a request was begun and no answer is known."""

    status: Status | None
    final: bool
    """False if the row has its status only because the run stopped: a resumed run sends it again."""
    batch: int | None = None
    attempts: int = 0
    code: str = ""
    message: str = ""
    trace_id: str = ""

    @property
    def unanswered(self) -> bool:
        """True if the rows were sent or about to be, and no answer is known: the server may have them."""
        return self.status is None or (self.status is Status.UNKNOWN and not self.final)


@dataclass(frozen=True, slots=True)
class Departed:
    """Rows of requests without an answer, by sheet (int64, ascending)."""

    sure: Mapping[str, np.ndarray]
    """Of requests that left."""
    perhaps: Mapping[str, np.ndarray]
    """Of these, and of those of which nobody knows whether they left."""


class RowStates:
    """What the journal recorded last about each row of a run.

    `states` holds each distinct state once; `state_indexes` gives its index there for row numbers of a sheet.
    """

    def __init__(
        self,
        states: Sequence[RowState],
        sheets: Mapping[str, tuple[np.ndarray, np.ndarray]],
        departed: Departed | None = None,
    ) -> None:
        self.states = tuple(states)
        self._sheets = sheets
        self._final = np.array([state.final for state in states] + [False], dtype=bool)
        self._unanswered = np.array([state.unanswered for state in states] + [False], dtype=bool)
        self._departed = departed or Departed({}, {})

    def __len__(self) -> int:
        """How many rows the journal knows."""
        return sum(len(rows) for rows, _ in self._sheets.values())

    @property
    def settled_rows(self) -> int:
        """How many rows have their final status."""
        return sum(int(np.count_nonzero(self._final[states])) for _, states in self._sheets.values())

    def counts(self) -> dict[Status, int]:
        """Rows by status, of those that have one; a row whose request is unanswered counts as unknown."""
        numbers = np.zeros(len(self.states), dtype=np.int64)
        for _, states in self._sheets.values():
            numbers += np.bincount(states, minlength=len(self.states))[: len(self.states)]
        found: dict[Status, int] = {}
        for state, rows in zip(self.states, numbers.tolist(), strict=True):
            if rows:
                status = state.status or Status.UNKNOWN
                found[status] = found.get(status, 0) + rows
        return found

    def codes(self, *statuses: Status) -> Counter[str]:
        """Rows of these statuses by the code of their message."""
        found: Counter[str] = Counter()
        for _, states in self._sheets.values():
            for state, rows in zip(
                self.states, np.bincount(states, minlength=len(self.states)), strict=False
            ):
                if rows and state.status in statuses:
                    found[state.code] += int(rows)
        return found

    @property
    def sheets(self) -> tuple[str, ...]:
        return tuple(self._sheets)

    @property
    def nbytes(self) -> int:
        """The memory that the rows take."""
        return sum(rows.nbytes + states.nbytes for rows, states in self._sheets.values())

    def state_indexes(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Index in `states` (int32) for each of these row numbers (int64), or `NOT_RECORDED`."""
        found = np.full(len(rows), NOT_RECORDED, dtype=np.int32)
        known, states = self._sheets.get(sheet, (np.empty(0, np.int32), np.empty(0, np.int32)))
        if known.size:
            places = np.minimum(np.searchsorted(known, rows), known.size - 1)
            hit = known[places] == rows
            found[hit] = states[places[hit]]
        return found

    def final(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Which of these rows have their final status (bool)."""
        return np.asarray(self._final[self.state_indexes(sheet, rows)])

    def unanswered(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Which of these rows were sent, or about to be, with no answer known (bool)."""
        return np.asarray(self._unanswered[self.state_indexes(sheet, rows)])

    def count_departed(self, sheet: str, rows: np.ndarray) -> tuple[int, int]:
        """Return how many of these rows left in a request without an answer, and how many may have."""
        open_rows = rows[self.unanswered(sheet, rows)]
        sure, perhaps = (
            int(np.isin(open_rows, left[sheet]).sum()) if sheet in left else 0
            for left in (self._departed.sure, self._departed.perhaps)
        )
        return sure, perhaps

    def has_status(self, sheet: str, rows: np.ndarray, *statuses: Status) -> np.ndarray:
        """Which of these rows have one of the statuses (bool)."""
        wanted = np.array([state.status in statuses for state in self.states] + [False], dtype=bool)
        return np.asarray(wanted[self.state_indexes(sheet, rows)])

    def rows_with_status(self, sheet: str, *statuses: Status) -> np.ndarray:
        """All row numbers of a sheet with one of the statuses, ascending (int64)."""
        if sheet not in self._sheets:
            return np.empty(0, np.int64)
        known, states = self._sheets[sheet]
        wanted = np.array([state.status in statuses for state in self.states], dtype=bool)
        return np.asarray(known[wanted[states]], dtype=np.int64)

    def rows_with_code(self, sheet: str, status: Status, code: str) -> np.ndarray:
        """All row numbers of a sheet with this status and message code, ascending (int64)."""
        if sheet not in self._sheets:
            return np.empty(0, np.int64)
        known, states = self._sheets[sheet]
        wanted = np.array(
            [state.status is status and state.code == code for state in self.states], dtype=bool
        )
        return np.asarray(known[wanted[states]], dtype=np.int64)

    def outcomes(self, sheet: str, rows: np.ndarray) -> Iterator[Outcome]:
        """Yield the recorded outcomes of these rows, one for all rows of a state.

        Rows without a known answer are `unknown`. Rows of which nothing is recorded are left out.
        """
        found = self.state_indexes(sheet, rows)
        order = np.argsort(found, kind="stable")
        cuts = np.flatnonzero(np.diff(found[order])) + 1
        for group in np.split(order, cuts):
            if not group.size or found[group[0]] == NOT_RECORDED:
                continue
            state = self.states[found[group[0]]]
            yield Outcome(
                sheet=sheet,
                rows=tuple(int(row) for row in rows[group]),
                status=state.status or Status.UNKNOWN,
                batch=state.batch,
                attempts=state.attempts,
                code=state.code,
                message=state.message,
                trace_id=state.trace_id,
            )


def union_rows(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Unite row numbers by sheet (int64, ascending) that stand in any of the parts."""
    found: dict[str, np.ndarray] = {}
    for part in parts:
        for sheet, rows in part.items():
            found[sheet] = np.union1d(found[sheet], rows) if sheet in found else rows
    return found


@dataclass(frozen=True, slots=True)
class RowEvent:
    """Something recorded about rows of one sheet; of two about one row the later one counts."""

    order: tuple[int, int]
    sheet: str
    rows: str
    state: RowState


def latest_states(events: Sequence[RowEvent], departed: Departed | None = None) -> RowStates:
    """Find the last event of each row."""
    events = sorted(events, key=lambda event: event.order)
    states: dict[RowState, int] = {}
    numbers = np.array([states.setdefault(event.state, len(states)) for event in events], dtype=np.int32)
    sheets: dict[str, list[int]] = {}
    for place, event in enumerate(events):
        sheets.setdefault(event.sheet, []).append(place)
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for sheet, places in sheets.items():
        rows, owners = expand_ranges([events[place].rows for place in places])
        found[sheet] = _last_per_row(rows, numbers[np.array(places)][owners])
    return RowStates(tuple(states), found, departed)


def _last_per_row(rows: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the (row, state) pairs in order of time the last one for each row, by ascending row."""
    if rows.size > 1 and not (np.diff(rows) > 0).all():
        order = np.argsort(rows, kind="stable")
        rows, states = rows[order], states[order]
        last = np.append(rows[1:] != rows[:-1], True)
        rows, states = rows[last], states[last]
    small = rows.size == 0 or rows[-1] < np.iinfo(np.int32).max
    return rows.astype(np.int32 if small else np.int64), states


# A request whose one outcome is about all its rows need not be read: the outcome tells everything.
_BEGUN = """SELECT entry, sheet, rows, ordinal, attempts, state FROM batches b WHERE run = ? AND NOT EXISTS
            (SELECT 1 FROM outcomes o WHERE o.run = b.run AND o.entry = b.entry AND o.rows IS NULL)"""
_OUTCOMES = """SELECT o.entry, coalesce(o.sheet, b.sheet) AS sheet, coalesce(o.rows, b.rows) AS rows,
                      o.status, o.final, o.batch, o.attempts, o.code, o.message, o.trace_id
               FROM outcomes o LEFT JOIN batches b ON b.run = o.run AND b.entry = o.entry WHERE o.run = ?"""
_REQUESTS = """SELECT ordinal, part, sheet, rows, body_sha256, state, attempts, code, message, trace_id, data
               FROM batches WHERE run = ? ORDER BY entry"""


def read_requests(database: Database, run: int) -> tuple[RequestRecord, ...]:
    """Every request of a run, in the order in which they were begun."""
    with database.decoding():
        return tuple(_request(row) for row in database.query(_REQUESTS, (run,)))


def _request(row: Row) -> RequestRecord:
    special = {"rows": decode_ranges(row["rows"]), "state": BatchState(row["state"])}
    return RequestRecord(**{**dict(row), **special})


HasLeft = Callable[[int], bool | None]
"""Tells of a request, by its number in the run, whether it left; None: nobody knows."""


def nobody_knows(entry: int) -> bool | None:
    """Tell of no request whether it left."""
    return None


def read_row_states(database: Database, run: int, has_left: HasLeft = nobody_knows) -> RowStates:
    """Read the last state of each row of a run. Rows of a request without an outcome are unanswered."""
    with database.decoding():
        begun, settled = database.query(_BEGUN, (run,)), database.query(_OUTCOMES, (run,))
        events = [_begun_event(row) for row in begun]
        events += [_settled_event(row) for row in settled]
        silent = [row for row in begun if row["state"] == BatchState.BEGUN]
        silent += [row for row in settled if row["status"] == Status.UNKNOWN and not row["final"]]
        known = [True if row["attempts"] else has_left(row["entry"]) for row in silent]
        departed = Departed(
            _rows_of(row for row, left in zip(silent, known, strict=True) if left),
            _rows_of(row for row, left in zip(silent, known, strict=True) if left is not False),
        )
        return latest_states(events, departed)


def _rows_of(requests: Iterable[Row]) -> Mapping[str, np.ndarray]:
    texts: dict[str, list[str]] = {}
    for row in requests:
        texts.setdefault(row["sheet"], []).append(row["rows"])
    return {sheet: np.unique(expand_ranges(said)[0]) for sheet, said in texts.items()}


def _begun_event(row: Row) -> RowEvent:
    state = RowState(status=None, final=False, batch=row["ordinal"], attempts=row["attempts"])
    return RowEvent((row["entry"], 0), row["sheet"], row["rows"], state)


def _settled_event(row: Row) -> RowEvent:
    state = RowState(
        status=Status(row["status"]),
        final=bool(row["final"]),
        batch=row["batch"],
        attempts=row["attempts"],
        code=row["code"],
        message=row["message"],
        trace_id=row["trace_id"],
    )
    return RowEvent((row["entry"], 1), row["sheet"], row["rows"], state)


def encode_ranges(rows: Sequence[int]) -> str:
    """Write row numbers as text in their order, consecutive ones as a range: (2, 3, 4, 9) → "2-4,9"."""
    if not rows:
        return ""
    first, last = rows[0], rows[-1]
    if last - first == len(rows) - 1 and tuple(rows) == tuple(range(first, last + 1)):
        return f"{first}-{last}" if last > first else str(first)
    parts: list[str] = []
    start = before = first
    for row in (*rows[1:], None):
        if row is not None and row == before + 1:
            before = row
            continue
        parts.append(f"{start}-{before}" if before > start else str(start))
        if row is not None:
            start = before = row
    return ",".join(parts)


def decode_ranges(text: str) -> tuple[int, ...]:
    """Row numbers of a text by `encode_ranges`, in the same order. Raises ValueError for other text."""
    return tuple(int(row) for row in expand_ranges([text])[0])


def expand_ranges(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read many texts at once. Returns all row numbers (int64), and for each the index of its text (int32).

    Both arrays have one element a row, in the order of the texts. Raises ValueError for malformed text.
    """
    spans = [text.split(",") if text else [] for text in texts]
    starts: list[int] = []
    stops: list[int] = []
    for parts in spans:
        for part in parts:
            start, dash, stop = part.partition("-")
            starts.append(int(start))
            stops.append(int(stop if dash else start))
    first = np.array(starts, dtype=np.int64)
    lengths = np.array(stops, dtype=np.int64) - first + 1
    if lengths.size and lengths.min() < 1:
        raise ValueError("a range of rows that ends before it begins")
    owners = np.repeat(np.arange(len(texts), dtype=np.int32), [len(parts) for parts in spans])
    offsets = np.arange(lengths.sum(), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(first, lengths) + offsets, np.repeat(owners, lengths)
