"""Look up what the journal knows of a file's rows: imported, damaged, final.

`PriorImports` finds the rows of a report in the journal. `DamageMark` remembers, as fingerprints,
damage that the cells of a report do not show. `ResumeState` tells which rows of an interrupted run are
settled and which are still to be sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from importer import arrow
from importer.batching import Customers
from importer.dataclass import dataclass
from importer.errors import JournalError
from importer.fingerprints import FingerprintKey, text_mark
from importer.journal import MARKED, Journal, RowsOfRun, RowStates, SentAs, SentRows, union_rows
from importer.mapping import Mapper
from importer.messages import sentence
from importer.models import Chunk, Issue, Issues, Note, Outcome, Severity, Skip, Status
from importer.pipeline.people import ReportedPeople
from importer.reports.reimport import PriorRows
from importer.reports.run_info import uses_from_json
from importer.reports.tally import ReasonGroup

NOT_CORRECTED = "not-corrected"
SUPPRESSED = "suppressed"
"""The code of a row that is left out because a list has its customer."""
UNREADABLE = frozenset(
    {"extra-cells", "unclosed-quote", "bad-encoding", "cell-error", "formula-without-value", NOT_CORRECTED}
)
"""Issues of the reader that cannot be seen in the cells of a report."""
_MOST_ZEROS = 4


@dataclass(frozen=True, slots=True)
class DamageMark:
    """Marks of one row, under the journal's key: of all its cells if it could not be read properly, and of
    each identifier that begins with a zero."""

    cells: str = ""
    zeros: tuple[str, ...] = ()

    def text(self) -> str:
        """The mark as the journal keeps it."""
        return ",".join((self.cells, *self.zeros))

    @classmethod
    def of(cls, text: str) -> DamageMark:
        """Return the mark that the journal keeps as this text."""
        cells, *zeros = text.split(",")
        return cls(cells, tuple(zeros))


def with_marks(
    chunk: Chunk,
    issues: Sequence[Issue],
    outcomes: Sequence[Outcome],
    identifiers: Sequence[str],
    key: FingerprintKey,
) -> list[Outcome]:
    """The outcomes for the journal: an invalid row that needs a mark by itself, with the mark as message.

    `identifiers`: the columns in which a digit lost is a different customer.
    """
    if not any(outcome.status is Status.INVALID for outcome in outcomes):
        return list(outcomes)
    damaged = set(
        Issues.rows_of(part for part in Issues.parts_of(issues) if part.code in UNREADABLE).tolist()
    )
    zeros = _zero_led(chunk, identifiers, key)
    found: list[Outcome] = []
    for outcome in outcomes:
        if outcome.status is not Status.INVALID:
            found.append(outcome)
            continue
        rest = tuple(row for row in outcome.rows if row not in damaged and row not in zeros)
        found += [replace(outcome, rows=rest)] if rest else []
        for row in sorted((damaged | zeros.keys()).intersection(outcome.rows)):
            cells = _of_row(chunk.frame, row, key) if row in damaged else ""
            mark = DamageMark(cells, tuple(zeros.get(row, ())))
            found.append(replace(outcome, rows=(row,), code=MARKED, message=mark.text()))
    return found


def unseen_damage(
    chunk: Chunk, row: int, said: str, mark: DamageMark, identifiers: Sequence[str], key: FingerprintKey
) -> Iterator[Issue]:
    """The issues of a row that came back. `said`: its `_issues`, as the report has them."""
    pairs = [pair.strip().partition(":") for pair in said.split(";") if pair.strip()]
    if mark.cells and mark.cells == _of_row(chunk.frame, row, key):
        why = ", ".join(dict.fromkeys(code for code, _, _ in pairs if code in UNREADABLE))
        yield Issue(NOT_CORRECTED, Severity.ERROR, row, chunk.sheet, expected=why or NOT_CORRECTED)
        return
    for code, _, column in pairs:
        if code == "formula-without-value" and _cell(chunk, row, column) == "":
            yield Issue(code, Severity.ERROR, row, chunk.sheet, column, found="")
    for column in identifiers if mark.zeros else ():
        found = _cell(chunk, row, column)
        for count in range(1, _MOST_ZEROS + 1):
            whole = "0" * count + (found or "")
            if found and text_mark(whole, key) in mark.zeros:
                yield Issue(
                    "lossy-number", Severity.ERROR, row, chunk.sheet, column, found=found, suggestion=whole
                )


def _zero_led(chunk: Chunk, identifiers: Sequence[str], key: FingerprintKey) -> dict[int, list[str]]:
    """For each row with an identifier that begins with a zero the marks of those."""
    found: dict[int, list[str]] = {}
    for name in identifiers:
        if name not in chunk.frame.columns:
            continue
        cells = pc.utf8_trim_whitespace(arrow.text_column(chunk, name))
        led = pc.match_substring_regex(cells, "^0[0-9]+$")
        rows = arrow.rows_where(chunk.frame, led).tolist()
        for row, text in zip(rows, cells.filter(led).to_pylist(), strict=True):
            found.setdefault(row, []).append(text_mark(text, key))
    return found


def _cell(chunk: Chunk, row: int, column: str) -> str | None:
    """Return the cell; None if the file has no such column."""
    return str(chunk.frame.at[row, column]).strip() if column in chunk.frame.columns else None


def _of_row(frame: pd.DataFrame, row: int, key: FingerprintKey) -> str:
    return text_mark("\x1f".join(str(cell) for cell in frame.loc[row]), key)


@dataclass(frozen=True, slots=True)
class EarlierRows:
    """Rows of a chunk, by position, and for each the row of an earlier run that it is."""

    places: np.ndarray
    rows: RowsOfRun


class PriorImports:
    """Tells which rows of a reports file an earlier run imported to the same destination, and which come
    back as they were refused.

    The file's word is not enough: only what the journal has for that run and destination counts.
    """

    def __init__(self, journal: Journal, destination_key: str | None, own: str) -> None:
        """`own`: the id of the run that asks. What it and later ones have done does not count."""
        self._own = own
        self._journal = journal
        self._destination_key = destination_key
        self._imported: dict[str, dict[str, np.ndarray]] = {}
        self._runs: dict[str, RowStates | None] = {}
        self._unanswered: dict[str, list[np.ndarray]] = {}
        self._sent: dict[tuple[str, bool], Mapping[str, SentRows]] = {}
        self._origins: dict[str, list[tuple[np.ndarray, RowsOfRun]]] = {}
        self._parents: dict[str, dict[tuple[str, int], tuple[str, str, int]]] = {}
        self.incomparable = 0
        """Rows that are in, of which it is not known as what they were sent."""

    def imported(self, said: PriorRows) -> np.ndarray:
        """Bool for each row of the chunk that `said` describes."""
        found = np.zeros(len(said.rows), dtype=bool)
        runs, sheets = _objects(said)
        for run in set(runs.tolist()):
            for sheet, rows in self._imported_by(str(run).strip()).items():
                found |= (runs == run) & (sheets == sheet) & np.isin(said.rows, rows)
        return found

    def sent_as(self, said: PriorRows, *, with_reports: bool = True) -> SentAs:
        """As what each row of the chunk was sent. `with_reports`: by reports, too."""
        found = SentAs.unknown(len(said.rows))
        runs, sheets = _objects(said)
        for run, sheet in set(zip(runs.tolist(), sheets.tolist(), strict=True)):
            sent = self.sent_by(str(run).strip(), with_reports=with_reports).get(sheet)
            if sent is not None:
                places = np.flatnonzero((runs == run) & (sheets == sheet))
                found.put(places, sent.look_up(said.rows[places]))
        return found

    def with_unseen(self, chunk: Chunk, said: PriorRows, identifiers: Sequence[str]) -> Chunk:
        """The chunk with issues for damage that its cells don't show: see `DamageMark`."""
        issues: list[Issue] = []
        numbers = chunk.frame.index.to_numpy()
        runs, sheets = _objects(said)
        for run, sheet in set(zip(runs.tolist(), sheets.tolist(), strict=True)):
            known = self._known(str(run).strip())
            if known is None:
                continue
            places = np.flatnonzero((runs == run) & (sheets == sheet))
            fates = known.state_indexes(sheet, said.rows[places])
            for place, index in zip(places.tolist(), fates.tolist(), strict=True):
                if index >= 0 and known.states[index].code == MARKED:
                    mark = DamageMark.of(known.states[index].message)
                    text = said.issues[place].as_py()
                    key = self._journal.fingerprint_key
                    issues += unseen_damage(chunk, int(numbers[place]), text, mark, identifiers, key)
        return replace(chunk, issues=(*chunk.issues, *issues)) if issues else chunk

    def without_listed(
        self, chunk: Chunk, said: PriorRows, lang: str, lists: Mapping[str, Collection[str]]
    ) -> Chunk:
        """Return the chunk without rows that a run which nobody knows here left out by a list of its own, and
        without those that a list left out which is in use and unchanged, whatever the rows hold now.
        `lists`: by sha256 what may be said of the rows that a list left out."""
        listed = pc.equal(pc.utf8_trim_whitespace(said.codes), SUPPRESSED).to_numpy(zero_copy_only=False)
        found: dict[str, list[int]] = {}
        still: dict[str, set[str]] = {}
        for place in np.flatnonzero(listed).tolist():
            run = str(said.runs[place].as_py()).strip()
            known = self._known(run)
            if known is None:
                found.setdefault(sentence("suppressed-before", {}, lang), []).append(place)
                continue
            if run not in still:
                still[run] = self._still_said(run, lists)
            index = int(known.state_indexes(str(said.sheets[place].as_py()), said.rows[[place]])[0])
            message = known.states[index].message if index >= 0 else ""
            if message in still[run]:
                found.setdefault(message, []).append(place)
        numbers = chunk.frame.index.to_numpy()
        skips = (Skip(numbers[places], SUPPRESSED, message) for message, places in found.items())
        return replace(chunk, skips=(*chunk.skips, *skips)) if found else chunk

    def _still_said(self, run: str, lists: Mapping[str, Collection[str]]) -> set[str]:
        """Return what may be said of the rows that the lists of a run left out, as far as they are in use."""
        uses = uses_from_json(self._journal.run(run).suppression) if lists else ()
        return {said for use in uses for said in lists.get(use.sha256, ())}

    def origins(self, said: PriorRows, wanted: np.ndarray) -> Iterator[EarlierRows]:
        """Which rows of which runs these rows of a report are, as far as the journal knows those runs;
        `wanted`: bool for each row."""
        runs, sheets = _objects(said)
        for run, sheet in sorted(set(zip(runs[wanted].tolist(), sheets[wanted].tolist(), strict=True))):
            places = np.flatnonzero(wanted & (runs == run) & (sheets == sheet) & (said.rows > 0))
            if places.size and self._known(str(run).strip()) is not None:
                yield EarlierRows(
                    places, RowsOfRun(str(run).strip(), sheet, tuple(said.rows[places].tolist()))
                )

    def note_origin(self, sheet: str, rows: np.ndarray, origin: RowsOfRun) -> None:
        """Remember which rows of an earlier run these rows of a report are, and which of them went out before
        and have no known answer."""
        self._origins.setdefault(sheet, []).append((rows, origin))
        known = self._known(origin.run)
        if known is not None:
            there = np.array(origin.rows, dtype=np.int64)
            maybe = known.unanswered(origin.sheet, there)
            maybe |= known.has_status(origin.sheet, there, Status.UNKNOWN)
            self._unanswered.setdefault(sheet, []).append(rows[maybe])

    def unanswered(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Bool for each row of the report, of those that `note_origin` was told of."""
        known = self._unanswered.get(sheet, [])
        return np.isin(rows, np.concatenate(known)) if known else np.zeros(len(rows), dtype=bool)

    def _imported_by(self, run: str) -> dict[str, np.ndarray]:
        if run not in self._imported:
            there = self._destination_key
            found = [self._journal.imported_rows(run, there)] if run and there else []
            if found and there:
                found.append(self._journal.imported_by_reports(run, there, self._own))
            self._imported[run] = union_rows(found)
        return self._imported[run]

    def noted_origins(self, sheet: str, rows: np.ndarray) -> dict[int, tuple[str, str, int]]:
        """By row of the report the run, sheet and row that it was, as `note_origin` was told."""
        found = {}
        for known, origin in self._origins.get(sheet, ()):
            if not known.size or not rows.size or known[-1] < rows[0] or known[0] > rows[-1]:
                continue  # both ascend
            for place in np.flatnonzero(np.isin(known, rows)).tolist():
                found[int(known[place])] = (origin.run, origin.sheet, origin.rows[place])
        return found

    def lineage(self, origin: tuple[str, str, int]) -> tuple[tuple[str, str, int], ...]:
        """Return run, sheet and row of an origin, and of what it was in its turn where that run was of a
        report, back to the first file."""
        found = [origin]
        while True:
            run, sheet, row = found[-1]
            if run not in self._parents:
                self._parents[run] = self._journal.parents(run)
            before = self._parents[run].get((sheet, row))
            if before is None or before in found:
                return tuple(found)
            found.append(before)

    def sent_by(self, run: str, *, with_reports: bool = True) -> Mapping[str, SentRows]:
        """What the rows of a run were sent as, by sheet."""
        key, there = (run, with_reports), self._destination_key
        if key not in self._sent:
            self._sent[key] = (
                self._journal.sent_rows(run, there, self._own, reports=with_reports) if run and there else {}
            )
        return self._sent[key]

    def contacts_since(self, run: str) -> np.ndarray | None:
        """Return the contacts that later runs than `run`, but for ours, sent to the same lane; None if nobody
        knows."""
        return self._journal.contacts_since(run, self._own)

    def people(self, mapper: Mapper) -> ReportedPeople:
        """Return what tells who rows of earlier runs are about; `mapper` reads their columns."""
        return ReportedPeople(self._journal, mapper)

    def _known(self, run: str) -> RowStates | None:
        if run not in self._runs:
            try:
                self._runs[run] = self._journal.row_states(run) if run else None
            except JournalError:
                self._runs[run] = None
        return self._runs[run]


def _objects(said: PriorRows) -> tuple[np.ndarray, np.ndarray]:
    runs = np.asarray(said.runs.to_pylist(), dtype=object)
    return runs, np.asarray(said.sheets.to_pylist(), dtype=object)


@dataclass(slots=True)
class ResumeState:
    """`resend_unknown`: rows with neither phone nor e-mail are sent again too, although the CRM may then
    have them twice. `send` False: nothing is open, for drawing reports again."""

    known: RowStates
    resend_unknown: bool = False
    send: bool = True
    again: int = 0
    """Rows sent once more so far: their request left, and no answer to it is known."""
    maybe_again: int = 0
    """These, and rows of which nobody knows whether their first request left."""

    def final(self, sheet: str, rows: np.ndarray) -> Iterator[Outcome]:
        """Return the outcomes of rows that are final; of all known rows if nothing is sent."""
        return self.known.outcomes(sheet, rows[self._settled(sheet, rows)])

    def without_final(self, outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
        """Return the outcomes without the rows whose outcome the journal has."""
        left = []
        for outcome in outcomes:
            rows = np.asarray(outcome.rows, dtype=np.int64)
            rows = rows[~self._settled(outcome.sheet, rows)]
            if rows.size:
                left.append(replace(outcome, rows=tuple(rows.tolist())))
        return tuple(left)

    def open(self, customers: Customers) -> tuple[list[Outcome], Customers]:
        """Return the outcomes of rows that stay unknown, and the customers to be sent now."""
        settled = self._settled(customers.sheet, customers.rows)
        stuck = np.zeros(len(customers), dtype=bool)
        if self.send and not self.resend_unknown:
            unreachable = ~customers.contacts.any(axis=1)
            stuck = self.known.unanswered(customers.sheet, customers.rows) & unreachable & ~settled
        outcomes = [
            replace(outcome, status=Status.UNKNOWN, code=outcome.code or "no-answer-known")
            for outcome in self.known.outcomes(customers.sheet, customers.rows[stuck])
        ]
        left = customers.where(~settled & ~stuck)
        for_sure, perhaps = self.known.count_departed(left.sheet, left.rows)
        self.again += for_sure
        self.maybe_again += perhaps
        return outcomes, left

    def _settled(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        if self.send:
            return self.known.final(sheet, rows)
        return self.known.state_indexes(sheet, rows) >= 0


def prior_notes(prior: PriorImports | None, reasons: Iterable[ReasonGroup]) -> tuple[Note, ...]:
    """Say what becomes of rows that are in already, and of how many it is not known with which values."""
    if prior is None:
        return ()
    skipped = any(group.code == "imported-before" for group in reasons)
    unknown = Note("corrections-unknown", (("rows", f"{prior.incomparable:,}"),))
    told = (Note("skipped-as-imported"),) if skipped and not prior.incomparable else ()
    return (unknown,) if prior.incomparable else told


def resume_notes(replay: ResumeState | None) -> tuple[Note, ...]:
    """Return the note that a run was resumed, with the number of rows sent again; none for a new run."""
    if replay is None:
        return ()
    if replay.again == replay.maybe_again:
        return (Note("taken-up-again", (("rows", f"{replay.again:,}"),)),)
    found = (("rows", f"{replay.maybe_again:,}"), ("least", f"{replay.again:,}"))
    return (Note("taken-up-again-at-most", found),)


def unknown_notes(rows: int, ended: datetime, settle: float) -> tuple[Note, ...]:
    """What may have become of rows without a known answer, and until when it is not over; none without rows.

    `settle`: seconds after a run's end for which its requests may still be carried out.
    """
    until = ended + timedelta(seconds=settle)
    found = (("rows", rows), ("time", f"{until:%Y-%m-%d %H:%M:%S}"))
    return (Note("unknown-rows", found),) if rows else ()
