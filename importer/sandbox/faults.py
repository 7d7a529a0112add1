"""Scripted faults: which requests go wrong, and how.

A fault file is TOML, one table for each fault:

\b
    [[fault]]
    kind = "code"              # what happens, see below
    requests = "3"             # the 3rd; also "2-5", "10-", "1,4,7", "every 5"; default: all
    endpoint = "batch_create"  # default; also create_app, phone_list, fields, query, any
    times = 2                  # at most so often; default: no bound
    rows = { email = "*@bad.example" }   # only batches with a customer that matches (* and ? as wildcards)
    code = 9001

\b
kinds and what belongs to them:
    status        answer with an HTTP status: status = 503; retry_after = "3" or "date:3"
    code          answer with a code of the API: code = 9001, message = "…"
    rate-limit    429 beyond so many requests a second: per_second = 5; retry_after as above; with a code and
                  a message the answer has status 200 and says so: code = 28, message = "TPS limit"
    slow          answer after seconds = 2.0
    no-answer     never answer, keep the connection open (for seconds = …, default until the client gives up)
    reset         reset the connection before anything is stored
    lost          store it, then reset the connection: the answer is lost
    late          never answer, and store it seconds = 2.0 after the connection is gone; the client ends it,
                  or the sandbox after hang_up = 1.0
    away          go away for seconds = 3.0: this request and all connections are cut, new ones refused
    truncated     the answer breaks off: fewer bytes than announced
    not-json      an HTML page with status 200
    wrong-json    JSON that breaks off, whole as far as HTTP can tell
    no-code       {"message": "ok"}
    clock         answer as a server whose clock is ahead by offset_ms = 120000
    text-code     the answer's code is a text: "0"
    form          answer customers/query in form = "list", "camel", "pairs" or "other" (endpoint = "query")
    cut-field     customers/query shows field = "address" without its last character
    hide          customers/query finds nobody
    twice         customers/query finds each customer twice
    utf-16        lengths are counted in UTF-16 units, not in code points
\b
stored = true stores the request before it goes wrong (for status, code, no-answer, reset, away, and the
broken answers, for which it is the default).

As a flag a fault is one line: --fault 'code code=9001 requests=2-4'. Requests are counted from 1 for each
endpoint; the first fault in the file that fits a request happens, except that slow, clock, text-code, utf-16
and what customers/query shows happen along with another one. No chance is involved.
"""

from __future__ import annotations

import re
import shlex
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from importer.errors import UsageError
from importer.toml import parse_toml

ENDPOINTS = ("batch_create", "create_app", "phone_list", "fields", "query", "any")


class FaultKind(StrEnum):
    """The kinds of fault."""

    STATUS = "status"
    CODE = "code"
    RATE_LIMIT = "rate-limit"
    SLOW = "slow"
    NO_ANSWER = "no-answer"
    RESET = "reset"
    LOST = "lost"
    LATE = "late"
    AWAY = "away"
    TRUNCATED = "truncated"
    NOT_JSON = "not-json"
    WRONG_JSON = "wrong-json"
    NO_CODE = "no-code"
    CLOCK = "clock"
    TEXT_CODE = "text-code"
    UTF_16 = "utf-16"
    FORM = "form"
    CUT_FIELD = "cut-field"
    HIDE = "hide"
    TWICE = "twice"


