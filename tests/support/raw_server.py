"""A server that speaks bytes, for answers that no HTTP library would give."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

Talk = Callable[[socket.socket, list[bytes]], None]


@contextmanager
def serving(talk: Talk) -> Iterator[tuple[int, list[bytes]]]:
    """Give each connection, one after the other, to `talk`; yields the port and the requests seen."""
    seen: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            with peer:
                peer.settimeout(5)
                talk(peer, seen)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], seen
    finally:
        ending.set()
        thread.join()
        listener.close()


def hear_out(peer: socket.socket) -> None:
    """Read until the other side closes, without a word."""
    while peer.recv(65536):
        pass


def take(peer: socket.socket) -> bytes:
    """One whole request; empty if the other side has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    while len(body) < length:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


def reply(raw: bytes) -> Talk:
    """Answer the first request of a connection so, and close it."""

    def talk(peer: socket.socket, seen: list[bytes]) -> None:
        request = take(peer)
        if request:
            seen.append(request)
            peer.sendall(raw)

    return talk


@dataclass
class Script:
    """Answers in their order, whichever connection asks; the last one is given again to all who come later.

    An answer is bytes, or pieces that are sent one after the other; None closes the connection.
    """

    answers: Sequence[bytes | Sequence[bytes | None]]
    connections: int = 0
    asked: int = 0

    def __call__(self, peer: socket.socket, seen: list[bytes]) -> None:
        self.connections += 1
        with suppress(OSError):  # the client closes what it does not trust
            while request := take(peer):
                seen.append(request)
                answer = self.answers[min(self.asked, len(self.answers) - 1)]
                self.asked += 1
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    if piece is None:
                        return
                    peer.sendall(piece)
