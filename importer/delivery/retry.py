"""Decide what follows from an attempt: another one, and after which wait, or how the request ends.

What each answer makes the client do is the table in `importer.api.answers`. What follows from it for the rows
and for the run (attempts used up, server away, refused) is decided here. Nothing here sends or waits.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum

from importer.api.answers import error_for
from importer.delivery.base import Clock, Policy
from importer.errors import ImporterError, RefusedError, UnreachableError
from importer.models import Action, Batch, Verdict

_LEAST_PATIENCE = 1e-3
"""Seconds that are not worth another attempt. Sums of waits miss the patience by less than this, and a clock
does not move by a trillionth of a second."""


class RunHealth:
    """Whether the run can go on: what its workers together have learned of the server."""

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._fruitless = 0
        self._accepted = False
        self._refused: set[int] = set()
        self._alone: Counter[str] = Counter()

    def learn(self, verdict: Verdict) -> None:
        """Note whether the server is there. Without an answer, or with the wish to wait, it is away."""
        if verdict.action is Action.WAIT:
            with self._lock:
                if self._away_since is None:
                    self._away_since = self._clock.now()
        elif verdict.http_status is not None:
            self._away_since = None

    def patience_left(self) -> float:
        """Return for how many more seconds the server may stay away."""
        away_since = self._away_since
        waited = 0.0 if away_since is None else self._clock.now() - away_since
        return self._policy.patience - waited

    def retried(self) -> None:
        """Note one more retry of the run."""
        with self._lock:
            self._fruitless += 1

    @property
    def retries_left(self) -> bool:
        """Whether the run may retry at all."""
        return self._fruitless <= self._policy.retries

    def accepted(self, retries: int) -> None:
        """Note that a request got in; the retries that it took were not in vain."""
        self._accepted = True
        if retries:
            with self._lock:
                self._fruitless -= retries

    def refused(self, ordinal: int, rows: int, code: str) -> None:
        """Note that a batch, or a part of one, was refused for its content."""
        with self._lock:
            self._refused.add(ordinal)
            if rows == 1:
                self._alone[code] += 1

    @property
    def refused_alike(self) -> str | None:
        """The code if every row is refused alike (docs/remote-api.md, “Answers”), else None.

        That needs several batches, many single rows, and no success.
        """
        if self._accepted or len(self._refused) < self._policy.alike_batches:
            return None
        with self._lock:
            return next((code for code, rows in self._alone.items() if rows >= self._policy.alike_rows), None)


class SendResult(Enum):
    """How the attempts for one body ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """For its content, or for a reason that nobody documented and that waiting did not mend."""
    FAILED = "failed"
    """The attempts are used up."""
    STOPPED = "stopped"
    """The run stops."""
    LEFT_BEHIND = "left-behind"
    """An attempt may have been processed, and these rows must not go twice."""


@dataclass(slots=True)
class AttemptState:
    """What is known of the attempts that carried some rows, as a batch and as parts of it."""

    ordinal: int
    journal_entry: int = 0
    """The journal's number of the latest request that was begun for them."""
    attempts: int = 0
    maybe_processed: bool = False
    """Some attempt may have been processed although no answer said so."""
    silent_at: float | None = None
    """When the last attempt ended that nobody answered, by the delivery's clock."""
    verdict: Verdict | None = None
    """The last one."""
    clock_corrected: bool = False
    refusal_is_final: bool = False
    """An undocumented refusal counts at once: it has been waited for already."""
    counted: int = 0
    """Attempts of the present body that count against the policy's."""
    waits: int = 0
    """Attempts of the present body that count against the patience."""

    def part(self) -> AttemptState:
        """Return the same past, for some of the rows in a body of their own."""
        return replace(self, counted=0, waits=0)

    def begin_body(self) -> None:
        """Count anew: what is sent from now on has attempts of its own."""
        self.counted = self.waits = 0

    def learn(self, verdict: Verdict) -> None:
        """Note what an attempt came to."""
        self.verdict = verdict
        self.maybe_processed |= verdict.maybe_processed
        if verdict.action is Action.WAIT:
            self.waits += 1
        elif _may_repeat(verdict, self) and not self.can_correct_clock:
            self.counted += 1

    @property
    def can_correct_clock(self) -> bool:
        """Whether the last answer tells the time, and the clock has not been corrected by one before."""
        verdict = self.verdict
        return (
            verdict is not None
            and verdict.action is Action.CORRECT_CLOCK
            and verdict.server_time_ms is not None
            and not self.clock_corrected
        )


