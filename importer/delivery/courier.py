"""Takes one batch to its end: sends it, isolates it if it is refused, and says what became of each row."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator

from importer.delivery.attempts import Attempts, Ending, Trail
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
    """Shared by all workers; `deliver` keeps what belongs to one batch."""

    def __init__(
        self, envelope: Envelope, attempts: Attempts, brake: Brake, notify: Callable[[Event], None]
    ) -> None:
        self._envelope = envelope
        self._attempts = attempts
        self._brake = brake
        self._notify = notify
        self._turnstile = Turnstile(brake)

    def deliver(self, batch: Batch, body: bytes, trail: Trail, begin: Begin) -> Iterator[Settled]:
        """Sends a begun batch (`trail.entry` is its number). Yields each request's end as it comes."""
        ending = self._attempts.send(body, trail)
        if ending is not Ending.REFUSED:
            yield settle(Answered(batch, ending, trail))
        elif trail.verdict is not None and trail.verdict.action is Action.RETRY_THEN_ISOLATE:
            yield from self._isolate_in_turn(batch, body, trail, begin)
        else:
            yield from self._isolate(batch, trail, begin)

    def _isolate_in_turn(self, batch: Batch, body: bytes, trail: Trail, begin: Begin) -> Iterator[Settled]:
        self._note_refusal(batch, trail)
        with self._turnstile.turn() as waited:
            trail.impatient = True
            # What nobody documented may be over by the time it is this batch's turn.
            ending = self._attempts.send(body, trail) if waited else Ending.REFUSED
            if ending is Ending.REFUSED:
                yield from self._isolate(batch, trail, begin)
            else:
                yield settle(Answered(batch, ending, trail))

    def _isolate(self, batch: Batch, trail: Trail, begin: Begin) -> Iterator[Settled]:
        self._note_refusal(batch, trail)
        yield settle(Answered(batch, Ending.REFUSED, trail))
        if len(batch) == 1:
            return
        verdict = trail.verdict
        self._notify(
            Isolating(
                batch.ordinal, len(batch), verdict.code if verdict else "", verdict.message if verdict else ""
            )
        )
        number = 0

        def send(part: Batch, own: Trail) -> Ending:
            nonlocal number
            number += 1
            body = self._envelope.body(part.customers)
            entry = (
                None if self._brake.pulled.is_set() else begin(part, number, hashlib.sha256(body).digest())
            )
            if entry is None:
                return Ending.HALTED
            own.entry = entry
            ending = self._attempts.send(body, own)
            if ending is Ending.REFUSED:
                self._note_refusal(part, own)
            return ending

        for answered in isolate(batch, trail, send):
            yield settle(answered)

    def _note_refusal(self, batch: Batch, trail: Trail) -> None:
        verdict = trail.verdict
        if verdict is None:
            return
        health = self._attempts.health
        health.refused(batch.ordinal, len(batch), verdict.code)
        code = health.refused_alike
        if code is not None:
            self._brake.pull(RefusedError("refused-alike", code=code, message=verdict.message))


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
        case Ending.FAILED:
            final = True
        case Ending.HALTED:
            final = False
    if trail.unsure:
        return BatchState.UNKNOWN, Status.UNKNOWN, final
    if trail.attempts:
        return BatchState.FAILED, Status.FAILED, final
    return BatchState.NOT_SENT, Status.NOT_SENT, final
