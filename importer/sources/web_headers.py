"""Read what the headers of an answer say of the file that it brings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path

from importer.dataclass import dataclass

MOST_PATIENCE = 60.0
"""Seconds that a server is waited for at most before it is asked again."""
_SURE_SECONDS = 10
"""After so long what is changed has another time: times over HTTP have no more than seconds."""


@dataclass(frozen=True, slots=True)
class WebVersion:
    """By what a server tells whether a file is still as it was (RFC 9110, 13.1.2 and 13.1.3)."""

    address: str
    """SHA-256 of the address that the file came from at last: it may hold a secret."""
    tag: str
    """Its ETag; empty if it has none."""
    modified: str
    """Its Last-Modified; empty if that is not sure."""


def length(headers: Mapping[str, str]) -> int | None:
    """Return the bytes of the body; None if nobody says."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def validator(headers: Mapping[str, str]) -> str:
    """Return by what the server knows the file again; empty if it cannot be continued."""
    if headers.get("Accept-Ranges", "").lower() == "none":
        return ""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def version_of(url: str, headers: Mapping[str, str]) -> WebVersion | None:
    """Return by what the server can tell the file from a later one; None if not for sure."""
    tag, modified = headers.get("ETag", ""), headers.get("Last-Modified", "")
    if modified and not _is_settled(modified, headers.get("Date", "")):
        return None  # in the same second there may be another, and many servers make tags of times
    return WebVersion(address_digest(url), tag, modified) if tag or modified else None


def _is_settled(modified: str, now: str) -> bool:
    try:
        age = parsedate_to_datetime(now) - parsedate_to_datetime(modified)
    except (TypeError, ValueError):
        return False
    return age.total_seconds() >= _SURE_SECONDS


def address_digest(url: str) -> str:
    """Return the sha256 (hex) of an address, by which it is known where it must not be kept itself."""
    return hashlib.sha256(url.encode()).hexdigest()


def begins_at(headers: Mapping[str, str]) -> int | None:
    """Return the first byte of the range that an answer brings; None if it does not say."""
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def whole_length(headers: Mapping[str, str]) -> int | None:
    """Return the bytes of the whole file, of which a range was refused; None if nobody says."""
    found = re.match(r"bytes \*/(\d+)", headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def retry_after(headers: Mapping[str, str]) -> float:
    """Return for how many seconds the server wants to be left alone."""
    text = headers.get("Retry-After", "")
    return min(float(text), MOST_PATIENCE) if text.isdigit() else 0.0


def own_name(headers: Mapping[str, str]) -> str:
    """Return the name that the server gives the file (RFC 6266); empty without one."""
    message = Message()
    message["Content-Disposition"] = headers.get("Content-Disposition", "")
    return Path(message.get_filename() or "").name
