"""SHA-256 of phones and e-mails: make them, and recognise them in a list however they are written."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.patterns import late_pattern

_HASH = (
    r"^[\"']?(?:\{?(?i:sha-?(?:2-)?256)\}?\s*[:=$-]?\s*)?(?:(?:0[xX]|\\x)?"
    r"(?P<hex>[0-9a-fA-F]{64}|(?:[0-9a-fA-F]{2}[: -]){31}[0-9a-fA-F]{2})"
    r"|(?P<base64>[0-9A-Za-z+/_-]{42}[AEIMQUYcgkosw048])=?)[\"']?$"
)
"""SHA-256 in hexadecimal digits or in Base64 (RFC 4648, also for URLs), with or without its name, `0x` of SQL
Server or `\\x` of PostgreSQL."""
_OTHER_HASH = r"^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{96}|[0-9a-fA-F]{128})$"
"""MD5, SHA-1 and longer ones, with which nothing can be compared."""
_LIKE_HASH = (
    r"^\W*(?i:sha-?_?[0-9]|md[245]|blake|hash|0x|\\x)[0-9A-Za-z-]{0,6}.{0,3}[0-9A-Za-z+/=_-]{16}"
    r"|(?:[0-9][0-9:_-]*[A-Za-z][A-Za-z:_-]*){6}"
)
"""What is no phone, whatever digits are in it: a hash in another form, or cut."""
_HASHED = r"(?i)(?:^|[^a-z])(?:sha[-_ ]?[0-9-]*|hash(?:ed|es)?)(?:[^a-z]|$)|sha-?_?256|hash$|哈希|散列"
"""In the name of a column of hashes."""
_MANY_HASHES = 0.5
"""The share of hashes in a column, from which on it is one of them."""
_READ = late_pattern(_HASH)
_FROM_URL = str.maketrans("-_", "+/")


def is_hash(text: str) -> bool:
    """Return whether a text is a SHA-256."""
    return _READ.match(text) is not None


def are_hashes(cells: pa.Array) -> np.ndarray:
    """Return a mask of the cells that are a SHA-256."""
    return _matching(cells, _HASH)


def are_other_hashes(cells: pa.Array) -> np.ndarray:
    """Return a mask of the cells that are a hash of another kind, by their length."""
    return _matching(cells, _OTHER_HASH)


def resemble_hashes(cells: pa.Array) -> np.ndarray:
    """Return a mask of the cells that hold a hash in a form that cannot be read, or a part of one."""
    return _matching(cells, _LIKE_HASH)


def is_hash_column(name: str, cells: pa.Array) -> bool:
    """Return whether a column is one of hashes, by its name or by its cells."""
    filled = cells.filter(pa.array(arrow.nonempty(cells)))
    return bool(re.search(_HASHED, name)) or (
        len(filled) > 0 and float(are_hashes(filled).mean()) >= _MANY_HASHES
    )


def digest(text: str) -> bytes:
    """Return the bytes of a SHA-256. `text`: one that `is_hash`."""
    found = _READ.match(text)
    assert found is not None  # noqa: S101 - it was told by the same pattern
    if found["hex"]:
        return bytes.fromhex(re.sub("[: -]", "", found["hex"]))
    return base64.b64decode(found["base64"].translate(_FROM_URL) + "=")


def first_bytes(digests: Iterable[bytes]) -> np.ndarray:
    """Return the first eight bytes of each digest as int64."""
    return np.frombuffer(b"".join([digest[:8] for digest in digests]), dtype=np.int64)


def hashes_of(texts: Sequence[str]) -> np.ndarray:
    """Return the first eight bytes of the SHA-256 of each text, as int64."""
    sha256 = hashlib.sha256
    return first_bytes(sha256(text.encode()).digest() for text in texts)


def _matching(cells: pa.Array, pattern: str) -> np.ndarray:
    return arrow.to_mask(pc.match_substring_regex(cells, pattern))
