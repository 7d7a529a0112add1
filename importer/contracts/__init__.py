"""The API's fields, limits and endpoints as data, and their loader.

`sea.toml` and `plat.toml` describe the two published variants of batch_create; `endpoints.toml` the other
calls. Validation, the sandbox, the template, `--help` and the table in docs/mapping.md read them from here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from importer.dataclass import dataclass
from importer.errors import UsageError

NAMES = ("sea", "plat")
DEFAULT_CONTRACT = NAMES[0]
"""The contract of a run that names none."""


class FieldKind(StrEnum):
    """What a field's text must be."""

    TEXT = "text"
    PHONE = "phone"
    EMAIL = "email"
    DATE = "date"
    TAGS = "tags"
    TIME_ZONE = "time_zone"
    GENDER = "gender"
    JSON = "json"
    DIGITS = "digits"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a customer. `max_length` counts characters; None where the vendor names no limit."""

    name: str
    kind: FieldKind
    help: Mapping[str, str]
    required: bool = False
    max_length: int | None = None
    digits_only: bool = False
    """The API refuses anything but digits: a bad phone is an error, not a warning."""
    documented: bool = True

    @property
    def identifier(self) -> bool:
        """True where a digit lost is a different customer."""
        return self.kind in (FieldKind.PHONE, FieldKind.DIGITS)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: where it goes and how it is signed."""

    method: str
    base_url: str
    path: str
    biz_type: str
    action: str


@dataclass(frozen=True, slots=True)
class Contract:
    """One published variant of batch_create."""

    name: str
    title: str
    endpoint: Endpoint
    hosts: tuple[str, ...]
    max_customers: int
    fields: tuple[Field, ...]
    body_options: tuple[str, ...] = ()

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError if the contract has none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def contact_fields(self) -> tuple[str, ...]:
        """The phones of any kind and the e-mail: rows that share one are taken as one customer."""
        return tuple(field.name for field in self.fields if field.kind in (FieldKind.PHONE, FieldKind.EMAIL))


@cache
def load(name: str) -> Contract:
    """The contract called `name`. Raises UsageError `unknown-contract` if there is none."""
    if name not in NAMES:
        raise UsageError("unknown-contract", name=name, known=", ".join(NAMES))
    return parse(name, _file(f"{name}.toml").read_text("utf-8"))


@cache
def endpoints() -> Mapping[str, Endpoint]:
    """The calls beside batch_create: `create_app`, `phone_list`, `fields`, `query`."""
    tables = tomllib.loads(_file("endpoints.toml").read_text("utf-8"))
    return {name: Endpoint(**table) for name, table in tables.items()}


def parse(name: str, text: str) -> Contract:
    """Reads a contract from TOML. Raises ValueError that names the contract, the field and the key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"contract {name}: {error}") from error
    try:
        endpoint = Endpoint("POST", table["base_url"], table["path"], table["biz_type"], table["action"])
        return Contract(
            name=name,
            title=table["title"],
            endpoint=endpoint,
            hosts=tuple(table["hosts"]),
            max_customers=table["max_customers"],
            fields=tuple(_field(name, entry) for entry in table["fields"]),
            body_options=tuple(table.get("body_options", ())),
        )
    except KeyError as error:
        raise ValueError(f"contract {name}: the key {error} is missing") from error


def _field(contract: str, entry: Mapping[str, Any]) -> Field:
    where = f"contract {contract}, field {entry.get('name', '?')}"
    try:
        return Field(**{**entry, "kind": FieldKind(entry["kind"])})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _file(name: str) -> Traversable:
    return resources.files(__name__).joinpath(name)
