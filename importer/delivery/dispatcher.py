"""The thread that keeps batches in order and writes the journal.

It takes messages from one queue, journals everything that has come in as one transaction, and only then lets
batches leave, gives outcomes out and frees the batches that waited. So no worker waits for the disk while
there is anything to send, and the state needs no lock.

Rows that share a contact are never in two requests at once: a batch waits for the latest unfinished earlier
batch that has any of its contacts. Only unfinished batches are remembered, so memory is bounded by the
window, not by the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import queue
import threading
from collections.abc import Callable, Set
from dataclasses import dataclass, field

from importer.batching import distinct_contacts
from importer.delivery.base import CancelToken, Clock, Policy
from importer.delivery.events import BatchFinished, DeliveryEvent, Stopping
from importer.delivery.retry import AttemptState, RunHealth
from importer.errors import ImporterError, InterruptedRun, JournalError
from importer.journal import BatchState, BegunEntry, RunJournal, SettledEntry
from importer.models import Batch, Outcome, Status


class OrderedBatch:
    """One unfinished batch in the order. `waiting`: how many earlier ones it still waits for."""

    __slots__ = ("_contacts", "_followers", "waiting")

    def __init__(self, contacts: Set[int]) -> None:
        self._contacts = contacts
        self._followers: list[OrderedBatch] = []
        self.waiting = 0


class BatchOrder:
    """The unfinished batches. Not for several threads at once."""

    def __init__(self) -> None:
        self._owners: dict[int, OrderedBatch] = {}

    def __len__(self) -> int:
        """How many contacts are held."""
        return len(self._owners)

    def enter(self, place: OrderedBatch) -> None:
        """The batch is the latest of all its contacts from now on, and waits for those that were."""
        owners = self._owners
        earlier = {id(owner): owner for contact in place._contacts if (owner := owners.get(contact))}
        for owner in earlier.values():
            owner._followers.append(place)
        place.waiting = len(earlier)
        owners.update(dict.fromkeys(place._contacts, place))

    def leave(self, place: OrderedBatch) -> list[OrderedBatch]:
        """The batch is final. Returns those that wait for nothing any more, in the order they entered."""
        owners = self._owners
        for contact in place._contacts:
            if owners.get(contact) is place:
                del owners[contact]
        for follower in place._followers:
            follower.waiting -= 1
        return [follower for follower in place._followers if follower.waiting == 0]


class InFlightBatch(OrderedBatch):
    """A batch on its way. Its state belongs to the dispatcher, its trail to the worker that has it."""

    __slots__ = ("abandoned", "batch", "begun", "body", "digest", "non_idempotent", "settled_rows", "trail")

    def __init__(self, batch: Batch, body: bytes, *, non_idempotent: bool) -> None:
        super().__init__(distinct_contacts(batch.contacts))
        self.non_idempotent = non_idempotent
        """Some row must not go twice: such a batch is journaled when it leaves, not ahead, so that after a
        crash its rows count as sent only if they were."""
        self.batch = batch
        self.body = body
        self.digest = hashlib.sha256(body).digest()
        self.trail = AttemptState(batch.ordinal)
        self.begun = False
        """Journaled, so that it may leave."""
        self.abandoned = False
        """Settled without its worker, who is not listened to any more."""
        self.settled_rows: list[tuple[int, ...]] = []
        """The rows that are settled already."""

    def rows_left(self) -> tuple[int, ...]:
        """The rows of which nothing was told yet."""
        told = {row for rows in self.settled_rows for row in rows}
        return tuple(row for row in self.batch.rows if row not in told)


@dataclass(frozen=True, slots=True)
class RequestStarting:
    """A worker wants to send a part, or a fragile batch, and waits for leave."""

    parcel: InFlightBatch
    event: BegunEntry
    reply: queue.SimpleQueue[bool]


@dataclass(frozen=True, slots=True)
class RequestSettled:
    """A worker knows what became of a request."""

    parcel: InFlightBatch
    event: SettledEntry


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A worker has nothing more to do for a batch."""

    parcel: InFlightBatch


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody wants the run to end."""

    reason: ImporterError
    at_once: bool


@dataclass(frozen=True, slots=True)
class WorkerCrashed:
    """A worker came upon a fault of this program."""

    error: BaseException


class NoMoreBatches:
    """No more batches will come."""


DispatcherMessage = (
    InFlightBatch
    | RequestStarting
    | RequestSettled
    | BatchDone
    | StopRequested
    | WorkerCrashed
    | NoMoreBatches
)


_GRACE = 0.5
"""Seconds that a run which stops at once gives its workers to say what they were at."""


class Queues:
    """The queues between the threads of one delivery."""

    def __init__(self, policy: Policy) -> None:
        self.inbox: queue.SimpleQueue[DispatcherMessage] = queue.SimpleQueue()
        """To the dispatcher."""
        self.work: queue.SimpleQueue[InFlightBatch | None] = queue.SimpleQueue()
        """To the workers; None sends one of them home."""
        self.ready: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        """To the main thread; None is the end."""
        self.window = threading.Semaphore(policy.window)
        """Room for batches that are not final."""


@dataclass(slots=True)
class _SortedMessages:
    """Messages by what is to be done about them."""

    entered: list[InFlightBatch] = field(default_factory=list)
    begins: list[RequestStarting] = field(default_factory=list)
    settled: list[SettledEntry] = field(default_factory=list)
    done: list[InFlightBatch] = field(default_factory=list)


class Dispatcher:
    """Owns the state of a delivery; `run` is its thread."""

    def __init__(
        self,
        desk: Queues,
        journal: RunJournal,
        policy: Policy,
        brake: CancelToken,
        health: RunHealth,
        *,
        clock: Clock,
        notify: Callable[[DeliveryEvent], None],
    ) -> None:
        self.crash: BaseException | None = None
        """The fault of this program that ended it, if there was one."""
        self._desk = desk
        self._journal = journal
        self._policy = policy
        self._brake = brake
        self._health = health
        self._clock = clock
        self._notify = notify
        self._order = BatchOrder()
        self._open: dict[InFlightBatch, None] = {}
        self._unsaved: list[SettledEntry] = []
        self._closing = False
        self._stopping = False
        self._deadline: float | None = None

    def run(self) -> None:
        """Until all batches are final and no more will come."""
        try:
            while not (self._closing and not self._open):
                self._step(self._collect())
                if self._brake.cancelled.is_set():
                    self._wind_up()
            self._save_the_rest()
        except BaseException as error:
            self.crash = error
            self._brake.cancel(InterruptedRun("interrupted"))
        finally:
            self._send_all_home()

    def _collect(self) -> list[DispatcherMessage]:
        """Waits for a message and takes all that there are: they share one transaction."""
        messages: list[DispatcherMessage] = []
        timeout = None if self._deadline is None else max(self._deadline - self._clock.now(), 0.0)
        with contextlib.suppress(queue.Empty):
            messages.append(self._desk.inbox.get(timeout=timeout))
            while True:
                messages.append(self._desk.inbox.get_nowait())
        return messages

    def _step(self, messages: list[DispatcherMessage]) -> None:
        """Journals what the messages say, then acts on it."""
        mail = self._sort(messages)
        ahead = [parcel for parcel in mail.entered if not parcel.non_idempotent]
        leaving = not self._brake.cancelled.is_set()
        begun: list[BegunEntry] = []
        if leaving:
            begun = [BegunEntry(p.trail.entry, p.batch, 0, p.digest) for p in ahead]
            begun += [message.event for message in mail.begins]
        leaving &= self._write(begun, mail.settled)
        for message in mail.begins:
            message.parcel.begun |= leaving
            message.reply.put(leaving)
        if leaving:
            for parcel in ahead:
                parcel.begun = True
            for parcel in mail.entered:
                if parcel.waiting == 0:
                    self._desk.work.put(parcel)
        self._give_out(mail.settled)
        for parcel in mail.done:
            self._leave(parcel)

    def _sort(self, messages: list[DispatcherMessage]) -> _SortedMessages:
        mail = _SortedMessages()
        for message in messages:
            match message:
                case InFlightBatch():
                    self._enter(message)
                    mail.entered.append(message)
                case RequestSettled(parcel, event) if not parcel.abandoned:
                    parcel.settled_rows += [outcome.rows for outcome in event.outcomes]
                    mail.settled.append(event)
                case BatchDone(parcel) if not parcel.abandoned:
                    mail.done.append(parcel)
                case RequestStarting():
                    mail.begins.append(message)
                case StopRequested(reason, at_once):
                    self._brake.cancel(reason)
                    if at_once:
                        self._deadline = self._clock.now() + _GRACE
                case WorkerCrashed(error):
                    raise error
                case NoMoreBatches():
                    self._closing = True
        return mail

    def _enter(self, parcel: InFlightBatch) -> None:
        parcel.trail.entry = self._journal.entry()
        self._order.enter(parcel)
        self._open[parcel] = None

    def _leave(self, parcel: InFlightBatch) -> None:
        """A batch is final: what waited for it may go."""
        del self._open[parcel]
        for freed in self._order.leave(parcel):
            assert isinstance(freed, InFlightBatch)  # noqa: S101 - only parcels enter
            if (freed.begun or freed.non_idempotent) and not self._stopping:
                self._desk.work.put(freed)
        self._desk.window.release()
        self._notify(BatchFinished(parcel.batch.ordinal, len(parcel.batch)))

    def _give_out(self, settled: list[SettledEntry]) -> None:
        for event in settled:
            for outcome in event.outcomes:
                self._desk.ready.put(outcome)

    def _write(self, begun: list[BegunEntry], settled: list[SettledEntry]) -> bool:
        """Journals. If that fails the run stops: what is known is kept for another try at the end."""
        if not begun and not settled:
            return True
        try:
            self._journal.write(begun, settled)
        except JournalError as error:
            self._brake.cancel(error)
            self._unsaved += settled
            return False
        return True

    def _wind_up(self) -> None:
        """The run stops: settles what has not left, and after the deadline also what has."""
        if not self._stopping:
            self._stopping = True
            at_hand: set[InFlightBatch] = {
                parcel for parcel in self._open if not parcel.begun or parcel.waiting
            }
            with contextlib.suppress(queue.Empty):
                while (parcel := self._desk.work.get_nowait()) is not None:
                    at_hand.add(parcel)
            self._settle_open([parcel for parcel in self._open if parcel in at_hand], Status.NOT_SENT)
            if self._deadline is None:
                self._deadline = self._clock.now() + self._policy.drain
            assert self._brake.reason is not None  # noqa: S101 - it was pulled with one
            self._notify(Stopping(self._brake.reason, len(self._open)))
        else:
            self._settle_open([parcel for parcel in self._open if not parcel.begun], Status.NOT_SENT)
        if self._deadline is not None and self._clock.now() >= self._deadline:
            self._settle_open(list(self._open), Status.UNKNOWN)

    def _settle_open(self, parcels: list[InFlightBatch], status: Status) -> None:
        """Settles batches without their worker; whatever it still says is not heard."""
        settled = []
        for parcel in parcels:
            parcel.abandoned = True
            batch, trail, rows = parcel.batch, parcel.trail, parcel.rows_left()
            if rows:
                outcome = Outcome(batch.sheet, rows, status, batch.ordinal, trail.attempts)
                state, whole = BatchState(status.value), rows == batch.rows
                settled.append(SettledEntry(trail.entry, (outcome,), state, whole, final=False))
        begun = {parcel.trail.entry for parcel in parcels if parcel.begun}
        self._write([], [event for event in settled if event.entry in begun])
        self._give_out(settled)
        for parcel in parcels:
            self._leave(parcel)

    def _save_the_rest(self) -> None:
        """What could not be journaled when it became known: perhaps there is room now."""
        with contextlib.suppress(JournalError):
            if self._unsaved:
                self._journal.write([], self._unsaved)
            code = self._health.refused_alike
            if code is not None and self._stopping:
                self._journal.reopen_rejected(code)

    def _send_all_home(self) -> None:
        """Nobody is kept waiting for ever: not for leave to begin, not for work, room or outcomes."""
        with contextlib.suppress(queue.Empty):
            while True:
                message = self._desk.inbox.get_nowait()
                if isinstance(message, RequestStarting):
                    message.reply.put(False)
        for _ in range(self._policy.concurrency):
            self._desk.work.put(None)
        self._desk.ready.put(None)
        self._desk.window.release(self._policy.window)
