"""A client for the calls about an account, which leave within the rate of their access key.

What a person asks (the tenant's fields, an application's phones) is signed with the key that runs sign with,
and the server counts it with theirs. So it takes its turn as their requests do, and a limit that it meets
slows them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from importer.api.account import fetch_fields
from importer.api.client import Client, Query
from importer.api.transport import Timeouts
from importer.config import Connection
from importer.contracts import Endpoint
from importer.delivery.base import Clock, SystemClock
from importer.delivery.rate_limit import RateLimiter
from importer.errors import JournalError
from importer.journal import Journal
from importer.journal.rate import OwnRate, SharedRate
from importer.journal_place import journal_place
from importer.models import TenantField, Verdict

PATIENCE = 60.0
"""Seconds after which a request goes out of its turn: a person waits, and it is one request."""


class AccountClient(Client):
    """A client whose every request takes its turn among those of the runs at work. Raises as `Client` does.

    It makes no journal, and where nobody is at work it waits for nothing but its own rate.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeouts: Timeouts | None = None,
        clock: Clock | None = None,
        rate: float | None = None,
        journal: Journal | None = None,
    ) -> None:
        """`rate`: requests a second of its own, at most; None: no bound but that of others at work.

        `journal`: the one whose runs share the rate; None: the user's. Raises SettingsError.
        """
        super().__init__(connection, timeouts=timeouts)
        self._opened: Journal | None = None
        shared = journal.rate(connection.rate_key, "") if journal else self._of_user(connection.rate_key)
        self._limiter = RateLimiter(rate, clock or SystemClock(), shared)

    def _of_user(self, key: str) -> OwnRate:
        place = journal_place()
        if isinstance(place, Path):
            # Without a journal nobody is at work.
            return SharedRate.beside(place, key) if place.exists() else OwnRate()
        try:
            self._opened = Journal.open(place)
        except JournalError:  # without it nobody else sends, either
            return OwnRate()
        return self._opened.rate(key, "")

    def close(self) -> None:
        """Close the pooled connections, and the journal where none was given."""
        super().close()
        if self._opened is not None:
            self._opened.close()

    def attempt(
        self,
        endpoint: Endpoint,
        body: bytes,
        query: Query = (),
        *,
        look: Callable[[], None] | None = None,
    ) -> Verdict:
        """Send one request when its turn has come, signed then, and return what came of it."""
        sent = self._wait_for_turn()
        verdict = super().attempt(endpoint, body, query, look=look)
        if sent is not None:
            self._limiter.learn(verdict, sent)
        if verdict.retry_after is not None:
            self._limiter.pause(verdict.retry_after)
        return verdict

    def _wait_for_turn(self) -> float | None:
        """Return the time at which a request may leave; None if its turn did not come in time."""
        enough = threading.Event()
        timer = threading.Timer(PATIENCE, enough.set)
        timer.daemon = True
        timer.start()
        try:
            return self._limiter.acquire(enough)
        finally:
            timer.cancel()


def ask_for_fields(connection: Connection) -> tuple[TenantField, ...]:
    """Ask the API for the tenant's fields, and remember them.

    Raises RefusedError, UnreachableError, SettingsError.
    """
    with AccountClient(connection) as client:
        return fetch_fields(client)
