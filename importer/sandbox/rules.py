"""What the sandbox refuses, and with which code.

The codes are the vendor's. Which of them answers which fault of the body is documented in part only; where
it is not, this is the sandbox's own choice: 1002 for anything wrong in the body of the CDP's calls
(batch_create, fields, query), 9000 for missing or malformed parameters of createApp and phoneList.
A batch is refused as a whole if one of its rows breaks the contract.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from importer.contracts import Contract, Endpoint, Field, FieldKind

TS_TOLERANCE_MS = 60_000
"""How far `ts` may be from the server's clock; the vendor allows 60 s."""
MAX_BODY = 16 * 1024 * 1024
MAX_INTEGER = 2**63

CustomerObject = dict[str, object]


class ApiRefusalError(Exception):
    """The request is answered with this code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who may call: the access key, its secret, and the tenant that they belong to."""

    access_key: str
    access_secret: str
    tenant_id: int
    app_key: str
    more_tenants: tuple[int, ...] = ()
    """Further tenants of the same account. The application of each is named `APP_KEY-TENANT`."""


_DIGESTS: Mapping[str, Callable[[bytes], Any]] = {"md5": hashlib.md5, "sha256": hashlib.sha256}
_SIGNATURE_HEADERS = ("accessKey", "ts", "bizType", "action", "sign")


def expected_signature(found: Mapping[str, str], body: bytes, secret: str, algorithm: str = "md5") -> str:
    """The `sign` that the vendor's “API interface call convention” asks for, in lower-case hex.

    `found`: the headers `accessKey`, `action`, `bizType` and `ts`. Written anew from the vendor's text and
    checked against the vendor's examples, so that it cannot repeat a mistake of the client.
    """
    parameters = {name: found[name] for name in ("accessKey", "ts", "bizType", "action")}
    signed = [f"{name}={value}".encode() for name, value in sorted(parameters.items())]
    signed += [b"body=" + body] if body else []
    signed.append(f"accessSecret={secret}".encode())
    return str(_DIGESTS[algorithm](b"&".join(signed)).hexdigest())


def check_signature(
    headers: Mapping[str, list[str]], body: bytes, endpoint: Endpoint, who: Credentials, now_ms: int
) -> None:
    """Check the five headers, the clock and the signature. `headers`: lower-case name → values.

    Raises ApiRefusalError 1001 (missing), 1002 (bizType, action, algorithm, a header given twice), 1005
    (access key), 1004 (more than 60 s from `now_ms`), 1003 (signature), in this order.
    """
    found: dict[str, str] = {}
    for name in _SIGNATURE_HEADERS:
        values = headers.get(name.lower(), [])
        if not values or not values[0]:
            raise ApiRefusalError(1001, f"missing common parameter: {name}")
        if len(values) > 1:
            raise ApiRefusalError(1002, f"header given more than once: {name}")
        found[name] = values[0]
    algorithm = headers.get("algorithm", ["md5"])[0].lower()
    if found["bizType"] != endpoint.biz_type or found["action"] != endpoint.action:
        raise ApiRefusalError(1002, f"bizType/action must be {endpoint.biz_type}/{endpoint.action}")
    if algorithm not in _DIGESTS:
        raise ApiRefusalError(1002, f"algorithm must be one of {', '.join(_DIGESTS)}")
    if found["accessKey"] != who.access_key:
        raise ApiRefusalError(1005, "wrong accessKey or no permission")
    ts = found["ts"]
    if not (ts.isascii() and ts.isdigit() and len(ts) <= 18) or abs(int(ts) - now_ms) > TS_TOLERANCE_MS:
        raise ApiRefusalError(1004, "timestamp expired")
    expected = expected_signature(found, body, who.access_secret, algorithm)
    if not hmac.compare_digest(expected.encode(), found["sign"].encode("utf-8", "surrogateescape")):
        raise ApiRefusalError(1003, "invalid signature")


