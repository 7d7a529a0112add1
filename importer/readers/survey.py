"""The one pass over all bytes before the first row: the hash, and what the encoding can be."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from importer.readers.decoding import PIECE, is_utf8

_CONTINUATION = range(0x80, 0xC0)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a pass over the bytes tells."""

    sha256: str
    size: int
    ascii: bool
    valid_utf8: bool
    head: bytes
    """The first bytes, up to 64 KiB."""


HEAD = 1 << 16


def survey(file: BinaryIO) -> Survey:
    """Reads `file` from its start to its end."""
    file.seek(0)
    digest = hashlib.sha256()
    head = b""
    size = 0
    plain = valid = True
    rest = b""
    while piece := file.read(PIECE):
        digest.update(piece)
        head = head or piece[:HEAD]
        size += len(piece)
        if valid and not (piece.isascii() and not rest):
            plain = False
            whole = rest + piece
            cut = _character_start(whole)
            valid = is_utf8(whole[:cut])
            rest = whole[cut:]
    valid = valid and is_utf8(rest)
    return Survey(digest.hexdigest(), size, plain, valid, head)


def _character_start(text: bytes) -> int:
    """The place near the end of `text` at which a UTF-8 character can begin, so that none is cut in two."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte < 0x80:
            return len(text)
        if byte not in _CONTINUATION:
            return len(text) - back
    return len(text)


def byte_order_mark(head: bytes) -> str | None:
    """The encoding that a byte order mark names."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) and len(head) % 4 == 0:
        return "utf-32"
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    return None
