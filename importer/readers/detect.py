"""What a file is, by its first bytes; its name is only a hint."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What the bytes are."""

    TEXT = "text"
    ZIP = "zip"
    OLE = "ole"
    GZIP = "gzip"
    OTHER = "other"


_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind.OLE),
    (b"\x1f\x8b", Kind.GZIP),
)


def kind_of(head: bytes) -> Kind:
    """The kind of a file that begins with `head`."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return Kind.TEXT
