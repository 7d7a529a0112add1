"""Answers at the level of bytes: no request is ever given the answer of another one."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest

from importer.api.client import Client
from importer.api.http_answer import MAX_HEAD, AnswerFault
from importer.api.transport import PlainConnection, Timeouts
from importer.config import Connection, Secret
from importer.contracts import load
from importer.models import Action, Verdict
from tests.support.raw_server import Script, serving, take

BATCH = load("sea").endpoint


def client_of(port: int, read: float = 10.0) -> Client:
    there = Connection(f"http://127.0.0.1:{port}", Secret("key"), Secret("secret"), "1", "app")
    return Client(there, timeouts=Timeouts(connect=5.0, read=read))


def answer(code: int, status: str = "200 OK", extra: str = "") -> bytes:
    body = f'{{"code":{code}}}'.encode()
    return f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


DONE = answer(0)
REFUSED = answer(1002)
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"
TEN = b'{"code":0}'


def two_requests(script: Script) -> tuple[Verdict, Verdict]:
    with serving(script) as (port, _), client_of(port) as client:
        return client.attempt(BATCH, b"{}"), client.attempt(BATCH, b"{}")


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        PROCESSING,
        HINTS,
        b"HTTP/1.1 199 Soon\r\n\r\n",
        PROCESSING * 500 + HINTS,
        b"HTTP/1.1 100 Continue\r\n\r\n" + PROCESSING,
    ],
    ids=["100", "102", "103", "199", "many", "two kinds"],
)
def test_interim_answers_are_passed_over(interim: bytes) -> None:
    script = Script([interim + REFUSED, [interim, DONE]])
    first, second = two_requests(script)
    assert (first.code, second.code) == ("1002", "0")
    assert script.connections == 1


# What comes back, and what the request is told; the connection is not used again.
UNFIT = {
    "two answers": (DONE + REFUSED, "not-http"),
    "a second answer of which only a word came": (DONE + b"HTTP", "not-http"),
    "a length too short": (HEAD + b'Content-Length: 9\r\n\r\n{"code":0}', "not-http"),
    "both lengths": (CHUNKED[:-2] + b"Content-Length: 10\r\n\r\n" + TEN, "not-http"),
    "two lengths": (HEAD + b'Content-Length: 10\r\nContent-Length: 12\r\n\r\n{"code":0}  ', "not-http"),
    "a length with a sign": (HEAD + b'Content-Length: +10\r\n\r\n{"code":0}', "not-http"),
    "a negative length": (HEAD + b'Content-Length: -10\r\n\r\n{"code":0}', "not-http"),
    "a length in Arabic digits": (HEAD + b"Content-Length: \xd9\xa1\xd9\xa0\r\n\r\n" + TEN, "not-http"),
    "a length with a line": (HEAD + b'Content-Length: 1_0\r\n\r\n{"code":0}', "not-http"),
    "a length on two lines": (HEAD + b'Content-Length: 1\r\n 0\r\n\r\n{"code":0}', "not-http"),
    "a length with a return inside": (HEAD + b'X: a\rContent-Length: 5\r\n\r\n{"code":0}', "not-http"),
    "another coding": (HEAD + b'Transfer-Encoding: gzip, chunked\r\n\r\n{"code":0}', "not-http"),
    "chunked twice": (CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "not-http"),
    "a chunk too long": (CHUNKED + b'9\r\n{"code":0}\r\n0\r\n\r\n', "not-http"),
    "a chunk with a sign": (CHUNKED + b'+a\r\n{"code":0}\r\n0\r\n\r\n', "not-http"),
    "a negative chunk": (CHUNKED + b'-a\r\n{"code":0}\r\n0\r\n\r\n', "not-http"),
    "a chunk in another notation": (CHUNKED + b'0xa\r\n{"code":0}\r\n0\r\n\r\n', "not-http"),
    "no header": (HEAD + b'what is this\r\nContent-Length: 10\r\n\r\n{"code":0}', "not-http"),
    "a blank before the colon": (HEAD + b'Content-Length : 10\r\n\r\n{"code":0}', "not-http"),
    "a header that begins with a blank": (HEAD + b' Content-Length: 10\r\n\r\n{"code":0}', "not-http"),
    "a null": (HEAD + b'X: \0\r\nContent-Length: 10\r\n\r\n{"code":0}', "not-http"),
    "another protocol": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + DONE, "not-http"),
    "HTTP/2": (b'HTTP/2 200\r\nContent-Length: 10\r\n\r\n{"code":0}', "not-http"),
    "a status of two digits": (b'HTTP/1.1 20 OK\r\nContent-Length: 10\r\n\r\n{"code":0}', "not-http"),
    "a status of four digits": (b'HTTP/1.1 2000 OK\r\nContent-Length: 10\r\n\r\n{"code":0}', "not-http"),
    "a greeting": (b"220 mail.example.com ESMTP\r\n", "not-http"),
    "a blank line": (b"\r\n" + DONE, "not-http"),
    "only a body": (b'{"code":0}\n', "not-http"),
    "interim answers without end": (PROCESSING * (MAX_HEAD // len(PROCESSING) + 1), "too-large"),
    "a head without end": (HEAD + b"X: y\r\n" * (MAX_HEAD // 6), "too-large"),
    "a line without end": (HEAD + b"X" * MAX_HEAD, "too-large"),
    "a huge length": (HEAD + b"Content-Length: 99999999999\r\n\r\n{}", "too-large"),
    "a huge chunk": (CHUNKED + b"fffffffffff\r\n{}", "too-large"),
    "a head that is cut off": (HEAD + b"Content-Length: 1", "cut-off"),
    "a trailer that is cut off": (CHUNKED + b'a\r\n{"code":0}\r\n0\r\nX: ', "cut-off"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_does_not_fit_is_unknown_and_its_connection_is_left(name: str) -> None:
    raw, code = UNFIT[name]
    script = Script([[raw, None] if code == "cut-off" else raw, REFUSED])
    first, second = two_requests(script)
    assert (first.code, first.maybe_processed, first.action) == (code, True, Action.RETRY)
    assert second.code == "1002"
    assert script.connections == 2


# What is the answer beyond doubt; the connection is left, since something about it is odd.
ODD = {
    "an empty line after the answer": DONE + b"\r\n",
    "HTTP/1.0": DONE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/1.0 that stays": answer(0, extra="Connection: keep-alive\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "the same length twice": answer(0, extra="Content-Length: 10\r\n"),
    "told to close": answer(0, extra="Connection: keep-alive, Close\r\n"),
}


@pytest.mark.parametrize("name", ODD)
def test_after_something_odd_the_connection_is_left(name: str) -> None:
    script = Script([ODD[name], REFUSED])
    first, second = two_requests(script)
    assert (first.code, second.code) == ("0", "1002")
    assert script.connections == 2


# What servers do within the rules; the connection is used again.
PROPER = {
    "plain": DONE,
    "no reason": DONE.replace(b"200 OK", b"200"),
    "line feeds alone": DONE.replace(b"\r\n", b"\n"),
    "a header on two lines": answer(0, extra="X: a\r\n  b\r\n"),
    "chunks": CHUNKED + b'4\r\n{"co\r\n6 ;x=y\r\nde":0}\r\n0\r\nX-Trailer: 1\r\n\r\n',
    "blanks around a value": answer(0, extra="X:  \ta b \t\r\n"),
    "a line of blanks": answer(0, extra=f"X: a{' ' * (MAX_HEAD // 2)}b\r\n"),
    "a header beyond ASCII": answer(0, extra="Server: caf\u00e9\r\n"),
}


@pytest.mark.parametrize("name", PROPER)
def test_within_the_rules_the_connection_stays(name: str) -> None:
    script = Script([PROPER[name], REFUSED])
    first, second = two_requests(script)
    assert (first.code, second.code) == ("0", "1002")
    assert script.connections == 1


def test_an_answer_that_comes_late_is_not_given_to_the_next_request() -> None:
    """The second answer to the first request reaches us when the connection lies in the pool."""
    heard, sent = threading.Event(), threading.Event()
    connections: list[socket.socket] = []

    def twice(peer: socket.socket, seen: list[bytes]) -> None:
        connections.append(peer)
        with suppress(OSError):  # the client closes
            while request := take(peer):
                seen.append(request)
                if len(seen) > 1:
                    peer.sendall(answer(9000))
                    continue
                peer.sendall(REFUSED)
                assert heard.wait(60)
                peer.sendall(DONE)
                sent.set()

    with serving(twice) as (port, seen), client_of(port) as client:
        assert client.attempt(BATCH, b"{}").code == "1002"
        heard.set()
        assert sent.wait(60)
        assert client.attempt(BATCH, b"{}").code == "9000"
    assert (len(seen), len(connections)) == (2, 2)


def connected(spoken: bytes) -> tuple[Any, socket.socket]:
    """A connection on which the server speaks first, and the server's end of it."""
    ours, theirs = socket.socketpair()
    theirs.sendall(spoken)
    connection = PlainConnection("127.0.0.1", timeout=10)
    connection.sock = ours
    return connection, theirs


