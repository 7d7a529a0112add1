"""A run through a proxy that sends interim answers: what is told of a row is what the server said of it."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from tests.support.commands import Command, results, use
from tests.support.raw_server import serving, take

INTERIM = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
REFUSED = ("a7@", "a142@", "a143@", "a301@")


def test_each_row_is_told_what_the_server_said_of_it(
    importer: Command, box: Sandbox, monkeypatch: pytest.MonkeyPatch, work: Path
) -> None:
    rows = "".join(f"A{n},B,a{n}@x.example\n" for n in range(320))
    (work / "c.csv").write_text("first_name,last_name,email\n" + rows, "utf-8")

    def talk(peer: socket.socket, seen: list[bytes]) -> None:
        with suppress(OSError):
            while request := take(peer):
                bad = any(f'"{name}'.encode() in request for name in REFUSED)
                body = b'{"code":%d,"message":"","data":"","traceId":""}' % (1002 if bad else 0)
                if not bad:
                    seen.append(request)
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                peer.sendall(INTERIM + head + body)

    with serving(talk) as (port, accepted):
        use(monkeypatch, replace(box.connection, base_url=f"http://127.0.0.1:{port}"))
        done = importer("run", "c.csv", "--report-dir", "out", "--concurrency", "1")
    assert done.code == 1
    told = {row["email"]: row["_status"] for row in results(work / "out")}
    assert {name.partition("@")[0] + "@" for name, status in told.items() if status == "rejected"} == {
        *REFUSED
    }
    for email, status in told.items():
        stored = any(f'"{email}"'.encode() in request for request in accepted)
        assert stored is (status == "imported"), email
