"""64-bit fingerprints of millions of rows, and a set of them in about ten bytes each.

Rows that were sent leave the fingerprint of their content and of their contacts here, so that a later row
can be told to be the same. Among ten million rows two different ones collide with a chance of about three in
a million. Fingerprints of contents are Python's keyed string hashes, and hold within one process. Those of
contacts hold for a journal: its key is mixed in, so that its file shows no phone and no e-mail, and another
journal's fingerprints mean nothing to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

FingerprintKey = tuple[int, int]
"""The secret half of a journal's fingerprints, two numbers of 64 bits."""
NO_KEY: FingerprintKey = (0, 0)
"""For fingerprints that nobody keeps."""

COUNT_BITS = 3
COUNT = (1 << COUNT_BITS) - 1
"""The low bits of a line say how many contacts its row has; all others are zero if its content is unknown."""

_NOTHING = hash(None)
_NEWEST = 1 << 16
_SHARE = 8
_WIDTH = 128
"""Bytes; no contact that is sent is longer."""
_MARK = 24
"""Hexadecimal digits of a mark."""
_HALF = np.uint64(33)
_SPREADING = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93))
_SMALLEST_SIEVE = 20
"""Its size in bits is two to this power."""
_FACTORS = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))


def fingerprints(texts: Iterable[str | bytes | None], length: int) -> np.ndarray:
    """One int64 for each text, 0 for None."""
    found = np.fromiter(map(hash, texts), dtype=np.int64, count=length)
    found[found == _NOTHING] = 0
    return found


def stable_fingerprints(offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    """One int64 for each text, the same in every process; 0 for an empty one.

    Text i is the bytes `data[offsets[i]:offsets[i + 1]]`. Eight bytes of all texts are hashed at once; those
    few that are longer than any contact may be go one by one.
    """
    lengths = np.diff(offsets)
    width = min(int(lengths.max(initial=0)), _WIDTH)
    width += -width % 8
    if not width:
        return np.zeros(lengths.size, dtype=np.int64)
    padded = np.concatenate((data, np.zeros(width, dtype=np.uint8)))
    texts = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(padded, width)[offsets[:-1]])
    texts *= np.arange(width) < lengths[:, None]
    found = lengths.astype(np.uint64)
    for start, word in zip(range(0, width, 8), texts.view(np.uint64).T, strict=True):
        # A text ends where it ends: how long the others of its column are must not show.
        found = np.where(lengths > start, _random(found ^ word) * _FACTORS[0], found)
    for long in np.flatnonzero(lengths > _WIDTH).tolist():
        digest = hashlib.blake2b(data[offsets[long] : offsets[long + 1]].tobytes(), digest_size=8).digest()
        found[long] = np.frombuffer(digest, dtype=np.uint64)[0]
    found *= lengths > 0
    signed: np.ndarray = found.view(np.int64)
    return signed


def keyed(values: np.ndarray, key: FingerprintKey) -> np.ndarray:
    """The values (int64) under a key; 0, which stands for nothing, stays 0.

    The value comes on top of what the key made of it, so that this cannot be run backwards.
    """
    if key == NO_KEY:
        return values
    given: np.ndarray = values.view(np.uint64)
    found: np.ndarray = _random(_random(given ^ np.uint64(key[0])) ^ np.uint64(key[1])) ^ given
    found[found == 0] = 1
    found *= given != 0
    signed: np.ndarray = found.view(np.int64)
    return signed


def content_key(key: FingerprintKey, *parts: object) -> str:
    """Return the key of fingerprints of contents that count only under the same `parts`: mode, contract, …"""
    text = "\x1f".join((*map(str, key), *map(str, parts)))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def content_fingerprints(contents: Sequence[bytes], key: str) -> np.ndarray:
    """Return one int64 for each content, the same in every process with this `content_key`: SipHash."""
    if not len(contents):
        return np.empty(0, dtype=np.int64)
    found = pd.util.hash_array(np.array(contents, dtype=object), hash_key=key, categorize=False)
    return np.asarray(found, dtype=np.uint64).view(np.int64)


