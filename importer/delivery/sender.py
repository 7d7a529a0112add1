"""What the delivery needs of the API: one attempt at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from importer.model import Verdict


class Sender(Protocol):
    """Posts bodies. Called by all workers at once."""

    def attempt(self, body: bytes) -> Verdict:
        """One signed attempt, judged; never raises for what the network or the server does."""
        ...

    def correct_clock(self, server_time_ms: int) -> int:
        """Takes the server's time (ms since 1970) for signing from now on; returns the offset in ms."""
        ...


class Envelope(Protocol):
    """Makes bodies of customers."""

    def body(self, customers: Sequence[bytes]) -> bytes: ...
