"""customers/query: ask for one customer by a contact, and recognise customers in whatever form they come.

The vendor's page ends before it names the answer's fields. So an answer counts as understood only by what is
in it: objects with names that the API gives to a customer's fields, in any spelling (first_name, firstName),
directly, under a key of their own, or as pairs of name and value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from importer import contracts
from importer.contact_keys import forms
from importer.contracts import FieldKind, endpoints
from importer.errors import RefusedError

if TYPE_CHECKING:
    from importer.api.client import Client

FILTERS: Mapping[str, str] = {
    "sms_phone": "sms_phone",
    "whats_app_phone": "whatsApp_phone",
    "viber_phone": "viber_phone",
    "email": "email",
}
"""The contacts that can be asked for, by the names of batch_create, in the vendor's spelling."""
MOST_FOUND = 10
"""Customers that are asked for: more than one is one too many."""
_FEWEST_NAMES = 2
"""Known names that an object needs to be a customer."""
_DEEPEST = 5
_PAIR_NAMES = ("name", "key", "field", "field_name", "fieldName")
_TAG_NAMES = ("tag_name", "tagName", "name")
_NOT_DIGITS = re.compile(r"\D")


@dataclass(frozen=True, slots=True)
class SeenCustomer:
    """A customer as the CRM shows it: values by the names of batch_create, as they came."""

    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """What the CRM answered when it was asked for a contact."""

    customers: tuple[SeenCustomer, ...]
    """Those who show the contact."""
    others: tuple[SeenCustomer, ...] = ()
    """Those who do not, where nobody does: the CRM may know them by a contact that they had before."""


class UnknownAnswerError(RefusedError):
    """An answer of customers/query that tells nothing of the customer who was asked for."""


def find_customers(client: Client, field: str, value: str) -> QueryAnswer:
    """Return the customers that have this contact. `field` is one of FILTERS.

    Raises UnknownAnswerError `query-not-understood`, or `query-answers-others` for as many others as were
    asked for, behind whom there may be more; RefusedError, UnreachableError.
    """
    there = client.connection
    body = {
        "tenant_id": int(there.tenant_id),
        "app_key": there.app_key,
        "limit": MOST_FOUND,
        FILTERS[field]: value,
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    data = client.call(endpoints()["query"], text.encode())
    found = recognise(data)
    matching = tuple(one for one in found if has_contact(one, field, value))
    if matching:
        return QueryAnswer(matching)
    if len(found) >= MOST_FOUND:
        raise UnknownAnswerError("query-answers-others", customers=len(found), keys=_keys(data))
    return QueryAnswer((), found)


def has_contact(customer: SeenCustomer, field: str, value: str) -> bool:
    """Return whether a customer has this contact, in whichever form it is shown."""
    if field == "email":
        return str(customer.fields.get("email", "")).strip().lower() == value.lower()
    shown = {digits_of(customer.fields.get(name)) for name in FILTERS if name != "email"}
    return bool(shown & set(forms(digits_of(value))))


def digits_of(value: object) -> str:
    """Return the digits of a phone as it is shown."""
    return _NOT_DIGITS.sub("", str(value or "")).removeprefix("00")


def recognise(data: object) -> tuple[SeenCustomer, ...]:
    """Return the customers in an answer's `data`; none if it holds an empty list where they would be.

    Raises UnknownAnswerError `query-not-understood`, with the names of the answer's keys.
    """
    lists = list(_lists(data, 0))
    for entries in lists:
        customers = [_customer(entry) for entry in entries]
        if entries and all(len(one) >= _FEWEST_NAMES for one in customers):
            return tuple(SeenCustomer(one) for one in customers)
    alone = _customer(data)
    if len(alone) >= _FEWEST_NAMES:
        return (SeenCustomer(alone),)
    if lists and not any(lists):
        return ()
    raise UnknownAnswerError("query-not-understood", keys=_keys(data))


def _lists(data: object, depth: int) -> Iterator[list[object]]:
    """Yield the lists of an answer, the outer ones first."""
    if depth > _DEEPEST:
        return
    if isinstance(data, list):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _lists(value, depth + 1)


def _customer(entry: object) -> dict[str, object]:
    """Return what an object says of a customer; empty if it says nothing that is known."""
    found: dict[str, object] = {}
    if not isinstance(entry, dict):
        return found
    for key, value in entry.items():
        name = _names().get(_plain(str(key)))
        if name is not None:
            found.setdefault(name, _tags(value) if name == "tagStr" else value)
        elif isinstance(value, dict):
            for inner, shown in _customer(value).items():
                found.setdefault(inner, shown)
        elif isinstance(value, list):
            for inner, shown in _pairs(value):
                found.setdefault(inner, shown)
    return found


def _pairs(entries: list[object]) -> Iterator[tuple[str, object]]:
    """Yield the fields of a list such as [{"name": "first_name", "value": "Ann"}]."""
    for entry in entries:
        if isinstance(entry, dict) and "value" in entry:
            names = (_names().get(_plain(str(entry.get(key, "")))) for key in _PAIR_NAMES)
            name = next(filter(None, names), None)
            if name is not None:
                yield name, _tags(entry["value"]) if name == "tagStr" else entry["value"]


def _tags(value: object) -> object:
    """Return tags as a text separated by commas, whether they come so or as a list."""
    if not isinstance(value, list):
        return value
    found = []
    for tag in value:
        if isinstance(tag, dict):
            tag = next((tag[name] for name in _TAG_NAMES if name in tag), "")
        found.append(str(tag))
    return ",".join(filter(None, found))


@cache
def _names() -> Mapping[str, str]:
    """Return the names of all contracts' fields by their plain form."""
    fields = [field for name in contracts.NAMES for field in contracts.load(name).fields]
    found = {_plain(field.name): field.name for field in fields}
    tags = next(field.name for field in fields if field.kind is FieldKind.TAGS)
    return found | {"tags": tags, "customfields": "customize_field", "customizefields": "customize_field"}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _keys(data: object) -> str:
    """Return the names of an answer's keys, inner ones behind a dot: never a value, which is a customer's."""
    found: dict[str, None] = {}

    def walk(part: object, before: str, depth: int) -> None:
        if isinstance(part, list):
            walk(part[0] if part else None, f"{before}[]", depth)
        elif isinstance(part, dict) and depth < _DEEPEST:
            for key, value in part.items():
                name = f"{before}.{key}" if before else str(key)
                found[name] = None
                walk(value, name, depth + 1)
        elif not before or before == "[]":
            found[f"{before or 'data'} ({type(part).__name__})"] = None

    walk(data, "", 0)
    return ", ".join(list(found)[:40]) or "–"
