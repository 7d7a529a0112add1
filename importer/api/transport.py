"""Exchange a request for an answer over pooled connections.

The exceptions of requests and urllib3 become `TransportFault`s.

What a fault says about the server is told exactly: a request that was not handed over whole to the network
cannot have been processed, whatever else went wrong; one that was, may have been.
"""

from __future__ import annotations

import errno
import http.client
import logging
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
)

from importer.api import READ_TIMEOUT
from importer.api.http_answer import MAX_ANSWER, AnswerFault, StrictResponse
from importer.reasons import reason_of

# The one setting of the whole process that is not made in cli/app.py, since programs use the library, too:
# urllib3 logs addresses with their query, and tracebacks of answers it cannot parse.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for the connection, and for the whole answer from the last byte of the request on."""

    connect: float = 10.0
    read: float = READ_TIMEOUT


class TransportFault(Exception):  # noqa: N818 - a fault of the network, not of the program
    """No whole answer came. `key` is one of `answers.RULES`, `detail` the reason in words."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(key)
        self.key = key
        self.detail = detail


class _UnsentError(ConnectionError):
    """The connection broke before the whole request was handed over."""


class _HandoverMixin:
    """A connection that hands over head and body of a request together, knows whether it did, and reads
    answers strictly."""

    handed_over = False
    _held: list[bytes] | None = None
    """What is handed over once it is whole. Each part alone would cost both sides a call and a packet."""
    _reused = False
    _spoken_to = False
    """True if the server spoke before the request was written, which is no answer to it."""
    _begins_with_words = False
    """True if the protocol below HTTP may say something at first."""
    putheader = http.client.HTTPConnection.putheader
    """Without urllib3's look for headers that are to be left out, of which there are none."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._reused = not self.is_closed and self.handed_over  # type: ignore[attr-defined]
        self.handed_over = self._spoken_to = False
        held: list[bytes] = []
        self._held = held
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
            self._held = None
            self.send(b"".join(held))
        except OSError as error:
            # The server may have answered before it closed; urllib3 looks for that after these two.
            if isinstance(error, BrokenPipeError) or error.errno == errno.ECONNRESET:
                raise
            raise _UnsentError(str(error)) from error
        finally:
            self._held = None
        self.handed_over = True

    def send(self, data: Any) -> None:
        """Hand over the request. Raises _UnsentError if an earlier answer is not over yet."""
        if self._held is not None:
            self._held.append(data)
            return
        if not (self.is_connected or self.is_closed):  # type: ignore[attr-defined]
            if self._reused:
                raise _UnsentError("more came after the answer before")
            self._spoken_to = not self._begins_with_words
        super().send(data)  # type: ignore[misc]

    def response_class(self, sock: Any, *args: Any, **kwargs: Any) -> StrictResponse:
        """Return what reads the next answer (http.client asks for it under this name)."""
        early = self._spoken_to or not self.handed_over
        return StrictResponse(sock, *args, early=early, **kwargs)

    def getresponse(self) -> Any:
        try:
            return super().getresponse()  # type: ignore[misc]
        except (OSError, urllib3.exceptions.HTTPError, ssl.SSLError) as error:
            if not self.handed_over:
                raise _UnsentError(str(error)) from error
            if isinstance(error, ssl.SSLError):
                raise ConnectionResetError(str(error)) from error
            raise


class PlainConnection(_HandoverMixin, HTTPConnection):  # type: ignore[misc]  # response_class: a method here
    """A connection by plain HTTP."""


class _SecureConnection(_HandoverMixin, HTTPSConnection):  # type: ignore[misc]
    _begins_with_words = True  # the tickets of TLS 1.3

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "the TLS handshake timed out") from error
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError) as error:
            raise NewConnectionError(self, "closed during the TLS handshake") from error


class _Adapter(HTTPAdapter):
    """The adapter of requests with its look-ups done once for each URL, and urllib3's own answer.

    These are the methods that requests documents for subclasses. Together they take a fifth off the processor
    time of an exchange with a server that answers at once: 0.67 instead of 0.87 ms (medians of five processes
    each, in turn). What each of them takes off alone is less than such a measurement can tell.
    """

    def __init__(self, pool_size: int) -> None:
        super().__init__(pool_connections=4, pool_maxsize=pool_size, max_retries=0)
        self._pools: dict[str, Any] = {}
        self._paths: dict[str, str] = {}

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        pool: Any = self._pools.get(request.url)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
            for known, ours in ((HTTPConnection, PlainConnection), (HTTPSConnection, _SecureConnection)):
                if pool.ConnectionCls is known:
                    pool.ConnectionCls = ours
            self._pools[request.url] = pool
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any = None) -> None:
        """Do nothing: it is done once for each pool, above."""

    def request_url(self, request: Any, proxies: Any) -> str:
        path = self._paths.get(request.url)
        if path is None:
            path = self._paths[request.url] = super().request_url(request, proxies)
        return path

    def build_response(self, req: Any, resp: Any) -> Any:
        """Return urllib3's own answer, all that is read here: no cookies, no redirects, no history."""
        return resp

    def close(self) -> None:
        # urllib3 closes the connections of a pool that is collected, and a fault may still hold on to it.
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        super().close()


