"""Deliver one batch: send it, isolate the rows that make the server refuse it, settle every row.

A refused batch is halved, in file order, until the refused rows stand alone. One such row in a hundred costs
at most 14 requests: two for each of seven halvings.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from importer.api.retrying import retry_loop
from importer.batching import distinct_contacts, rows_where
from importer.delivery.base import BodyBuilder, CancelToken, Clock, Policy, Sender
from importer.delivery.canary import Canary
from importer.delivery.dispatcher import Dispatcher
from importer.delivery.events import (
    Attempted,
    ClockCorrected,
    DeliveryEvent,
    Isolating,
    LateOver,
    Paused,
    Retrying,
    SlowedDown,
    WaitingForLate,
)
from importer.delivery.order import InFlightBatch
from importer.delivery.rate_limit import RateLimiter
from importer.delivery.retry import STOPPED, AttemptState, Decision, Payload, RunHealth, SendResult, decide
from importer.errors import JournalError, RefusedError
from importer.journal import BatchState, SettledEntry
from importer.journal.locks import TurnDoubtError
from importer.models import Action, Batch, Outcome, Status, Verdict


class Worker:
    """Delivers batches until there are no more. All workers' threads share it; `run` is what each does."""

    def __init__(self, dispatcher: Dispatcher, sender: BatchSender) -> None:
        self._dispatcher = dispatcher
        self._sender = sender

    def run(self) -> None:
        """Run one worker until there is no more work."""
        while (batch := self._dispatcher.next_batch()) is not None:
            hand_back = partial(self._dispatcher.hand_back, batch)
            if self._sender.canary.defer(batch.batch.ordinal, hand_back):
                continue
            try:
                BatchDelivery(batch, self._dispatcher, self._sender).run()
            except BaseException as error:
                self._dispatcher.worker_crashed(error)
                return


