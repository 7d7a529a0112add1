"""The delivery: batches in, outcomes out, with everything in between that a network can do."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from importer.delivery.base import BodyBuilder, DeliveryObserver, Policy, Sender

if TYPE_CHECKING:
    from importer.delivery.delivery import Delivery
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

__all__ = [
    "Attempted",
    "BatchFinished",
    "BodyBuilder",
    "CanaryAnswered",
    "ClockCorrected",
    "Delivery",
    "DeliveryEvent",
    "DeliveryObserver",
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
    """Load the rest on first use: a dry run does without the workers, and without what they tell."""
    if name not in __all__:
        raise AttributeError(name)
    home = "delivery" if name == "Delivery" else "events"
    found: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return found
