"""The one thread that keeps order and journal.

It takes messages from one queue, journals everything that has come in as one transaction, and only then lets
batches leave, gives outcomes out and frees the batches that waited. So no worker waits for the disk while
there is anything to send, and no state needs a lock.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from importer.delivery.brake import Brake
from importer.delivery.clock import Clock
from importer.delivery.events import BatchFinished, Event, Stopping
from importer.delivery.health import Health
from importer.delivery.ordering import Order
from importer.delivery.parcels import Begin, Close, Crash, Done, Message, Parcel, Stop, Told
from importer.delivery.policy import Policy
from importer.errors import InterruptedRun, JournalError
from importer.journal import BatchState, Begun, RunJournal, Settled
from importer.model import Outcome, Status

_GRACE = 0.5
"""Seconds that a run which stops at once gives its workers to say what they were at."""


class Desk:
    """The queues between the threads of one delivery."""

    def __init__(self, policy: Policy) -> None:
        self.inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        """To the dispatcher."""
        self.work: queue.SimpleQueue[Parcel | None] = queue.SimpleQueue()
        """To the workers; None sends one of them home."""
        self.ready: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        """To the main thread; None is the end."""
        self.window = threading.Semaphore(policy.window)
        """Room for batches that are not final."""


@dataclass(slots=True)
class _Mail:
    """Messages by what is to be done about them."""

    entered: list[Parcel] = field(default_factory=list)
    begins: list[Begin] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    done: list[Parcel] = field(default_factory=list)


class Dispatcher:
    """Owns the state of a delivery; `run` is its thread."""

    def __init__(
        self,
        desk: Desk,
        journal: RunJournal,
        policy: Policy,
        brake: Brake,
        health: Health,
        *,
        clock: Clock,
        notify: Callable[[Event], None],
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
        self._order = Order()
        self._open: dict[Parcel, None] = {}
        self._unsaved: list[Settled] = []
        self._closing = False
        self._stopping = False
        self._deadline: float | None = None

    def run(self) -> None:
        """Until all batches are final and no more will come."""
        try:
            while not (self._closing and not self._open):
                self._step(self._collect())
                if self._brake.pulled.is_set():
                    self._wind_up()
            self._save_the_rest()
        except BaseException as error:
            self.crash = error
            self._brake.pull(InterruptedRun("interrupted"))
        finally:
            self._send_all_home()

    def _collect(self) -> list[Message]:
        """Waits for a message and takes all that there are: they share one transaction."""
        messages: list[Message] = []
        timeout = None if self._deadline is None else max(self._deadline - self._clock.now(), 0.0)
        with contextlib.suppress(queue.Empty):
            messages.append(self._desk.inbox.get(timeout=timeout))
            while True:
                messages.append(self._desk.inbox.get_nowait())
        return messages

    def _step(self, messages: list[Message]) -> None:
        """Journals what the messages say, then acts on it."""
        mail = self._sort(messages)
        ahead = [parcel for parcel in mail.entered if not parcel.fragile]
        leaving = not self._brake.pulled.is_set()
        begun: list[Begun] = []
        if leaving:
            begun = [Begun(p.trail.entry, p.batch, 0, p.digest) for p in ahead]
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

    def _sort(self, messages: list[Message]) -> _Mail:
        mail = _Mail()
        for message in messages:
            match message:
                case Parcel():
                    self._enter(message)
                    mail.entered.append(message)
                case Told(parcel, event) if not parcel.abandoned:
                    parcel.told += [outcome.rows for outcome in event.outcomes]
                    mail.settled.append(event)
                case Done(parcel) if not parcel.abandoned:
                    mail.done.append(parcel)
                case Begin():
                    mail.begins.append(message)
                case Stop(reason, at_once):
                    self._brake.pull(reason)
                    if at_once:
                        self._deadline = self._clock.now() + _GRACE
                case Crash(error):
                    raise error
                case Close():
                    self._closing = True
        return mail

    def _enter(self, parcel: Parcel) -> None:
        parcel.trail.entry = self._journal.entry()
        self._order.enter(parcel)
        self._open[parcel] = None

    def _leave(self, parcel: Parcel) -> None:
        """A batch is final: what waited for it may go."""
        del self._open[parcel]
        for freed in self._order.leave(parcel):
            assert isinstance(freed, Parcel)  # noqa: S101 - only parcels enter
            if (freed.begun or freed.fragile) and not self._stopping:
                self._desk.work.put(freed)
        self._desk.window.release()
        self._notify(BatchFinished(parcel.batch.ordinal, len(parcel.batch)))

    def _give_out(self, settled: list[Settled]) -> None:
        for event in settled:
            for outcome in event.outcomes:
                self._desk.ready.put(outcome)

    def _write(self, begun: list[Begun], settled: list[Settled]) -> bool:
        """Journals. If that fails the run stops: what is known is kept for another try at the end."""
        if not begun and not settled:
            return True
        try:
            self._journal.write(begun, settled)
        except JournalError as error:
            self._brake.pull(error)
            self._unsaved += settled
            return False
        return True

    def _wind_up(self) -> None:
        """The run stops: settles what has not left, and after the deadline also what has."""
        if not self._stopping:
            self._stopping = True
            at_hand: set[Parcel] = {parcel for parcel in self._open if not parcel.begun or parcel.waiting}
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

    def _settle_open(self, parcels: list[Parcel], status: Status) -> None:
        """Settles batches without their worker; whatever it still says is not heard."""
        settled = []
        for parcel in parcels:
            parcel.abandoned = True
            batch, trail, rows = parcel.batch, parcel.trail, parcel.rows_left()
            if rows:
                outcome = Outcome(batch.sheet, rows, status, batch.ordinal, trail.attempts)
                state, whole = BatchState(status.value), rows == batch.rows
                settled.append(Settled(trail.entry, (outcome,), state, whole, final=False))
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
                if isinstance(message, Begin):
                    message.reply.put(False)
        for _ in range(self._policy.concurrency):
            self._desk.work.put(None)
        self._desk.ready.put(None)
        self._desk.window.release(self._policy.window)