_STORED = frozenset(
    {
        FaultKind.LOST,
        FaultKind.LATE,
        FaultKind.TRUNCATED,
        FaultKind.NOT_JSON,
        FaultKind.WRONG_JSON,
        FaultKind.NO_CODE,
    }
)
LIES = frozenset({FaultKind.FORM, FaultKind.CUT_FIELD, FaultKind.HIDE, FaultKind.TWICE})
"""What is wrong with what customers/query shows."""
_COMBINABLE = LIES | {FaultKind.SLOW, FaultKind.CLOCK, FaultKind.TEXT_CODE, FaultKind.UTF_16}
_NEEDS = {
    FaultKind.STATUS: "status",
    FaultKind.CODE: "code",
    FaultKind.RATE_LIMIT: "per_second",
    FaultKind.SLOW: "seconds",
    FaultKind.LATE: "seconds",
    FaultKind.AWAY: "seconds",
    FaultKind.CLOCK: "offset_ms",
    FaultKind.FORM: "form",
    FaultKind.CUT_FIELD: "field",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the script. Raises ValueError if it makes no sense."""

    kind: FaultKind
    requests: str = "1-"
    endpoint: str = "batch_create"
    times: int | None = None
    rows: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    code: int | None = None
    message: str = ""
    retry_after: str = ""
    per_second: float | None = None
    seconds: float | None = None
    hang_up: float | None = None
    offset_ms: int | None = None
    stored: bool | None = None
    form: str | None = None
    field: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", FaultKind(self.kind))
        object.__setattr__(self, "requests", str(self.requests))
        object.__setattr__(self, "retry_after", str(self.retry_after))
        _check_types(self)
        if self.code is not None and self.kind not in (FaultKind.CODE, FaultKind.RATE_LIMIT):
            raise ValueError(f"{self.kind} has no code")
        needed = _NEEDS.get(self.kind)
        if needed and getattr(self, needed) is None:
            raise ValueError(f"{self.kind} needs {needed}")
        if self.endpoint not in ENDPOINTS:
            raise ValueError(f"endpoint must be one of {', '.join(ENDPOINTS)}")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status must be 200 to 599")
        if self.retry_after and not re.fullmatch(r"(date:)?[0-9]+", self.retry_after):
            raise ValueError('retry_after must be seconds ("3") or a date so many seconds ahead ("date:3")')
        if min(self.seconds or 0, self.hang_up or 0) < 0 or (
            self.per_second is not None and self.per_second <= 0
        ):
            raise ValueError("seconds, hang_up and per_second must be positive")
        _ranges(self.requests)

    @property
    def stores(self) -> bool:
        """True if the request is carried out although it goes wrong."""
        return self.kind in _STORED if self.stored is None else self.stored

    @property
    def combinable(self) -> bool:
        """True if another fault may happen to the same request."""
        return self.kind in _COMBINABLE

    def applies_to(self, number: int, endpoint: str, customers: Sequence[object]) -> bool:
        """True if the fault is meant for this request, the `number`-th to its endpoint."""
        if self.endpoint not in (endpoint, "any"):
            return False
        if not any(number in part for part in _ranges(self.requests)):
            return False
        return not self.rows or any(self._matches(customer) for customer in customers)

    def _matches(self, customer: object) -> bool:
        return isinstance(customer, dict) and all(
            fnmatchcase(str(customer.get(name, "")), pattern) for name, pattern in self.rows.items()
        )


class FaultScript:
    """The faults of one sandbox, counting as they happen."""

    def __init__(
        self, faults: Sequence[Fault | str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.faults = tuple(parse_fault(fault) if isinstance(fault, str) else fault for fault in faults)
        self._happened = [0] * len(self.faults)
        self._numbers: dict[str, int] = {}
        self._clock = clock
        self._passed: dict[int, deque[float]] = {}

    def next(self, endpoint: str, customers: Sequence[object]) -> list[Fault]:
        """The faults that happen to the next request of an endpoint; at most one that is not `combinable`."""
        number = self._numbers[endpoint] = self._numbers.get(endpoint, 0) + 1
        found: list[Fault] = []
        for index, fault in enumerate(self.faults):
            if fault.times is not None and self._happened[index] >= fault.times:
                continue
            if not fault.combinable and any(not other.combinable for other in found):
                continue
            if fault.applies_to(number, endpoint, customers) and not self._within_rate(index, fault):
                self._happened[index] += 1
                found.append(fault)
        return found

    def _within_rate(self, index: int, fault: Fault) -> bool:
        """True for a rate limit that lets the request pass: fewer than allowed passed in the last second."""
        if fault.kind is not FaultKind.RATE_LIMIT:
            return False
        now = self._clock()
        passed = self._passed.setdefault(index, deque())
        while passed and now - passed[0] >= 1.0:
            passed.popleft()
        if len(passed) >= (fault.per_second or 0):
            return False
        passed.append(now)
        return True


def load_faults(path: Path) -> tuple[Fault, ...]:
    """The faults of a TOML file. Raises UsageError `bad-faults` with file, entry and reason."""
    try:
        tables = parse_toml(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError("bad-faults", place=path, reason=reason) from error
    entries = tables.get("fault", [])
    if set(tables) - {"fault"} or not isinstance(entries, list):
        raise UsageError("bad-faults", place=path, reason="only [[fault]] tables are allowed")
    return tuple(_fault(entry, f"{path}, fault {number}") for number, entry in enumerate(entries, 1))


def parse_fault(line: str) -> Fault:
    """A fault from one line, `code code=9001 requests=2-4 rows.email=*@x`. Raises UsageError `bad-faults`."""
    place = f"fault {line!r}"
    try:
        kind, *pairs = shlex.split(line)
    except ValueError as error:
        raise UsageError("bad-faults", place=place, reason="write it as KIND NAME=VALUE …") from error
    entry: dict[str, Any] = {"kind": kind}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError("bad-faults", place=place, reason=f"{pair!r} is not NAME=VALUE")
        if name.startswith("rows."):
            entry.setdefault("rows", {})[name.removeprefix("rows.")] = value
        else:
            entry[name] = _plain(name, value)
    return _fault(entry, place)


def _plain(name: str, value: str) -> object:
    if name in ("requests", "retry_after", "message", "endpoint"):
        return value
    if value in ("true", "false"):
        return value == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _fault(entry: object, place: str) -> Fault:
    names = {field.name for field in fields(Fault)}
    if not isinstance(entry, dict) or "kind" not in entry:
        raise UsageError("bad-faults", place=place, reason="kind is missing")
    unknown = set(entry) - names
    if unknown:
        reason = f"unknown key {min(unknown)!r}; known are {', '.join(sorted(names))}"
        raise UsageError("bad-faults", place=place, reason=reason)
    if entry["kind"] not in list(FaultKind):
        reason = f"unknown kind {entry['kind']!r}; known are {', '.join(FaultKind)}"
        raise UsageError("bad-faults", place=place, reason=reason)
    try:
        return Fault(**entry)
    except (ValueError, TypeError) as error:
        raise UsageError("bad-faults", place=place, reason=error) from error


def _check_types(fault: Fault) -> None:
    wanted: tuple[tuple[str, tuple[type, ...]], ...] = (
        ("times", (int,)),
        ("status", (int,)),
        ("code", (int,)),
        ("offset_ms", (int,)),
        ("per_second", (int, float)),
        ("seconds", (int, float)),
        ("hang_up", (int, float)),
        ("stored", (bool,)),
        ("message", (str,)),
        ("form", (str,)),
        ("field", (str,)),
        ("rows", (dict,)),
    )
    for name, kinds in wanted:
        value = getattr(fault, name)
        if value is not None and (
            not isinstance(value, kinds) or (type(value) is bool and bool not in kinds)
        ):
            raise ValueError(f"{name} must be of type {kinds[0].__name__}")


def _ranges(text: str) -> tuple[range, ...]:
    """`3`, `2-5`, `10-`, `1,4`, `every 5`, `all`: the numbers it means."""
    text = text.strip()
    if text == "all":
        return (range(1, 2**62),)
    every = re.fullmatch(r"every[ :]?\s*([1-9][0-9]{0,8})", text)
    if every:
        return (range(int(every[1]), 2**62, int(every[1])),)
    found: list[range] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})\s*(-\s*([0-9]{1,9})?)?\s*", part)
        if not match:
            raise ValueError(f"requests = {text!r} is none of 3, 2-5, 10-, 1,4,7, every 5, all")
        first = int(match[1])
        last = first if not match[2] else int(match[3]) if match[3] else 2**62
        found.append(range(first, last + 1))
    return tuple(found)