class Transport:
    """Sends requests and reads answers. Thread-safe; connections are kept alive and shared."""

    def __init__(self, pool_size: int = 4, timeouts: Timeouts | None = None) -> None:
        timeouts = timeouts or Timeouts()
        self._timeout = urllib3.Timeout(connect=timeouts.connect, read=timeouts.read)
        self._session = requests.Session()
        self._adapter = _Adapter(pool_size)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, self._adapter)
        self._environments: dict[str, tuple[Any, Any]] = {}

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request. Return the whole answer: status, headers (lower case), body.

        Raises TransportFault.
        """
        verify, proxies = self._environments.get(url) or self._environment(url)
        request = requests.PreparedRequest()
        # An empty body would be sent in chunks, of which there are none.
        request.method, request.url, request.body = method, url, body or None
        request.headers = headers  # type: ignore[assignment]  # read by name only
        try:
            raw: Any = self._adapter.send(
                request,
                stream=True,
                timeout=self._timeout,  # type: ignore[arg-type]  # requests takes urllib3's own
                verify=verify,
                proxies=proxies,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _fault(error) from error
        try:
            content = _decoded(raw)
        finally:
            raw.release_conn()
        return raw.status, {name.lower(): value for name, value in raw.headers.items()}, content

    def close(self) -> None:
        self._session.close()

    def _environment(self, url: str) -> tuple[Any, Any]:
        """Return certificates and proxies as the environment sets them; plain http needs no proxy."""
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        proxies = {} if urlsplit(url).scheme == "http" else settings["proxies"]
        verify = settings["verify"] or True  # verification is never off
        self._environments[url] = (verify, proxies)
        return verify, proxies


def _decoded(raw: urllib3.HTTPResponse) -> bytes:
    """The answer's body, which is in memory already, without its Content-Encoding. Raises TransportFault."""
    if "content-encoding" not in raw.headers:
        return raw.read(decode_content=False)
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := raw.read1(65536, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER:
                raise TransportFault("too-large", "")
    except urllib3.exceptions.DecodeError as error:
        raise TransportFault("not-json", "") from error
    return b"".join(pieces)


def _fault(error: BaseException) -> TransportFault:
    chain = list(_chain(error))

    def has(*kinds: type[BaseException]) -> BaseException | None:
        return next((link for link in chain if isinstance(link, kinds)), None)

    if isinstance(found := has(AnswerFault), AnswerFault):
        return TransportFault(found.key, found.detail)
    if found := has(ssl.SSLCertVerificationError):
        return TransportFault("certificate", getattr(found, "verify_message", "") or "not verified")
    if isinstance(error, requests.exceptions.ProxyError):
        refused = any(_REFUSED_TUNNEL.search(str(link)) for link in chain[-2:])
        return TransportFault("proxy-refused" if refused else "proxy-unreachable", _reason(chain))
    if has(NameResolutionError):
        return TransportFault("name-unresolved", _reason(chain))
    if has(NewConnectionError):
        unrouted = any(getattr(link, "errno", None) in _NO_ROUTE for link in chain)
        return TransportFault("no-route" if unrouted else "connection-refused", _reason(chain))
    if has(ConnectTimeoutError):
        return TransportFault("connect-timeout", _reason(chain))
    if has(_UnsentError):
        return TransportFault("lost-while-sending", _reason(chain))
    if isinstance(error, requests.exceptions.ReadTimeout):
        return TransportFault("read-timeout", "")
    if isinstance(error, requests.exceptions.SSLError):
        return TransportFault("tls", getattr(has(ssl.SSLError), "reason", None) or "TLS")
    if isinstance(error, requests.exceptions.ConnectionError):
        return TransportFault("connection-lost", _reason(chain))
    if isinstance(error, OSError) and "certificate bundle" in str(error):
        return TransportFault("certificate", "REQUESTS_CA_BUNDLE")
    return TransportFault("transport-failed", reason_of(error))


_REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: (?:403|407)\b")
"""How http.client says what a proxy answers; the text of a fault may hold any port."""
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and those inside it: requests and urllib3 wrap theirs as arguments, not only as causes."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]


def _reason(chain: list[BaseException]) -> str:
    """The operating system's own words, if there are any: never a URL, never an object's address."""
    for link in reversed(chain):
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
    return reason_of(chain[-1])
