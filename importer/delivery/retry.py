"""Retries of one request body: attempts, waits, the clock, the patience, and the health of the run.

What each answer makes the client do is the table in `importer.api.answers`. What follows from it for the
run (attempts used up, server away, refused) is decided here.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import tenacity

from importer.api.answers import rule_for
from importer.delivery.base import CancelToken, Clock, Policy, Sender
from importer.delivery.events import Attempted, ClockCorrected, DeliveryEvent, Paused, Retrying, SlowedDown
from importer.delivery.rate_limit import RateLimiter
from importer.errors import ImporterError, RefusedError, UnreachableError
from importer.models import Action, Batch, Verdict


class RunHealth:
    """Facts of one run, shared by its workers."""

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._fruitless = 0
        self._accepted = False
        self._refused: set[int] = set()
        self._alone: Counter[str] = Counter()

    def answered(self) -> None:
        """The server is there."""
        self._away_since = None

    def patience_left(self) -> float:
        """The server is not there, or wants no more: for how many seconds it may stay so."""
        with self._lock:
            now = self._clock.now()
            if self._away_since is None:
                self._away_since = now
            return self._away_since + self._policy.patience - now

    @property
    def patience(self) -> float:
        return self._policy.patience

    def retry(self) -> None:
        """One more retry of the run."""
        with self._lock:
            self._fruitless += 1

    @property
    def retries_left(self) -> bool:
        return self._fruitless <= self._policy.retries

    def accepted(self, retries: int) -> None:
        """A request got in; the retries that it took were not in vain."""
        self._accepted = True
        if retries:
            with self._lock:
                self._fruitless -= retries

    def refused(self, ordinal: int, rows: int, code: str) -> None:
        """A batch, or a part of one, was refused for its content."""
        with self._lock:
            self._refused.add(ordinal)
            if rows == 1:
                self._alone[code] += 1

    @property
    def refused_alike(self) -> str | None:
        """The code if every row is refused alike (API.md, “Answers”): no success, batches, single rows."""
        if self._accepted or len(self._refused) < self._policy.alike_batches:
            return None
        with self._lock:
            return next((code for code, rows in self._alone.items() if rows >= self._policy.alike_rows), None)


class SendResult(Enum):
    """How the attempts for one body ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """For its content, or for a reason that nobody documented and waiting did not mend."""
    FAILED = "failed"
    """The attempts are used up."""
    HALTED = "halted"
    """The run stops."""
    LEFT_BEHIND = "left-behind"
    """An attempt may have been processed, and these rows must not go twice."""


@dataclass(slots=True)
class AttemptState:
    """What is known of the attempts that carried some rows, as a batch and as parts of it."""

    ordinal: int
    entry: int = 0
    """The journal's number of the latest request that was begun for them."""
    attempts: int = 0
    unsure: bool = False
    """Some attempt may have been processed although no answer said so."""
    verdict: Verdict | None = None
    """The last one."""
    clock_corrected: bool = False
    impatient: bool = False
    """An undocumented refusal counts at once: it has been waited for already."""

    def part(self) -> AttemptState:
        """The same past, for some of the rows."""
        return replace(self)


class HaltedError(Exception):
    """The run stopped before the next attempt."""


@dataclass(slots=True)
class Payload:
    """Rows on their way as one body. Rows that must not go twice may have to leave it after an attempt."""

    batch: Batch
    body: bytes
    trail: AttemptState
    resend: bool = False
    """True if rows without contacts may go twice."""

    @property
    def non_idempotent(self) -> bool:
        """True if the CRM would store some row a second time: nothing tells it that it has it already."""
        return not self.resend and not all(self.batch.contacts)

    @property
    def all_non_idempotent(self) -> bool:
        return not self.resend and not any(self.batch.contacts)


DropUnidentified = Callable[[Payload], None]
"""Takes the rows without contacts out of a load. Raises HaltedError if the run stops."""


@dataclass(slots=True)
class _RetryState:
    """What counts within the attempts for one load."""

    load: Payload
    drop_unidentified: DropUnidentified
    counted: int = 0
    waits: int = 0

    @property
    def trail(self) -> AttemptState:
        return self.load.trail


