"""Read one HTTP/1.1 answer off a connection, strictly: what does not fit is a fault, and is never read on.

Pooled connections carry one answer after the other. If one byte too few or too many is taken for an answer,
each later request is given the answer of the one before it. http.client lets that happen: it passes over
100, but takes 102 and 103 for the answer itself, guesses where a head contradicts itself, and leaves what
comes after an answer on the connection.

Sources: RFC 9110, 15.2 (interim answers); RFC 9112, 2.2, 6 and 9.6 (lines, framing, closing).
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
from typing import Any

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes; the largest documented answer, the fields of a tenant, has some hundred kilobytes."""
MAX_HEAD = 256 * 1024
"""Bytes of all that is no body: interim answers, status line, headers, sizes of chunks, trailers."""

_STATUS = re.compile(rb"HTTP/1\.([0-9]) +([1-9][0-9]{2})(?: ([^\r\n\0]*))?\r?\n")
# Blanks around a value are stripped afterwards: a pattern for them takes hours for a line of blanks.
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)\r?\n")
_FOLDED = re.compile(rb"[ \t]([^\r\n\0]*)\r?\n")
_BLANKS = b" \t"
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_NO_BODY = frozenset({204, 304})


class AnswerFault(http.client.HTTPException):
    """The answer cannot be used. `key` is one of `answers.RULES`, `detail` says what does not fit."""

    def __init__(self, key: str, detail: str = "") -> None:
        super().__init__(key, detail)
        self.key = key
        self.detail = detail


class _BoundedFile(io.RawIOBase):
    """What a socket receives, as a file that ends at a deadline: TimeoutError. Counts the bytes."""

    def __init__(self, sock: Any, file: io.RawIOBase) -> None:
        seconds = sock.gettimeout()
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._socket: socket.socket = sock
        self._file: Any = file
        self.received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            self._socket.settimeout(left)
        count: int | None = self._file.readinto(buffer)
        self.received += count or 0
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class StrictResponse(http.client.HTTPResponse):
    """The `response_class` of our connections: `begin` takes the whole answer off the connection.

    The socket's timeout bounds it as a whole, from the first byte waited for to the last. `will_close` is
    True if anything was unusual, so that the connection is not used again. `early`: the server spoke
    before it had the whole request; it may refuse one then, but not have carried it out.
    """

    def __init__(self, sock: Any, *args: Any, early: bool = False, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._early = early
        self._received = _BoundedFile(sock, self.fp.detach())
        self._stream: io.BufferedReader[Any] = io.BufferedReader(self._received)
        self.fp = self._stream
        self._taken = 0
        self._head_left = MAX_HEAD

    def begin(self) -> None:
        """Read the answer. Raises AnswerFault, TimeoutError, and OSError where the connection broke."""
        if self.headers is not None:  # as in http.client: it was read
            return
        version = self._read_head()
        self.chunked = False
        if self._early and 200 <= self.status < 300:
            raise AnswerFault("not-http", "an answer before the request")
        self.will_close = self._early or version != 1 or self.status > 599 or self._says_close()
        body = self._read_body()
        if self._received.received > self._taken:
            self.will_close = True
            # Blanks and line ends that the length leaves out are no answer that could be taken for the next.
            if self._stream.peek().strip():
                raise AnswerFault("not-http", "more than one answer")
        self._stream.close()
        # http.client and urllib3 read on from here, in memory.
        del self.headers["transfer-encoding"]
        self.fp = io.BytesIO(body)
        self.length = len(body)

    def _read_head(self) -> int:
        """Read status line and headers of the final answer. Return the minor version of HTTP."""
        while True:
            found = _STATUS.fullmatch(self._line(first=True))
            if found is None:
                raise AnswerFault("not-http", "no status line")
            self.code = self.status = int(found[2])
            headers = self._read_headers()
            if self.status >= 200:
                break
            if self.status == http.client.SWITCHING_PROTOCOLS:
                raise AnswerFault("not-http", "101, another protocol")
        self.reason = (found[3] or b"").decode("latin-1").strip()
        self.version = 10 if found[1] == b"0" else 11
        self.headers = self.msg = headers
        return int(found[1])

    def _read_headers(self) -> http.client.HTTPMessage:
        read: list[list[str]] = []
        while (line := self._line()) not in (b"\r\n", b"\n"):
            if found := _HEADER.fullmatch(line):
                read.append([found[1].decode(), found[2].strip(_BLANKS).decode("latin-1")])
            elif read and (folded := _FOLDED.fullmatch(line)):
                read[-1][1] += " " + folded[1].strip(_BLANKS).decode("latin-1")
            else:
                raise AnswerFault("not-http", "a line that is no header")
        headers = http.client.HTTPMessage()
        for name, value in read:
            headers.set_raw(name, value)
        return headers

    def _says_close(self) -> bool:
        tokens = ",".join(self.headers.get_all("connection", [])).lower()
        return "close" in [token.strip() for token in tokens.split(",")]

    def _read_body(self) -> bytes:
        codings = self.headers.get_all("transfer-encoding", [])
        lengths = self.headers.get_all("content-length", [])
        if self.status in _NO_BODY:
            return b""
        if codings and lengths:
            raise AnswerFault("not-http", "both Content-Length and Transfer-Encoding")
        try:
            if codings:
                if [coding.lower() for coding in codings] != ["chunked"]:
                    raise AnswerFault("not-http", "an unknown Transfer-Encoding")
                return self._read_chunks()
            if lengths:
                self.will_close |= len(lengths) > 1
                if len(set(lengths)) > 1 or not _LENGTH.fullmatch(lengths[0]):
                    raise AnswerFault("not-http", "a Content-Length that is no length")
                return self._exactly(int(lengths[0]))
            self.will_close = True
            return self._to_the_end()
        except TimeoutError:
            raise
        except OSError as error:
            raise AnswerFault("cut-off") from error

    def _read_chunks(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while True:
            found = _CHUNK.fullmatch(self._line())
            if found is None:
                raise AnswerFault("not-http", "a chunk without a size")
            length = int(found[1], 16)
            if not length:
                break
            size += length
            if size > MAX_ANSWER:
                raise AnswerFault("too-large")
            pieces.append(self._exactly(length))
            if self._line() not in (b"\r\n", b"\n"):
                raise AnswerFault("not-http", "a chunk of another size")
        self._read_headers()
        return b"".join(pieces)

    def _line(self, *, first: bool = False) -> bytes:
        """Read one line. `first`: of an answer; if nothing comes there, nobody answered."""
        line: bytes = self._stream.readline(self._head_left)
        self._taken += len(line)
        self._head_left -= len(line)
        if line.endswith(b"\n"):
            return line
        if not self._head_left:
            raise AnswerFault("too-large")
        if first and not line:
            raise http.client.RemoteDisconnected("closed without an answer")
        if first and not b"HTTP/1.".startswith(line[:7]):
            raise AnswerFault("not-http", "no status line")
        raise AnswerFault("cut-off")

    def _exactly(self, length: int) -> bytes:
        if length > MAX_ANSWER:
            raise AnswerFault("too-large")
        body = self._stream.read(length)
        self._taken += len(body)
        if len(body) < length:
            raise AnswerFault("cut-off")
        return body

    def _to_the_end(self) -> bytes:
        body = self._stream.read(MAX_ANSWER + 1)
        self._taken += len(body)
        if len(body) > MAX_ANSWER:
            raise AnswerFault("too-large")
        return body