class IsolationLock:
    """Lets one batch through at a time. Nobody waits for it any more once the run stops."""

    def __init__(self, cancel: CancelToken) -> None:
        self._cancel = cancel
        self._taken = False
        self._changed = threading.Condition()
        cancel.on_cancel(self._wake)

    @contextlib.contextmanager
    def hold(self) -> Iterator[bool]:
        """Wait until the lock is free, and hold it. Gives True if it had to wait."""
        with self._changed:
            waited = self._taken
            self._changed.wait_for(lambda: not self._taken or self._cancel.cancelled.is_set())
            self._taken = True
        try:
            yield waited
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class BatchSender:
    """Sends bodies for all workers; what one of them learns of the server slows or stops them all."""

    def __init__(
        self,
        sender: Sender,
        body_builder: BodyBuilder,
        policy: Policy,
        cancel: CancelToken,
        rate_limiter: RateLimiter,
        *,
        clock: Clock,
        notify: Callable[[DeliveryEvent], None],
        before_turn: Callable[[], None] = lambda: None,
        before_attempt: Callable[[], None] = lambda: None,
        leaving: Callable[[int], None] = lambda entry: None,
    ) -> None:
        """`before_turn` is called before an attempt waits for its turn of the rate, `before_attempt` before
        it leaves; a JournalError from them stops the run. `leaving` hears the number of a request when it
        leaves."""
        self.canary = Canary(cancel, notify, wanted=policy.canary)
        self.body_builder = body_builder
        self.policy = policy
        self.cancel = cancel
        self.notify = notify
        self.health = RunHealth(policy, clock)
        self.isolation_lock = IsolationLock(cancel)
        self.requests = 0
        self.loop = retry_loop(lambda seconds: clock.sleep(seconds, cancel.cancelled))
        self.clock = clock
        self._sender = sender
        self._before_turn = before_turn
        self._before_attempt = before_attempt
        self._leaving = leaving
        self._rate_limiter = rate_limiter
        self._counting = threading.Lock()

    def attempt(self, payload: Payload) -> Decision:
        """Send a body once. Note in its state what came of it, and return what follows."""
        try:
            self._before_turn()
            sent = self._rate_limiter.acquire(self.cancel.cancelled)
            if sent is None:
                return STOPPED
            self._before_attempt()
        except JournalError as error:
            self.cancel.cancel(error)
            return STOPPED
        if self._rate_limiter.is_over(sent):  # the journal was away, or this process stood still
            return self.attempt(payload)
        with self._counting:
            self.requests += 1
        state = payload.state
        state.attempts += 1
        again = state.counted + state.waits > 0
        self._leaving(state.journal_entry)
        try:
            verdict = self._sender.attempt(payload.body)
        except TurnDoubtError:
            # Nothing left: whether the lane is still ours is settled before the next attempt.
            state.attempts -= 1
            return self.attempt(payload)
        if verdict.unanswered:
            state.silent_at = self.clock.now()
        decision = self._learn(verdict, payload)
        if decision.stop is not None:
            # Before anything else, so that no other worker sends in between.
            self.cancel.cancel(decision.stop)
        self.notify(Attempted(state.ordinal, again, verdict.seconds))
        rate = self._rate_limiter.learn(verdict, sent)
        if rate is not None:
            self.notify(SlowedDown(rate, verdict.code))
        if decision.wait is not None:
            self._prepare_retry(verdict, state, decision.wait)
        return decision

    def may_go_twice(self, payload: Payload) -> bool:
        """Return whether the CRM would know every row of a body again."""
        return self.policy.resend_unknown or all(payload.batch.contacts)

    def note_refusal(self, batch: Batch, verdict: Verdict) -> None:
        """Stop the run if by now every row was refused alike."""
        self.health.refused(batch.ordinal, len(batch), verdict.code)
        code = self.health.refused_alike
        if code is not None:
            self.cancel.cancel(RefusedError("refused-alike", code=code, message=verdict.message))

    def _learn(self, verdict: Verdict, payload: Payload) -> Decision:
        state, counted = payload.state, payload.state.counted
        self.health.learn(verdict)
        state.learn(verdict)
        if state.counted > counted:
            self.health.retried()
        decision = decide(
            verdict,
            state,
            self.policy,
            self.health,
            resendable=not verdict.maybe_processed
            or self.policy.resend_unknown
            or any(payload.batch.contacts),
            stopping=self.cancel.cancelled.is_set(),
        )
        decision = self.canary.judge(verdict, state, decision)
        if decision.result is SendResult.ACCEPTED:
            self.health.accepted(state.counted)
        return decision

    def _prepare_retry(self, verdict: Verdict, state: AttemptState, wait: float) -> None:
        """Correct the clock, or let all workers wait with this one."""
        if state.can_correct_clock and verdict.server_time_ms is not None:
            state.clock_corrected = True
            self.notify(ClockCorrected(self._sender.correct_clock(verdict.server_time_ms)))
            return
        if verdict.retry_after is not None:
            self._rate_limiter.pause(verdict.retry_after)
            self.notify(Paused(verdict.retry_after))
        self.notify(Retrying(state.ordinal, state.attempts, verdict.code, verdict.message, wait))


@dataclass(slots=True)
class _PendingPart:
    batch: Batch
    state: AttemptState
    """Of the larger part that it belongs to."""
    refused: bool = False
    """The other half was accepted, so it is this one; no need to send it whole."""


def _halves(batch: Batch, state: AttemptState) -> list[_PendingPart]:
    """Return both halves, the first one last: parts are taken from the end."""
    middle = (len(batch) + 1) // 2
    return [_PendingPart(batch.part(middle, len(batch)), state), _PendingPart(batch.part(0, middle), state)]


