"""Define the events of a run, the observer that gets them, and the questions it is asked.

Nothing is printed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from importer.dataclass import dataclass
from importer.delivery import DeliveryObserver
from importer.models import Note, TenantField
from importer.reports import ReportResult, Tally, Timeline, TimelineStep
from importer.sources.fetching import Fetching

if TYPE_CHECKING:
    from importer.delivery import (
        Attempted,
        BatchFinished,
        CanaryAnswered,
        DeliveryEvent,
        LateOver,
        TurnTaken,
    )
    from importer.errors import ImporterError
    from importer.journal import RunRecord
    from importer.mapping.rules import Condition
    from importer.options import RunOptions
    from importer.pipeline.check import CheckedChunk
    from importer.pipeline.people import SharedContact
    from importer.pipeline.plan import RunPlan
    from importer.sources.locations import FileName


@dataclass(frozen=True, slots=True)
class PlanReady:
    """The file is open and its mapping is known. Nothing is in the journal yet, nothing was sent."""

    plan: RunPlan

    def notify(self, observer: RunObserver) -> None:
        observer.on_plan_ready(self)


@dataclass(frozen=True, slots=True)
class Prechecking:
    """The whole file is validated before anything is sent. `rows` were read so far."""

    rows: int

    def notify(self, observer: RunObserver) -> None:
        observer.on_prechecking(self)


@dataclass(frozen=True, slots=True)
class QueriesAhead:
    """The CRM is about to be asked for customers, before anything is sent."""

    queries: int
    rate: float | None
    """So many a second at most; None: no bound."""

    def notify(self, observer: RunObserver) -> None:
        observer.on_queries_ahead(self)

    def note(self) -> Note:
        """Return how many queries follow, and how long they take at the rate."""
        if self.rate is None:
            return Note("queries-ahead-unbounded", (("queries", self.queries),))
        seconds = f"{self.queries / self.rate:.0f}"
        found = (("queries", self.queries), ("rate", f"{self.rate:g}"), ("seconds", seconds))
        return Note("queries-ahead", found)


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first row is about to be read."""

    record: RunRecord
    plan: RunPlan

    def notify(self, observer: RunObserver) -> None:
        observer.on_run_started(self)


