"""The thread that keeps batches in order and writes the journal.

It takes messages from one queue, journals all that has come in as one transaction, and only then lets batches
leave, publishes outcomes and frees the batches that waited. So no worker waits for the disk while there is
anything to send, and the state needs no lock.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from importer.delivery.base import CancelToken, Clock, Policy
from importer.delivery.events import BatchFinished, DeliveryEvent, LateOver, Stopping, WaitingForLate
from importer.delivery.order import BatchOrder, InFlightBatch
from importer.delivery.retry import RunHealth
from importer.errors import ImporterError, InterruptedRun, JournalError
from importer.journal import BatchState, BegunEntry, RunJournal, SettledEntry
from importer.models import Batch, Outcome, Status

_GRACE = 0.5
"""Seconds that a run which stops at once gives its workers to say what became of their requests."""

_Reply = queue.SimpleQueue[int | None]


@dataclass(slots=True)
class _Transaction:
    """What the messages of one turn ask for. It is journaled first and acted on afterwards."""

    submitted: list[InFlightBatch] = field(default_factory=list)
    starting: list[tuple[InFlightBatch, BegunEntry, _Reply]] = field(default_factory=list)
    settled: list[SettledEntry] = field(default_factory=list)
    done: list[InFlightBatch] = field(default_factory=list)
    crash: BaseException | None = None


class Dispatcher:
    """The owner of a delivery's state. `run` is its thread.

    The public methods may be called from any thread. They put a message on the queue; the private method of
    like name then notes it in the transaction of the turn.
    """

    def __init__(
        self,
        journal: RunJournal,
        policy: Policy,
        cancel: CancelToken,
        health: RunHealth,
        *,
        make: Callable[[Batch], InFlightBatch],
        clock: Clock,
        notify: Callable[[DeliveryEvent], None],
    ) -> None:
        """`make` builds the parts of a batch of which some rows have to wait."""
        self.crash: BaseException | None = None
        """The fault of this program that ended the delivery, if there was one."""
        self.ready: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        """Outcomes for the main thread; None is the end."""
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._work: queue.SimpleQueue[InFlightBatch | None] = queue.SimpleQueue()
        """Batches for the workers; None ends one worker."""
        self._window = threading.Semaphore(policy.window)
        """Room for batches that are not final."""
        self._journal = journal
        self._policy = policy
        self._cancel = cancel
        self._health = health
        self._clock = clock
        self._notify = notify
        self._order = BatchOrder(make, self._window.release)
        self._open: dict[InFlightBatch, None] = {}
        self._unsaved: list[SettledEntry] = []
        self._transaction = _Transaction()
        self._gathered: list[InFlightBatch] = []
        """Batches that came before it was our turn to send. Nothing is journaled of them."""
        self._has_turn = False
        self._closing = False
        self._stopping = False
        self._over = False
        self._deadline: float | None = None
        self._held_up_since: float | None = None

    # Called by the main thread.

    def submit(self, batch: InFlightBatch) -> bool:
        """Hand a batch in; wait while too many are on their way. Return False if the run stops."""
        self._window.acquire()
        if self._cancel.cancelled.is_set():
            self._window.release()
            return False
        self._inbox.put(lambda: self._batch_submitted(batch))
        return True

    def close(self) -> None:
        """Say that no more batches will come."""
        self._inbox.put(self._no_more_batches)

    def stop(self, reason: ImporterError, *, at_once: bool) -> None:
        """Ask for the end of the run. Safe in a signal handler."""
        self._inbox.put(lambda: self._stop_requested(reason, at_once))

    def take_turn(self) -> None:
        """Say that it is our turn to send. Until then batches gather and none leaves."""
        self._inbox.put(self._turn_taken)

    # Called by the workers.

    def next_batch(self) -> InFlightBatch | None:
        """Wait for a batch that may be sent. Return None if there will be no more."""
        return self._work.get()

    def hand_back(self, batch: InFlightBatch) -> None:
        """Give a batch back that is not sent yet; some worker takes it later."""
        self._work.put(batch)

    def start_request(self, batch: InFlightBatch, part: Batch, number: int, digest: bytes) -> int | None:
        """Have a request journaled before it is sent, and wait until it is.

        `number` counts the parts of the batch, 0 is the whole; `digest` is the body's SHA-256. Return the
        request's number in the journal, or None if the run stops.
        """
        reply: _Reply = queue.SimpleQueue()
        self._inbox.put(lambda: self._request_starting(batch, part, number, digest, reply))
        return None if self._over else reply.get()

    def request_settled(self, batch: InFlightBatch, settled: SettledEntry) -> None:
        """Report what became of a request."""
        self._inbox.put(lambda: self._request_settled(batch, settled))

    def batch_done(self, batch: InFlightBatch) -> None:
        """Report that all rows of a batch are settled."""
        self._inbox.put(lambda: self._batch_done(batch))

    def worker_crashed(self, error: BaseException) -> None:
        """Report a fault of this program."""
        self._inbox.put(lambda: self._worker_crashed(error))

    # The dispatcher's own thread.

    def run(self) -> None:
        """Work until all batches are final and no more will come."""
        try:
            while not (self._closing and not self._open):
                self._step(self._collect())
                self._let_go(self._order.expire(self._clock.now()))
                self._tell_who_waits()
                if self._cancel.cancelled.is_set():
                    self._stop_deliveries()
            self._save_the_rest()
        except BaseException as error:
            self.crash = error
            self._cancel.cancel(InterruptedRun("interrupted"))
        finally:
            self._release_everybody()

    def _collect(self) -> _Transaction:
        """Wait for a message and take all that there are: they share one transaction."""
        self._transaction = _Transaction()
        times = [time for time in (self._deadline, self._order.next_expiry) if time is not None]
        timeout = max(min(times) - self._clock.now(), 0.0) if times else None
        with contextlib.suppress(queue.Empty):
            self._inbox.get(timeout=timeout)()
            while True:
                self._inbox.get_nowait()()
        return self._transaction

    def _batch_submitted(self, batch: InFlightBatch) -> None:
        if self._has_turn:
            self._enter(batch)
        else:
            self._open[batch] = None
            self._gathered.append(batch)

    def _enter(self, batch: InFlightBatch) -> None:
        for part in self._order.enter(batch):
            self._open_up(part)
            self._transaction.submitted.append(part)

    def _open_up(self, batch: InFlightBatch) -> None:
        batch.state.journal_entry = self._journal.entry()
        self._open[batch] = None

    def _turn_taken(self) -> None:
        self._has_turn = True
        try:
            late = self._journal.contacts.late(self._policy.settle) if self._journal.contacts else ()
        except JournalError as error:
            self._cancel.cancel(error)
            return
        now = self._clock.now()
        for request in late:
            self._order.hold(request, now)
        gathered, self._gathered = self._gathered, []
        for batch in gathered:
            del self._open[batch]
            self._enter(batch)

    def _request_starting(
        self, batch: InFlightBatch, part: Batch, number: int, digest: bytes, reply: _Reply
    ) -> None:
        begun = BegunEntry(self._journal.entry(), part, number, digest)
        self._transaction.starting.append((batch, begun, reply))

    def _request_settled(self, batch: InFlightBatch, settled: SettledEntry) -> None:
        if not batch.abandoned:
            batch.settled_rows += [outcome.rows for outcome in settled.outcomes]
            self._transaction.settled.append(settled)

    def _batch_done(self, batch: InFlightBatch) -> None:
        if not batch.abandoned:
            self._transaction.done.append(batch)

    def _stop_requested(self, reason: ImporterError, at_once: bool) -> None:
        self._cancel.cancel(reason)
        if at_once:
            self._deadline = self._clock.now() + _GRACE

    def _worker_crashed(self, error: BaseException) -> None:
        self._transaction.crash = error

    def _no_more_batches(self) -> None:
        self._closing = True

    def _step(self, turn: _Transaction) -> None:
        """Journal what the messages of a turn ask for, then act on it."""
        if turn.crash is not None:
            raise turn.crash
        # A batch that has to wait is journaled when it leaves: till then nobody need take it for sent.
        ahead = [batch for batch in turn.submitted if batch.leaving and not batch.non_idempotent]
        leaving = not self._cancel.cancelled.is_set()
        begun: list[BegunEntry] = []
        if leaving:
            begun = [BegunEntry(batch.state.journal_entry, batch.batch, 0, batch.digest) for batch in ahead]
            begun += [entry for _, entry, _ in turn.starting]
        leaving &= self._write(begun, turn.settled)
        for batch, entry, reply in turn.starting:
            batch.journaled |= leaving
            reply.put(entry.entry if leaving else None)
        if leaving:
            for batch in ahead:
                batch.journaled = True
            for batch in turn.submitted:
                if batch.leaving:
                    self._work.put(batch)
        self._publish(turn.settled)
        for batch in turn.done:
            self._finish(batch)

    def _write(self, begun: list[BegunEntry], settled: list[SettledEntry]) -> bool:
        """Journal. If that fails the run stops, and what is known is kept for another try at the end."""
        if not begun and not settled:
            return True
        try:
            self._journal.write(begun, settled)
        except JournalError as error:
            self._cancel.cancel(error)
            self._unsaved += settled
            return False
        return True

    def _publish(self, settled: list[SettledEntry]) -> None:
        for entry in settled:
            for outcome in entry.outcomes:
                self.ready.put(outcome)

    def _finish(self, batch: InFlightBatch) -> None:
        """Close a batch that is final, and let go what waited for it."""
        late_until = None if batch.silent_at is None else batch.silent_at + self._policy.settle
        if late_until is not None and late_until <= self._clock.now():
            late_until = None
        del self._open[batch]
        if self._has_turn:
            self._let_go(self._order.leave(batch, None if self._stopping else late_until))
        if late_until is not None:
            self._take_over_parts()
        if batch.takes_room:
            self._window.release()
        self._notify(BatchFinished(batch.batch.ordinal, len(batch.batch)))

    def _take_over_parts(self) -> None:
        """Batches that had to wait may have been split: from now on their parts are open."""
        parts = dict.fromkeys(self._order.batches)
        for batch in parts.keys() - self._open.keys():
            self._open_up(batch)
        for batch in self._open.keys() - parts.keys():
            del self._open[batch]

    def _let_go(self, freed: list[InFlightBatch]) -> None:
        """Let batches leave that wait for nothing more."""
        if not self._stopping:
            for batch in freed:
                self._work.put(batch)

    def _tell_who_waits(self) -> None:
        """Tell when batches begin to wait for late requests, and for how long they did."""
        requests, rows = self._order.held_up
        if requests and self._held_up_since is None and not self._stopping:
            now = self._clock.now()
            self._held_up_since = now
            expiry = self._order.next_expiry or now
            self._notify(WaitingForLate(requests, rows, expiry - now))
        elif not requests and self._held_up_since is not None:
            self._notify(LateOver(self._clock.now() - self._held_up_since))
            self._held_up_since = None

    def _stop_deliveries(self) -> None:
        """Settle what has not left, and after the deadline also what has."""
        if not self._stopping:
            self._stopping = True
            unsent = {batch for batch in self._open if not batch.journaled}
            with contextlib.suppress(queue.Empty):
                while (taken := self._work.get_nowait()) is not None:
                    unsent.add(taken)
            self._abandon([batch for batch in self._open if batch in unsent], Status.NOT_SENT)
            if self._deadline is None:
                self._deadline = self._clock.now() + self._policy.drain
            assert self._cancel.reason is not None  # noqa: S101 - it was cancelled with one
            self._notify(Stopping(self._cancel.reason, len(self._open)))
        else:
            self._abandon([batch for batch in self._open if not batch.journaled], Status.NOT_SENT)
        if self._deadline is not None and self._clock.now() >= self._deadline:
            self._abandon(list(self._open), Status.UNKNOWN)

    def _abandon(self, batches: list[InFlightBatch], status: Status) -> None:
        """Settle batches without their worker; whatever it still says of them does not count."""
        settled = []
        for batch in batches:
            batch.abandoned = True
            state, rows = batch.state, batch.rows_left()
            if rows:
                outcome = Outcome(batch.batch.sheet, rows, status, batch.batch.ordinal, state.attempts)
                whole = rows == batch.batch.rows
                settled.append(
                    SettledEntry(
                        state.journal_entry,
                        (outcome,),
                        BatchState(status.value),
                        whole,
                        final=False,
                        silent_for=0.0 if status is Status.UNKNOWN else None,
                    )
                )
        journaled = {batch.state.journal_entry for batch in batches if batch.journaled}
        self._write([], [entry for entry in settled if entry.entry in journaled])
        self._publish(settled)
        for batch in batches:
            self._finish(batch)

    def _save_the_rest(self) -> None:
        """Journal what could not be journaled when it became known: perhaps there is room now."""
        with contextlib.suppress(JournalError):
            if self._unsaved:
                self._journal.write([], self._unsaved)
            code = self._health.refused_alike
            if code is not None and self._stopping:
                self._journal.reopen_rejected(code)

    def _release_everybody(self) -> None:
        """Wake every thread that waits: for leave to start a request, for a batch, room or outcomes."""
        self._over = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._inbox.get_nowait()()
        for _, _, reply in self._transaction.starting:
            reply.put(None)
        for _ in range(self._policy.concurrency):
            self._work.put(None)
        self.ready.put(None)
        self._window.release(self._policy.window)
