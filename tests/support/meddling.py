"""A proxy on loopback that passes requests on to a server, and meddles with some answers."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.file_server import serving

REFUSALS: dict[str, tuple[bytes, dict[str, str]]] = {
    "s3": (b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", {}),
    "gs": (
        b'{"error": {"code": 403, "message": "x has no storage.objects.get access", "errors": []}}',
        {"Content-Type": "application/json"},
    ),
    "az": (b"", {"x-ms-error-code": "AuthorizationPermissionMismatch"}),
}
"""How each kind of bucket says that the credentials may not do that."""


@dataclass
class Meddler:
    """A running proxy. What it does may change at any time."""

    url: str
    refusal: tuple[bytes, Mapping[str, str]] | None = None
    """Body and headers of the answer 403 to what is refused."""
    refused: tuple[str, ...] = ("GET", "HEAD", "PUT", "POST", "DELETE")
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the connections of the first, the second … long answers are cut off."""
    cuts: int = 0


@contextlib.contextmanager
def meddling_with(target: str) -> Iterator[Meddler]:
    """Stand before the server at `target` until the block ends."""
    meddler = Meddler("")
    parts = urlsplit(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            length = self.headers.get("Content-Length")
            sent = self.rfile.read(int(length)) if length else None
            if meddler.refusal is not None and self.command in meddler.refused:
                self._answer(403, *meddler.refusal)
                return
            connection = http.client.HTTPConnection(parts.netloc, timeout=60)
            connection.request(self.command, self.path, sent, dict(self.headers))
            with contextlib.closing(connection), connection.getresponse() as answer:
                body, headers = answer.read(), {name.lower(): value for name, value in answer.getheaders()}
            for name in ("transfer-encoding", "connection"):
                headers.pop(name, None)
            self._answer(answer.status, body, headers)

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response_only(status)
            if self.command != "HEAD":
                headers = {**headers, "content-length": str(len(body))}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if meddler.cut_after and len(body) > meddler.cut_after[0]:
                body = body[: meddler.cut_after.pop(0)]
                meddler.cuts += 1
                self.close_connection = True
            self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, *said: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of clients that go away: they were cut off."""

    with Server(("127.0.0.1", 0), Handler) as running:
        meddler.url = f"http://127.0.0.1:{running.server_address[1]}{parts.path}"
        with serving(running):
            yield meddler
