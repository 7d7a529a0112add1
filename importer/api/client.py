"""The one place that talks to the API: it builds the address, signs each attempt and reads the answer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlencode

from importer import __version__
from importer.api import answers
from importer.api.answers import Answer
from importer.api.retrying import retry_loop
from importer.api.transport import Timeouts, Transport, TransportFault
from importer.config import Connection, check_base_url
from importer.contracts import Endpoint
from importer.errors import SettingsError, UnreachableError
from importer.models import Action, Verdict

USER_AGENT = f"nxlink-importer/{__version__}"
CALL_WAITS = (1.0, 2.0, 4.0)
"""Seconds between the attempts of a call that a person waits for."""
ALGORITHMS = ("md5", "sha256")
SIGNED = ("accessKey", "action", "bizType", "ts")
"""The headers that are signed, in the order in which they are."""

Query = Sequence[tuple[str, str]]


class Client:
    """Signed requests over pooled connections. Thread-safe: one client serves all workers.

    `clock` gives seconds since 1970, `sleep` takes seconds. Raises SettingsError for a base URL that cannot
    be used (`bad-base-url`, `plain-http`), an access key that no header can carry (`bad-access-key`), a
    secret that is no text (`bad-access-secret`).
    """

    def __init__(
        self,
        connection: Connection,
        *,
        pool_size: int = 4,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        key = connection.access_key.reveal()
        if not (key.isascii() and key.isprintable()):
            raise SettingsError("bad-access-key")
        try:
            connection.access_secret.reveal().encode()
        except UnicodeEncodeError as error:
            raise SettingsError("bad-access-secret") from error
        self._base_url = None if connection.base_url is None else check_base_url(connection.base_url)
        self.connection = connection
        self._key = key
        self._secret = connection.access_secret
        self._clock = clock
        self._sleep = sleep
        self._transport = Transport(pool_size, timeouts)
        self._urls: dict[tuple[Endpoint, tuple[tuple[str, str], ...]], str] = {}
        self.offset_ms = 0
        """Added to our clock to get the server's."""

    def sender(self, endpoint: Endpoint) -> EndpointSender:
        """Return what posts to one endpoint. The delivery needs no more of a client."""
        return EndpointSender(self, endpoint)

    def attempt(
        self,
        endpoint: Endpoint,
        body: bytes,
        query: Query = (),
        *,
        look: Callable[[], None] | None = None,
    ) -> Verdict:
        """Send one request, signed with the current time, and return what came of it.

        `look` is called when it is signed; what it raises keeps the request back. Never raises for what the
        network or the server do.
        """
        url = self._url(endpoint, tuple(query))
        headers = self._headers(endpoint, body)
        if look is not None:
            look()
        start = time.perf_counter()
        try:
            status, found, content = self._transport.exchange(endpoint.method, url, headers, body)
        except TransportFault as fault:
            return answers.judge_fault(fault.key, fault.detail, time.perf_counter() - start)
        seconds = time.perf_counter() - start
        return answers.judge(Answer(status, found, content, seconds, self._clock()))

    def correct_clock(self, server_time_ms: int) -> int:
        """Take the server's time (an answer's `Date`) as now. Return the new offset in milliseconds."""
        self.offset_ms = server_time_ms - int(self._clock() * 1000)
        return self.offset_ms

    def call(
        self, endpoint: Endpoint, body: bytes = b"", query: Query = (), *, repeatable: bool = True
    ) -> object:
        """Make one account call, retried as the table says. Return the answer's `data` as parsed JSON.

        `repeatable` False: sent again only where the server cannot have processed it. Raises RefusedError or
        UnreachableError with the message that belongs to the answer.
        """
        state = _CallState()

        def attempt() -> _CallAttempt:
            verdict = self.attempt(endpoint, body, query)
            wait = _next_wait(verdict, state, repeatable=repeatable)
            if verdict.action is not Action.CORRECT_CLOCK:
                state.waits += 1
            elif wait is not None and verdict.server_time_ms is not None:
                state.clock_corrected = True
                self.correct_clock(verdict.server_time_ms)
            return _CallAttempt(verdict, wait)

        verdict: Verdict = retry_loop(self._sleep)(attempt).verdict
        if verdict.action is Action.DONE:
            return verdict.payload
        if verdict.maybe_processed and not repeatable:
            found = {"code": verdict.code, "message": verdict.message, "detail": verdict.message}
            raise UnreachableError("maybe-created", **found)
        raise answers.error_for(verdict)

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _headers(self, endpoint: Endpoint, body: bytes) -> dict[str, str]:
        headers = {
            "accessKey": self._key,
            "action": endpoint.action,
            "bizType": endpoint.biz_type,
            "ts": str(int(self._clock() * 1000) + self.offset_ms),
        }
        headers["sign"] = sign(headers, body, self._secret.reveal())
        headers["User-Agent"] = USER_AGENT
        # Answers are short; without compression a cut-off one is seen by its length.
        headers["Accept-Encoding"] = "identity"
        if endpoint.method != "GET":
            headers["Content-Type"] = "application/json"
            headers["Content-Length"] = str(len(body))
        return headers

    def _url(self, endpoint: Endpoint, query: tuple[tuple[str, str], ...]) -> str:
        url = self._urls.get((endpoint, query))
        if url is None:
            url = (self._base_url or endpoint.base_url) + endpoint.path
            if query:
                url += "?" + urlencode(query, errors="replace")
            self._urls[endpoint, query] = url
        return url


