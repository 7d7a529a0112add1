"""The delivery: batches in, outcomes out, with everything in between that a network can do."""

from __future__ import annotations

from importer.delivery.delivery import Delivery
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
