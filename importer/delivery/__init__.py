"""The delivery: batches in, outcomes out, with everything in between that a network can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from importer.delivery.base import BodyBuilder, Policy, Sender
from importer.delivery.events import (
    Attempted,
    BatchFinished,
    CanaryAnswered,
    ClockCorrected,
    DeliveryEvent,
    EventListener,
    Isolating,
    LateOver,
    Paused,
    RateLowered,
    Retrying,
    SlowedDown,
    Stopping,
    TurnTaken,
    WaitingForLate,
    WaitingForTurn,
)

if TYPE_CHECKING:
    from importer.delivery.delivery import Delivery

__all__ = [
    "Attempted",
    "BatchFinished",
    "BodyBuilder",
    "CanaryAnswered",
    "ClockCorrected",
    "Delivery",
    "DeliveryEvent",
    "EventListener",
    "Isolating",
    "LateOver",
    "Paused",
    "Policy",
    "RateLowered",
    "Retrying",
    "Sender",
    "SlowedDown",
    "Stopping",
    "TurnTaken",
    "WaitingForLate",
    "WaitingForTurn",
]


def __getattr__(name: str) -> object:
    """Load `Delivery` on first use: a dry run does without the workers and what they retry with."""
    if name != "Delivery":
        raise AttributeError(name)
    from importer.delivery.delivery import Delivery

    return Delivery
