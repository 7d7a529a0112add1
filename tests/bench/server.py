"""A server that takes every batch: answers at once, or after a fixed time. A process of its own.

    python -m tests.bench.server [SECONDS]

Prints its port. It counts the requests it gets and when: GET /span tells the first one's arrival and the last
one's answer on the system's monotonic clock, and forgets them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

_ANSWER = b'{"code":0,"message":"success","data":"","traceId":"bench"}'


class _Exchange(asyncio.Protocol):
    """One connection."""

    delay = 0.0
    requests = 0
    first = last = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = bytearray()
        self._left = 0

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._head[:end])
            if head.startswith(b"GET /span"):
                self._tell()
                self._head.clear()
                return
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            self._left = length - (len(self._head) - end - 4)
            self._head.clear()
            cls = type(self)
            cls.first = cls.first or time.monotonic()
            cls.requests += 1
        if self._left == 0:
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self._answer)
            else:
                self._answer()

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_response(_ANSWER))
        type(self).last = time.monotonic()

    def _tell(self) -> None:
        cls = type(self)
        found = {"requests": cls.requests, "first": cls.first, "last": cls.last}
        cls.requests, cls.first, cls.last = 0, 0.0, 0.0
        self._transport.write(_response(json.dumps(found).encode()))
        self._transport.close()


def _response(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(delay: float) -> None:
    _Exchange.delay = delay
    server = await asyncio.get_running_loop().create_server(_Exchange, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