def known_lines(contents: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return fingerprints of contents (int64) as lines: with the number of contacts of each row."""
    bits = contents & ~np.int64(COUNT)
    # Zero stands for unknown.
    found: np.ndarray = np.where(bits == 0, np.int64(1 << COUNT_BITS), bits) | counts
    return found


def text_mark(text: str, key: FingerprintKey) -> str:
    """Return the mark of a text under a journal's key, as 24 hexadecimal digits."""
    return keyed_mark(hashlib.sha256(text.encode()).hexdigest()[:_MARK], key)


def keyed_mark(digest: str, key: FingerprintKey) -> str:
    """Return the mark of a text of which the beginning of its SHA-256 is known, in hexadecimal digits."""
    secret = np.array(key, dtype="<u8").tobytes()
    return hashlib.blake2b(digest.encode(), digest_size=_MARK // 2, key=secret).hexdigest()


def _random(numbers: np.ndarray) -> np.ndarray:
    """A number (uint64) for each number, as if drawn by lot: MurmurHash3's finalizer."""
    found: np.ndarray = numbers ^ (numbers >> _HALF)
    for factor in _FACTORS:
        found *= factor
        found ^= found >> _HALF
    return found


class FingerprintSet:
    """Grows only. Three sorted arrays, looked up by binary search: the newest keys, a middle of at most an
    eighth of the rest, and the rest. Each is merged into the next in place, so that memory stays at what the
    fingerprints themselves take. A sieve in front of them lets hardly any key through that is new.
    """

    def __init__(self, keys: np.ndarray | None = None) -> None:
        """`keys`: the first to be added."""
        self._levels = [np.empty(0, dtype=np.int64) for _ in range(3)]
        self._sieve = _Sieve(0)
        if keys is not None:
            self.add(keys)

    def __len__(self) -> int:
        return sum(level.size for level in self._levels)

    def contains(self, keys: np.ndarray) -> np.ndarray:
        """For each key (int64) whether it was added before; 0 stands for nothing, which never is."""
        found = self._sieve.lets_through(keys)
        found &= keys != 0
        asked = np.flatnonzero(found)
        needles = keys[asked]
        # Sorted needles walk the big arrays from left to right, kind to the caches.
        order = np.argsort(needles)
        needles = needles[order]
        hits = np.zeros(needles.size, dtype=bool)
        for level in self._levels:
            if level.size:
                places = np.searchsorted(level, needles)
                np.minimum(places, level.size - 1, out=places)
                hits |= level[places] == needles
        found[asked[order]] = hits
        return found

    def add(self, keys: np.ndarray) -> None:
        """Adds keys (int64); zeros are passed over, doubles do no harm."""
        fresh = np.sort(keys)
        kept = fresh != 0
        kept[1:] &= fresh[1:] != fresh[:-1]
        fresh = fresh[kept]
        newest, middle, rest = self._levels
        newest = _merge(newest, fresh)
        if newest.size > _NEWEST:
            newest, middle = np.empty(0, dtype=np.int64), _merge(middle, newest)
            if middle.size * _SHARE > rest.size:
                middle, rest = np.empty(0, dtype=np.int64), _merge(rest, middle)
        self._levels = [newest, middle, rest]
        if self._sieve.holds(len(self)):
            self._sieve.add(fresh)
        else:
            self._sieve = _Sieve(len(self))
            for level in self._levels:
                for begin in range(0, level.size, _NEWEST):
                    self._sieve.add(level[begin : begin + _NEWEST])


def _merge(into: np.ndarray, keys: np.ndarray) -> np.ndarray:
    size = into.size
    into.resize(size + keys.size, refcheck=False)
    into[size:] = keys
    # Both parts are sorted. A stable sort merges them, which takes a thirtieth of the time of any other.
    into.sort(kind="stable")
    return into


class _Sieve:
    """A Bloom filter: lets all keys through that were added, and hardly any of the others: of random ones a
    twentieth at most."""

    _BITS = 8
    """At least so many for each key."""

    def __init__(self, keys: int) -> None:
        """`keys`: how many it has room for, at least."""
        self._size = max((keys * self._BITS).bit_length(), _SMALLEST_SIEVE)
        self._bits = np.zeros(1 << (self._size - 3), dtype=np.uint8)

    def holds(self, keys: int) -> bool:
        """Return whether it has room for so many keys in all."""
        return keys * self._BITS <= 1 << self._size

    def add(self, keys: np.ndarray) -> None:
        for places, bits in self._places(keys):
            # Of several marks in one byte the last alone stays at a time. `np.bitwise_or.at` is slower.
            while places.size:
                self._bits[places] |= bits
                missed = (self._bits[places] & bits) == 0
                places, bits = places[missed], bits[missed]

    def lets_through(self, keys: np.ndarray) -> np.ndarray:
        """Return a mask of the keys that may have been added."""
        found = np.ones(keys.size, dtype=bool)
        for places, bits in self._places(keys):
            found &= (self._bits[places] & bits) != 0
        return found

    def _places(self, keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield where each key leaves its two marks: a byte, and a bit of it."""
        for factor in _SPREADING:
            spread = (keys.view(np.uint64) * factor) >> np.uint64(64 - self._size)
            yield (
                (spread >> np.uint64(3)).view(np.int64),
                np.uint8(1) << (spread.astype(np.uint8) & np.uint8(7)),
            )
