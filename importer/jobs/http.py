"""Posts of a job to people's own addresses: a webhook, a heartbeat. The CRM is not reached from here."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import requests

from importer import __version__

ATTEMPTS = 4
FIRST_WAIT = 2.0
"""Seconds; it doubles from attempt to attempt."""
TIMEOUT = 15.0
_BUSY = (408, 425, 429)


class NotDelivered(Exception):  # noqa: N818 - the caller makes a sentence of it
    """Why nobody took it. The text names no path and no query, since those hold people's tokens."""


def post_json(url: str, body: bytes, sleep: Callable[[float], None]) -> None:
    """Posts JSON until somebody takes it, four times at most. Raises NotDelivered."""
    _deliver("POST", url, body, sleep)


def touch(url: str, sleep: Callable[[float], None]) -> None:
    """Asks for an address, as dead-man switches want it. Raises NotDelivered."""
    _deliver("GET", url, None, sleep)


def _deliver(method: str, url: str, body: bytes | None, sleep: Callable[[float], None]) -> None:
    wait = FIRST_WAIT
    for attempt in range(1, ATTEMPTS + 1):
        fault, final = _attempt(method, url, body)
        if not fault:
            return
        if final or attempt == ATTEMPTS:
            raise NotDelivered(f"{urlsplit(url).hostname}: {fault}")
        sleep(wait)
        wait *= 2


def _attempt(method: str, url: str, body: bytes | None) -> tuple[str, bool]:
    """What went wrong, empty if nothing did; and whether trying again is useless."""
    headers = {"User-Agent": f"nxlink-importer/{__version__}"}
    if body is not None:
        headers["Content-Type"] = "application/json; charset=utf-8"
    try:
        with requests.request(
            method, url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
        ) as answer:
            status = answer.status_code
    except requests.RequestException as error:
        return type(error).__name__, isinstance(error, (requests.exceptions.SSLError, ValueError))
    if 200 <= status < 300:
        return "", True
    return f"HTTP {status}", status < 500 and status not in _BUSY
