"""Whatever is thrown at the sandbox, it answers or hangs up, shows no stack trace, and serves on."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer.sandbox import Sandbox
from importer.sandbox import application as application_module
from importer.sandbox import server as server_module
from importer.sandbox.embedded import TEST_CREDENTIALS

PATH = "/saas/sea/cdp/openapi/customers/batch_create"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(credentials=TEST_CREDENTIALS) as box:
        yield box


@pytest.fixture(autouse=True)
def no_stack_trace(box: Sandbox, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is logged as failed, and the sandbox still serves."""
    with caplog.at_level(logging.WARNING):
        yield
    assert not [record for record in caplog.records if record.exc_info or "failed" in record.message]
    assert b"200 OK" in talk(
        box, b"GET / HTTP/1.1\r\nhost: " + own_host(box) + b"\r\nconnection: close\r\n\r\n"
    )


def own_host(box: Sandbox) -> bytes:
    return box.base_url.removeprefix("http://").encode()


def talk(box: Sandbox, raw: bytes, *, seconds: float = 60.0) -> bytes:
    """Sends bytes as they are and returns all that comes back until the sandbox closes."""
    host, port = box.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as peer:
        answer = b""
        try:
            peer.sendall(raw)
            while piece := peer.recv(65536):
                answer += piece
        except (ConnectionError, TimeoutError):
            pass
        return answer


def signed(body: bytes, extra: str = "", path: str = PATH, **changed: str) -> bytes:
    """A whole request, signed by hand, that asks for the connection to be closed."""
    ts = str(int(time.time() * 1000))
    text = f"accessKey={TEST_CREDENTIALS.access_key}&action=mt&bizType=2&ts={ts}".encode()
    text += b"&body=" + body + f"&accessSecret={TEST_CREDENTIALS.access_secret}".encode()
    headers = {
        "host": "localhost", "accessKey": TEST_CREDENTIALS.access_key, "action": "mt", "bizType": "2",
        "ts": ts,
        "sign": hashlib.md5(text).hexdigest(), "content-length": str(len(body)), "connection": "close",
        **changed,
    }  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"POST {path} HTTP/1.1\r\n{head}{extra}\r\n".encode() + body


def code(answer: bytes) -> int:
    found: int = json.loads(answer.partition(b"\r\n\r\n")[2])["code"]
    return found


def batch(customers: object) -> bytes:
    return json.dumps(
        {"type": 1, "tenant_id": 1000, "app_key": "sandbox-app", "customers": customers}
    ).encode()


GOOD = batch([{"first_name": "A", "last_name": "B"}])


def test_a_request_written_by_hand_is_taken(box: Sandbox) -> None:
    assert code(talk(box, signed(GOOD))) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"\x00",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf" + GOOD,
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b'{"type": ' + b"9" * 10_000 + b"}",
        b'{"type": 1e999}',
        b'{"type": NaN}',
        batch("x" * 1_000_000),
        batch([[]] * 100),
        batch([{"first_name": "\ud800", "last_name": "B"}]),
        batch([{"\ud800": "x", "first_name": "A", "last_name": "B"}]),
        batch([{"first_name": "A", "last_name": "B", "customize_field": '{"a": "\\ud800"}' + "\udc00"}]),
        batch([{"first_name": "A", "last_name": "B", "customize_field": "[" * 200_000}]),
        batch([{"x" * 100_000: 1, "first_name": "A", "last_name": "B"}]),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_that_is_nonsense_is_1002(box: Sandbox, body: bytes) -> None:
    changed = {} if body else {"content-length": "0"}
    answer = talk(box, signed(body, **changed))
    assert code(answer) == (1002 if body else 1003)


def test_characters_of_every_kind_are_kept(box: Sandbox) -> None:
    name = "牛\x00\u202e\U0001f600\u2028'\";--<b>\ufffe"
    assert code(talk(box, signed(batch([{"first_name": name, "last_name": "B", "email": "odd@x"}])))) == 0
    stored = next(customer for customer in box.customers() if customer.fields.get("email") == "odd@x")
    assert stored.fields["first_name"] == name


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"G\xc3\x84T / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"POST "
        + PATH.encode()
        + b" HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"POST "
        + PATH.encode()
        + b" HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 50_000 + b"\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_not_http_is_refused(box: Sandbox, raw: bytes) -> None:
    answer = talk(box, raw, seconds=0.5)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /nowhere HTTP/1.1", b"404"),
        (b"GET /%00%ff/../../etc/passwd HTTP/1.1", b"404"),
        (b"GET //evil HTTP/1.1", b"404"),
        (b"OPTIONS * HTTP/1.1", b"404"),
        (b"DELETE / HTTP/1.1", b"404"),
        (b"GET " + PATH.encode() + b" HTTP/1.1", b"405"),
        (b"BREW " + PATH.encode() + b" HTTP/1.1", b"405"),
        (b"HEAD / HTTP/1.1", b"200"),
        (b"GET /favicon.ico HTTP/1.1", b"204"),
        (b"GET / HTTP/1.0", b"200"),
        (b"GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade", b"200"),
        (b"GET / HTTP/1.1\r\nx: \xff\xfe\x80", b"200"),
    ],
)
def test_requests_for_something_else(box: Sandbox, raw: bytes, status: bytes) -> None:
    answer = talk(box, raw + b"\r\nhost: " + own_host(box) + b"\r\nconnection: close\r\n\r\n")
    assert answer.split(b" ")[1] == status


@pytest.mark.parametrize("name", ["sign", "ts", "accessKey", "action", "bizType"])
def test_a_header_given_twice_is_refused(box: Sandbox, name: str) -> None:
    assert code(talk(box, signed(GOOD, extra=f"{name.upper()}: x\r\n"))) == 1002


