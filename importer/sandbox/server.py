"""The HTTP server of the sandbox, built on uvicorn.

Its connections can be cut, and its listener can go away and come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 15.0
"""How long the head of a request may take to arrive, so that nobody holds connections for nothing."""
KEEP_ALIVE_SECONDS = 75
MAX_CONNECTIONS = 1000
STEP_SECONDS = 10.0
_TURNS = 5
_PAUSES = (0.0,) * 5 + (0.01,) * 200
"""Usually one turn of the loop is enough. A client that does not read gets two seconds."""


class ConnectionControl:
    """Controls the connection of one request: faults reset it, cut the answer, or take the server away."""

    def __init__(self, protocol: Any, server: SandboxServer) -> None:
        self._protocol = protocol
        self._server = server

    async def reset(self) -> None:
        """Reset the connection."""
        reset_connection(self._protocol.transport)
        await self._settled()

    async def go_away(self, seconds: float) -> None:
        """Cut all connections and refuse new ones for a while."""
        await self._server.go_away(seconds)
        await self._settled()

    async def send_truncated(self, body: bytes) -> None:
        """Announce a whole answer, send half of it, and close."""
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._protocol.transport.write(head.encode() + body[: len(body) // 2])
        self._protocol.transport.close()
        await self._settled()

    async def _settled(self) -> None:
        """Wait until uvicorn knows that the connection is gone: otherwise it would answer in our place."""
        for pause in _PAUSES:
            if self._protocol.gone:
                return
            await asyncio.sleep(pause)
        self._protocol.transport.abort()
        while not self._protocol.gone:
            await asyncio.sleep(0)


class _Protocol(H11Protocol):
    """uvicorn's HTTP protocol, extended: a request can reach its own connection, and a slow request head
    ends it."""

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        super().__init__(config, server_state, {**app_state}, _loop)
        self.gone = False
        self._deadline: asyncio.TimerHandle | None = None
        self.app_state["control"] = ConnectionControl(self, app_state["server"])

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except (h11.ProtocolError, UnicodeDecodeError):
            # uvicorn fails while it answers a malformed request; the connection is closed anyway.
            self.transport.close()
        if self.conn.their_state is not h11.IDLE:
            self._cancel_deadline()
        elif self._deadline is None and self.conn.trailing_data[0]:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        self.transport.close()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class SandboxServer(uvicorn.Server):
    """Serves an application on a bound socket until `stop`; `go_away` makes it refuse for a while."""

    def __init__(self, application: Any, listener: socket.socket, ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            application,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            limit_concurrency=MAX_CONNECTIONS,
            backlog=1024,
        )
        super().__init__(config)
        self._listener = listener
        self._ready = ready
        self._stopped: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._return: asyncio.Task[None] | None = None
        self._away = False

    def stop(self) -> None:
        """End serving. May be called from another thread."""
        self.should_exit = True
        if self._loop is not None and self._stopped is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stopped.set)

    def do(self, step: Callable[[], None]) -> None:
        """Run a step in the server's thread and wait for it. Does nothing if the server has ended."""
        done = threading.Event()

        def run() -> None:
            step()
            done.set()

        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(run)
            done.wait(STEP_SECONDS)

    def release(self) -> None:
        """Free the port of a server that has ended or never began."""
        self._listener.close()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A signal is the usual end of a sandbox: nothing is raised after it."""
        self.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self.lifespan.state["server"] = self
        await super().startup([self._listener])
        self._ready()

    async def main_loop(self) -> None:
        assert self._stopped is not None  # noqa: S101 - made by startup
        if not self.should_exit:
            await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._return is not None:
            self._return.cancel()
        await self._refuse()
        self.release()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def go_away(self, seconds: float) -> None:
        """Reset all connections and refuse new ones for so many seconds. Does nothing while already away."""
        if self._away:
            return
        self._away = True
        address = self._listener.getsockname()
        await self._refuse()
        self._listener.close()
        # Bound but not listening: the port stays ours, and connections to it are refused.
        self._listener = bind_socket(address[0], address[1])
        for connection in list(self.server_state.connections):
            reset_connection(connection.transport)
        self._return = asyncio.get_running_loop().create_task(self._come_back(seconds))

    async def _refuse(self) -> None:
        """Close the listeners as soon as uvicorn has every connection that asyncio has accepted.

        One in between would stay open, and nobody would ever answer it.
        """
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for listener in server.sockets:
                with contextlib.suppress(NotImplementedError):  # the loop of Windows accepts differently
                    loop.remove_reader(listener.fileno())
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await super().startup([self._listener])
        self._away = False


def bind_socket(host: str, port: int) -> socket.socket:
    """A socket bound to an address, not listening yet. Raises OSError if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches off Nagle's algorithm: 40 ms for each answer otherwise.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def reset_connection(transport: asyncio.Transport) -> None:
    """Close a connection with RST instead of FIN, and drop the bytes that were to be sent."""
    found = transport.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
