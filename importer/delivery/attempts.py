"""One body, sent until it is answered for good: retries, waits, the clock, the patience.

What each answer makes the client do is the table in `importer.api.answers`; what follows from it for the
run (attempts used up, server away, refused) is decided here, in one place.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import tenacity

from importer.api.answers import rule_for
from importer.delivery.brake import Brake
from importer.delivery.clock import Clock
from importer.delivery.events import Attempted, ClockCorrected, Event, Paused, Retrying, SlowedDown
from importer.delivery.health import Health
from importer.delivery.pacing import Pace
from importer.delivery.policy import Policy
from importer.delivery.sender import Sender
from importer.errors import ImporterError, RefusedError, UnreachableError
from importer.model import Action, Batch, Verdict


class Ending(Enum):
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
class Trail:
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

    def part(self) -> Trail:
        """The same past, for some of the rows."""
        return replace(self)


class HaltedError(Exception):
    """The run stopped before the next attempt."""


@dataclass(slots=True)
class Load:
    """Rows on their way as one body. Rows that must not go twice may have to leave it after an attempt."""

    batch: Batch
    body: bytes
    trail: Trail
    resend: bool = False
    """True if rows without contacts may go twice."""

    @property
    def fragile(self) -> bool:
        """True if the CRM would store some row a second time: nothing tells it that it has it already."""
        return not self.resend and not all(self.batch.contacts)

    @property
    def all_fragile(self) -> bool:
        return not self.resend and not any(self.batch.contacts)


Lighten = Callable[[Load], None]
"""Takes the rows without contacts out of a load. Raises HaltedError if the run stops."""


@dataclass(slots=True)
class _Tries:
    """What counts within the attempts for one load."""

    load: Load
    lighten: Lighten
    counted: int = 0
    waits: int = 0

    @property
    def trail(self) -> Trail:
        return self.load.trail


class Attempts:
    """Sends bodies for all workers; what one learns about the server slows or stops them all."""

    def __init__(
        self, sender: Sender, policy: Policy, clock: Clock, brake: Brake, notify: Callable[[Event], None]
    ) -> None:
        self.health = Health(policy, clock)
        self.requests = 0
        self._sender = sender
        self._policy = policy
        self._clock = clock
        self._brake = brake
        self._notify = notify
        self._pace = Pace(policy.rate, clock)
        self._counting = threading.Lock()

    def send(self, load: Load, lighten: Lighten) -> Ending:
        """Sends a load until it is answered for good, and keeps in its trail what happened.

        Before it goes out again after an attempt that may have been processed, rows that nothing identifies
        are taken out of it (API.md, “Not documented”).
        """
        if self._brake.pulled.is_set():
            return Ending.HALTED
        tries = _Tries(load, lighten)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda verdict: self._is_passing(verdict, tries)),
            after=lambda state: self._count(_verdict(state), tries),
            wait=lambda state: self._wait(_verdict(state), tries),
            stop=lambda state: self._is_enough(_verdict(state), tries),
            before_sleep=lambda state: self._tell(_verdict(state), tries, state.upcoming_sleep),
            sleep=lambda seconds: self._clock.sleep(seconds, self._brake.pulled),
            retry_error_callback=_verdict,
        )
        try:
            verdict = retrying(self._attempt, tries)
        except HaltedError:
            return Ending.HALTED
        return self._ending(verdict, tries)

    def _attempt(self, tries: _Tries) -> Verdict:
        sent = self._pace.turn(self._brake.pulled)
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
            self._brake.pull(_refused(verdict))
        elif verdict.action is not Action.WAIT and verdict.http_status is not None:
            self.health.answered()
        self._notify(Attempted(trail.ordinal, tries.counted + tries.waits > 0, verdict.seconds))
        rate = self._pace.answered(verdict, sent)
        if rate is not None:
            self._notify(SlowedDown(rate, verdict.code))
        return verdict

    def _is_passing(self, verdict: Verdict, tries: _Tries) -> bool:
        """True if the same body may go out again."""
        if verdict.action is Action.RETRY_THEN_ISOLATE:
            return not tries.trail.impatient
        return verdict.action in (Action.RETRY, Action.WAIT, Action.CORRECT_CLOCK)

    def _count(self, verdict: Verdict, tries: _Tries) -> None:
        if verdict.action is Action.WAIT:
            tries.waits += 1
        elif not self._can_correct(verdict, tries.trail):
            tries.counted += 1
            self.health.retry()

    def _is_enough(self, verdict: Verdict, tries: _Tries) -> bool:
        """True if it must not, and the last verdict is what remains."""
        if self._brake.pulled.is_set() or (verdict.reached and tries.load.all_fragile):
            return True
        if verdict.action is Action.WAIT:
            left = self.health.patience_left()
            return left <= 0 or (verdict.retry_after or 0.0) > left
        return not self._can_correct(verdict, tries.trail) and (
            tries.counted >= self._policy.attempts
            or not self.health.retries_left
            or (verdict.retry_after or 0.0) > self._policy.patience
        )

    def _wait(self, verdict: Verdict, tries: _Tries) -> float:
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

    def _tell(self, verdict: Verdict, tries: _Tries, wait: float) -> None:
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
        if verdict.reached and tries.load.fragile:
            tries.lighten(tries.load)

    @staticmethod
    def _can_correct(verdict: Verdict, trail: Trail) -> bool:
        return (
            verdict.action is Action.CORRECT_CLOCK
            and not trail.clock_corrected
            and verdict.server_time_ms is not None
        )

    def _ending(self, verdict: Verdict, tries: _Tries) -> Ending:
        """What the last verdict means for the body, and for the run."""
        action = verdict.action
        if action is Action.DONE:
            self.health.accepted(tries.counted)
            return Ending.ACCEPTED
        if action is Action.ISOLATE:
            return Ending.REFUSED
        if not self._brake.pulled.is_set():
            reason = self._reason_to_stop(verdict)
            if reason is None:
                return Ending.REFUSED if action is Action.RETRY_THEN_ISOLATE else Ending.FAILED
            self._brake.pull(reason)
        return Ending.HALTED

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