@pytest.mark.parametrize("value", ["é", "\x80", "x" * 10_000, "' OR 1=1", "%s%n"])
def test_odd_headers(box: Sandbox, value: str) -> None:
    for name in ("sign", "ts", "accessKey", "action", "bizType", "algorithm"):
        assert code(talk(box, signed(GOOD, **{name: value}))) in (1002, 1003, 1004, 1005)


def test_a_content_length_that_is_too_small_or_too_large(box: Sandbox) -> None:
    assert code(talk(box, signed(GOOD, **{"content-length": "5"}))) in (1002, 1003)
    host, port = box.base_url.removeprefix("http://").split(":")
    before = len(box.requests)
    with socket.create_connection((host, int(port)), timeout=5) as peer:
        peer.sendall(signed(GOOD, **{"content-length": str(len(GOOD) + 5)}))
    assert len(box.requests) == before


def test_a_chunked_body_and_one_announced_first(box: Sandbox) -> None:
    chunks = f"{len(GOOD):x}\r\n".encode() + GOOD + b"\r\n0\r\n\r\n"
    head = signed(GOOD, **{"content-length": "", "transfer-encoding": "chunked"}).partition(b"\r\n\r\n")[0]
    assert code(talk(box, head + b"\r\n\r\n" + chunks)) == 0
    waiting = talk(box, signed(GOOD, expect="100-continue"))
    assert b"100 Continue" in waiting or b"200 OK" in waiting


def test_requests_in_one_go_are_answered_one_by_one(box: Sandbox) -> None:
    one = signed(GOOD, connection="keep-alive")
    answer = talk(box, one + one + signed(GOOD))
    assert answer.count(b'"code": 0') == 3


def test_a_body_without_end_is_cut_short() -> None:
    with Sandbox(credentials=TEST_CREDENTIALS) as box:
        before = box.application._options
        box.application._options = type(before)(max_body=100_000)
        answer = talk(box, signed(b"x" * 5_000_000), seconds=5)
        assert answer == b"" or code(answer) == 1002


def test_whoever_is_too_slow_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEADER_SECONDS", 0.4)
    monkeypatch.setattr(server_module, "KEEP_ALIVE_SECONDS", 0.3)
    monkeypatch.setattr(application_module, "BODY_SECONDS", 0.4)
    with Sandbox(credentials=TEST_CREDENTIALS) as box:
        assert talk(box, b"") == b""
        assert talk(box, b"GET / HT") == b""
        whole = signed(GOOD, connection="keep-alive")
        assert talk(box, whole[:-5]) == b""
        # A connection that was served before is no different.
        assert talk(box, whole + b"POST /").count(b"HTTP/1.1 200") == 1
        assert code(talk(box, signed(GOOD))) == 0


def test_many_half_open_connections_leave_room_for_others(box: Sandbox) -> None:
    host, port = box.base_url.removeprefix("http://").split(":")
    peers = [socket.create_connection((host, int(port)), timeout=5) for _ in range(200)]
    try:
        for peer in peers:
            peer.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nhost: localhost\r\ncontent-le")
        assert code(talk(box, signed(GOOD))) == 0
    finally:
        for peer in peers:
            peer.close()


def test_batches_at_the_same_time_are_all_stored() -> None:
    with Sandbox(credentials=TEST_CREDENTIALS) as box:
        codes: list[int] = []

        def send(number: int) -> None:
            rows = [
                {"first_name": "A", "last_name": "B", "sms_phone": f"{number}{row:03}"} for row in range(100)
            ]
            codes.append(code(talk(box, signed(batch(rows)))))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(1, 21)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes == [0] * 20
        assert len(box.customers()) == 2000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    customers=st.lists(
        st.dictionaries(st.sampled_from(["first_name", "birthday", "gender", "x"]), VALUES) | VALUES
    ),
    mode=VALUES,
)
def test_any_json_is_answered_with_a_documented_code(box: Sandbox, customers: object, mode: object) -> None:
    body = {"type": mode, "tenant_id": 1000, "app_key": "sandbox-app", "customers": customers}
    assert code(talk(box, signed(json.dumps(body).encode()))) in (0, 1002)


@pytest.mark.parametrize("path", ["/", "/favicon.ico", PATH])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "10.0.0.1:{port}",
        "",
        ":{port}",
        "@",
        "[::1",
    ],
)
def test_a_name_that_was_made_to_lead_here_is_not_served(box: Sandbox, path: str, host: str) -> None:
    port = box.base_url.rpartition(":")[2]
    lines = f"GET {path} HTTP/1.1\r\nhost: {host.format(port=port)}\r\nconnection: close\r\n\r\n"
    answer = talk(box, lines.encode())
    assert answer.startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 "))
    assert TEST_CREDENTIALS.app_key.encode() not in answer


@pytest.mark.parametrize(
    ("host", "page", "call"),
    [
        ("127.0.0.1:{port}", b"200", b"200"),
        ("LOCALHOST:{port}", b"200", b"200"),
        ("[::1]:{port}", b"200", b"200"),
        ("localhost:1", b"421", b"200"),  # a forwarded port
        ("localhost", b"421", b"200"),
    ],
)
def test_the_page_answers_its_own_host_and_calls_any_name_of_this_machine(
    box: Sandbox, host: str, page: bytes, call: bytes
) -> None:
    here = host.format(port=box.base_url.rpartition(":")[2])
    asked = f"GET / HTTP/1.1\r\nhost: {here}\r\nconnection: close\r\n\r\n".encode()
    assert talk(box, asked).split()[1] == page
    assert talk(box, signed(b"{}", host=here)).split()[1] == call
