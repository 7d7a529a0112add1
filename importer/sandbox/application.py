"""The sandbox as an ASGI application: requests, scripted faults, answers, and the page at `/`."""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from urllib.parse import urlsplit

import jinja2
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Receive, Scope, Send

from importer.config import is_loopback
from importer.sandbox.calls import Call, CallHandler, calls, time_text
from importer.sandbox.faults import LIES, Fault, FaultKind, FaultScript
from importer.sandbox.query_answers import lied
from importer.sandbox.rules import (
    MAX_BODY,
    ApiRefusalError,
    Credentials,
    CustomerObject,
    check_signature,
    parse_object,
)
from importer.sandbox.server import ConnectionControl
from importer.sandbox.store import FIELDS, Store

BODY_SECONDS = 30.0
"""How long a body may take to arrive."""
IDLE_SECONDS = 0.05
LATEST_SECONDS = 1.0
"""Seconds until other readers of the store's file see what was answered: after the last request, and at
most while requests come in."""
REQUESTS_KEPT = 100_000
_ENDLESS = 3600.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ReceivedRequest:
    """One request that the sandbox got, from its arrival on. Times are the sandbox's, in milliseconds."""

    number: int
    call: str
    customers: int
    fault: str
    began_ms: int
    body: bytes = b""
    """Kept only if the sandbox was asked to."""
    code: int | None = None
    """None where no envelope was sent, or not yet."""
    carried_out_ms: int | None = None
    """When it was carried out; None if it was refused, or never was."""
    ended_ms: int | None = None
    """When its answer was ready, or its connection gone."""
    over_ms: int | None = None
    """When it was over: nothing comes of it afterwards. Later than `ended_ms` if it was carried out late."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request on its way through the sandbox: its connection, body, line in the log, and faults."""

    scope: Scope
    receive: Receive
    call: Call
    body: bytes
    parsed: CustomerObject | None
    record: ReceivedRequest
    faults: Sequence[Fault]

    def has(self, kind: FaultKind) -> bool:
        """True if a fault of this kind happens to it."""
        return any(fault.kind is kind for fault in self.faults)

    @property
    def offset_ms(self) -> int:
        """How far the server's clock is ahead for it."""
        return sum(fault.offset_ms or 0 for fault in self.faults if fault.kind is FaultKind.CLOCK)

    def answer(self, code: int, message: str, data: object) -> Response:
        """Its answer, as documented but for the type of the code."""
        said = str(code) if self.has(FaultKind.TEXT_CODE) else code
        return envelope(said, message, data, self.call.traced)


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How the sandbox serves: seconds before each answer, its clock, whether it keeps bodies."""

    latency: float = 0.0
    clock_offset_ms: int = 0
    keep_bodies: bool = False
    max_body: int = MAX_BODY


class Application:
    """Serves the API from one store, in one event loop."""

    def __init__(
        self,
        store: Store,
        who: Credentials,
        script: FaultScript,
        options: SandboxOptions,
        clock: Callable[[], float],
        integrator: bool = True,
    ) -> None:
        self.script = script
        self.requests: deque[ReceivedRequest] = deque(maxlen=REQUESTS_KEPT)
        self.total = 0
        self._store = store
        self._who = who
        self._options = options
        self._clock = clock
        self._handler = CallHandler(store, who, lambda: self._now_ms(), integrator)
        self._routes = {call.endpoint.path: call for call in calls()}
        self._commit: asyncio.TimerHandle | None = None
        self._dirty = False
        """Something was written since the timer looked last."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            response = await self._respond(scope, receive)
        except (ClientDisconnect, TimeoutError):
            await _connection_control(scope).reset()
            return
        except Exception as error:  # a fault of the sandbox itself is answered as the API would
            log.error("the sandbox failed: %s", type(error).__name__)
            response = envelope(9001, "System business error", None, traced=True)
        if response is not None:
            response.headers.setdefault("date", http_date(self._now_ms()))
            await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        began_ms = self._now_ms()
        call = self._routes.get(scope["path"])
        if not _meant_for_us(scope, whole=call is None):
            return Response('{"message": "this host is not served here"}', 421, media_type=JSON)
        if call is None:
            return self._other_path(scope)
        if scope["method"] != call.endpoint.method:
            return Response("method not allowed", 405, {"allow": call.endpoint.method})
        body = await self._body(receive)
        if body is None:
            refused = self._record(call, 0, "", b"", began_ms)
            refused.code, refused.ended_ms, refused.over_ms = 1002, self._now_ms(), self._now_ms()
            answer = envelope(1002, f"body larger than {self._options.max_body} bytes", None, call.traced)
            answer.headers["connection"] = "close"
            return answer
        return await self._serve(scope, receive, call, body, began_ms)

    async def _serve(
        self, scope: Scope, receive: Receive, call: Call, body: bytes, began_ms: int
    ) -> Response | None:
        parsed = _parsed(body) if call.contract else None
        customers = parsed.get("customers") if parsed else None
        count = len(customers) if isinstance(customers, list) else 0
        faults = self.script.next(call.name, customers if isinstance(customers, list) else ())
        record = self._record(call, count, ", ".join(fault.kind for fault in faults), body, began_ms)
        try:
            return await self._answer(Exchange(scope, receive, call, body, parsed, record, faults))
        finally:
            record.over_ms = self._now_ms()
            record.ended_ms = record.ended_ms or record.over_ms

    async def _answer(self, exchange: Exchange) -> Response | None:
        """Let happen to one request what the script says; None if nothing is left to be sent."""
        faults, record = exchange.faults, exchange.record
        delay = self._options.latency + sum(
            fault.seconds or 0 for fault in faults if fault.kind is FaultKind.SLOW
        )
        if delay:
            await asyncio.sleep(delay)
        fault = next((fault for fault in faults if not fault.combinable), None)
        if fault is not None and fault.kind is FaultKind.LATE:
            await _until_gone(exchange.receive, fault.hang_up)
            await _connection_control(exchange.scope).reset()
            record.ended_ms = self._now_ms()
            await asyncio.sleep(fault.seconds or 0.0)
            if fault.stores:
                self._carry_out(exchange)
            return None
        if fault is not None and not fault.stores:
            record.code = fault.code
            return await self._misbehave(exchange, fault, exchange.answer(0, "", ""))
        code, message, data = self._carry_out(exchange)
        record.code = code
        answer = exchange.answer(code, message, data)
        if fault is not None:
            return await self._misbehave(exchange, fault, answer)
        if exchange.offset_ms:
            answer.headers["date"] = http_date(self._now_ms() + exchange.offset_ms)
        return answer

    def _carry_out(self, exchange: Exchange) -> tuple[int, str, object]:
        scope, call, record = exchange.scope, exchange.call, exchange.record
        try:
            query = scope["query_string"].decode("ascii", "replace")
            # A request is as old as it was when it came, however late it is carried out.
            now_ms = record.began_ms + exchange.offset_ms
            check_signature(_headers(scope), exchange.body, call.endpoint, self._who, now_ms)
            utf_16 = exchange.has(FaultKind.UTF_16)
            data = self._handler.handle(call, query, exchange.body, exchange.parsed, utf_16=utf_16)
        except ApiRefusalError as refusal:
            return refusal.code, refusal.message, "" if call.traced else None
        record.carried_out_ms = self._now_ms()
        if call.name == "query" and isinstance(data, dict):
            data = lied(data, [fault for fault in exchange.faults if fault.kind in LIES])
        self._commit_soon()
        return 0, "" if call.traced else "Request successful", data

    async def _misbehave(self, exchange: Exchange, fault: Fault, answer: Response) -> Response | None:
        """Carry out one fault; `answer` is the answer that the request would get."""
        control = _connection_control(exchange.scope)
        if fault.kind in (FaultKind.RESET, FaultKind.LOST):
            await control.reset()
        elif fault.kind is FaultKind.AWAY:
            await control.go_away(fault.seconds or 0.0)
        elif fault.kind is FaultKind.NO_ANSWER:
            await _until_gone(exchange.receive, fault.seconds)
            await control.reset()
        elif fault.kind is FaultKind.TRUNCATED:
            await control.send_truncated(bytes(answer.body))
        else:
            return faulty_answer(fault, exchange, answer, self._now_ms())
        return None

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body; None if it is larger than allowed."""
        async with asyncio.timeout(BODY_SECONDS):
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                found: bytes = message.get("body", b"")
                return found if len(found) <= self._options.max_body else None
            pieces: list[bytes] = []
            size = 0
            while True:
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > self._options.max_body:
                    return None
                if not message.get("more_body"):
                    return b"".join(pieces)
                message = await receive()

    def commit(self) -> None:
        """Make everything that was answered visible to other readers; must run in the server's thread."""
        if self._commit is not None:
            self._commit.cancel()
            self._commit = None
        self._store.commit()

    def _commit_soon(self) -> None:
        """Commit once for all requests of a moment: writing pages is what a batch costs most."""
        self._dirty = True
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.call_later(IDLE_SECONDS, self._commit_if_idle, loop.time() + LATEST_SECONDS)

    def _commit_if_idle(self, latest: float) -> None:
        loop = asyncio.get_running_loop()
        if self._dirty and loop.time() < latest:
            self._dirty = False
            self._commit = loop.call_later(IDLE_SECONDS, self._commit_if_idle, latest)
        else:
            self._commit = None
            self._store.commit()

    def _other_path(self, scope: Scope) -> Response:
        if scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            recent = list(self.requests)[-20:]
            return HTMLResponse(render_page(self._store, recent, self.total, self._who))
        if scope["path"] == "/favicon.ico":
            return Response(None, 204)
        return Response('{"message": "not found"}', 404, media_type="application/json")

    def _record(self, call: Call, customers: int, fault: str, body: bytes, began_ms: int) -> ReceivedRequest:
        self.total += 1
        kept = body if self._options.keep_bodies else b""
        record = ReceivedRequest(self.total, call.name, customers, fault, began_ms, kept)
        self.requests.append(record)
        return record

    def _now_ms(self) -> int:
        return int(self._clock() * 1000) + self._options.clock_offset_ms


