"""Decode a file's bytes to UTF-8 text, piece by piece; bytes that cannot be decoded are marked, never
lost.

A byte that the encoding does not know becomes a lone surrogate, U+DC00 plus the byte. Encoded as UTF-8 that
is three bytes which no valid text contains, so a row that holds one can be told from all others.
"""

from __future__ import annotations

import codecs
import itertools
import os
import re
import threading
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
_TURN = threading.Lock()
LONGEST_RECORD = 1 << 26
"""Bytes."""
_SLACK = 0.97
"""Windows aim a little below a chunk's rows. One row too many makes a second, tiny chunk, which costs as many
calls as a full one."""
_LEAST_WINDOW, _FIRST_WINDOW, _MOST_WINDOW = 1 << 16, 1 << 18, 1 << 24


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return chr(0xDC00 + error.object[error.start]), error.start + 1


codecs.register_error(_MARK, _mark)


def decoder(encoding: str) -> codecs.IncrementalDecoder:
    """Return a decoder that works piece by piece and turns undecodable bytes into lone surrogates."""
    return codecs.getincrementaldecoder(encoding)(_MARK)


def encode(text: str) -> bytes:
    """Return the text as UTF-8, marks of undecodable bytes included."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def is_utf8(text: bytes) -> bool:
    """Return whether the bytes are valid UTF-8, at a tenth of the cost of decoding them."""
    if text.isascii():
        return True
    ends = pa.py_buffer(np.array([0, len(text)], dtype=np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, ends, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def utf8_pieces(file: BinaryIO, encoding: str, *, valid_utf8: bool) -> Iterator[bytes]:
    """Yield the text of `file` from its start as UTF-8, in pieces that may end anywhere.

    `valid_utf8` says that the bytes are known to be UTF-8, which pass unchanged. A byte order mark at the
    start is left out.
    """
    raw_pieces = _pieces(file)
    if valid_utf8:
        yield next(raw_pieces, b"").removeprefix(codecs.BOM_UTF8)
        yield from raw_pieces
        return
    convert = decoder(encoding)
    first = True
    for raw in itertools.chain(raw_pieces, (b"",)):
        text = convert.decode(raw, not raw)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        if text:
            yield encode(text)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield all bytes from the start.

    Each reading keeps its own position. So a file can be read a second time, on another thread too, while a
    first reading is under way.
    """
    position = 0
    while True:
        with _TURN:
            file.seek(position)
            piece = file.read(PIECE)
        if not piece:
            return
        yield piece
        position += len(piece)


def after(pieces: Iterator[bytes], skip: int) -> Iterator[bytes]:
    """Yield the pieces without their first `skip` bytes."""
    for piece in pieces:
        if skip >= len(piece):
            skip -= len(piece)
            continue
        yield piece[skip:] if skip else piece
        skip = 0


class Window:
    """The stretch of a text that is parsed next: about as long as the rows of a chunk."""

    def __init__(self, pieces: Iterator[bytes], chunk_rows: int) -> None:
        self.final = False
        """Whether the stretch ends where the text ends."""
        self._pieces = pieces
        self._chunk_rows = chunk_rows
        self._read, self._begin = b"", 0
        """The bytes that were read last, and how many of them are parsed."""
        self._ended = False
        self._size = _FIRST_WINDOW

    def text(self) -> bytes:
        """Return the bytes that were not parsed yet, as many as the window is long."""
        size = len(self._read) - self._begin
        if size < self._size and not self._ended:
            parts = [self._read[self._begin :]]
            while size < self._size and not self._ended:
                piece = next(self._pieces, None)
                self._ended = piece is None
                parts.append(piece or b"")
                size += len(parts[-1])
            self._read, self._begin = b"".join(parts), 0
        self.final = self._ended and size <= self._size
        return self._read[self._begin : self._begin + self._size]

    def advance(self, consumed: int, rows: int) -> bool:
        """Go on behind the bytes that were parsed. Returns False if one record is longer than allowed."""
        self._begin += consumed
        if rows:
            wanted = int(consumed / rows * self._chunk_rows * _SLACK)
            self._size = min(max(wanted, _LEAST_WINDOW), _MOST_WINDOW)
        elif self._begin < len(self._read):
            if self._size >= LONGEST_RECORD:
                return False
            self._size = min(max(2 * self._size, _LEAST_WINDOW), LONGEST_RECORD)
        return True


def open_binary(path: Path) -> BinaryIO:
    """Open a file for reading bytes; the caller closes it."""
    return path.open("rb")


def stamp(file: BinaryIO) -> tuple[int, int]:
    """Return size and time of change, which differ after a file was written to."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
