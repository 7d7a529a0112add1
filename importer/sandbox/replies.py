"""What the sandbox says: the API's envelope, and answers that are none."""

from __future__ import annotations

import email.utils
import json
import uuid

from starlette.responses import HTMLResponse, Response

from importer.sandbox.faults import Fault, FaultKind

JSON = "application/json"


def envelope(code: int, message: str, data: object, traced: bool) -> Response:
    """An answer as documented; `traced`: with a traceId, which createApp and phoneList don't have."""
    found: dict[str, object] = {"code": code, "message": message, "data": data}
    if traced:
        found["traceId"] = uuid.uuid4().hex
    # A refusal may quote a name that no UTF-8 can hold.
    return Response(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"), media_type=JSON)


def odd_answer(fault: Fault, whole: Response, traced: bool, now_ms: int) -> Response:
    """What a fault says in place of `whole`, the answer that would have been given."""
    if fault.kind is FaultKind.CODE:
        return envelope(fault.code or 0, fault.message or "scripted", None, traced)
    if fault.kind is FaultKind.NOT_JSON:
        return HTMLResponse("<html><body><h1>Welcome to the proxy</h1></body></html>")
    if fault.kind is FaultKind.NO_CODE:
        return Response(b'{"message": "ok"}', media_type=JSON)
    if fault.kind is FaultKind.WRONG_JSON:
        return Response(bytes(whole.body)[: len(whole.body) // 2], media_type=JSON)
    status = 429 if fault.kind is FaultKind.RATE_LIMIT else fault.status or 500
    headers: dict[str, str] = {}
    if fault.retry_after:
        date, _, seconds = fault.retry_after.rpartition(":")
        headers["retry-after"] = http_date(now_ms + int(seconds) * 1000) if date else seconds
    if 300 <= status < 400:
        headers["location"] = "https://elsewhere.invalid/"
    return Response(None if status in (204, 304) else fault.message or "scripted", status, headers)


def http_date(milliseconds: int) -> str:
    """A moment as HTTP headers tell it, in whole seconds."""
    return email.utils.formatdate(milliseconds // 1000, usegmt=True)
