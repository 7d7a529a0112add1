"""A stretch of XML whose bytes are looked at all at once, at a fraction of what a search of bytes costs."""

from __future__ import annotations

from functools import cached_property

import numpy as np

MARGIN = bytes(16)
"""What must follow the stretch, so that the bytes after any place in it can be looked at."""


class Stretch:
    """The first `end` bytes of `text`, of which more than `MARGIN` holds follow."""

    def __init__(self, text: bytes, end: int) -> None:
        self.text = text
        self.end = end
        self._codes = np.frombuffer(text, dtype=np.uint8)

    def places(self, needle: bytes) -> np.ndarray:
        """Where the needle (of 2 bytes at least) begins, int64 ascending."""
        if needle[:1] == b"<":
            at: np.ndarray = self._tags[self._after_tags == needle[1]]
        else:
            at = self._places_of(needle[:1])
            at = at[self.codes(at, 1) == needle[1]]
        for ahead, code in enumerate(needle[2:], 2):
            if not len(at):
                break
            at = at[self.codes(at, ahead) == code]
        return at

    def has(self, needle: bytes) -> bool:
        """Whether the needle begins anywhere in the stretch."""
        return bool(len(self.places(needle)))

    def codes(self, places: np.ndarray, ahead: int) -> np.ndarray:
        """The bytes (uint8) so far ahead of the places."""
        found: np.ndarray = self._codes[places + ahead]
        return found

    @cached_property
    def single_quoted(self) -> frozenset[int]:
        """The bytes that stand alone between double quotes somewhere."""
        quotes = self._codes[: self.end + 2] == ord('"')
        at = np.flatnonzero(quotes[:-2] & quotes[2:])
        return frozenset(np.unique(self.codes(at, 1)).tolist())

    @cached_property
    def _tags(self) -> np.ndarray:
        return self._places_of(b"<")

    @cached_property
    def _after_tags(self) -> np.ndarray:
        return self.codes(self._tags, 1)

    def _places_of(self, byte: bytes) -> np.ndarray:
        return np.flatnonzero(self._codes[: self.end] == byte[0])