class BatchDelivery:
    """One batch with its worker: sent, and if it is refused sent in parts, until every row is settled."""

    def __init__(self, in_flight: InFlightBatch, dispatcher: Dispatcher, sender: BatchSender) -> None:
        self._in_flight = in_flight
        self._dispatcher = dispatcher
        self._sender = sender
        self._parts = 0
        self._late: dict[tuple[int, ...], tuple[set[int], float]] = {}
        """For the rows of a part without an answer: their contacts, and until when it may be carried out."""

    def run(self) -> None:
        """Deliver the batch. The dispatcher gets the end of each request as it comes."""
        in_flight = self._in_flight
        payload = Payload(in_flight.batch, in_flight.body, in_flight.state)
        if not in_flight.journaled and not self._start(payload, in_flight.digest):
            return
        self._deliver(payload)
        self._dispatcher.batch_done(in_flight)

    def _deliver(self, payload: Payload) -> None:
        result = self._send(payload)
        verdict = payload.state.verdict
        if result is not SendResult.REFUSED or verdict is None:
            self._settle(payload, result)
            return
        self._sender.note_refusal(payload.batch, verdict)
        if verdict.action is Action.RETRY_THEN_ISOLATE:
            with self._sender.isolation_lock.hold() as waited:
                payload.state.refusal_is_final = True
                # What nobody documented may be over by the time it is this batch's turn.
                result = self._send(payload) if waited else result
                if result is SendResult.REFUSED:
                    self._isolate(payload)
                else:
                    self._settle(payload, result)
        else:
            self._isolate(payload)

    def _isolate(self, whole: Payload) -> None:
        """Send a refused batch in parts: in file order, each row at most once in a part that is not split."""
        self._settle(whole, SendResult.REFUSED)
        if len(whole.batch) == 1:
            return
        if verdict := whole.state.verdict:
            rows = len(whole.batch)
            self._sender.notify(Isolating(whole.batch.ordinal, rows, verdict.code, verdict.message))
        pending = _halves(whole.batch, whole.state)
        while pending:
            part = pending.pop()
            if part.refused and len(part.batch) > 1:
                pending += _halves(part.batch, part.state)
                continue
            other_half = pending[-1] if pending and pending[-1].state is part.state else None
            payload = Payload(part.batch, b"", part.state.part())
            self._wait_for_late(part.batch)
            if not self._start_part(payload):
                for rest in (part, *reversed(pending)):
                    self._settle(Payload(rest.batch, b"", rest.state), SendResult.STOPPED, sent=False)
                return
            result = self._send(payload)
            if result is SendResult.REFUSED and payload.state.verdict is not None:
                self._sender.note_refusal(payload.batch, payload.state.verdict)
            self._settle(payload, result)
            if result is SendResult.REFUSED and len(payload.batch) > 1:
                pending += _halves(payload.batch, payload.state)
            elif result is SendResult.ACCEPTED and other_half and len(payload.batch) == len(part.batch):
                other_half.refused = True

    def _send(self, payload: Payload) -> SendResult:
        """Send a body until it is answered for good."""
        payload.state.begin_body()
        decision: Decision = self._sender.loop(self._attempt, payload)
        assert decision.result is not None  # noqa: S101 - without one there is another attempt
        return decision.result

    def _wait_for_late(self, batch: Batch) -> None:
        """Wait until no earlier part of the same customers, unless of the same rows, may be carried out."""
        contacts, rows = distinct_contacts(batch.contacts), set(batch.rows)
        held_by = [
            until
            for late, (theirs, until) in self._late.items()
            if not rows.issubset(late) and not contacts.isdisjoint(theirs)
        ]
        begun = self._sender.clock.now()
        if held_by and (seconds := max(held_by) - begun) > 0:
            self._sender.notify(WaitingForLate(len(held_by), len(rows), seconds))
            self._sender.clock.sleep(seconds, self._sender.cancel.cancelled)
            self._sender.notify(LateOver(self._sender.clock.now() - begun))

    def _attempt(self, payload: Payload) -> Decision:
        silent_before = payload.state.silent_at
        decision = self._sender.attempt(payload)
        verdict, silent = payload.state.verdict, payload.state.silent_at
        if silent is not None and silent != silent_before:
            # Before the end of the request is told: later rows of its customers have to wait.
            self._in_flight.silent_at = silent
            until = silent + self._sender.policy.settle
            self._late[payload.batch.rows] = (distinct_contacts(payload.batch.contacts), until)
        again_in_doubt = decision.wait is not None and verdict is not None and verdict.maybe_processed
        if again_in_doubt and not self._sender.may_go_twice(payload):
            self._leave_behind(payload)
        return decision

    def _leave_behind(self, payload: Payload) -> None:
        """Take rows without contacts out of a body; they are `unknown`, for the CRM might store them twice.

        The rule is docs/remote-api.md, “Not documented”.
        """
        batch = payload.batch
        unidentified = rows_where(batch, [not contacts for contacts in batch.contacts])
        left_behind = settlement(
            Payload(unidentified, b"", payload.state), SendResult.LEFT_BEHIND, now=self._sender.clock.now()
        )
        payload.batch = rows_where(batch, [bool(contacts) for contacts in batch.contacts])
        self._start_part(payload)
        self._dispatcher.request_settled(self._in_flight, left_behind)

    def _start_part(self, payload: Payload) -> bool:
        """Build the body of a part and have it journaled. Return False if the run stops."""
        self._parts += 1
        payload.body = self._sender.body_builder.body(payload.batch.customers)
        if self._sender.cancel.cancelled.is_set():
            return False
        return self._start(payload, hashlib.sha256(payload.body).digest())

    def _start(self, payload: Payload, digest: bytes) -> bool:
        entry = self._dispatcher.start_request(self._in_flight, payload.batch, self._parts, digest)
        if entry is None:
            return False
        payload.state.journal_entry = entry
        return True

    def _settle(self, payload: Payload, result: SendResult, *, sent: bool = True) -> None:
        self._dispatcher.request_settled(
            self._in_flight, settlement(payload, result, sent=sent, now=self._sender.clock.now())
        )


