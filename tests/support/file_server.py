"""A web server on loopback that hands out files, with ranges and scripted faults."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]


@dataclass
class Served:
    """What stands at one path, and how its server behaves."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    tag: str = '"one"'
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the connection of the first, the second … answer is cut off."""
    first_statuses: list[int] = field(default_factory=list)
    """Answers without a body that come before."""


@dataclass
class FileServer:
    """A running server: `files` by path, and every request that came."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def put(self, path: str, body: bytes = b"", **more: object) -> str:
        """Serve a body at a path. Returns its address."""
        self.files[path] = Served(body, **more)  # type: ignore[arg-type]
        return self.url + path


@contextlib.contextmanager
def serving_files(host: str = "127.0.0.1") -> Iterator[FileServer]:
    """Serve files until the block ends."""
    server = FileServer("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.asked.append(Asked(self.path, {key.lower(): value for key, value in self.headers.items()}))
            served = server.files.get(self.path.partition("?")[0])
            if served is None:
                self._answer(404, {}, b"no such file", None)
                return
            if served.first_statuses:
                self._answer(served.first_statuses.pop(0), served.headers, b"", None)
                return
            if self._is_known(served):
                self._answer(304, {"ETag": served.tag}, b"", None)
                return
            cut = served.cut_after.pop(0) if served.cut_after else None
            body, status, headers = served.body, served.status, dict(served.headers)
            if served.ranges:
                headers |= {"Accept-Ranges": "bytes", "ETag": served.tag}
            begin = self._begin(served)
            if begin and begin >= len(body):
                self._answer(416, {"Content-Range": f"bytes */{len(body)}"}, b"", None)
                return
            if begin:
                headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
                body, status = body[begin:], 206
            self._answer(status, headers, body, cut)

        def _is_known(self, served: Served) -> bool:
            tag, modified = self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")
            if tag is not None:
                return served.ranges and tag == served.tag
            return modified is not None and modified == served.headers.get("Last-Modified")

        def _begin(self, served: Served) -> int:
            found = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            same = self.headers.get("If-Range") == served.tag
            return int(found[1]) if found and same and served.ranges else 0

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes, cut: int | None) -> None:
            self.send_response(status)
            length = {} if status == 304 else {"Content-Length": str(len(body))}
            for name, value in (length | dict(headers)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if cut is None else body[:cut])
            if cut is not None:
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()

        def log_message(self, *said: object) -> None:
            pass

    with ThreadingHTTPServer((host, 0), Handler) as running:
        server.url = f"http://{host}:{running.server_address[1]}"
        with serving(running):
            yield server


@contextlib.contextmanager
def serving(running: ThreadingHTTPServer) -> Iterator[None]:
    """Let a server answer, in a thread of its own, until the block ends."""
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        running.shutdown()
        thread.join()
