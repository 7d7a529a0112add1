"""Pass a file through the run: check chunks, make batches of the rows to be sent, report the outcomes.

    source ─► chunk ─► checked chunk ─► customers ─► batches ─► sink ─► outcomes ─► reports

The sink is the delivery in a real run. In a dry run, and where reports are drawn again, it is a `NullSink`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import field
from typing import Protocol

import numpy as np

from importer.batching import Batcher, Customers
from importer.dataclass import dataclass
from importer.errors import InputError
from importer.journal import MARKED, RunJournal, SentAs
from importer.models import Batch, Chunk, Outcome, Status
from importer.pipeline.changed_rows import ChangedRows
from importer.pipeline.check import CheckedChunk, Checker, CheckRules
from importer.pipeline.corrections import ImportedRows
from importer.pipeline.duplicates import SharedContacts
from importer.pipeline.events import RowsChecked, RunObserver
from importer.pipeline.freed_places import FreedPlaces
from importer.pipeline.newer_rows import NewerRows
from importer.pipeline.overtaken_rows import FileMates, OvertakenRows
from importer.pipeline.plan import RunPlan
from importer.pipeline.row_history import SUPPRESSED, PriorImports, ResumeState, with_marks
from importer.pipeline.suppression import unanswered_as_unknown
from importer.readers.chunks import only_rows, prefetch_chunks
from importer.reports import ReportWriter, reimport
from importer.reports.reimport import PriorRows

_Read = tuple[Chunk, PriorRows | None, ImportedRows | None]
"""A chunk, what a report says of its rows, and which of them an earlier run imported."""


class BatchSink(Protocol):
    """Takes batches and returns outcomes."""

    def submit(self, batch: Batch) -> None:
        """Take a batch. Waits while too many are not final yet."""

    def outcomes(self) -> Sequence[Outcome]:
        """Return the outcomes since the last call. Never waits."""

    def finish(self) -> Iterator[Outcome]:
        """Yield the remaining outcomes, until every row of every batch has its status."""


class NullSink:
    """Sends nothing and gives every row the same status: valid in a dry run, not_sent in a held one."""

    BATCH = 4096
    """Rows in one batch, which nobody sends: it costs the same for one row as for thousands."""

    def __init__(self, status: Status, code: str = "") -> None:
        self._status = status
        self._code = code
        self._told: list[Outcome] = []

    def submit(self, batch: Batch) -> None:
        self._told.append(Outcome(batch.sheet, batch.rows, self._status, code=self._code))

    def outcomes(self) -> Sequence[Outcome]:
        found, self._told = self._told, []
        return found

    def finish(self) -> Iterator[Outcome]:
        yield from self.outcomes()


class RowScope(Protocol):
    """The rows of the file that a run is about, if not all."""

    def mask(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Return for each row number whether it is one of them."""

    def maybe_in(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Bool for each row number: a request with it went out, and no answer is known."""


class HeldRows(Protocol):
    """Rows of a retry that must not be sent: newer data, or a doubtful answer, stands against it."""

    def outcomes(self, sheet: str, rows: np.ndarray) -> list[Outcome]:
        """Return the outcomes of the rows among `rows` that are held back."""


@dataclass(slots=True)
class PhaseTimes:
    """Seconds spent in the run's parts, as the thread that runs the flow sees them."""

    reading: float = 0.0
    checking: float = 0.0
    sending: float = 0.0
    """Handing over batches and waiting for outcomes."""
    reporting: float = 0.0

    def as_pairs(self) -> tuple[tuple[str, float], ...]:
        return tuple((name, round(seconds, 6)) for name, seconds in dataclasses.asdict(self).items())


@dataclass(frozen=True, slots=True)
class RunContext:
    """What earlier runs know about the rows of this one."""

    prior: PriorImports | None = None
    """For a report that is imported again."""
    replay: ResumeState | None = None
    """For a run that is resumed, or whose reports are drawn again."""
    journal: RunJournal | None = None
    """Records rows that are final without being sent."""
    dry: bool = False
    """Nothing is sent. The journal gets only the marks by which rows of a report are recognised later."""
    scope: RowScope | None = None
    last_ordinal: int = 0
    held: HeldRows | None = None
    """Rows of a retry that must not be sent."""
    newer: NewerRows | None = None
    """Rows that a later run has overtaken: of a run that is taken up again, or of a report."""
    overtaken: OvertakenRows | None = None
    """Rows of a report that others of the same file have overtaken."""
    changes: ChangedRows | None = None
    """Leaves out rows that have not changed; None: all are sent."""
    canary: bool = False
    """The first batch carries one row."""
    suppresses: bool = True
    """Rows of people who must not be sent are left out."""

    def unanswered(self, sheet: str, rows: np.ndarray) -> np.ndarray:
        """Bool for each row: a request with it went out, here or before, and nobody answered."""
        found = np.zeros(len(rows), dtype=bool)
        if self.replay is not None:
            found |= self.replay.known.unanswered(sheet, rows)
        if self.scope is not None:
            found |= self.scope.maybe_in(sheet, rows)
        if self.prior is not None:
            found |= self.prior.unanswered(sheet, rows)
        return found


@dataclass
class Flow:
    """One pass over a plan's source.

    `pulse` is called after every step, for the progress display. An error that it raises ends the pass.
    """

    plan: RunPlan
    reports: ReportWriter
    sink: BatchSink
    memory: RunContext
    pulse: Callable[[], None]
    broken_off: Callable[[InputError], None]
    """Gets the error of a file that cannot be read to its end. May raise it."""
    observer: RunObserver = field(default_factory=RunObserver)
    """Sees each chunk as it was checked, before its rows are sent."""
    phases: PhaseTimes = field(default_factory=PhaseTimes)
    shared: SharedContacts = field(init=False)
    """The contacts that many rows share, once the flow has passed."""
    places: FreedPlaces | None = field(init=False)
    """For a report: tells who comes back to a place in the CRM."""

    def __post_init__(self) -> None:
        self.shared = SharedContacts(self.plan.contract.contact_fields)
        prior = self.memory.prior
        self.places = None if prior is None else FreedPlaces(prior, self.plan.mapper)

    def run(self) -> None:
        """Read, check, send and report every row."""
        most = NullSink.BATCH if isinstance(self.sink, NullSink) else self.plan.contract.max_customers
        batcher = Batcher(most, self.memory.last_ordinal, first_alone=self.memory.canary)
        with contextlib.closing(checked_chunks(self.plan, self.memory, self.phases, self.shared)) as chunks:
            try:
                for checked in chunks:
                    checked, outcomes, customers = self._remembered(checked)
                    self.observer.on_rows_checked(RowsChecked(checked))
                    self._report(checked)
                    for outcome in outcomes:
                        self.reports.settle(outcome)
                    self._note_behind(checked, customers)
                    for batch in batcher.add(customers):
                        self._submit(batch)
                    del checked, customers  # frees its customers before the next chunk has its own
                    self.pulse()
            except InputError as error:
                # The rows read so far are sent and reported; the run says why they are not all.
                self.broken_off(error)
        for batch in batcher.flush():
            self._submit(batch)
        clock = time.perf_counter()
        for outcome in self.sink.finish():
            self.reports.settle(outcome)
            self.pulse()
        self.phases.sending += time.perf_counter() - clock

    def _report(self, checked: CheckedChunk) -> None:
        clock = time.perf_counter()
        chunk = checked.chunk
        replay, journal = self.memory.replay, self.memory.journal
        outcomes = unanswered_as_unknown(checked.outcomes, self.memory.unanswered)
        self.reports.add(chunk, checked.issues, checked.customers.rows)
        if replay is not None:
            for outcome in replay.final(chunk.sheet, chunk.frame.index.to_numpy()):
                self.reports.settle(outcome)
            outcomes = list(replay.without_final(outcomes))
        for outcome in outcomes:
            self.reports.settle(outcome)
        if journal is not None:
            noted = with_marks(
                chunk, checked.issues, outcomes, self.plan.identifiers, self.plan.fingerprint_key
            )
            kept = [one for one in noted if one.code == MARKED or not self.memory.dry]
            journal.settle([one for one in kept if one.code != SUPPRESSED])
            # A run that is taken up again asks the lists as they are then.
            journal.settle([one for one in kept if one.code == SUPPRESSED], final=False)
        self.phases.reporting += time.perf_counter() - clock

    def _remembered(self, checked: CheckedChunk) -> tuple[CheckedChunk, list[Outcome], Customers]:
        """Return the chunk with what is said of rows that take their place again, the outcomes of rows that
        are final or held back, and the customers to be sent."""
        customers = checked.customers
        outcomes: list[Outcome] = []
        if self.memory.replay is not None:
            outcomes, customers = self.memory.replay.open(customers)
        if self.memory.held is not None:
            held = self.memory.held.outcomes(customers.sheet, customers.rows)
            rows = [row for outcome in held for row in outcome.rows]
            customers = customers.where(~np.isin(customers.rows, rows))
            outcomes += held
            if self.memory.journal is not None:
                self.memory.journal.settle(held, final=False)
        if self.memory.newer is not None:
            unanswered = self.memory.unanswered(customers.sheet, customers.rows)
            held, customers = self.memory.newer.hold(customers, unanswered)
            outcomes += held
            if self.memory.journal is not None and not self.memory.dry:
                self.memory.journal.settle(held, final=False)
        if self.memory.overtaken is not None:
            unanswered = self.memory.unanswered(customers.sheet, customers.rows)
            held, nameless, customers = self.memory.overtaken.hold(customers, unanswered, checked.stale)
            outcomes += held
            if self.memory.journal is not None and not self.memory.dry:
                self.memory.journal.settle(nameless, final=False)
        if self.memory.changes is not None:
            unchanged, customers = self.memory.changes.leave_out(customers)
            outcomes += unchanged
            if self.memory.journal is not None and not self.memory.dry:
                self.memory.journal.settle(unchanged)
        if checked.restored.size and self.places is not None:
            checked, held, customers = self._restored(self.places, checked, customers)
            outcomes += held
        return checked, outcomes, customers

    def _restored(
        self, places: FreedPlaces, checked: CheckedChunk, customers: Customers
    ) -> tuple[CheckedChunk, list[Outcome], Customers]:
        rows, replay = checked.customers.rows, self.memory.replay
        came_in, skipped = (
            rows[replay.known.has_status(customers.sheet, rows, status)] if replay is not None else rows[:0]
            for status in (Status.IMPORTED, Status.SKIPPED)
        )
        checked, held, customers = places.settle(checked, customers, came_in, skipped)
        if self.memory.journal is not None and not self.memory.dry:
            self.memory.journal.settle(held)
        return checked, held, customers

    def _note_behind(self, checked: CheckedChunk, customers: Customers) -> None:
        """Count no row as sent that is not: what changed nothing, or newer rows hold back."""
        if self.memory.replay is None and len(customers) < len(checked.customers):
            behind = np.setdiff1d(checked.customers.rows, customers.rows)
            self.reports.tally.stay_behind(checked.issues, behind)

    def _submit(self, batch: Batch) -> None:
        clock = time.perf_counter()
        self.sink.submit(batch)
        handed = time.perf_counter()
        self.phases.sending += handed - clock
        for outcome in self.sink.outcomes():
            self.reports.settle(outcome)
        self.phases.reporting += time.perf_counter() - handed
        self.pulse()


def checked_chunks(
    plan: RunPlan,
    memory: RunContext | None = None,
    phases: PhaseTimes | None = None,
    shared: SharedContacts | None = None,
) -> Generator[CheckedChunk]:
    """Yield each chunk of the source with all that is known of its rows before they are sent."""
    memory, phases = memory or RunContext(), phases or PhaseTimes()
    rules = CheckRules(plan.options.duplicates, plan.options.strict, plan.mode)
    suppression = plan.suppression if memory.suppresses else None
    checker = Checker(
        plan.mapper,
        plan.contract,
        rules,
        plan.fingerprint_key,
        shared,
        suppression,
        plan.content_key,
        plan.options.tag or "",
        plan.sent_key,
    )
    mates = None if memory.prior is None else FileMates(memory.prior, plan.mapper)
    with contextlib.closing(_chunks(plan, memory)) as chunks:
        while True:
            clock = time.perf_counter()
            found = next(chunks, None)
            read = time.perf_counter()
            phases.reading += read - clock
            if found is None:
                return
            chunk, said, imported = found
            checked = checker.check(chunk, imported)
            if said is not None and checked.corrected.size:
                corrected = np.isin(chunk.frame.index.to_numpy(), checked.corrected)
                _note_origins(memory, chunk, said, corrected)
            if mates is not None:
                checked = mates.tell(
                    checked, plan.options.duplicates, plan.options.lang, strict=plan.options.strict
                )
            phases.checking += time.perf_counter() - read
            yield checked
            del checked, found, chunk, said, imported


def _chunks(plan: RunPlan, memory: RunContext) -> Generator[_Read]:
    """Yield the rows that the run is about, and which of them an earlier run imported."""
    chunks = plan.source.chunks()
    if plan.options.limit is not None:
        yield from _wanted(chunks, plan, memory)  # no chunk more than needed
        return
    with contextlib.closing(prefetch_chunks(chunks)) as chunks:
        yield from _wanted(chunks, plan, memory)


def _wanted(chunks: Iterator[Chunk], plan: RunPlan, memory: RunContext) -> Iterator[_Read]:
    left = plan.options.limit
    lists = plan.suppression.sayings() if plan.suppression is not None and memory.suppresses else {}
    for chunk in chunks:
        if left is not None:
            chunk = _only(chunk, np.arange(len(chunk.frame)) < left)
            left -= len(chunk.frame)
        if memory.scope is not None:
            chunk = _only(chunk, memory.scope.mask(chunk.sheet, chunk.frame.index.to_numpy()))
        said, imported = None, None
        if plan.again:
            chunk, said = reimport.restore(chunk, escaped=plan.escaped)
            if memory.prior is not None:
                imported = _imported(memory.prior, said, counted=memory.journal is not None)
                chunk = memory.prior.with_unseen(chunk, said, plan.identifiers)
                chunk = memory.prior.without_listed(chunk, said, plan.options.lang, lists)
                _note_origins(memory, chunk, said, ~imported.mask)
        elif plan.rest_of and memory.prior is not None:
            said = reimport.same_rows(chunk, plan.rest_of)
            imported = _imported(memory.prior, said, counted=memory.journal is not None)
            _note_origins(memory, chunk, said, ~imported.mask)
        if len(chunk.frame):
            yield chunk, said, imported
        if left == 0:
            return


def _imported(prior: PriorImports, said: PriorRows, *, counted: bool) -> ImportedRows:
    mask = prior.imported(said)
    if not mask.any():
        nothing = SentAs.unknown(len(mask))
        return ImportedRows(mask, nothing, nothing.lines)
    found = ImportedRows(mask, prior.sent_as(said), prior.sent_as(said, with_reports=False).lines)
    if counted:
        prior.incomparable += int((mask & ~found.comparable).sum())
    return found


def _note_origins(memory: RunContext, chunk: Chunk, said: PriorRows, wanted: np.ndarray) -> None:
    """Note which rows of earlier runs the wanted ones are, which are to be sent: they are as old as these."""
    if memory.prior is None or memory.journal is None:
        return
    for origin in memory.prior.origins(said, wanted):
        rows = chunk.frame.index.to_numpy()[origin.places]
        memory.prior.note_origin(chunk.sheet, rows, origin.rows)
        memory.journal.came_from(chunk.sheet, rows, origin.rows)


def _only(chunk: Chunk, mask: np.ndarray) -> Chunk:
    if mask.all():
        return chunk
    frame = chunk.frame[mask]
    rows = frozenset(frame.index.tolist())
    issues = tuple(issue for issue in chunk.issues if issue.row in rows)
    skips = tuple(only_rows(chunk.skips, frame.index.to_numpy()))
    return Chunk(chunk.sheet, frame, issues, skips, chunk.as_read)
