"""The one pass over all bytes before the first row: the hash, and what the encoding can be."""

from __future__ import annotations

import codecs
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from importer.readers.decoding import PIECE, decoder, is_utf8
from importer.readers.detect import Kind, kind_of

HEAD = 1 << 16
_FEED = ord("\n")
_CONTINUATION = range(0x80, 0xC0)
_FULL_SAMPLE, _LATER_SAMPLE = 1 << 17, 1 << 11
"""Bytes of lines beyond ASCII that are kept: at first, and then of each piece."""
_MOST_SAMPLE = 1 << 19
_LONGEST_LINE = 1 << 12
_ENOUGH_BAD = 1 << 15
"""So many bad bytes settle that a text is not UTF-8 with flaws, or show how flawed it is."""
_BAD = re.compile("[\udc80-\udcff]+")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")


@dataclass(slots=True)
class Survey:
    """What a pass over the bytes tells."""

    sha256: str = ""
    size: int = 0
    lines: int = 0
    """Line feeds."""
    head: bytes = b""
    """The first bytes, up to 64 KiB."""
    text: bool = True
    """False if the head shows that it is something else."""
    ascii: bool = True
    valid_utf8: bool = True
    multibyte: int = 0
    """Valid UTF-8 characters of several bytes, roughly."""
    bad_bytes: int = 0
    """Bytes that are not UTF-8."""
    sample: bytes = b""
    """Lines that are not ASCII, from all parts of the file that are not UTF-8."""
    cut_lines: int = 0
    """How many of them were shortened, perhaps in the middle of a character."""
    _lines: list[bytes] = field(default_factory=list)
    _sampled: int = 0


def survey(file: BinaryIO) -> Survey:
    """Reads `file` from its start to its end."""
    file.seek(0)
    digest = hashlib.sha256()
    seen = Survey()
    rest = b""
    with ThreadPoolExecutor(1, "hash") as hashing:
        # The hash takes as long as all the rest, and lets other threads go on meanwhile.
        hashed = None
        while piece := file.read(PIECE):
            if hashed is not None:
                hashed.result()
            hashed = hashing.submit(digest.update, piece)
            rest = _look(seen, piece, rest)
    if rest:
        _take(seen, rest)
    seen.sha256 = digest.hexdigest()
    seen.sample = b"" if seen.valid_utf8 else b"\n".join(seen._lines)
    seen._lines.clear()
    return seen


def _look(seen: Survey, piece: bytes, rest: bytes) -> bytes:
    """Takes the next piece of the file; `rest` is what the one before left. What this one leaves."""
    if not seen.head:
        seen.head = piece[:HEAD]
        seen.text = kind_of(seen.head) is Kind.TEXT
    seen.size += len(piece)
    seen.lines += int(np.count_nonzero(np.frombuffer(piece, dtype=np.uint8) == _FEED))
    if not seen.text or (not rest and piece.isascii()):
        return rest
    seen.ascii = False
    whole = rest + piece
    cut = _character_start(whole)
    _take(seen, whole[:cut])
    return whole[cut:]


def _take(seen: Survey, piece: bytes) -> None:
    if is_utf8(piece):
        if seen.multibyte < 1 << 20:
            seen.multibyte += int(np.count_nonzero(np.frombuffer(piece, dtype=np.uint8) >= 0xC0))
    else:
        seen.valid_utf8 = False
        for begin in range(0, len(piece), HEAD):
            if seen.bad_bytes > _ENOUGH_BAD:
                break
            text = decoder("utf-8").decode(piece[begin : begin + HEAD], True)
            bad = sum(map(len, _BAD.findall(text)))
            seen.bad_bytes += bad
            seen.multibyte += sum(map(len, _BEYOND_ASCII.findall(text))) - bad
        _sample(seen, piece)


def _sample(seen: Survey, piece: bytes) -> None:
    """Keeps lines that are not ASCII, more of the first pieces than of the later ones."""
    if seen._sampled > _MOST_SAMPLE:
        return
    room = max(_FULL_SAMPLE - seen._sampled, _LATER_SAMPLE)
    for line in piece.splitlines():
        if line.isascii():
            continue
        seen.cut_lines += len(line) > _LONGEST_LINE
        seen._lines.append(line[:_LONGEST_LINE])
        seen._sampled += len(seen._lines[-1])
        room -= len(seen._lines[-1])
        if room <= 0:
            return


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
