"""Finding the guilty rows of a refused batch: halve it, in file order, until they stand alone.

One guilty row in a hundred costs at most 14 requests: two for each of seven halvings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from importer.delivery.attempts import Ending, Trail
from importer.model import Batch


@dataclass(frozen=True, slots=True)
class Answered:
    """A batch or part, and how its attempts ended; a refused one of many rows is followed by its parts."""

    batch: Batch
    ending: Ending
    trail: Trail
    sent: bool = True
    """False for what a stop left over: `trail` tells of the larger part that it belonged to."""


Send = Callable[[Batch, Trail], tuple[Batch, Ending]]
"""Sends a part with a trail of its own. Returns it, perhaps without rows that must not go twice, and how it
ended."""


@dataclass(slots=True)
class _Piece:
    batch: Batch
    trail: Trail
    """Of the larger part that it belongs to."""
    guilty: bool = False
    """The other half was accepted, so it is this one; no need to send it whole."""


def isolate(batch: Batch, trail: Trail, send: Send) -> Iterator[Answered]:
    """Sends a refused batch in parts. Yields every part in turn, with how it ended.

    Rows come in file order, each at most once in a part that is not split further.
    """
    pieces = _halves(batch, trail)
    while pieces:
        piece = pieces.pop()
        if piece.guilty and len(piece.batch) > 1:
            pieces += _halves(piece.batch, piece.trail)
            continue
        sibling = pieces[-1] if pieces and pieces[-1].trail is piece.trail else None
        own = piece.trail.part()
        part, ending = send(piece.batch, own)
        yield Answered(part, ending, own)
        if ending is Ending.HALTED:
            for rest in reversed(pieces):
                yield Answered(rest.batch, ending, rest.trail, sent=False)
            return
        if ending is Ending.REFUSED and len(part) > 1:
            pieces += _halves(part, own)
        elif ending is Ending.ACCEPTED and sibling is not None and len(part) == len(piece.batch):
            sibling.guilty = True


def _halves(batch: Batch, trail: Trail) -> list[_Piece]:
    """Both halves, the first one last: pieces are taken from the end."""
    middle = (len(batch) + 1) // 2
    return [_Piece(batch.part(middle, len(batch)), trail), _Piece(batch.part(0, middle), trail)]