def settlement(payload: Payload, result: SendResult, *, now: float, sent: bool = True) -> SettledEntry:
    """Return what a request's end means for its rows.

    `now` is the time of the delivery's clock. `sent` is False for rows that a stop left over: their state is
    that of the larger part they belonged to.
    """
    batch, state, verdict = payload.batch, payload.state, payload.state.verdict
    request, status, final = _meaning(payload, result)
    outcomes: tuple[Outcome, ...] = ()
    if status is not None:
        said = verdict if verdict is not None and status is not Status.IMPORTED else None
        outcomes = (
            Outcome(
                sheet=batch.sheet,
                rows=batch.rows,
                status=status,
                batch=batch.ordinal,
                attempts=state.attempts,
                code=said.code if said else "",
                message=said.message if said else "",
                trace_id=verdict.trace_id if verdict else "",
            ),
        )
    return SettledEntry(
        entry=state.journal_entry,
        outcomes=outcomes,
        state=request if sent else None,
        whole=sent and result not in (SendResult.REFUSED, SendResult.LEFT_BEHIND),
        final=final,
        attempts=state.attempts,
        code=verdict.code if verdict else "",
        message=verdict.message if verdict else "",
        trace_id=verdict.trace_id if verdict else "",
        data=verdict.data if verdict else "",
        silent_for=None if state.silent_at is None else max(now - state.silent_at, 0.0),
    )


def _meaning(payload: Payload, result: SendResult) -> tuple[BatchState, Status | None, bool]:
    """Return the request's state, its rows' status (None: its parts will tell), and whether that is final."""
    state = payload.state
    match result:
        case SendResult.ACCEPTED:
            return BatchState.ACCEPTED, Status.IMPORTED, True
        case SendResult.REFUSED:
            status = Status.UNKNOWN if state.maybe_processed else Status.REJECTED
            return BatchState.REFUSED, status if len(payload.batch) == 1 else None, True
        case SendResult.LEFT_BEHIND:
            return BatchState.UNKNOWN, Status.UNKNOWN, False
        case SendResult.FAILED:
            final = not (state.maybe_processed and not any(payload.batch.contacts))
        case SendResult.STOPPED:
            final = False
    if state.maybe_processed:
        return BatchState.UNKNOWN, Status.UNKNOWN, final
    if state.attempts:
        return BatchState.FAILED, Status.FAILED, final
    return BatchState.NOT_SENT, Status.NOT_SENT, final
