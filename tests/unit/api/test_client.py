"""The client against real sockets: what is sent, and what each fault of the network is taken for."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from importer.api.client import USER_AGENT, Client, sign
from importer.api.transport import Timeouts
from importer.config import Connection, Secret, check_base_url
from importer.contracts import Endpoint, endpoints, load
from importer.errors import RefusedError, SettingsError, UnreachableError
from importer.models import Action
from tests.support.raw_server import Talk, hear_out, reply, serving, take

BATCH = load("sea").endpoint
QUICK = Timeouts(connect=2.0, read=0.4)
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"code":0}'


def connection(port: int, key: str = "key") -> Connection:
    return Connection(f"http://127.0.0.1:{port}", Secret(key), Secret("secret"), "1", "app")


def test_each_attempt_is_signed_afresh_over_one_connection() -> None:
    connections = []

    def talk(peer: socket.socket, seen: list[bytes]) -> None:
        connections.append(peer)
        while request := take(peer):
            seen.append(request)
            peer.sendall(OK)

    times = iter([1000.0, 1000.0, 1001.5, 1001.5])
    body = '{"name":"牛小信"}'.encode()
    with serving(talk) as (port, seen), Client(connection(port), clock=lambda: next(times)) as client:
        for _ in range(2):
            assert client.attempt(BATCH, body).action is Action.DONE
    assert len(connections) == 1
    for request, ts in zip(seen, ("1000000", "1001500"), strict=True):
        head, _, sent = request.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == f"POST {BATCH.path} HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines[1:])
        assert sent == body
        assert headers["ts"] == ts
        assert headers["sign"] == sign(headers, body, "secret")
        assert headers["Content-Type"] == "application/json"
        assert headers["User-Agent"] == USER_AGENT
        assert "Cookie" not in headers
        assert "secret" not in head.decode().replace("accessSecret", "")


def test_cookies_are_not_kept() -> None:
    with_cookie = OK.replace(b"Content-Length", b"Set-Cookie: a=b\r\nConnection: close\r\nContent-Length")
    with serving(reply(with_cookie)) as (port, seen), Client(connection(port)) as client:
        client.attempt(BATCH, b"{}")
        client.attempt(BATCH, b"{}")
    assert b"a=b" not in seen[1]


def test_redirects_are_not_followed() -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with serving(reply(elsewhere)) as (port, seen), Client(connection(port)) as client:
        verdict = client.attempt(BATCH, b"{}")
    assert (verdict.action, verdict.code) == (Action.STOP, "http-302")
    assert len(seen) == 1


def _cut(raw: bytes) -> Talk:
    return reply(raw)


@pytest.mark.parametrize(
    ("raw", "code", "maybe_processed"),
    [
        (b"", "connection-lost", True),
        (b"HTTP/1.1 200 OK\r\nContent-Len", "cut-off", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b'{"code":0}', "cut-off", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + b'{"code":0}', "cut-off", True),
        (b'HTTP/1.1 200 OK\r\n\r\n{"code":0, "mess', "not-json", True),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", "not-json", True),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not-http", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "not-json", True),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "http-429", False),
    ],
)
def test_broken_answers(raw: bytes, code: str, maybe_processed: bool) -> None:
    with serving(reply(raw)) as (port, _), Client(connection(port)) as client:
        verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.maybe_processed) == (code, maybe_processed)
    assert verdict.action is not Action.DONE


def test_no_answer_in_time_may_have_been_processed() -> None:
    def silent(peer: socket.socket, seen: list[bytes]) -> None:
        take(peer)
        peer.recv(1)

    with serving(silent) as (port, _), Client(connection(port), timeouts=QUICK) as client:
        verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.action, verdict.maybe_processed) == ("read-timeout", Action.RETRY, True)


def test_an_answer_that_only_trickles_is_given_up() -> None:
    def trickle(peer: socket.socket, seen: list[bytes]) -> None:
        take(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with suppress(OSError):  # the client closes
            for _ in range(200):
                peer.sendall(b" ")
                threading.Event().wait(0.05)

    with serving(trickle) as (port, _), Client(connection(port), timeouts=QUICK) as client:
        verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.maybe_processed) == ("read-timeout", True)


def test_an_endless_answer_is_given_up() -> None:
    def flood(peer: socket.socket, seen: list[bytes]) -> None:
        take(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):  # the client closes
            while True:
                peer.sendall(b" " * 1_000_000)

    with serving(flood) as (port, _), Client(connection(port)) as client:
        verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.action) == ("too-large", Action.RETRY)


def test_a_connection_lost_before_the_whole_request_was_sent_cannot_have_done_anything() -> None:
    def hang_up(peer: socket.socket, seen: list[bytes]) -> None:
        peer.recv(100)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    with serving(hang_up) as (port, _), Client(connection(port)) as client:
        verdict = client.attempt(BATCH, b"x" * 50_000_000)
    assert (verdict.code, verdict.action, verdict.maybe_processed) == (
        "lost-while-sending",
        Action.RETRY,
        False,
    )


def test_an_answer_given_before_the_whole_request_was_taken_is_heard() -> None:
    def refuse(peer: socket.socket, seen: list[bytes]) -> None:
        peer.recv(100)
        peer.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(1_000_000):
            pass

    with serving(refuse) as (port, _), Client(connection(port)) as client:
        verdict = client.attempt(BATCH, b"x" * 5_000_000)
    assert (verdict.code, verdict.action) == ("http-413", Action.ISOLATE)


def test_an_idle_connection_that_the_server_closed_is_replaced_unnoticed() -> None:
    closed = threading.Event()

    def once(peer: socket.socket, seen: list[bytes]) -> None:
        request = take(peer)
        if request:
            seen.append(request)
            peer.sendall(OK)
            peer.close()
            closed.set()

    with serving(once) as (port, seen), Client(connection(port)) as client:
        assert client.attempt(BATCH, b"{}").action is Action.DONE
        assert closed.wait(60)
        assert client.attempt(BATCH, b"{}").action is Action.DONE
    assert len(seen) == 2


def test_a_refused_connection_never_reached_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Client(connection(port)) as client:
        verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.action, verdict.maybe_processed) == (
        "connection-refused",
        Action.WAIT,
        False,
    )


def test_an_unknown_name_never_reached_the_server() -> None:
    there = replace(connection(1), base_url="https://no-such-host.invalid")
    with Client(there) as client:
        verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.action, verdict.maybe_processed) == ("name-unresolved", Action.WAIT, False)


@pytest.mark.parametrize(
    ("talk", "code", "action"),
    [
        (reply(b"HTTP/1.1 400 Bad\r\n\r\n"), "tls", Action.STOP),
        (lambda peer, seen: peer.recv(10), "connection-refused", Action.WAIT),
        (lambda peer, seen: hear_out(peer), "connect-timeout", Action.WAIT),
    ],
)
def test_a_secure_connection_that_does_not_come_about(talk: Talk, code: str, action: Action) -> None:
    def first_bytes(peer: socket.socket, seen: list[bytes]) -> None:
        if code == "tls":
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")
        else:
            talk(peer, seen)

    with serving(first_bytes) as (port, _):
        there = replace(connection(port), base_url=f"https://127.0.0.1:{port}")
        seconds = 0.4 if code == "connect-timeout" else 10.0
        with Client(there, timeouts=Timeouts(connect=seconds, read=seconds)) as client:
            verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.action, verdict.maybe_processed) == (code, action, False)


def test_loopback_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with serving(reply(OK)) as (port, _), Client(connection(port)) as client:
        assert client.attempt(BATCH, b"{}").action is Action.DONE


@pytest.mark.parametrize("proxy", ["127.0.0.1:1", "127.0.0.1:4030", "407.example.invalid:3128"])
def test_an_absent_proxy_is_waited_for(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
    there = replace(connection(1), base_url="https://api.example.invalid")
    with Client(there) as client:
        verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.action, verdict.maybe_processed) == (
        "proxy-unreachable",
        Action.WAIT,
        False,
    )


def test_a_proxy_that_wants_a_password_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    wants = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with serving(reply(wants)) as (port, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        there = replace(connection(1), base_url="https://api.example.invalid")
        with Client(there) as client:
            verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.action, verdict.maybe_processed) == ("proxy-refused", Action.STOP, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api-hk.nxlink.ai", "https://api-hk.nxlink.ai"),
        ("https://api-hk.nxlink.ai/", "https://api-hk.nxlink.ai"),
        (" HTTPS://Api-HK.nxlink.ai:8443 ", "https://api-hk.nxlink.ai:8443"),
        ("http://localhost:80", "http://localhost:80"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_base_urls_that_are_taken(text: str, expected: str) -> None:
    assert check_base_url(text) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://api-hk.nxlink.ai", "plain-http"),
        ("http://127.0.0.1.evil.example", "plain-http"),
        ("http://10.0.0.1", "plain-http"),
        ("ftp://127.0.0.1", "bad-base-url"),
        ("api-hk.nxlink.ai", "bad-base-url"),
        ("https://", "bad-base-url"),
        ("https://user:pw@host", "bad-base-url"),
        ("https://host/path", "bad-base-url"),
        ("https://host?x=1", "bad-base-url"),
        ("https://host:99999", "bad-base-url"),
        ("https://ho\nst", "bad-base-url"),
        ("https://" + "a" * 70 + ".example", "bad-base-url"),
        ("", "bad-base-url"),
    ],
)
def test_base_urls_that_are_refused(text: str, code: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check_base_url(text)
    assert caught.value.code == code
    assert "pw" not in str(caught.value)


def test_an_access_key_that_no_header_carries_is_refused() -> None:
    for key in ("a\nb", "钥匙"):
        with pytest.raises(SettingsError, match="access key"):
            Client(connection(1, key))


def test_a_secret_that_is_no_text_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        Client(replace(connection(1), access_secret=Secret("geheim\udcff")))
    assert caught.value.code == "bad-access-secret"
    assert "geheim" not in str(caught.value)


def test_the_clock_is_corrected_by_the_servers() -> None:
    with Client(connection(1), clock=lambda: 1000.0) as client:
        assert client.offset_ms == 0
        assert client.correct_clock(1_060_000) == 60_000
        assert client.offset_ms == 60_000


def _answers(*replies: bytes) -> Talk:
    waiting = iter(replies)

    def talk(peer: socket.socket, seen: list[bytes]) -> None:
        request = take(peer)
        if request:
            seen.append(request)
            peer.sendall(next(waiting))

    return talk


def http(body: object, status: str = "200 OK") -> bytes:
    raw = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw


FIELDS: Endpoint = endpoints()["fields"]


def test_a_call_is_repeated_as_the_table_says() -> None:
    slept: list[float] = []
    talk = _answers(http({}, "503 Away"), http({"code": -1}), http({"code": 0, "data": [1]}))
    with serving(talk) as (port, seen), Client(connection(port), sleep=slept.append) as client:
        assert client.call(FIELDS, query=[("tenant_id", "1"), ("app_key", "a=b&c")]) == [1]
    assert slept == [1.0, 2.0]
    assert b"GET /saas/cdp/openapi/customers/fields?tenant_id=1&app_key=a%3Db%26c HTTP/1.1" in seen[0]


def test_a_call_that_makes_something_is_not_repeated_blindly() -> None:
    with (
        serving(_answers(http({}, "503 Away"))) as (port, seen),
        Client(connection(port)) as client,
        pytest.raises(UnreachableError) as caught,
    ):
        client.call(endpoints()["create_app"], b"{}", repeatable=False)
    assert caught.value.code == "maybe-created"
    assert len(seen) == 1


def test_a_refusal_of_a_call_is_told_by_its_code() -> None:
    with (
        serving(_answers(http({"code": 9007, "message": "no"}))) as (port, _),
        Client(connection(port)) as client,
        pytest.raises(RefusedError, match="integrator") as caught,
    ):
        client.call(endpoints()["create_app"], b"{}", repeatable=False)
    assert caught.value.code == "api-9007"
    assert caught.value.hint("zh")


def test_many_threads_share_a_client() -> None:
    def talk(peer: socket.socket, seen: list[bytes]) -> None:
        seen.append(take(peer))
        peer.sendall(http({"code": 0}))

    with serving(talk) as (port, seen), Client(connection(port), pool_size=8) as client:
        verdicts: list[Action] = []
        threads = [
            threading.Thread(target=lambda: verdicts.append(client.attempt(BATCH, b"{}").action))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert verdicts == [Action.DONE] * 8
    assert len(seen) == 8
