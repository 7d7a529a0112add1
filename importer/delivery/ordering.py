"""Rows that share a contact are never in two requests in flight: which batch waits for which.

A batch depends on the latest unfinished earlier batch with any of its contacts (DESIGN.md, “Order”). Only
unfinished batches are remembered, so the memory is bounded by the window, not by the file.
"""

from __future__ import annotations

from collections.abc import Set


class Place:
    """One unfinished batch in the order. `waiting`: how many earlier ones it still waits for."""

    __slots__ = ("_contacts", "_followers", "waiting")

    def __init__(self, contacts: Set[int]) -> None:
        self._contacts = contacts
        self._followers: list[Place] = []
        self.waiting = 0


class Order:
    """The unfinished batches. Not for several threads at once."""

    def __init__(self) -> None:
        self._owners: dict[int, Place] = {}

    def __len__(self) -> int:
        """How many contacts are held."""
        return len(self._owners)

    def enter(self, place: Place) -> None:
        """The batch is the latest of all its contacts from now on, and waits for those that were."""
        owners = self._owners
        earlier = {id(owner): owner for contact in place._contacts if (owner := owners.get(contact))}
        for owner in earlier.values():
            owner._followers.append(place)
        place.waiting = len(earlier)
        owners.update(dict.fromkeys(place._contacts, place))

    def leave(self, place: Place) -> list[Place]:
        """The batch is final. Returns those that wait for nothing any more, in the order they entered."""
        owners = self._owners
        for contact in place._contacts:
            if owners.get(contact) is place:
                del owners[contact]
        for follower in place._followers:
            follower.waiting -= 1
        return [follower for follower in place._followers if follower.waiting == 0]