def sign(headers: Mapping[str, str], body: bytes, secret: str, algorithm: str = "md5") -> str:
    """Return the `sign` header of a request with these headers (at least `SIGNED`) and this body.

    It is the lowercase hex digest (the API's default is md5) of this line, without the blanks:

        accessKey=K &action=A &bizType=B &ts=T [&body=BODY] &accessSecret=SECRET

    The body is left out when it is empty and otherwise signed byte for byte as it is sent. `ts` is part of
    it, so each attempt is signed afresh. The rule is the vendor's "API interface call convention".

    Raises ValueError for an algorithm that the API does not know, KeyError for a missing header.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown algorithm {algorithm}: the API knows {', '.join(ALGORITHMS)}")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    digest.update("&".join([f"{name}={headers[name]}" for name in SIGNED]).encode())
    if body:
        digest.update(b"&body=")
        digest.update(body)
    digest.update(f"&accessSecret={secret}".encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class EndpointSender:
    """A client that knows one endpoint, as the delivery wants it (`delivery.base.Sender`)."""

    client: Client
    endpoint: Endpoint
    look: Callable[[], None] | None = None

    def attempt(self, body: bytes) -> Verdict:
        """Send a body once, signed, and return what came of it."""
        return self.client.attempt(self.endpoint, body, look=self.look)

    def guarded(self, look: Callable[[], None]) -> EndpointSender:
        """Return a sender that calls `look` when a request is signed and about to leave."""
        return EndpointSender(self.client, self.endpoint, look)

    def correct_clock(self, server_time_ms: int) -> int:
        """Sign with the server's time (ms since 1970) from now on. Return its offset to ours in ms."""
        return self.client.correct_clock(server_time_ms)


@dataclass(slots=True)
class _CallState:
    """What happened so far to an account call."""

    waits: int = 0
    clock_corrected: bool = False


@dataclass(frozen=True, slots=True)
class _CallAttempt:
    """What an attempt came to, and the seconds until the next one; None if there is none."""

    verdict: Verdict
    wait: float | None


def _next_wait(verdict: Verdict, state: _CallState, *, repeatable: bool) -> float | None:
    """Return the seconds until the next attempt of an account call, None if there is none.

    Zero means that the clock is to be corrected first.
    """
    if verdict.action is Action.CORRECT_CLOCK and verdict.server_time_ms and not state.clock_corrected:
        return 0.0
    again = verdict.action in (Action.RETRY, Action.WAIT) and (repeatable or not verdict.maybe_processed)
    asked = verdict.retry_after or 0.0
    if not again or state.waits >= len(CALL_WAITS) or asked > max(CALL_WAITS):
        return None
    return max(CALL_WAITS[state.waits], asked)
