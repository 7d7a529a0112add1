"""Takes one batch to its end: sends it, isolates it if it is refused, and says what became of each row."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator

from importer.delivery.attempts import Attempts, Ending, HaltedError, Load, Trail
from importer.delivery.brake import Brake
from importer.delivery.events import Event, Isolating
from importer.delivery.isolation import Answered, isolate
from importer.delivery.sender import Envelope
from importer.errors import RefusedError
from importer.journal import BatchState, Settled
from importer.model import Action, Batch, Outcome, Status

Begin = Callable[[Batch, int, bytes], int | None]
"""Journals a part (batch, part number, body's sha256) and returns its entry; None if the run stops."""


class Turnstile:
    """Lets one batch through at a time; who waits gives up when the run stops."""

    def __init__(self, brake: Brake) -> None:
        self._brake = brake
        self._taken = False
        self._changed = threading.Condition()
        brake.on_pull(self._wake)

    @contextlib.contextmanager
    def turn(self) -> Iterator[bool]:
        """Waits for the turn. Gives True if it had to wait."""
        with self._changed:
            waited = self._taken
            self._changed.wait_for(lambda: not self._taken or self._brake.pulled.is_set())
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


class Courier:
    """Makes errands; what all of them share."""

    def __init__(
        self,
        envelope: Envelope,
        attempts: Attempts,
        brake: Brake,
        notify: Callable[[Event], None],
        *,
        resend_unknown: bool,
    ) -> None:
        self.envelope = envelope
        self.attempts = attempts
        self.brake = brake
        self.notify = notify
        self.resend_unknown = resend_unknown
        self.turnstile = Turnstile(brake)

    def deliver(self, batch: Batch, body: bytes, trail: Trail, begin: Begin) -> Iterator[Settled]:
        """Sends a begun batch (`trail.entry` is its number). Yields each request's end as it comes."""
        yield from _Errand(self, begin).run(batch, body, trail)

    def note_refusal(self, batch: Batch, trail: Trail) -> None:
        """Stops the run if by now every row was refused alike."""
        verdict = trail.verdict
        if verdict is None:
            return
        health = self.attempts.health
        health.refused(batch.ordinal, len(batch), verdict.code)
        code = health.refused_alike
        if code is not None:
            self.brake.pull(RefusedError("refused-alike", code=code, message=verdict.message))


class _Errand:
    """One batch on its way to its end."""

    def __init__(self, courier: Courier, begin: Begin) -> None:
        self._courier = courier
        self._begin = begin
        self._parts = 0
        self._aside: list[Settled] = []

    def run(self, batch: Batch, body: bytes, trail: Trail) -> Iterator[Settled]:
        load = Load(batch, body, trail, self._courier.resend_unknown)
        ending = self._send(load)
        yield from self._take_aside()
        verdict = trail.verdict
        if ending is not Ending.REFUSED:
            yield settle(Answered(load.batch, ending, trail))
        elif verdict is not None and verdict.action is Action.RETRY_THEN_ISOLATE:
            yield from self._isolate_in_turn(load)
        else:
            yield from self._isolate(load)

    def _isolate_in_turn(self, load: Load) -> Iterator[Settled]:
        self._courier.note_refusal(load.batch, load.trail)
        with self._courier.turnstile.turn() as waited:
            load.trail.impatient = True
            # What nobody documented may be over by the time it is this batch's turn.
            ending = self._send(load) if waited else Ending.REFUSED
            yield from self._take_aside()
            if ending is Ending.REFUSED:
                yield from self._isolate(load)
            else:
                yield settle(Answered(load.batch, ending, load.trail))

    def _isolate(self, load: Load) -> Iterator[Settled]:
        batch, trail = load.batch, load.trail
        self._courier.note_refusal(batch, trail)
        yield settle(Answered(batch, Ending.REFUSED, trail))
        if len(batch) == 1:
            return
        code, message = (trail.verdict.code, trail.verdict.message) if trail.verdict else ("", "")
        self._courier.notify(Isolating(batch.ordinal, len(batch), code, message))
        for answered in isolate(batch, trail, self._send_part):
            yield from self._take_aside()
            yield settle(answered)

    def _send_part(self, part: Batch, trail: Trail) -> tuple[Batch, Ending]:
        load = Load(part, b"", trail, self._courier.resend_unknown)
        try:
            self._begin_part(load)
        except HaltedError:
            return part, Ending.HALTED
        ending = self._send(load)
        if ending is Ending.REFUSED:
            self._courier.note_refusal(load.batch, trail)
        return load.batch, ending

    def _send(self, load: Load) -> Ending:
        return self._courier.attempts.send(load, self._lighten)

    def _begin_part(self, load: Load) -> None:
        """Builds the body of a part and journals it. Raises HaltedError if the run stops."""
        self._parts += 1
        load.body = self._courier.envelope.body(load.batch.customers)
        entry = None
        if not self._courier.brake.pulled.is_set():
            entry = self._begin(load.batch, self._parts, hashlib.sha256(load.body).digest())
        if entry is None:
            raise HaltedError
        load.trail.entry = entry

    def _lighten(self, load: Load) -> None:
        """Leaves rows without contacts behind as `unknown`: sent once more they might be stored twice."""
        batch = load.batch
        left_behind = _where(batch, [not contacts for contacts in batch.contacts])
        self._aside.append(settle(Answered(left_behind, Ending.LEFT_BEHIND, load.trail)))
        load.batch = _where(batch, [bool(contacts) for contacts in batch.contacts])
        self._begin_part(load)

    def _take_aside(self) -> Iterator[Settled]:
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


def settle(answered: Answered) -> Settled:
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
    return Settled(
        entry=trail.entry,
        outcomes=outcomes,
        state=state if answered.sent else None,
        whole=answered.sent and answered.ending not in (Ending.REFUSED, Ending.LEFT_BEHIND),
        final=final,
        attempts=trail.attempts,
        code=verdict.code if verdict else "",
        message=verdict.message if verdict else "",
        trace_id=verdict.trace_id if verdict else "",
        data=verdict.data if verdict else "",
    )


def _meaning(answered: Answered) -> tuple[BatchState, Status | None, bool]:
    """State of the request, status of its rows (None: its parts will tell), and whether that is final."""
    trail = answered.trail
    match answered.ending:
        case Ending.ACCEPTED:
            return BatchState.ACCEPTED, Status.IMPORTED, True
        case Ending.REFUSED:
            return BatchState.REFUSED, Status.REJECTED if len(answered.batch) == 1 else None, True
        case Ending.LEFT_BEHIND:
            return BatchState.UNKNOWN, Status.UNKNOWN, False
        case Ending.FAILED:
            final = not (trail.unsure and not any(answered.batch.contacts))
        case Ending.HALTED:
            final = False
    if trail.unsure:
        return BatchState.UNKNOWN, Status.UNKNOWN, final
    if trail.attempts:
        return BatchState.FAILED, Status.FAILED, final
    return BatchState.NOT_SENT, Status.NOT_SENT, final
