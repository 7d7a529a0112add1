"""What each answer, and each way of getting none, makes the client do: one table.

Source of the rules: docs/remote-api.md, “Answers” and the tables under it. `maybe_processed` is
True where the server may have processed the request although nobody said so: such rows are `unknown` if it
never gets better, the others `failed`.
"""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from importer import messages
from importer.errors import ImporterError, RefusedError, UnreachableError
from importer.escaping import single_line
from importer.models import Action, Verdict

MESSAGE_LENGTH = 500
TRACE_LENGTH = 128
DATA_LENGTH = 100_000


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """What to do, whether the server may have processed the request, and which message tells of it."""

    action: Action
    message_code: str
    maybe_processed: bool = False
    unanswered: bool = False
    """True where nobody answered, so that the server may carry the request out later."""


RULES: Mapping[str, AnswerRule] = {
    # The envelope's `code`.
    "0": AnswerRule(Action.DONE, "api-success"),
    "1001": AnswerRule(Action.STOP, "api-1001"),
    "1002": AnswerRule(Action.ISOLATE, "api-1002"),
    "1003": AnswerRule(Action.STOP, "api-1003"),
    "1004": AnswerRule(Action.CORRECT_CLOCK, "api-1004"),
    "1005": AnswerRule(Action.STOP, "api-1005"),
    "9000": AnswerRule(Action.ISOLATE, "api-9000"),
    "-1": AnswerRule(Action.RETRY, "api-failed"),
    "9001": AnswerRule(Action.RETRY, "api-9001"),
    "9007": AnswerRule(Action.STOP, "api-9007"),
    "9008": AnswerRule(Action.STOP, "api-9008"),
    "9009": AnswerRule(Action.STOP, "api-9009"),
    "9010": AnswerRule(Action.STOP, "api-9010"),
    "other-code": AnswerRule(Action.RETRY_THEN_ISOLATE, "api-other"),
    "spoken-limit": AnswerRule(Action.WAIT, "api-spoken-limit"),
    # An answer without a usable envelope.
    "not-json": AnswerRule(Action.RETRY, "not-json", maybe_processed=True),
    "no-code": AnswerRule(Action.RETRY, "no-code", maybe_processed=True),
    "cut-off": AnswerRule(Action.RETRY, "cut-off", maybe_processed=True, unanswered=True),
    "not-http": AnswerRule(Action.RETRY, "not-http", maybe_processed=True, unanswered=True),
    "too-large": AnswerRule(Action.RETRY, "too-large", maybe_processed=True),
    "http-5xx": AnswerRule(Action.RETRY, "http-5xx", maybe_processed=True),
    "http-502": AnswerRule(Action.RETRY, "http-5xx", maybe_processed=True, unanswered=True),
    "http-504": AnswerRule(Action.RETRY, "http-5xx", maybe_processed=True, unanswered=True),
    "http-408": AnswerRule(Action.RETRY, "http-408", maybe_processed=True, unanswered=True),
    "http-429": AnswerRule(Action.WAIT, "http-429"),
    "http-3xx": AnswerRule(Action.STOP, "http-3xx"),
    "http-401": AnswerRule(Action.STOP, "http-401"),
    "http-403": AnswerRule(Action.STOP, "http-403"),
    "http-404": AnswerRule(Action.STOP, "http-404"),
    "http-407": AnswerRule(Action.STOP, "http-407"),
    "http-413": AnswerRule(Action.ISOLATE, "http-413"),
    "http-stop": AnswerRule(Action.STOP, "http-stop"),
    "http-4xx": AnswerRule(Action.RETRY_THEN_ISOLATE, "http-4xx"),
    "http-other": AnswerRule(Action.RETRY, "http-5xx", maybe_processed=True),
    # No answer at all.
    "read-timeout": AnswerRule(Action.RETRY, "read-timeout", maybe_processed=True, unanswered=True),
    "connection-lost": AnswerRule(Action.RETRY, "connection-lost", maybe_processed=True, unanswered=True),
    "lost-while-sending": AnswerRule(Action.RETRY, "lost-while-sending"),
    "transport-failed": AnswerRule(Action.RETRY, "transport-failed", maybe_processed=True, unanswered=True),
    "connection-refused": AnswerRule(Action.WAIT, "connection-refused"),
    "no-route": AnswerRule(Action.WAIT, "no-route"),
    "name-unresolved": AnswerRule(Action.WAIT, "name-unresolved"),
    "connect-timeout": AnswerRule(Action.WAIT, "connect-timeout"),
    "proxy-unreachable": AnswerRule(Action.WAIT, "proxy-unreachable"),
    "proxy-refused": AnswerRule(Action.STOP, "proxy-refused"),
    "certificate": AnswerRule(Action.STOP, "certificate"),
    "tls": AnswerRule(Action.STOP, "tls"),
}

