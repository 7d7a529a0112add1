"""What the workers find out together about the server and the file: is it away, is it worth going on."""

from __future__ import annotations

import threading
from collections import Counter

from importer.delivery.clock import Clock
from importer.delivery.policy import Policy


class Health:
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
