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
from importer.delivery.base import BodyBuilder, CancelToken, Clock, GuardedSender, Policy, Sender, SystemClock
from importer.delivery.dispatcher import Dispatcher
from importer.delivery.events import DeliveryEvent, EventListener, Paused, RateLowered, Stopping
from importer.delivery.order import InFlightBatch
from importer.delivery.rate_limit import RateLimiter
from importer.delivery.turn import wait_for_turn
from importer.delivery.worker import BatchSender, Worker
from importer.errors import FaultError, ImporterError, InterruptedRun
from importer.journal import RunJournal
from importer.journal.rate import OwnRate
from importer.models import Batch, Outcome, Status


class Delivery:
    """The delivery of one run's batches.

    Use as a context manager, or call `finish` to its end. `submit`, `outcomes` and `finish` belong to one
    thread; `stop` may be called from anywhere, signal handlers included. `notify` gets every event, from the
    delivery's threads, one at a time. `rate` is shared with other runs; without it the run has its own.
    """

    def __init__(
        self,
        sender: Sender,
        body_builder: BodyBuilder,
        journal: RunJournal,
        policy: Policy | None = None,
        *,
        notify: EventListener = lambda event: None,
        clock: Clock | None = None,
        rate: OwnRate | None = None,
    ) -> None:
        self.policy = policy = policy or Policy()
        clock = clock or SystemClock()
        self._body_builder = body_builder
        self._listener = notify
        self._notifying = threading.Lock()
        self._cancel = CancelToken()
        ticket, contacts = journal.ticket, journal.contacts
        if ticket is not None and ticket.may_be_lost and isinstance(sender, GuardedSender):
            sender = sender.guarded(ticket.look)

        def before_turn() -> None:
            if ticket is not None:
                ticket.keep()

        def before_attempt() -> None:
            if contacts is not None:
                contacts.stamp()

        departures = journal.departures

        self._batch_sender = BatchSender(
            sender,
            body_builder,
            policy,
            self._cancel,
            RateLimiter(
                policy.rate,
                clock,
                rate,
                told=lambda seconds: self._notify(Paused(seconds)),
                lowered=lambda lower: self._notify(RateLowered(lower)),
            ),
            clock=clock,
            notify=self._notify,
            before_turn=before_turn,
            before_attempt=before_attempt,
            leaving=departures.note if departures is not None else lambda entry: None,
        )
        health = self._batch_sender.health
        if journal.has_imported:
            health.accepted(retries=0)
        self._dispatcher = Dispatcher(
            journal, policy, self._cancel, health, make=self._in_flight, clock=clock, notify=self._notify
        )
        self._ended = False
        self._leaving = False
        self._clock = clock
        self._ticket = journal.ticket
        self._turn = threading.Event()
        self._cancel.on_cancel(self._turn.set)
        self._waiting: threading.Thread | None = None
        if self._ticket is None or self._ticket.take_turn():
            self._take_turn()
        else:
            self._waiting = threading.Thread(target=self._wait_for_turn, name="lane", daemon=True)
            self._waiting.start()
        self._thread = threading.Thread(target=self._dispatcher.run, name="dispatcher", daemon=True)
        self._thread.start()
        worker = Worker(self._dispatcher, self._batch_sender)
        for number in range(1, policy.concurrency + 1):
            threading.Thread(target=worker.run, name=f"worker-{number}", daemon=True).start()

    def submit(self, batch: Batch) -> None:
        """Hand a batch in; wait while too many are on their way. After a stop its rows are `not_sent`."""
        self._batch_sender.canary.enter(batch.ordinal)
        if not self._cancel.cancelled.is_set() and self._dispatcher.submit(self._in_flight(batch)):
            return
        self._dispatcher.ready.put(Outcome(batch.sheet, batch.rows, Status.NOT_SENT, batch.ordinal))

    def _in_flight(self, batch: Batch) -> InFlightBatch:
        return InFlightBatch(
            batch,
            self._body_builder.body(batch.customers),
            non_idempotent=not (self.policy.resend_unknown or all_have_contacts(batch.contacts)),
        )

    def wait_for_turn(self) -> None:
        """Wait until it is our turn to send, or the delivery stops."""
        self._turn.wait()

    def outcomes(self) -> list[Outcome]:
        """Return what has become known since the last call. Does not wait."""
        found: list[Outcome] = []
        with contextlib.suppress(queue.Empty):
            while (outcome := self._dispatcher.ready.get_nowait()) is not None:
                found.append(outcome)
            self._ended = True
        return found

    def finish(self) -> Iterator[Outcome]:
        """Yield all outcomes that are still to come, as they come. The delivery is over at its end.

        Raises what ended the delivery if that was a fault of this program.
        """
        self._dispatcher.close()
        while not self._ended:
            outcome = self._dispatcher.ready.get()
            if outcome is None:
                self._ended = True
            else:
                yield outcome
        self._thread.join()
        if self._waiting is not None:
            self._waiting.join()
        if self._dispatcher.crash is not None:
            raise self._dispatcher.crash

    def stop(self, reason: ImporterError, *, at_once: bool = False) -> None:
        """Send no more requests. Requests in flight may take `drain` seconds, or half a second if `at_once`.

        The first reason given counts. Does not wait.
        """
        self._dispatcher.stop(reason, at_once=at_once)

    @property
    def stopped(self) -> ImporterError | None:
        """Why the delivery stopped early; None if it did not."""
        return self._cancel.reason

    @property
    def requests(self) -> int:
        """How many were sent, retries and parts included."""
        return self._batch_sender.requests

    def __enter__(self) -> Delivery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._leaving = True
            self.stop(_reason_to_leave(error), at_once=issubclass(kind, KeyboardInterrupt))
        with contextlib.suppress(BaseException) if kind is not None else contextlib.nullcontext():
            for _ in self.finish():
                pass

    def _take_turn(self) -> None:
        self._dispatcher.take_turn()
        self._turn.set()

    def _wait_for_turn(self) -> None:
        assert self._ticket is not None  # noqa: S101 - without one there is nothing to wait for
        try:
            if wait_for_turn(
                self._ticket,
                self.policy.turn_wait,
                clock=self._clock,
                cancelled=self._cancel.cancelled,
                notify=self._notify,
            ):
                self._take_turn()
        except ImporterError as error:
            self.stop(error)
        except BaseException as error:
            self._dispatcher.worker_crashed(error)

    def _notify(self, event: DeliveryEvent) -> None:
        if self._leaving and isinstance(event, Stopping) and not event.waiting_for:
            return  # whoever catches the error tells it
        with self._notifying:
            self._listener(event)


def _reason_to_leave(error: BaseException | None) -> ImporterError:
    if isinstance(error, ImporterError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRun("interrupted")
    return FaultError("importer-failed", kind=type(error).__name__)
