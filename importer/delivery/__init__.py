"""The delivery: batches in, outcomes out, with everything in between that a network can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from importer.delivery.events import (
    Attempted,
    BatchFinished,
    ClockCorrected,
    Event,
    Isolating,
    Notify,
    Paused,
    Retrying,
    SlowedDown,
    Stopping,
)
from importer.delivery.policy import Policy
from importer.delivery.sender import Envelope, Sender

if TYPE_CHECKING:
    from importer.delivery.delivery import Delivery

__all__ = [
    "Attempted",
    "BatchFinished",
    "ClockCorrected",
    "Delivery",
    "Envelope",
    "Event",
    "Isolating",
    "Notify",
    "Paused",
    "Policy",
    "Retrying",
    "Sender",
    "SlowedDown",
    "Stopping",
]


def __getattr__(name: str) -> object:
    """Loads on first use: a dry run does without the workers and what they retry with."""
    if name != "Delivery":
        raise AttributeError(name)
    from importer.delivery.delivery import Delivery

    return Delivery
