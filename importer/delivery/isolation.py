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


@dataclass(slots=True)
class _Piece:
    start: int
    stop: int
    trail: Trail
    guilty: bool = False
    """The other half was accepted, so it is this one; no need to send it whole."""


def isolate(batch: Batch, trail: Trail, send: Callable[[Batch, Trail], Ending]) -> Iterator[Answered]:
    """Sends a refused batch in parts; `send` gets each with a trail of its own. Yields every part in turn.

    Rows come in file order, each exactly once in a part that is not split further.
    """
    pieces = _halves(0, len(batch), trail)
    while pieces:
        piece = pieces.pop()
        part = batch.part(piece.start, piece.stop)
        if piece.guilty and len(part) > 1:
            pieces += _halves(piece.start, piece.stop, piece.trail)
            continue
        sibling = pieces[-1] if pieces and pieces[-1].trail is piece.trail else None
        own = piece.trail.part()
        ending = send(part, own)
        yield Answered(part, ending, own)
        if ending is Ending.HALTED:
            for rest in reversed(pieces):
                yield Answered(batch.part(rest.start, rest.stop), ending, rest.trail, sent=False)
            return
        if ending is Ending.REFUSED and len(part) > 1:
            pieces += _halves(piece.start, piece.stop, own)
        elif ending is Ending.ACCEPTED and sibling is not None:
            sibling.guilty = True


def _halves(start: int, stop: int, trail: Trail) -> list[_Piece]:
    """Both halves, the first one last: pieces are taken from the end."""
    middle = start + (stop - start + 1) // 2
    return [_Piece(middle, stop, trail), _Piece(start, middle, trail)]