def _parsed(body: bytes) -> CustomerObject | None:
    try:
        return parse_object(body)
    except ApiRefusalError:
        return None


def _meant_for_us(scope: Scope, *, whole: bool) -> bool:
    """Whether the request names this machine as its host; with `whole` the port must be ours, too.

    A page of another site whose name was made to lead here (DNS rebinding) could read the page otherwise, or
    sign calls with the credentials that every sandbox of the command line has. Calls may come through a
    forwarded port, and without a host, which no browser leaves out.
    """
    named = _headers(scope).get("host", [] if whole else ["localhost"])
    try:
        parts = urlsplit(f"//{named[0]}")
        port = parts.port or 80
    except (IndexError, ValueError):
        return False
    plain = len(named) == 1 and parts.netloc == named[0] and parts.username is None
    return plain and is_loopback(parts.hostname or "") and (not whole or port == scope["server"][1])


def _headers(scope: Scope) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return found


def _connection_control(scope: Scope) -> ConnectionControl:
    control: ConnectionControl = scope["state"]["control"]
    return control


async def _until_gone(receive: Receive, seconds: float | None) -> None:
    async def gone() -> None:
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await receive()

    try:
        await asyncio.wait_for(gone(), _ENDLESS if seconds is None else seconds)
    except TimeoutError:
        return