class RetryingSender:
    """Sends bodies for all workers; what one learns about the server slows or stops them all."""

    def __init__(
        self,
        sender: Sender,
        policy: Policy,
        clock: Clock,
        brake: CancelToken,
        notify: Callable[[DeliveryEvent], None],
    ) -> None:
        self.health = RunHealth(policy, clock)
        self.requests = 0
        self._sender = sender
        self._policy = policy
        self._clock = clock
        self._brake = brake
        self._notify = notify
        self._pace = RateLimiter(policy.rate, clock)
        self._counting = threading.Lock()

    def send(self, load: Payload, lighten: DropUnidentified) -> SendResult:
        """Sends a load until it is answered for good, and keeps in its trail what happened.

        Before it goes out again after an attempt that may have been processed, rows that nothing identifies
        are taken out of it (API.md, “Not documented”).
        """
        if self._brake.cancelled.is_set():
            return SendResult.HALTED
        tries = _RetryState(load, lighten)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda verdict: self._is_passing(verdict, tries)),
            after=lambda state: self._count(_verdict(state), tries),
            wait=lambda state: self._wait(_verdict(state), tries),
            stop=lambda state: self._is_enough(_verdict(state), tries),
            before_sleep=lambda state: self._tell(_verdict(state), tries, state.upcoming_sleep),
            sleep=lambda seconds: self._clock.sleep(seconds, self._brake.cancelled),
            retry_error_callback=_verdict,
        )
        try:
            verdict = retrying(self._attempt, tries)
        except HaltedError:
            return SendResult.HALTED
        return self._ending(verdict, tries)

    def _attempt(self, tries: _RetryState) -> Verdict:
        sent = self._pace.turn(self._brake.cancelled)
        if sent is None:
            raise HaltedError
        with self._counting:
            self.requests += 1
        trail = tries.trail
        trail.attempts += 1
        verdict = self._sender.attempt(tries.load.body)
        trail.verdict = verdict
        trail.unsure |= verdict.reached
        if verdict.action is Action.STOP:
            # Before anything else, so that no other worker sends in between.
            self._brake.cancel(_refused(verdict))
        elif verdict.action is not Action.WAIT and verdict.http_status is not None:
            self.health.answered()
        self._notify(Attempted(trail.ordinal, tries.counted + tries.waits > 0, verdict.seconds))
        rate = self._pace.answered(verdict, sent)
        if rate is not None:
            self._notify(SlowedDown(rate, verdict.code))
        return verdict

    def _is_passing(self, verdict: Verdict, tries: _RetryState) -> bool:
        """True if the same body may go out again."""
        if verdict.action is Action.RETRY_THEN_ISOLATE:
            return not tries.trail.impatient
        return verdict.action in (Action.RETRY, Action.WAIT, Action.CORRECT_CLOCK)

    def _count(self, verdict: Verdict, tries: _RetryState) -> None:
        if verdict.action is Action.WAIT:
            tries.waits += 1
        elif not self._can_correct(verdict, tries.trail):
            tries.counted += 1
            self.health.retry()

    def _is_enough(self, verdict: Verdict, tries: _RetryState) -> bool:
        """True if it must not, and the last verdict is what remains."""
        if self._brake.cancelled.is_set() or (verdict.reached and tries.load.all_non_idempotent):
            return True
        if verdict.action is Action.WAIT:
            left = self.health.patience_left()
            return left <= 0 or (verdict.retry_after or 0.0) > left
        return not self._can_correct(verdict, tries.trail) and (
            tries.counted >= self._policy.attempts
            or not self.health.retries_left
            or (verdict.retry_after or 0.0) > self._policy.patience
        )

    def _wait(self, verdict: Verdict, tries: _RetryState) -> float:
        """Seconds until the next attempt: as the server asks, else exponential with jitter."""
        if self._can_correct(verdict, tries.trail):
            return 0.0
        if verdict.retry_after is not None:
            return verdict.retry_after
        doublings = min((tries.waits if verdict.action is Action.WAIT else tries.counted) - 1, 30)
        longest = min(self._policy.longest_wait, self._policy.first_wait * 2.0**doublings)
        wait = longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        if verdict.action is Action.WAIT:
            wait = min(wait, max(self.health.patience_left(), 0.0))
        return wait

    def _tell(self, verdict: Verdict, tries: _RetryState, wait: float) -> None:
        """There will be another attempt: corrects the clock, or lets all workers wait with this one."""
        trail = tries.trail
        if self._can_correct(verdict, trail) and verdict.server_time_ms is not None:
            trail.clock_corrected = True
            self._notify(ClockCorrected(self._sender.correct_clock(verdict.server_time_ms)))
            return
        if verdict.retry_after is not None:
            self._pace.pause(verdict.retry_after)
            self._notify(Paused(verdict.retry_after))
        self._notify(Retrying(trail.ordinal, trail.attempts, verdict.code, verdict.message, wait))
        if verdict.reached and tries.load.non_idempotent:
            tries.drop_unidentified(tries.load)

    @staticmethod
    def _can_correct(verdict: Verdict, trail: AttemptState) -> bool:
        return (
            verdict.action is Action.CORRECT_CLOCK
            and not trail.clock_corrected
            and verdict.server_time_ms is not None
        )

    def _ending(self, verdict: Verdict, tries: _RetryState) -> SendResult:
        """What the last verdict means for the body, and for the run."""
        action = verdict.action
        if action is Action.DONE:
            self.health.accepted(tries.counted)
            return SendResult.ACCEPTED
        if action is Action.ISOLATE:
            return SendResult.REFUSED
        if not self._brake.cancelled.is_set():
            reason = self._reason_to_stop(verdict)
            if reason is None:
                return SendResult.REFUSED if action is Action.RETRY_THEN_ISOLATE else SendResult.FAILED
            self._brake.cancel(reason)
        return SendResult.HALTED

    def _reason_to_stop(self, verdict: Verdict) -> ImporterError | None:
        """What an unhealed verdict means for the whole run; None if nothing."""
        found = {"code": verdict.code, "message": verdict.message, "detail": verdict.message}
        if verdict.action is Action.WAIT or (verdict.retry_after or 0.0) > self._policy.patience:
            if verdict.retry_after:
                return UnreachableError("server-asks-to-wait", seconds=round(verdict.retry_after), **found)
            return UnreachableError("server-away", seconds=f"{self._policy.patience:g}", **found)
        if verdict.action is Action.CORRECT_CLOCK:
            return RefusedError("clock-refused", **found)
        if verdict.action is Action.RETRY and not self.health.retries_left:
            return UnreachableError("retries-used-up", retries=self._policy.retries, **found)
        return None


def _verdict(state: tenacity.RetryCallState) -> Verdict:
    assert state.outcome is not None  # noqa: S101 - tenacity asks only after an attempt
    verdict: Verdict = state.outcome.result()
    return verdict


def _refused(verdict: Verdict) -> RefusedError:
    return RefusedError(
        rule_for(verdict.code).says,
        code=verdict.code,
        message=verdict.message,
        detail=verdict.message,
        status=verdict.http_status or "",
    )