def test_success_that_was_told_before_it_was_asked_for_is_unknown() -> None:
    connection, theirs = connected(DONE)
    with theirs, contextlib.closing(connection):
        connection.request("POST", "/", b"{}")
        with pytest.raises(AnswerFault, match="before the request") as caught:
            connection.getresponse()
    assert caught.value.key == "not-http"


def test_a_refusal_before_the_request_is_heard_and_its_connection_left() -> None:
    connection, theirs = connected(answer(-1, "503 Busy"))
    with theirs, contextlib.closing(connection):
        connection.request("POST", "/", b"{}")
        heard = connection.getresponse()
        assert (heard.status, connection.is_closed) == (503, True)
        assert heard.data == b'{"code":-1}'


def test_nothing_is_sent_on_a_connection_whose_last_answer_is_not_over() -> None:
    connection, theirs = connected(b"")
    with theirs, contextlib.closing(connection):
        connection.request("POST", "/", b"{}")
        theirs.sendall(DONE)
        assert connection.getresponse().status == 200
        take(theirs)
        theirs.sendall(REFUSED)
        with pytest.raises(ConnectionError, match="more came after the answer"):
            connection.request("POST", "/", b"{}")
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


@pytest.mark.parametrize("part", ["interim", "head", "body", "chunks"])
def test_an_answer_that_trickles_ends_at_the_read_deadline(part: str) -> None:
    begun = {
        "interim": PROCESSING,
        "head": HEAD,
        "body": HEAD + b"Content-Length: 100000\r\n\r\n",
        "chunks": CHUNKED + b"ffff\r\n",
    }[part]
    word = {"interim": PROCESSING, "head": b"X"}.get(part, b" ")

    def trickle(peer: socket.socket, seen: list[bytes]) -> None:
        take(peer)
        with suppress(OSError):  # the client closes
            peer.sendall(begun)
            while True:
                peer.sendall(word)
                threading.Event().wait(0.02)

    with serving(trickle) as (port, _), client_of(port, read=0.3) as client:
        verdict = client.attempt(BATCH, b"{}")
    assert (verdict.code, verdict.maybe_processed) == ("read-timeout", True)
