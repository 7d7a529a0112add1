"""The one place that talks to the API: builds the address, signs each attempt, judges what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from urllib.parse import urlencode

from importer import __version__
from importer.api import answers
from importer.api.answers import Answer, JudgedAnswer
from importer.api.signing import sign
from importer.api.transport import Timeouts, Transport, TransportFault
from importer.config import Connection, check_base_url
from importer.contracts import Endpoint
from importer.errors import ImporterError, RefusedError, SettingsError, UnreachableError
from importer.models import Action, Verdict

USER_AGENT = f"nxlink-importer/{__version__}"
CALL_WAITS = (1.0, 2.0, 4.0)
"""Seconds between the attempts of a call that a person waits for."""

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

    def attempt(self, endpoint: Endpoint, body: bytes, query: Query = ()) -> Verdict:
        """Sends one request, signed with the current time, and says what came of it. Never raises for what
        the network or the server do."""
        return self._exchange(endpoint, body, query).verdict

    def correct_clock(self, server_time_ms: int) -> int:
        """Takes the server's time (an answer's `Date`) as now; returns the new offset in milliseconds."""
        self.offset_ms = server_time_ms - int(self._clock() * 1000)
        return self.offset_ms

    def call(
        self, endpoint: Endpoint, body: bytes = b"", query: Query = (), *, repeatable: bool = True
    ) -> object:
        """One account call, retried as the table says; returns the answer's `data` as parsed JSON.

        `repeatable` False: sent again only where the server cannot have processed it. Raises RefusedError or
        UnreachableError with the message that belongs to the answer.
        """
        corrected = False
        waits = iter(CALL_WAITS)
        while True:
            judged = self._exchange(endpoint, body, query)
            verdict = judged.verdict
            if verdict.action is Action.DONE:
                return judged.data
            if verdict.action is Action.CORRECT_CLOCK and verdict.server_time_ms and not corrected:
                corrected = True
                self.correct_clock(verdict.server_time_ms)
                continue
            again = verdict.action in (Action.RETRY, Action.WAIT) and (repeatable or not verdict.reached)
            wait = next(waits, None) if again else None
            if wait is None or (verdict.retry_after or 0.0) > max(CALL_WAITS):
                raise refusal(verdict, repeatable)
            self._sleep(max(wait, verdict.retry_after or 0.0))

    def close(self) -> None:
        """Closes the pooled connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exchange(self, endpoint: Endpoint, body: bytes, query: Query) -> JudgedAnswer:
        url = self._url(endpoint, tuple(query))
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
        start = time.perf_counter()
        try:
            status, found, content = self._transport.exchange(endpoint.method, url, headers, body)
        except TransportFault as fault:
            return answers.judge_fault(fault.key, fault.detail, time.perf_counter() - start)
        seconds = time.perf_counter() - start
        return answers.judge(Answer(status, found, content, seconds, self._clock()))

    def _url(self, endpoint: Endpoint, query: tuple[tuple[str, str], ...]) -> str:
        url = self._urls.get((endpoint, query))
        if url is None:
            url = (self._base_url or endpoint.base_url) + endpoint.path
            if query:
                url += "?" + urlencode(query, errors="replace")
            self._urls[endpoint, query] = url
        return url


def refusal(verdict: Verdict, repeatable: bool = True) -> ImporterError:
    """The error that tells a person what a verdict other than success means."""
    found = {"code": verdict.code, "message": verdict.message, "detail": verdict.message}
    if verdict.reached and not repeatable:
        return UnreachableError("maybe-created", **found)
    kind = UnreachableError if verdict.action in (Action.RETRY, Action.WAIT) else RefusedError
    return kind(answers.rule_for(verdict.code).says, **found, status=verdict.http_status or "")
