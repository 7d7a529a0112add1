"""A batch on its way, and what the threads of the delivery tell the dispatcher about it."""

from __future__ import annotations

import hashlib
import queue
from dataclasses import dataclass

from importer.customers import distinct
from importer.delivery.attempts import Trail
from importer.delivery.ordering import Place
from importer.errors import ImporterError
from importer.journal import Begun, Settled
from importer.model import Batch


class Parcel(Place):
    """A batch on its way. Its state belongs to the dispatcher, its trail to the worker that has it."""

    __slots__ = ("abandoned", "batch", "begun", "body", "digest", "fragile", "told", "trail")

    def __init__(self, batch: Batch, body: bytes, *, fragile: bool) -> None:
        super().__init__(distinct(batch.contacts))
        self.fragile = fragile
        """Some row must not go twice: such a batch is journaled when it leaves, not ahead, so that after a
        crash its rows count as sent only if they were."""
        self.batch = batch
        self.body = body
        self.digest = hashlib.sha256(body).digest()
        self.trail = Trail(batch.ordinal)
        self.begun = False
        """Journaled, so that it may leave."""
        self.abandoned = False
        """Settled without its worker, who is not listened to any more."""
        self.told: list[tuple[int, ...]] = []
        """The rows that are settled already."""

    def rows_left(self) -> tuple[int, ...]:
        """The rows of which nothing was told yet."""
        told = {row for rows in self.told for row in rows}
        return tuple(row for row in self.batch.rows if row not in told)


@dataclass(frozen=True, slots=True)
class Begin:
    """A worker wants to send a part, or a fragile batch, and waits for leave."""

    parcel: Parcel
    event: Begun
    reply: queue.SimpleQueue[bool]


@dataclass(frozen=True, slots=True)
class Told:
    """A worker knows what became of a request."""

    parcel: Parcel
    event: Settled


@dataclass(frozen=True, slots=True)
class Done:
    """A worker has nothing more to do for a batch."""

    parcel: Parcel


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody wants the run to end."""

    reason: ImporterError
    at_once: bool


@dataclass(frozen=True, slots=True)
class Crash:
    """A worker came upon a fault of this program."""

    error: BaseException


class Close:
    """No more batches will come."""


Message = Parcel | Begin | Told | Done | Stop | Crash | Close