# No code is documented for a rate limit; the vendor's other calls answer with a sentence (docs/remote-api.md,
# “Answers”). It has to speak of a rate as such: a field called “frequency” or “exchange rate” is no limit.
_LIMIT = re.compile(
    r"(?<![a-z])rate[ _-]?limit|(?<![a-z0-9])[tq]ps(?![a-z0-9])|throttl"
    r"|too (?:many (?:\w+ ){0,2}(?:requests|calls)|frequent|fast)"
    r"|(?:requests|calls) (?:are )?too (?:often|many)"
    r"|frequency (?:limit|control|is too|too)|(?:rate|frequency) (?:is |was |has been )?exceed"
    r"|exceed\w* (?:\w+ ){0,4}(?:rate|frequency)(?![a-z])"
    r"|频繁|频率|限流|限频|流控|(?:请求|调用|访问|操作)(?:速度|次数)?(?:过|太)(?:快|多)",
    re.IGNORECASE | re.ASCII,
)

# Not documented: statuses that say that address or method are wrong, which no waiting and no halving mends.
_WRONG_ADDRESS = frozenset({405, 410, 411, 415, 421, 426})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP, whole. `headers`: names in lower case. `now`: seconds, our clock."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    now: float


@dataclass(frozen=True, slots=True)
class AnswerEnvelope:
    """An answer's envelope. `fault` is empty, `not-json` or `no-code`."""

    code: int | None = None
    message: str = ""
    trace_id: str = ""
    data: object = None
    fault: str = ""


def _json_text(data: object) -> str:
    """An undocumented list or object as JSON text; half a character, which nothing can store, is escaped."""
    if not isinstance(data, list | dict):
        return ""
    text = json.dumps(data, ensure_ascii=False)[:DATA_LENGTH]
    return text.encode("utf-8", "backslashreplace").decode()


def judge(answer: Answer) -> Verdict:
    """Return what an answer means. Never raises, whatever the bytes are."""
    reply = read(answer.body)
    key = _key(answer.status, reply)
    rule = RULES[key]
    if key in ("other-code", "spoken-limit", str(reply.code)):
        code, message = str(reply.code), reply.message
    else:
        code = f"http-{answer.status}" if key.startswith("http-") else key
        message = reply.message or messages.sentence(rule.message_code, {"status": answer.status})
    return Verdict(
        action=rule.action,
        maybe_processed=rule.maybe_processed,
        code=code,
        message=message,
        trace_id=reply.trace_id,
        retry_after=_retry_after(answer),
        server_time_ms=date_ms(answer.headers.get("date", "")),
        http_status=answer.status,
        seconds=answer.seconds,
        data=_json_text(reply.data),
        unanswered=rule.unanswered,
        payload=reply.data,
        body=answer.body,
    )


def judge_fault(key: str, detail: str, seconds: float) -> Verdict:
    """Return what it means that no whole answer came.

    `key` is one of `RULES`, `detail` the operating system's reason, if it gave one.
    """
    rule = RULES[key]
    message = one_line(detail, MESSAGE_LENGTH) or messages.sentence(rule.message_code, {})
    return Verdict(
        rule.action, rule.maybe_processed, key, message, seconds=seconds, unanswered=rule.unanswered
    )


def rule_for(code: str, message: str = "") -> AnswerRule:
    """Return the rule behind a `Verdict.code`; `message` is the verdict's."""
    if code in RULES:
        return RULES[code]
    if code.startswith("http-"):
        return RULES[_status_key(int(code.removeprefix("http-")))]
    return RULES[_code_key(code, message)]


def error_for(verdict: Verdict) -> ImporterError:
    """Return the error that tells a person what a verdict other than success means."""
    kind = UnreachableError if verdict.action in (Action.RETRY, Action.WAIT) else RefusedError
    return kind(
        rule_for(verdict.code, verdict.message).message_code,
        code=verdict.code,
        message=verdict.message,
        detail=verdict.message,
        status=verdict.http_status or "",
    )


