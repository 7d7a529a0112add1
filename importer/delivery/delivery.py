"""Batches in, outcomes out: one thread keeps order and journal, the workers send.

The main thread submits batches and collects outcomes. The dispatcher owns all state: it takes messages from
one queue, journals everything that has come in as one transaction, and only then lets batches leave, gives
outcomes out and frees the batches that waited. So nobody but the dispatcher ever waits for the disk, and no
state needs a lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from importer.delivery.attempts import Attempts, Trail
from importer.delivery.brake import Brake
from importer.delivery.clock import Clock, RealClock
from importer.delivery.courier import Courier
from importer.delivery.events import BatchFinished, Event, Notify, Stopping
from importer.delivery.ordering import Order, Place
from importer.delivery.policy import Policy
from importer.delivery.sender import Envelope, Sender
from importer.errors import ImporterError, InterruptedRun, JournalError
from importer.journal import BatchState, Begun, RunJournal, Settled
from importer.model import Batch, Outcome, Status

_GRACE = 0.5
"""Seconds that a run which stops at once gives its workers to say what they were at."""


class Parcel(Place):
    """A batch on its way."""

    __slots__ = ("abandoned", "batch", "begun", "body", "digest", "fragile", "told", "trail")

    def __init__(self, batch: Batch, body: bytes, *, fragile: bool) -> None:
        super().__init__(batch.contacts)
        self.fragile = fragile
        """Some row must not go twice: such a batch is journaled when it leaves, not ahead, so that after a
        crash its rows count as sent only if they were."""
        self.batch = batch
        self.body = body
        self.digest = hashlib.sha256(body).digest()
        self.trail = Trail(batch.ordinal)
        self.begun = False
        self.abandoned = False
        self.told: list[tuple[int, ...]] = []


@dataclass(frozen=True, slots=True)
class _Begin:
    """A worker wants to send a part, or a fragile batch."""

    parcel: Parcel
    event: Begun
    reply: queue.SimpleQueue[bool]


@dataclass(frozen=True, slots=True)
class _Told:
    """A worker knows what became of a request."""

    parcel: Parcel
    event: Settled


@dataclass(frozen=True, slots=True)
class _Done:
    """A worker has nothing more to do for a batch."""

    parcel: Parcel


@dataclass(frozen=True, slots=True)
class _Stop:
    reason: ImporterError
    at_once: bool


@dataclass(frozen=True, slots=True)
class _Crash:
    error: BaseException


class _Close:
    """No more batches will come."""


_Message = Parcel | _Begin | _Told | _Done | _Stop | _Crash | _Close


class Delivery:
    """Delivers the batches of one run.

    Use as a context manager, or call `finish` to its end. `submit`, `outcomes` and `finish` belong to one
    thread; `stop` may be called from anywhere, signal handlers included.
    """

    def __init__(
        self,
        sender: Sender,
        envelope: Envelope,
        journal: RunJournal,
        policy: Policy | None = None,
        *,
        notify: Notify = lambda event: None,
        clock: Clock | None = None,
    ) -> None:
        policy = policy or Policy()
        self._policy = policy
        self._journal = journal
        self._envelope = envelope
        self._listener = notify
        self._telling = threading.Lock()
        self._clock = clock or RealClock()
        self._brake = Brake()
        self._attempts = Attempts(sender, policy, self._clock, self._brake, self._notify)
        if journal.has_imported:
            self._attempts.health.accepted(retries=0)
        self._courier = Courier(
            envelope, self._attempts, self._brake, self._notify, resend_unknown=policy.resend_unknown
        )
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._work: queue.SimpleQueue[Parcel | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._window = threading.Semaphore(policy.window)
        self._order = Order()
        self._open: dict[Parcel, None] = {}
        self._unsaved: list[Settled] = []
        self._closing = False
        self._stopping = False
        self._deadline: float | None = None
        self._crash: BaseException | None = None
        self._ended = False
        self._dispatcher = threading.Thread(target=self._dispatch, name="dispatcher", daemon=True)
        self._workers = [
            threading.Thread(target=self._serve, name=f"worker-{number}", daemon=True)
            for number in range(1, policy.concurrency + 1)
        ]
        for thread in (self._dispatcher, *self._workers):
            thread.start()

    # -- the main thread's side

    def submit(self, batch: Batch) -> None:
        """Hands a batch in; waits while too many are on their way. After a stop its rows are `not_sent`."""
        if not self._brake.pulled.is_set():
            fragile = not (self._policy.resend_unknown or all(batch.contacts))
            parcel = Parcel(batch, self._envelope.body(batch.customers), fragile=fragile)
            self._window.acquire()
            if not self._brake.pulled.is_set():
                self._inbox.put(parcel)
                return
            self._window.release()
        self._ready.put(_not_sent(batch))

    def outcomes(self) -> list[Outcome]:
        """What has become known since the last call; does not wait."""
        found: list[Outcome] = []
        with contextlib.suppress(queue.Empty):
            while (outcome := self._ready.get_nowait()) is not None:
                found.append(outcome)
            self._ended = True
        return found

    def finish(self) -> Iterator[Outcome]:
        """All outcomes that are still to come, as they come. The delivery is over at its end."""
        self._inbox.put(_Close())
        while not self._ended:
            outcome = self._ready.get()
            if outcome is None:
                self._ended = True
            else:
                yield outcome
        self._dispatcher.join()
        if self._crash is not None:
            raise self._crash

    def stop(self, reason: ImporterError, *, at_once: bool = False) -> None:
        """No more requests: what is in flight is waited for (bounded; hardly, if `at_once`).

        The first reason given counts.
        """
        # Only this, since a signal handler may run in the middle of anything.
        self._inbox.put(_Stop(reason, at_once))

    @property
    def stopped(self) -> ImporterError | None:
        """Why the delivery stopped early; None if it did not."""
        return self._brake.reason

    @property
    def requests(self) -> int:
        """How many were sent, retries and parts included."""
        return self._attempts.requests

    def __enter__(self) -> Delivery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.stop(InterruptedRun("interrupted"), at_once=issubclass(kind, KeyboardInterrupt))
        with contextlib.suppress(BaseException) if kind is not None else contextlib.nullcontext():
            for _ in self.finish():
                pass

    # -- the workers' side

    def _serve(self) -> None:
        reply: queue.SimpleQueue[bool] = queue.SimpleQueue()

        while (parcel := self._work.get()) is not None:
            try:
                self._carry(parcel, reply)
            except BaseException as error:
                self._inbox.put(_Crash(error))
                return

    def _carry(self, parcel: Parcel, reply: queue.SimpleQueue[bool]) -> None:
        def begin(part: Batch, number: int, digest: bytes) -> int | None:
            event = Begun(self._journal.entry(), part, number, digest)
            self._inbox.put(_Begin(parcel, event, reply))
            return event.entry if reply.get() else None

        if not parcel.begun:
            entry = begin(parcel.batch, 0, parcel.digest)
            if entry is None:
                return
            parcel.trail.entry = entry
        for event in self._courier.deliver(parcel.batch, parcel.body, parcel.trail, begin):
            self._inbox.put(_Told(parcel, event))
        self._inbox.put(_Done(parcel))

    def _notify(self, event: Event) -> None:
        with self._telling:
            self._listener(event)

    # -- the dispatcher's side

    def _dispatch(self) -> None:
        try:
            while not (self._closing and not self._open):
                self._step(self._collect())
                if self._brake.pulled.is_set():
                    self._wind_up()
            self._save_the_rest()
        except BaseException as error:
            self._crash = self._crash or error
            self._brake.pull(InterruptedRun("interrupted"))
        finally:
            self._refuse_begins()
            for _ in self._workers:
                self._work.put(None)
            self._ready.put(None)
            # Whoever still waits to submit finds the brake pulled.
            self._window.release(self._policy.window)

    def _refuse_begins(self) -> None:
        """Whoever still waits to begin a part is not kept waiting for ever."""
        with contextlib.suppress(queue.Empty):
            while True:
                message = self._inbox.get_nowait()
                if isinstance(message, _Begin):
                    message.reply.put(False)

    def _collect(self) -> list[_Message]:
        """Waits for a message and takes all that there are: they share one transaction."""
        messages: list[_Message] = []
        timeout = None if self._deadline is None else max(self._deadline - self._clock.now(), 0.0)
        with contextlib.suppress(queue.Empty):
            messages.append(self._inbox.get(timeout=timeout))
            while True:
                messages.append(self._inbox.get_nowait())
        return messages

    def _step(self, messages: list[_Message]) -> None:
        """Journals what the messages say, then acts on it."""
        begun: list[Begun] = []
        settled: list[Settled] = []
        entered: list[Parcel] = []
        begins: list[_Begin] = []
        done: list[Parcel] = []
        for message in messages:
            match message:
                case Parcel():
                    self._enter(message)
                    entered.append(message)
                case _Told(parcel, event):
                    if not parcel.abandoned:
                        parcel.told += [outcome.rows for outcome in event.outcomes]
                        settled.append(event)
                case _Done(parcel):
                    if not parcel.abandoned:
                        done.append(parcel)
                case _Begin():
                    begins.append(message)
                case _Stop(reason, at_once):
                    self._brake.pull(reason)
                    if at_once:
                        self._deadline = self._clock.now() + _GRACE
                case _Crash(error):
                    raise error
                case _Close():
                    self._closing = True
        leaving = not self._brake.pulled.is_set()
        ahead = [parcel for parcel in entered if not parcel.fragile]
        if leaving:
            begun = [Begun(p.trail.entry, p.batch, 0, p.digest) for p in ahead]
            begun += [message.event for message in begins]
        leaving &= self._write(begun, settled)
        for message in begins:
            message.parcel.begun |= leaving
            message.reply.put(leaving)
        if leaving:
            for parcel in ahead:
                parcel.begun = True
            for parcel in entered:
                if parcel.waiting == 0:
                    self._work.put(parcel)
        self._give_out(settled)
        for parcel in done:
            self._leave(parcel)

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
                self._work.put(freed)
        self._window.release()
        self._notify(BatchFinished(parcel.batch.ordinal, len(parcel.batch)))

    def _give_out(self, settled: list[Settled]) -> None:
        for event in settled:
            for outcome in event.outcomes:
                self._ready.put(outcome)

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
                while (parcel := self._work.get_nowait()) is not None:
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
            told = {row for rows in parcel.told for row in rows}
            rows = tuple(row for row in parcel.batch.rows if row not in told)
            if not rows:
                continue
            outcome = Outcome(
                parcel.batch.sheet, rows, status, parcel.batch.ordinal, attempts=parcel.trail.attempts
            )
            whole = rows == parcel.batch.rows
            state = BatchState(status.value)
            settled.append(Settled(parcel.trail.entry, (outcome,), state, whole, final=False))
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
            code = self._attempts.health.refused_alike
            if code is not None and self._stopping:
                self._journal.reopen_rejected(code)


def _not_sent(batch: Batch) -> Outcome:
    return Outcome(batch.sheet, batch.rows, Status.NOT_SENT, batch.ordinal)
