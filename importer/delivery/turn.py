"""Wait for the turn of a run's lane, and tell for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable

from importer.delivery.base import Clock
from importer.delivery.events import DeliveryEvent, TurnTaken, WaitingForTurn
from importer.errors import LockedError
from importer.journal import LaneUser, Ticket

_LOOK_EVERY = 0.2
"""Seconds between two looks at the lane."""
_TELL_EVERY = 30.0
"""Seconds after which it is told again, while the same run goes first."""


def wait_for_turn(
    ticket: Ticket,
    limit: float,
    *,
    clock: Clock,
    cancelled: threading.Event,
    notify: Callable[[DeliveryEvent], None],
) -> bool:
    """Wait until the lane is ours. Return False if `cancelled` is set before.

    Raises LockedError `lane-wait-over` after `limit` seconds.
    """
    began = clock.now()
    told_of: LaneUser | None = None
    told_at = began
    while not cancelled.is_set():
        ahead = ticket.ahead()
        now = clock.now()
        if not ahead:
            notify(TurnTaken(now - began))
            return True
        if now - began >= limit:
            raise LockedError("lane-wait-over", seconds=f"{limit:g}", **ahead[0].found())
        again = told_of == ahead[0]
        if not again or now - told_at >= _TELL_EVERY:
            told_of, told_at = ahead[0], now
            left = ticket.rows_left(ahead[0])
            notify(WaitingForTurn(ahead[0], left, len(ahead) - 1, limit, again))
        clock.sleep(min(_LOOK_EVERY, limit - (now - began)), cancelled)
    return False