def explain(code: str, message: str = "", lang: str = "en") -> tuple[str, str]:
    """Return sentence and hint for a `Verdict.code`, in English or Chinese. `message` is the verdict's."""
    found = {"code": code, "message": message, "status": code.removeprefix("http-"), "detail": message}
    message_code = rule_for(code, message).message_code
    return messages.sentence(message_code, found, lang), messages.hint(message_code, found, lang)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. One that names two codes has none: nobody can say which of them counts (RFC 8259, 4)."""
    found = dict(pairs)
    if len(found) < len(pairs) and sum(name == "code" for name, _ in pairs) > 1:
        found["code"] = None
    return found


def read(body: bytes) -> AnswerEnvelope:
    """Return an answer's body as an envelope.

    `code` counts if it is an integer, as documented, or the same digits as a text (docs/remote-api.md,
    “Answers”).
    """
    try:
        envelope = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object)
    except (ValueError, RecursionError):  # UnicodeDecodeError and endless digits are ValueErrors
        return AnswerEnvelope(fault="not-json")
    if not isinstance(envelope, dict):
        return AnswerEnvelope(fault="no-code")
    code = envelope.get("code")
    if isinstance(code, str) and _DIGITS.fullmatch(code):
        code = int(code)
    known = type(code) is int and abs(code) < 2**63
    return AnswerEnvelope(
        code=code if known else None,
        message=one_line(envelope.get("message"), MESSAGE_LENGTH),
        trace_id=one_line(envelope.get("traceId"), TRACE_LENGTH),
        data=envelope.get("data"),
        fault="" if known else "no-code",
    )


ENVELOPE: Mapping[str, tuple[type, ...]] = {
    "code": (int,),
    "message": (str,),
    "data": (str, type(None)),
    "traceId": (str,),
}
"""The keys of an answer of batch_create and the types of their values, as documented."""
_OUTLINE_KEYS = 12
_OUTLINE_LENGTH = 120


def is_documented(body: bytes) -> bool:
    """Return whether an answer of batch_create has the documented form."""
    found = _parsed(body)
    return (
        isinstance(found, dict)
        and found.keys() == ENVELOPE.keys()
        and all(type(found[name]) in kinds for name, kinds in ENVELOPE.items())
        and not found["data"]
    )


def outline(body: bytes) -> str:
    """Return the form of an answer on one line: {"code": 0, "message": "", "data": "", "traceId": "a1b2"}.

    The texts of code, message and traceId are shown. Of all others only the kind is, since an answer may
    repeat what a customer said.
    """
    found = _parsed(body)
    if isinstance(found, dict):
        shown = [
            f'"{one_line(name, 40)}": {_shown(value, said=name in ENVELOPE and name != "data")}'
            for name, value in list(found.items())[:_OUTLINE_KEYS]
        ]
        return "{" + ", ".join(shown + ["…"] * (len(found) > _OUTLINE_KEYS)) + "}"
    if found is not None:
        return _shown(found, said=False)
    kind = "HTML" if body.lstrip()[:1] == b"<" else "no JSON"
    return f"{kind}, {len(body)} bytes"


def _shown(value: object, *, said: bool) -> str:
    match value:
        case dict() if value:
            return "{…}"
        case list() if value:
            return f"[… {len(value)}]"
        case str() if value and not said:
            return '"…"'
        case str():
            return json.dumps(one_line(value, _OUTLINE_LENGTH), ensure_ascii=False)
        case _:
            return json.dumps(value)[:40]


def _parsed(body: bytes) -> object:
    """Return the answer as JSON, None if it is none."""
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


_DIGITS = re.compile(r"0|-?[1-9][0-9]{0,18}")


def one_line(text: object, length: int) -> str:
    """Return a text of the server's fit for terminals and reports: one line, printable, bounded."""
    if not isinstance(text, str):
        return ""
    text = " ".join(single_line(text[: 2 * length]).split())
    return text[:length]


@lru_cache(maxsize=64)
def date_ms(text: str) -> int | None:
    """Return an HTTP date as milliseconds since 1970; None if it is none."""
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _key(status: int, reply: AnswerEnvelope) -> str:
    if 200 <= status < 300:
        return reply.fault or _code_key(str(reply.code), reply.message)
    # A gateway may dress the envelope's codes in a 4xx; a success it cannot mean.
    if reply.code == 1004 and status in (401, 403):
        return "1004"
    key = _status_key(status)
    return _code_key(str(reply.code), reply.message) if key == "http-4xx" and reply.code else key


def _code_key(code: str, message: str) -> str:
    if code in RULES:
        return code
    return "spoken-limit" if _LIMIT.search(message) else "other-code"


def _status_key(status: int) -> str:
    if f"http-{status}" in RULES:
        return f"http-{status}"
    if status in _WRONG_ADDRESS:
        return "http-stop"
    hundreds = f"http-{status // 100}xx"
    return hundreds if hundreds in RULES else "http-other"


def _retry_after(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)?", text):
        return float(text)
    when = date_ms(text)
    if when is None:
        return None
    # The server's own clock where it tells it: ours may be the one that is wrong.
    now = date_ms(answer.headers.get("date", ""))
    return max(0.0, (when - (now if now is not None else answer.now * 1000)) / 1000)
