"""From a file's bytes to UTF-8 text, piece by piece; bytes that don't decode are marked, never lost.

A byte that the encoding does not know becomes a lone surrogate, U+DC00 plus the byte. Written as UTF-8 that
is three bytes which no valid text contains, so that a row that holds one can be told from all others.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

PIECE = 1 << 20
"""Bytes read at a time."""
UNDECODED = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
REPLACEMENT = "\ufffd".encode()
_MARK = "importer-mark-undecoded"


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return chr(0xDC00 + error.object[error.start]), error.start + 1


codecs.register_error(_MARK, _mark)


def decoder(encoding: str) -> codecs.IncrementalDecoder:
    """Decodes piece by piece; undecodable bytes become lone surrogates."""
    return codecs.getincrementaldecoder(encoding)(_MARK)


def encode(text: str) -> bytes:
    """UTF-8, marks included."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are valid UTF-8, at a tenth of the cost of decoding them."""
    if text.isascii():
        return True
    ends = pa.py_buffer(np.array([0, len(text)], dtype=np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, ends, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def utf8_pieces(file: BinaryIO, encoding: str, *, valid_utf8: bool) -> Iterator[bytes]:
    """The text of `file` from its start as UTF-8, in pieces that may end anywhere.

    `valid_utf8` says that the bytes are known to be UTF-8 and pass through as they are. A byte order mark
    at the start is left out.
    """
    file.seek(0)
    if valid_utf8:
        piece = file.read(PIECE).removeprefix(codecs.BOM_UTF8)
        while piece:
            yield piece
            piece = file.read(PIECE)
        return
    convert = decoder(encoding)
    first = True
    while True:
        raw = file.read(PIECE)
        text = convert.decode(raw, not raw)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        if text:
            yield encode(text)
        if not raw:
            return


def open_binary(path: Path) -> BinaryIO:
    """The file for reading bytes; the caller closes it."""
    return path.open("rb")
