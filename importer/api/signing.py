"""The vendor's signature, from the "API interface call convention".

    accessKey=K&action=A&bizType=B&ts=T [&body=BODY] &accessSecret=SECRET

Names stand in ASCII order; the body is left out when it is empty and otherwise signed byte for byte as it is
sent; the result is lowercase hex of md5 (the API's default) or sha256. `ts` is part of it, so each attempt
is signed afresh.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

ALGORITHMS = ("md5", "sha256")
SIGNED = ("accessKey", "action", "bizType", "ts")
"""The headers that are signed, in the order in which they are."""
WINDOW_MS = 60_000
"""How far `ts` may be from the server's clock."""


def sign(headers: Mapping[str, str], body: bytes, secret: str, algorithm: str = "md5") -> str:
    """The `sign` header of a request with these headers (at least `SIGNED`) and this body.

    Raises ValueError for an algorithm that the API does not know, KeyError for a missing header.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown algorithm {algorithm}: the API knows {', '.join(ALGORITHMS)}")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    digest.update("&".join([f"{name}={headers[name]}" for name in SIGNED]).encode())
    if body:
        digest.update(b"&body=")
        digest.update(body)
    digest.update(f"&accessSecret={secret}".encode())
    return digest.hexdigest()
