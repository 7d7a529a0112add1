"""Batches in, outcomes out.

The main thread submits batches and collects outcomes, the dispatcher keeps order and journal, the workers
send.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from types import TracebackType

from importer.batching import all_have_contacts
from importer.delivery.base import BodyBuilder, CancelToken, Clock, Policy, Sender, SystemClock
from importer.delivery.dispatcher import (
    BatchDone,
    Dispatcher,
    InFlightBatch,
    NoMoreBatches,
    Queues,
    RequestSettled,
    RequestStarting,
    StopRequested,
    WorkerCrashed,
)
from importer.delivery.events import DeliveryEvent, EventListener
from importer.delivery.retry import RetryingSender
from importer.delivery.worker import BatchSender
from importer.errors import ImporterError, InterruptedRun
from importer.journal import BegunEntry, RunJournal
from importer.models import Batch, Outcome, Status


class Delivery:
    """Delivers the batches of one run.

    Use as a context manager, or call `finish` to its end. `submit`, `outcomes` and `finish` belong to one
    thread; `stop` may be called from anywhere, signal handlers included. `notify` gets every event, from the
    delivery's threads, one at a time.
    """

    def __init__(
        self,
        sender: Sender,
        envelope: BodyBuilder,
        journal: RunJournal,
        policy: Policy | None = None,
        *,
        notify: EventListener = lambda event: None,
        clock: Clock | None = None,
    ) -> None:
        policy = policy or Policy()
        clock = clock or SystemClock()
        self._policy = policy
        self._journal = journal
        self._envelope = envelope
        self._listener = notify
        self._telling = threading.Lock()
        self._brake = CancelToken()
        self._attempts = RetryingSender(sender, policy, clock, self._brake, self._notify)
        health = self._attempts.health
        if journal.has_imported:
            health.accepted(retries=0)
        self._courier = BatchSender(
            envelope, self._attempts, self._brake, self._notify, resend_unknown=policy.resend_unknown
        )
        self._desk = Queues(policy)
        self._dispatcher = Dispatcher(
            self._desk, journal, policy, self._brake, health, clock=clock, notify=self._notify
        )
        self._ended = False
        self._thread = threading.Thread(target=self._dispatcher.run, name="dispatcher", daemon=True)
        self._thread.start()
        for number in range(1, policy.concurrency + 1):
            threading.Thread(target=self._serve, name=f"worker-{number}", daemon=True).start()

    def submit(self, batch: Batch) -> None:
        """Hands a batch in; waits while too many are on their way. After a stop its rows are `not_sent`."""
        if not self._brake.cancelled.is_set():
            fragile = not (self._policy.resend_unknown or all_have_contacts(batch.contacts))
            parcel = InFlightBatch(batch, self._envelope.body(batch.customers), non_idempotent=fragile)
            self._desk.window.acquire()
            if not self._brake.cancelled.is_set():
                self._desk.inbox.put(parcel)
                return
            self._desk.window.release()
        self._desk.ready.put(Outcome(batch.sheet, batch.rows, Status.NOT_SENT, batch.ordinal))

    def outcomes(self) -> list[Outcome]:
        """What has become known since the last call; does not wait."""
        found: list[Outcome] = []
        with contextlib.suppress(queue.Empty):
            while (outcome := self._desk.ready.get_nowait()) is not None:
                found.append(outcome)
            self._ended = True
        return found

    def finish(self) -> Iterator[Outcome]:
        """All outcomes that are still to come, as they come. The delivery is over at its end.

        Raises what ended the delivery if that was a fault of this program.
        """
        self._desk.inbox.put(NoMoreBatches())
        while not self._ended:
            outcome = self._desk.ready.get()
            if outcome is None:
                self._ended = True
            else:
                yield outcome
        self._thread.join()
        if self._dispatcher.crash is not None:
            raise self._dispatcher.crash

    def stop(self, reason: ImporterError, *, at_once: bool = False) -> None:
        """No more requests: what is in flight is waited for (bounded; hardly, if `at_once`).

        The first reason given counts.
        """
        # Only this, since a signal handler may run in the middle of anything.
        self._desk.inbox.put(StopRequested(reason, at_once))

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

    def _serve(self) -> None:
        """What a worker does all day."""
        reply: queue.SimpleQueue[bool] = queue.SimpleQueue()
        while (parcel := self._desk.work.get()) is not None:
            try:
                self._carry(parcel, reply)
            except BaseException as error:
                self._desk.inbox.put(WorkerCrashed(error))
                return

    def _carry(self, parcel: InFlightBatch, reply: queue.SimpleQueue[bool]) -> None:
        inbox = self._desk.inbox

        def begin(part: Batch, number: int, digest: bytes) -> int | None:
            event = BegunEntry(self._journal.entry(), part, number, digest)
            inbox.put(RequestStarting(parcel, event, reply))
            return event.entry if reply.get() else None

        if not parcel.begun:
            entry = begin(parcel.batch, 0, parcel.digest)
            if entry is None:
                return
            parcel.trail.entry = entry
        for event in self._courier.deliver(parcel.batch, parcel.body, parcel.trail, begin):
            inbox.put(RequestSettled(parcel, event))
        inbox.put(BatchDone(parcel))

    def _notify(self, event: DeliveryEvent) -> None:
        with self._telling:
            self._listener(event)