@dataclass(frozen=True, slots=True)
class RowsChecked:
    """Some rows were read and checked: their cells, and every issue found in them. Keep no reference."""

    checked: CheckedChunk

    def notify(self, observer: RunObserver) -> None:
        observer.on_rows_checked(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows were read or got their status. `tally` goes on counting: read it, keep no reference."""

    tally: Tally

    def notify(self, observer: RunObserver) -> None:
        observer.on_progress(self)


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The journal and the reports are closed."""

    record: RunRecord
    result: ReportResult

    def notify(self, observer: RunObserver) -> None:
        observer.on_run_ended(self)


RunEvent = Fetching | PlanReady | Prechecking | QueriesAhead | RunStarted | RowsChecked | Progress | RunEnded
if TYPE_CHECKING:
    Event = RunEvent | DeliveryEvent
EventCallback = Callable[["Event"], None]
"""Called from the run's own thread, for events of the delivery from the delivery's threads."""


@dataclass(frozen=True, slots=True)
class MappingQuestion:
    """No mapping fits the file, or its encoding is uncertain: which one is to be used?"""

    file: FileName
    options: RunOptions
    error: ImporterError
    """What is not known. It is raised if nobody answers."""
    tenant_fields: tuple[TenantField, ...] = ()
    """The tenant's list of fields, if it is known."""


@dataclass(frozen=True, slots=True)
class CountryQuestion:
    """Phones lack their country code: of which country are they?"""

    file: FileName
    options: RunOptions
    columns: tuple[str, ...]
    """The columns that hold them."""
    rows: int
    """In how many of the first rows they stand."""
    looked_at: int
    """How many rows were looked at."""


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
    """Some people must not be contacted, as columns say that are not imported: are they sent all the same?"""

    file: FileName
    options: RunOptions
    columns: tuple[str, ...]
    words: str
    """What such cells say, for a sentence."""
    rows: int
    """How many of the first rows say so."""
    looked_at: int
    """How many rows were looked at."""

    def note(self) -> Note:
        """Return that they are sent."""
        columns = ", ".join(f"“{name}”" for name in self.columns)
        found = (("rows", self.rows), ("looked_at", self.looked_at), ("columns", columns))
        return Note("refusals-sent", found)


@dataclass(frozen=True, slots=True)
class SharingQuestion:
    """People have a contact of somebody else in the file: are they sent with it, in the other's place?"""

    file: FileName
    options: RunOptions
    shared: tuple[SharedContact, ...]
    """Those in the first rows."""


ENCODING_DOUBT = "encoding-doubt"


class RunObserver(DeliveryObserver):
    """Gets the events of a run and answers its questions. Subclasses override what they need.

    A method that is not overridden hands its event to `on_event`, which does nothing. Methods are called from
    the run's own thread, those of `DeliveryObserver` from the delivery's threads, one at a time. Only those
    that ask may block.
    """

    def on_fetching(self, event: Fetching) -> None:
        self.on_event(event)

    def on_plan_ready(self, event: PlanReady) -> None:
        self.on_event(event)

    def on_prechecking(self, event: Prechecking) -> None:
        self.on_event(event)

    def on_queries_ahead(self, event: QueriesAhead) -> None:
        self.on_event(event)

    def on_run_started(self, event: RunStarted) -> None:
        self.on_event(event)

    def on_rows_checked(self, event: RowsChecked) -> None:
        self.on_event(event)

    def on_progress(self, event: Progress) -> None:
        self.on_event(event)

    def on_run_ended(self, event: RunEnded) -> None:
        self.on_event(event)

    @property
    def interactive(self) -> bool:
        """Whether a person may be asked. Such a run takes its place in the lane once it has the answers, so
        that nobody waits for a person who is away."""
        return False

    def answer(self, question: MappingQuestion) -> RunOptions | None:
        """The options with what a person says of the file. None: raise the question's error."""
        if question.error.code == ENCODING_DOUBT:
            encoding = self.choose_encoding(question)
            return None if encoding is None else replace(question.options, encoding=encoding)
        chosen = self.choose_mapping(question)
        return None if chosen is None else replace(question.options, mapping=chosen)

    def choose_mapping(self, question: MappingQuestion) -> str | None:
        """The name or file of the mapping to use. None: raise the question's error."""
        return None

    def choose_encoding(self, question: MappingQuestion) -> str | None:
        """The encoding to read the file in, one of those that its error names. None: raise it."""
        return None

    def choose_country(self, question: CountryQuestion) -> str | None:
        """The country, by ISO code or name, of phones that lack their country code. None: nobody knows.

        Only an `interactive` observer is asked.
        """
        return None

    def send_refusing(self, question: ConsentQuestion) -> bool:
        """Whether to send people who must not be contacted. Only an `interactive` observer is asked."""
        return True

    def keep_conditions(self, question: ConsentQuestion, conditions: Sequence[Condition]) -> None:
        """Take what leaves these people out, if they are not sent."""

    def send_sharing(self, question: SharingQuestion) -> bool:
        """Whether people with a contact of somebody else are sent with it. As `send_refusing`."""
        return True

    def keep_corrections(self, corrections: Path) -> None:
        """Take the new file of corrections that leaves the contacts out, if people are sent without them."""

    def confirm_start(self, plan: RunPlan, *, sends: bool) -> bool:
        """Whether to start a new run. `sends` is False for a dry run. May raise ImporterError."""
        return True


class CallableObserver(RunObserver):
    """Hands the events of a run to a function: the `observer=` of the Python API."""

    def __init__(self, callback: EventCallback) -> None:
        self._callback = callback

    def on_plan_ready(self, event: PlanReady) -> None:
        """Do nothing: of what comes before `RunStarted` the function gets `Fetching` alone."""

    def on_event(self, event: object) -> None:
        self._callback(cast("Event", event))


class ObserverGroup(RunObserver):
    """Several observers as one, told in order. The first answer counts; each must confirm the start."""

    def __init__(self, *observers: RunObserver) -> None:
        self._observers = observers

    def on_event(self, event: object) -> None:
        for observer in self._observers:
            cast("Event", event).notify(observer)

    @property
    def interactive(self) -> bool:
        return any(observer.interactive for observer in self._observers)

    def choose_mapping(self, question: MappingQuestion) -> str | None:
        answers = (observer.choose_mapping(question) for observer in self._observers)
        return next((answer for answer in answers if answer is not None), None)

    def choose_encoding(self, question: MappingQuestion) -> str | None:
        answers = (observer.choose_encoding(question) for observer in self._observers)
        return next((answer for answer in answers if answer is not None), None)

    def choose_country(self, question: CountryQuestion) -> str | None:
        answers = (observer.choose_country(question) for observer in self._observers if observer.interactive)
        return next((answer for answer in answers if answer is not None), None)

    def send_refusing(self, question: ConsentQuestion) -> bool:
        return all(observer.send_refusing(question) for observer in self._observers if observer.interactive)

    def keep_conditions(self, question: ConsentQuestion, conditions: Sequence[Condition]) -> None:
        for observer in self._observers:
            observer.keep_conditions(question, conditions)

    def send_sharing(self, question: SharingQuestion) -> bool:
        return all(observer.send_sharing(question) for observer in self._observers if observer.interactive)

    def keep_corrections(self, corrections: Path) -> None:
        for observer in self._observers:
            observer.keep_corrections(corrections)

    def confirm_start(self, plan: RunPlan, *, sends: bool) -> bool:
        return all(observer.confirm_start(plan, sends=sends) for observer in self._observers)


def as_observer(observer: RunObserver | EventCallback | None) -> RunObserver:
    """The observer itself, one that calls the given function, or for None one that does nothing."""
    if isinstance(observer, RunObserver):
        return observer
    return RunObserver() if observer is None else CallableObserver(observer)


def canary_note(event: CanaryAnswered) -> Note:
    """How the first row of a run was answered, as a sentence."""
    code = "canary-answered" if event.as_documented else "canary-answered-otherwise"
    return Note(code, (("found", event.found),))


class RequestMeter(RunObserver):
    """Counts and times the requests of a run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: float | None = None
        self._timeline = Timeline()
        self.requests = 0
        self.retries = 0
        self.waited = 0.0
        """Seconds that another run was waited for."""
        self.waited_for_late = 0.0
        """Seconds in which rows waited for requests without an answer."""
        self._canary: CanaryAnswered | None = None

    def on_attempted(self, event: Attempted) -> None:
        now = self._clock()
        if self._first is None:
            self._first = now - event.seconds
        self.requests += 1
        self.retries += event.again
        self._timeline.request(now - self._first, event.seconds, again=event.again)

    def on_batch_finished(self, event: BatchFinished) -> None:
        if self._first is not None:
            self._timeline.settled(self._clock() - self._first, event.rows)

    def on_turn_taken(self, event: TurnTaken) -> None:
        self.waited = event.seconds

    def on_late_over(self, event: LateOver) -> None:
        self.waited_for_late += event.seconds

    def on_canary_answered(self, event: CanaryAnswered) -> None:
        self._canary = event

    def notes(self) -> tuple[Note, ...]:
        """Notes about sending: what was waited for and how long, how the canary was answered."""
        found: list[Note] = []
        if self.waited >= 1:
            found.append(Note("waited-for-turn", (("seconds", round(self.waited)),)))
        if self.waited_for_late > 0:
            found.append(Note("waited-for-late", (("seconds", f"{self.waited_for_late:.1f}"),)))
        if self._canary is not None:
            found.append(canary_note(self._canary))
        return tuple(found)

    def steps(self) -> tuple[TimelineStep, ...]:
        """The steps of the timeline."""
        return self._timeline.steps()
