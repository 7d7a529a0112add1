"""Look at the first answer of a tenant before more than one row goes out.

Nobody has published a real answer of batch_create. So the first request to a tenant that the journal has
never reached carries one row. Its answer is looked at, not assumed: what is not understood stops the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from importer.api.answers import is_documented, outline
from importer.delivery.base import CancelToken
from importer.delivery.events import CanaryAnswered, DeliveryEvent
from importer.delivery.retry import AttemptState, Decision, SendResult
from importer.errors import RefusedError, UnreachableError
from importer.models import Action, Verdict

_STRANGE = frozenset({"not-json", "no-code", "too-large"})
"""Answers that came whole and are none of this API's (codes of `importer.api.answers.RULES`)."""


class Canary:
    """Lets the first batch of a run ahead, and the others once its answer is understood.

    All workers share it. Whoever makes the batches sees to it that the first one has one row.
    """

    def __init__(self, cancel: CancelToken, notify: Callable[[DeliveryEvent], None], *, wanted: bool) -> None:
        self._notify = notify
        self._first: int | None = None
        self._over = not wanted
        self._lock = threading.Lock()
        self._deferred: list[Callable[[], None]] = []
        cancel.on_cancel(self._let_go)

    def enter(self, ordinal: int) -> None:
        """Take the first batch that is handed in as the canary."""
        if self._first is None:
            self._first = ordinal

    def defer(self, ordinal: int, hand_back: Callable[[], None]) -> bool:
        """Return whether a batch has to stay behind. If so, `hand_back` is called once it may be sent.

        No worker waits for the canary, which may itself still have to wait for something.
        """
        with self._lock:
            if self._over or ordinal == self._first:
                return False
            self._deferred.append(hand_back)
            return True

    def judge(self, verdict: Verdict, state: AttemptState, decision: Decision) -> Decision:
        """Return what follows from an attempt, given what would follow without a canary."""
        if self._over:
            return decision
        if verdict.action is Action.RETRY_THEN_ISOLATE or verdict.code in _STRANGE:
            # What nobody documented may be a success by another name.
            state.maybe_processed = True
            found = {"status": verdict.http_status or "–", "found": outline(verdict.body)}
            return Decision(SendResult.STOPPED, stop=RefusedError("canary-not-understood", **found))
        if decision.result in (SendResult.ACCEPTED, SendResult.REFUSED):
            self._notify(
                CanaryAnswered(
                    code=verdict.code,
                    trace_id=verdict.trace_id,
                    found=outline(verdict.body),
                    as_documented=is_documented(verdict.body),
                )
            )
            self._let_go()
        elif decision.result is SendResult.FAILED and decision.stop is None:
            found = {"code": verdict.code, "message": verdict.message}
            stop = UnreachableError("canary-unanswered", attempts=state.attempts, **found)
            return replace(decision, result=SendResult.STOPPED, stop=stop)
        return decision

    def _let_go(self) -> None:
        with self._lock:
            self._over = True
            deferred, self._deferred = self._deferred, []
        for hand_back in deferred:
            hand_back()