def parse_object(body: bytes, code: int = 1002) -> CustomerObject:
    """The body as a JSON object. Raises ApiRefusalError with `code` if it is none."""
    try:
        found = _decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ApiRefusalError(code, "body is not JSON in UTF-8") from error
    if not isinstance(found, dict):
        raise ApiRefusalError(code, "body is not a JSON object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def text_parameter(body: Mapping[str, object], name: str, code: int) -> str:
    """A required parameter that is a non-empty text. Raises ApiRefusalError with `code`."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or not storable(value):
        raise ApiRefusalError(code, f"{name} must be a non-empty string")
    return value


def whole_number(body: Mapping[str, object], name: str, code: int = 1002) -> int:
    """A required parameter that is an integer. Raises ApiRefusalError with `code`."""
    value = body.get(name)
    if type(value) is not int or not -MAX_INTEGER <= value < MAX_INTEGER:
        raise ApiRefusalError(code, f"{name} must be an integer")
    return value


def storable(text: str) -> bool:
    """False for halves of surrogate pairs, which JSON can spell and no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class BatchRules:
    """The rules of batch_create under one contract.

    The vendor does not say what a character is: lengths are counted in code points or in UTF-16 units.
    """

    def __init__(self, contract: Contract, *, utf_16: bool = False) -> None:
        self.contract = contract
        self._length = utf_16_length if utf_16 else len
        self._required = tuple(field.name for field in contract.fields if field.required)
        self._plain: dict[str, int] = {}
        self._special: dict[str, Callable[[object], str]] = {}
        for field in contract.fields:
            if field.kind in _SPECIAL or field.digits_only:
                self._special[field.name] = _special(field)
            else:
                self._plain[field.name] = field.max_length or MAX_BODY
        self._options = frozenset({"type", "tenant_id", "app_key", "customers", *contract.body_options})

    def check(self, body: Mapping[str, object]) -> list[CustomerObject]:
        """The customers of a batch, every one of them within the contract.

        Raises ApiRefusalError 1002 that names the first row and field that are not.
        """
        mode = body.get("type")
        if type(mode) is not int or mode not in (0, 1, 2):
            raise ApiRefusalError(1002, "type must be 0, 1 or 2")
        for name in body:
            if name not in self._options:
                raise ApiRefusalError(1002, f"unknown parameter: {name[:40]!r}")
        if type(body.get("strict_binding", False)) is not bool:
            raise ApiRefusalError(1002, "strict_binding must be a boolean")
        customers = body.get("customers")
        if not isinstance(customers, list) or not customers:
            raise ApiRefusalError(1002, "customers must be a non-empty array")
        if len(customers) > self.contract.max_customers:
            raise ApiRefusalError(1002, f"customers: at most {self.contract.max_customers} per request")
        if not self._fits(customers):
            self._refuse(customers)
        return customers

    def _fits(self, customers: list[CustomerObject]) -> bool:
        """Return whether every customer is within the contract.

        Checks column by column, which is quick, and does not say where one is not.
        """
        if set(map(type, customers)) != {dict}:
            return False
        for name in self._required:
            if not all(customer.get(name) for customer in customers):
                return False
        known = 0
        for name in self.contract.names:
            values = [customer[name] for customer in customers if name in customer]
            if not values:
                continue
            known += len(values)
            limit = self._plain.get(name)
            if limit is None:
                if any(map(self._special[name], values)):
                    return False
            elif not self._texts_fit(values, limit):
                return False
        return known == sum(map(len, customers))

    def _refuse(self, customers: list[CustomerObject]) -> None:
        """Raise ApiRefusalError 1002 for the first row and field that break the contract."""
        for index, customer in enumerate(customers):
            problem = self._problem(customer)
            if problem:
                raise ApiRefusalError(1002, f"customers[{index}]: {problem}")
        raise ApiRefusalError(1002, "customers break the contract")

    def _problem(self, customer: object) -> str:
        if type(customer) is not dict:
            return "must be an object"
        for name in self._required:
            if not customer.get(name):
                return f"{name} is required"
        for name, value in customer.items():
            problem = self._field_problem(name, value)
            if problem:
                return f"{name[:40]}: {problem}"
        return ""

    def _field_problem(self, name: str, value: object) -> str:
        limit = self._plain.get(name)
        if limit is None:
            check = self._special.get(name)
            return check(value) if check else "unknown field"
        if type(value) is not str:
            return "must be a string"
        if self._length(value) > limit:
            return f"longer than {limit} characters"
        return "" if storable(value) else "not valid Unicode"

    def _texts_fit(self, values: list[Any], limit: int) -> bool:
        return (
            set(map(type, values)) == {str}
            and max(map(self._length, values)) <= limit
            and storable("".join(values))
        )


def utf_16_length(text: str) -> int:
    """The length as Java counts it: characters beyond U+FFFF count twice."""
    return len(text) + sum(char > "\uffff" for char in text)


_SPECIAL = frozenset({FieldKind.DATE, FieldKind.GENDER, FieldKind.JSON})


def _special(field: Field) -> Callable[[object], str]:
    if field.kind is FieldKind.DATE:
        return _date_problem
    if field.kind is FieldKind.GENDER:
        return _gender_problem
    if field.kind is FieldKind.JSON:
        return _json_problem
    limit = field.max_length or MAX_BODY

    def digits_problem(value: object) -> str:
        if type(value) is not str:
            return "must be a string"
        if value and not (value.isascii() and value.isdigit()):
            return "digits only"
        return f"longer than {limit} characters" if len(value) > limit else ""

    return digits_problem


def _date_problem(value: object) -> str:
    if value == "":
        return ""
    if type(value) is not str or len(value) != 10 or value[4] != "-" or value[7] != "-":
        return "must be yyyy-MM-dd"
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return "is no day of the calendar"
    return ""


def _gender_problem(value: object) -> str:
    return "" if type(value) is int and value in (0, 1) else "must be 1 or 0"


# The usual custom fields, known to be JSON at a glance: a flat object of texts without escapes.
_TEXT = r'"[^"\\\x00-\x1f\ud800-\udfff]*"'
_FLAT = re.compile(rf"\{{{_TEXT}: ?{_TEXT}(?:, ?{_TEXT}: ?{_TEXT})*\}}")


def _json_problem(value: object) -> str:
    if type(value) is not str:
        return "must be a string that holds a JSON object"
    if value == "" or _FLAT.fullmatch(value):
        return ""
    try:
        found = _decode(value)
    except (ValueError, RecursionError):
        return "must be a string that holds a JSON object"
    if not isinstance(found, dict):
        return "must be a string that holds a JSON object"
    return "" if storable(value) else "not valid Unicode"
