"""Deliver one batch: send it, isolate the rows that make the server refuse it, settle every row.

A refused batch is halved, in file order, until the guilty rows stand alone. One guilty row in a hundred
costs at most 14 requests: two for each of seven halvings.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from importer.delivery.base import BodyBuilder, CancelToken
from importer.delivery.events import DeliveryEvent, Isolating
from importer.delivery.retry import AttemptState, HaltedError, Payload, RetryingSender, SendResult
from importer.errors import RefusedError
from importer.journal import BatchState, SettledEntry
from importer.models import Action, Batch, Outcome, Status


@dataclass(frozen=True, slots=True)
class PartResult:
    """A batch or part, and how its attempts ended; a refused one of many rows is followed by its parts."""

    batch: Batch
    ending: SendResult
    trail: AttemptState
    sent: bool = True
    """False for what a stop left over: `trail` tells of the larger part that it belonged to."""


SendPart = Callable[[Batch, AttemptState], tuple[Batch, SendResult]]
"""Sends a part with a trail of its own. Returns it, perhaps without rows that must not go twice, and how it
ended."""


@dataclass(slots=True)
class _PendingPart:
    batch: Batch
    trail: AttemptState
    """Of the larger part that it belongs to."""
    guilty: bool = False
    """The other half was accepted, so it is this one; no need to send it whole."""


def isolate(batch: Batch, trail: AttemptState, send: SendPart) -> Iterator[PartResult]:
    """Sends a refused batch in parts. Yields every part in turn, with how it ended.

    Rows come in file order, each at most once in a part that is not split further.
    """
    pieces = _halves(batch, trail)
    while pieces:
        piece = pieces.pop()
        if piece.guilty and len(piece.batch) > 1:
            pieces += _halves(piece.batch, piece.trail)
            continue
        sibling = pieces[-1] if pieces and pieces[-1].trail is piece.trail else None
        own = piece.trail.part()
        part, ending = send(piece.batch, own)
        yield PartResult(part, ending, own)
        if ending is SendResult.HALTED:
            for rest in reversed(pieces):
                yield PartResult(rest.batch, ending, rest.trail, sent=False)
            return
        if ending is SendResult.REFUSED and len(part) > 1:
            pieces += _halves(part, own)
        elif ending is SendResult.ACCEPTED and sibling is not None and len(part) == len(piece.batch):
            sibling.guilty = True


def _halves(batch: Batch, trail: AttemptState) -> list[_PendingPart]:
    """Both halves, the first one last: pieces are taken from the end."""
    middle = (len(batch) + 1) // 2
    return [_PendingPart(batch.part(middle, len(batch)), trail), _PendingPart(batch.part(0, middle), trail)]


StartRequest = Callable[[Batch, int, bytes], int | None]
"""Journals a part (batch, part number, body's sha256) and returns its entry; None if the run stops."""


class IsolationLock:
    """Lets one batch through at a time; who waits gives up when the run stops."""

    def __init__(self, brake: CancelToken) -> None:
        self._brake = brake
        self._taken = False
        self._changed = threading.Condition()
        brake.on_cancel(self._wake)

    @contextlib.contextmanager
    def turn(self) -> Iterator[bool]:
        """Waits for the turn. Gives True if it had to wait."""
        with self._changed:
            waited = self._taken
            self._changed.wait_for(lambda: not self._taken or self._brake.cancelled.is_set())
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
    """Makes errands; what all of them share."""

    def __init__(
        self,
        envelope: BodyBuilder,
        attempts: RetryingSender,
        brake: CancelToken,
        notify: Callable[[DeliveryEvent], None],
        *,
        resend_unknown: bool,
    ) -> None:
        self.envelope = envelope
        self.attempts = attempts
        self.brake = brake
        self.notify = notify
        self.resend_unknown = resend_unknown
        self.isolation_lock = IsolationLock(brake)

    def deliver(
        self, batch: Batch, body: bytes, trail: AttemptState, begin: StartRequest
    ) -> Iterator[SettledEntry]:
        """Sends a begun batch (`trail.entry` is its number). Yields each request's end as it comes."""
        yield from BatchDelivery(self, begin).run(batch, body, trail)

    def note_refusal(self, batch: Batch, trail: AttemptState) -> None:
        """Stops the run if by now every row was refused alike."""
        verdict = trail.verdict
        if verdict is None:
            return
        health = self.attempts.health
        health.refused(batch.ordinal, len(batch), verdict.code)
        code = health.refused_alike
        if code is not None:
            self.brake.cancel(RefusedError("refused-alike", code=code, message=verdict.message))


class BatchDelivery:
    """One batch on its way to its end."""

    def __init__(self, courier: BatchSender, begin: StartRequest) -> None:
        self._courier = courier
        self._begin = begin
        self._parts = 0
        self._aside: list[SettledEntry] = []

    def run(self, batch: Batch, body: bytes, trail: AttemptState) -> Iterator[SettledEntry]:
        load = Payload(batch, body, trail, self._courier.resend_unknown)
        ending = self._send(load)
        yield from self._take_aside()
        verdict = trail.verdict
        if ending is not SendResult.REFUSED:
            yield settle(PartResult(load.batch, ending, trail))
        elif verdict is not None and verdict.action is Action.RETRY_THEN_ISOLATE:
            yield from self._isolate_in_turn(load)
        else:
            yield from self._isolate(load)

    def _isolate_in_turn(self, load: Payload) -> Iterator[SettledEntry]:
        self._courier.note_refusal(load.batch, load.trail)
        with self._courier.isolation_lock.turn() as waited:
            load.trail.impatient = True
            # What nobody documented may be over by the time it is this batch's turn.
            ending = self._send(load) if waited else SendResult.REFUSED
            yield from self._take_aside()
            if ending is SendResult.REFUSED:
                yield from self._isolate(load)
            else:
                yield settle(PartResult(load.batch, ending, load.trail))

    def _isolate(self, load: Payload) -> Iterator[SettledEntry]:
        batch, trail = load.batch, load.trail
        self._courier.note_refusal(batch, trail)
        yield settle(PartResult(batch, SendResult.REFUSED, trail))
        if len(batch) == 1:
            return
        code, message = (trail.verdict.code, trail.verdict.message) if trail.verdict else ("", "")
        self._courier.notify(Isolating(batch.ordinal, len(batch), code, message))
        for answered in isolate(batch, trail, self._send_part):
            yield from self._take_aside()
            yield settle(answered)

    def _send_part(self, part: Batch, trail: AttemptState) -> tuple[Batch, SendResult]:
        load = Payload(part, b"", trail, self._courier.resend_unknown)
        try:
            self._begin_part(load)
        except HaltedError:
            return part, SendResult.HALTED
        ending = self._send(load)
        if ending is SendResult.REFUSED:
            self._courier.note_refusal(load.batch, trail)
        return load.batch, ending

    def _send(self, load: Payload) -> SendResult:
        return self._courier.attempts.send(load, self._drop_unidentified)

    def _begin_part(self, load: Payload) -> None:
        """Builds the body of a part and journals it. Raises HaltedError if the run stops."""
        self._parts += 1
        load.body = self._courier.envelope.body(load.batch.customers)
        entry = None
        if not self._courier.brake.cancelled.is_set():
            entry = self._begin(load.batch, self._parts, hashlib.sha256(load.body).digest())
        if entry is None:
            raise HaltedError
        load.trail.entry = entry

    def _drop_unidentified(self, load: Payload) -> None:
        """Leaves rows without contacts behind as `unknown`: sent once more they might be stored twice."""
        batch = load.batch
        left_behind = _where(batch, [not contacts for contacts in batch.contacts])
        self._aside.append(settle(PartResult(left_behind, SendResult.LEFT_BEHIND, load.trail)))
        load.batch = _where(batch, [bool(contacts) for contacts in batch.contacts])
        self._begin_part(load)

    def _take_aside(self) -> Iterator[SettledEntry]:
        yield from self._aside
        self._aside = []


def _where(batch: Batch, mask: list[bool]) -> Batch:
    """The rows at which the mask is true."""
    return Batch(
        batch.ordinal,
        batch.sheet,
        rows=tuple(itertools.compress(batch.rows, mask)),
        customers=tuple(itertools.compress(batch.customers, mask)),
        contacts=tuple(itertools.compress(batch.contacts, mask)),
    )


def settle(answered: PartResult) -> SettledEntry:
    """What a request's end means for its rows."""
    batch, trail, verdict = answered.batch, answered.trail, answered.trail.verdict
    state, status, final = _meaning(answered)
    outcomes: tuple[Outcome, ...] = ()
    if status is not None:
        said = verdict if verdict is not None and status is not Status.IMPORTED else None
        outcomes = (
            Outcome(
                sheet=batch.sheet,
                rows=batch.rows,
                status=status,
                batch=batch.ordinal,
                attempts=trail.attempts,
                code=said.code if said else "",
                message=said.message if said else "",
                trace_id=verdict.trace_id if verdict else "",
            ),
        )
    return SettledEntry(
        entry=trail.entry,
        outcomes=outcomes,
        state=state if answered.sent else None,
        whole=answered.sent and answered.ending not in (SendResult.REFUSED, SendResult.LEFT_BEHIND),
        final=final,
        attempts=trail.attempts,
        code=verdict.code if verdict else "",
        message=verdict.message if verdict else "",
        trace_id=verdict.trace_id if verdict else "",
        data=verdict.data if verdict else "",
    )


def _meaning(answered: PartResult) -> tuple[BatchState, Status | None, bool]:
    """State of the request, status of its rows (None: its parts will tell), and whether that is final."""
    trail = answered.trail
    match answered.ending:
        case SendResult.ACCEPTED:
            return BatchState.ACCEPTED, Status.IMPORTED, True
        case SendResult.REFUSED:
            return BatchState.REFUSED, Status.REJECTED if len(answered.batch) == 1 else None, True
        case SendResult.LEFT_BEHIND:
            return BatchState.UNKNOWN, Status.UNKNOWN, False
        case SendResult.FAILED:
            final = not (trail.unsure and not any(answered.batch.contacts))
        case SendResult.HALTED:
            final = False
    if trail.unsure:
        return BatchState.UNKNOWN, Status.UNKNOWN, final
    if trail.attempts:
        return BatchState.FAILED, Status.FAILED, final
    return BatchState.NOT_SENT, Status.NOT_SENT, final