@dataclass(slots=True)
class Payload:
    """Rows on their way as one body. Rows that must not go twice may have to leave it after an attempt."""

    batch: Batch
    body: bytes
    state: AttemptState


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an attempt."""

    result: SendResult | None = None
    """How the attempts for the body ended; None if there is another one."""
    wait: float | None = None
    """Seconds until the next attempt; None if there is none."""
    stop: ImporterError | None = None
    """Why the whole run stops; None if it does not, or stops already."""


STOPPED = Decision(SendResult.STOPPED)


def decide(
    verdict: Verdict,
    state: AttemptState,
    policy: Policy,
    health: RunHealth,
    *,
    resendable: bool,
    stopping: bool,
) -> Decision:
    """Return what follows from the attempt that `state` and `health` have just learned of.

    `resendable`: some row of the body may go out once more. `stopping`: the run stops already.
    """
    if verdict.action is Action.DONE:
        return Decision(SendResult.ACCEPTED)
    if verdict.action is Action.ISOLATE:
        return Decision(SendResult.REFUSED)
    if stopping:
        return STOPPED
    if resendable and _may_repeat(verdict, state) and not _gives_up(verdict, state, policy, health):
        return Decision(wait=_wait(verdict, state, policy, health))
    stop = _reason_to_stop(verdict, policy, health)
    if stop is not None:
        return Decision(SendResult.STOPPED, stop=stop)
    unmended = verdict.action is Action.RETRY_THEN_ISOLATE
    return Decision(SendResult.REFUSED if unmended else SendResult.FAILED)


def _may_repeat(verdict: Verdict, state: AttemptState) -> bool:
    """Whether such an answer may get better."""
    if verdict.action is Action.RETRY_THEN_ISOLATE:
        return not state.refusal_is_final
    return verdict.action in (Action.RETRY, Action.WAIT, Action.CORRECT_CLOCK)


def _gives_up(verdict: Verdict, state: AttemptState, policy: Policy, health: RunHealth) -> bool:
    """Whether there were attempts enough, or the server asks for more patience than there is."""
    asked = verdict.retry_after or 0.0
    if verdict.action is Action.WAIT:
        left = health.patience_left()
        return left < _LEAST_PATIENCE or asked > left
    return not state.can_correct_clock and (
        state.counted >= policy.attempts or not health.retries_left or asked > policy.patience
    )


def _wait(verdict: Verdict, state: AttemptState, policy: Policy, health: RunHealth) -> float:
    """Return the seconds until the next attempt: as the server asks, else exponential with jitter."""
    if state.can_correct_clock:
        return 0.0
    if verdict.retry_after is not None:
        return verdict.retry_after
    doublings = min((state.waits if verdict.action is Action.WAIT else state.counted) - 1, 30)
    longest = min(policy.longest_wait, policy.first_wait * 2.0**doublings)
    wait = longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
    return min(wait, max(health.patience_left(), 0.0)) if verdict.action is Action.WAIT else wait


def _reason_to_stop(verdict: Verdict, policy: Policy, health: RunHealth) -> ImporterError | None:
    """Return what a verdict that did not get better means for the whole run; None if nothing."""
    found = {"code": verdict.code, "message": verdict.message, "detail": verdict.message}
    if verdict.action is Action.STOP:
        return error_for(verdict)
    if verdict.action is Action.WAIT or (verdict.retry_after or 0.0) > policy.patience:
        if verdict.retry_after:
            return UnreachableError("server-asks-to-wait", seconds=round(verdict.retry_after), **found)
        return UnreachableError("server-away", seconds=f"{policy.patience:g}", **found)
    if verdict.action is Action.CORRECT_CLOCK:
        return RefusedError("clock-refused", **found)
    if verdict.action is Action.RETRY and not health.retries_left:
        return UnreachableError("retries-used-up", retries=policy.retries, **found)
    return None