JSON = "application/json"


def envelope(code: int | str, message: str, data: object, traced: bool) -> Response:
    """An answer as documented; `traced`: with a traceId, which createApp and phoneList don't have."""
    found: dict[str, object] = {"code": code, "message": message, "data": data}
    if traced:
        found["traceId"] = uuid.uuid4().hex
    # A refusal may quote a name that no UTF-8 can hold.
    return Response(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"), media_type=JSON)


def faulty_answer(fault: Fault, exchange: Exchange, whole: Response, now_ms: int) -> Response:
    """Make the answer of a fault, in place of `whole`, the right one."""
    headers: dict[str, str] = {}
    if fault.retry_after:
        date, _, seconds = fault.retry_after.rpartition(":")
        headers["retry-after"] = http_date(now_ms + int(seconds) * 1000) if date else seconds
    if fault.code is not None:
        answer = exchange.answer(fault.code, fault.message or "scripted", None)
        answer.headers.update(headers)
        return answer
    if fault.kind is FaultKind.NOT_JSON:
        return HTMLResponse("<html><body><h1>Welcome to the proxy</h1></body></html>")
    if fault.kind is FaultKind.NO_CODE:
        return Response(b'{"message": "ok"}', media_type=JSON)
    if fault.kind is FaultKind.WRONG_JSON:
        return Response(bytes(whole.body)[: len(whole.body) // 2], media_type=JSON)
    status = 429 if fault.kind is FaultKind.RATE_LIMIT else fault.status or 500
    if 300 <= status < 400:
        headers["location"] = "https://elsewhere.invalid/"
    return Response(None if status in (204, 304) else fault.message or "scripted", status, headers)


def http_date(milliseconds: int) -> str:
    """A moment as HTTP headers tell it, in whole seconds."""
    return email.utils.formatdate(milliseconds // 1000, usegmt=True)


CUSTOMERS_SHOWN = 200
"""Customers on the page; all of them are counted."""


def render_page(store: Store, recent: Sequence[ReceivedRequest], total: int, who: Credentials) -> str:
    """The page as HTML; every value escaped, the secret not on it."""
    customers = store.newest(CUSTOMERS_SHOWN)
    used = {name for customer in customers for name in customer.fields}
    return _page_template().render(
        customers=customers,
        columns=[name for name in FIELDS if name in used],
        count=store.count(),
        apps=store.apps(),
        recent=list(reversed(recent)),
        total=total,
        tenant=who.tenant_id,
        when=time_text,
    )


@cache
def _page_template() -> jinja2.Template:
    text = resources.files(__package__).joinpath("page.html.j2").read_text("utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
