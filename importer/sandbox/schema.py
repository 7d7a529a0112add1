"""The store's file: its tables, and what counts as one contact."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from importer.contracts import NAMES, Contract, FieldKind, load

VERSION = 1
APPLICATION_ID = 0x4E584C53


def _fields() -> Mapping[str, FieldKind]:
    """All fields of all contracts, in order."""
    return {field.name: field.kind for name in NAMES for field in load(name).fields}


FIELDS = _fields()
_COLUMNS = ", ".join(FIELDS)

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS app (
    id INTEGER PRIMARY KEY, app_key TEXT NOT NULL UNIQUE, app_name TEXT NOT NULL, webhook TEXT NOT NULL,
    tenant_id INTEGER NOT NULL, created_by_call INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS customer (
    id INTEGER PRIMARY KEY, app INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
    writes INTEGER NOT NULL DEFAULT 1, {_COLUMNS}
);
CREATE TABLE IF NOT EXISTS contact (value TEXT PRIMARY KEY, customer INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class App:
    """One customer application."""

    id: int
    app_key: str
    app_name: str
    webhook: str
    tenant_id: int


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to a store's file. Raises sqlite3.Error if it is none."""
    if not read_only and not path.exists():
        path.touch(mode=0o600)
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}", uri=True, check_same_thread=False
    )
    db.row_factory = sqlite3.Row
    return db


def contact_fields(contract: Contract) -> tuple[tuple[str, bool], ...]:
    """The fields that identify a customer, and whether each is an e-mail."""
    return tuple((name, contract.field(name).kind is FieldKind.EMAIL) for name in contract.contact_fields)


def contact_key(app: int, text: str, email: bool) -> str:
    """A contact as it is compared: a phone by its digits, an e-mail in any case; empty if nothing is left."""
    if email:
        text = text.strip().lower()
        return f"{app}@{text}" if text else ""
    if not text.isdigit():
        text = "".join(char for char in text if char.isdigit())
    return f"{app}#{text}" if text else ""


def contact_keys(
    fields: Sequence[tuple[str, bool]], app: int, customers: Sequence[Mapping[str, object]]
) -> list[list[str]]:
    """The contacts of each customer as they are compared, in the contract's order."""
    columns = []
    for name, email in fields:
        values = [customer.get(name) for customer in customers]
        if any(values):
            columns.append([contact_key(app, str(value), email) if value else "" for value in values])
    return [list(filter(None, keys)) for keys in zip(*columns, strict=True)] or [[] for _ in customers]
