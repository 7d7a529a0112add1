"""A set of 64-bit fingerprints for millions of rows, in about eight bytes each.

Rows that were sent leave the fingerprint of their content and of their contacts here, so that a later row
can be told to be the same. Fingerprints are Python's keyed 64-bit string hashes: among ten million rows two
different ones collide with a chance of about three in a million, and only within one process.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_NOTHING = hash(None)
_NEWEST = 1 << 16
_SHARE = 8


def fingerprints(texts: Iterable[str | bytes | None], length: int) -> np.ndarray:
    """One int64 for each text, 0 for None."""
    found = np.fromiter(map(hash, texts), dtype=np.int64, count=length)
    found[found == _NOTHING] = 0
    return found


class FingerprintSet:
    """Grows only. Three sorted arrays, looked up by binary search: the newest keys, a middle of at most an
    eighth of the rest, and the rest. Each is merged into the next in place, so that memory stays at what the
    fingerprints themselves take.
    """

    def __init__(self) -> None:
        self._levels = [np.empty(0, dtype=np.int64) for _ in range(3)]

    def __len__(self) -> int:
        return sum(level.size for level in self._levels)

    def contains(self, keys: np.ndarray) -> np.ndarray:
        """For each key (int64) whether it was added before; 0 stands for nothing, which never is."""
        order = np.argsort(keys)  # sorted needles walk the big arrays from left to right, kind to the caches
        needles = keys[order]
        hits = np.zeros(keys.size, dtype=bool)
        for level in self._levels:
            if level.size:
                places = np.searchsorted(level, needles)
                np.minimum(places, level.size - 1, out=places)
                hits |= level[places] == needles
        found = np.empty(keys.size, dtype=bool)
        found[order] = hits & (needles != 0)
        return found

    def add(self, keys: np.ndarray) -> None:
        """Adds keys (int64); zeros are passed over, doubles do no harm."""
        fresh = np.sort(keys)
        fresh = fresh[np.flatnonzero(np.diff(fresh, prepend=0))]
        newest, middle, rest = self._levels
        newest = _merge(newest, fresh[fresh != 0])
        if newest.size > _NEWEST:
            newest, middle = np.empty(0, dtype=np.int64), _merge(middle, newest)
            if middle.size * _SHARE > rest.size:
                middle, rest = np.empty(0, dtype=np.int64), _merge(rest, middle)
        self._levels = [newest, middle, rest]


def _merge(into: np.ndarray, keys: np.ndarray) -> np.ndarray:
    size = into.size
    into.resize(size + keys.size, refcheck=False)
    into[size:] = keys
    into.sort()
    return into
