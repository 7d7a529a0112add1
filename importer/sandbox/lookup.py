"""Asking the store: all customers, the newest, those that customers/query is asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from importer.sandbox.schema import FIELDS, App, connect

_SELECT = "SELECT customer.*, app.tenant_id, app.app_key FROM customer JOIN app ON app.id = customer.app "


@dataclass(frozen=True, slots=True)
class StoredCustomer:
    """One customer as it is stored: only the fields that it has, under the API's names."""

    id: int
    tenant_id: int
    app_key: str
    fields: Mapping[str, object]
    created_ms: int
    updated_ms: int
    writes: int
    """How many rows were written to it; `keep` does not count."""


@dataclass(frozen=True, slots=True)
class Search:
    """A question of customers/query. Phones and e-mail are compared like contacts."""

    contacts: tuple[str, ...] = ()
    name: str = ""
    start_ms: int | None = None
    end_ms: int | None = None
    tags: tuple[str, ...] = ()
    all_tags: bool = False
    source: str = ""
    after: int | None = None
    before: int | None = None


def search(db: sqlite3.Connection, app: App, wanted: Search, limit: int) -> list[StoredCustomer]:
    """Customers of an application in the order of their ids; with `before` the nearest ones below it."""
    where, values = _conditions(app, wanted)
    down = wanted.before is not None and wanted.after is None
    order = "DESC" if down else "ASC"
    rows = db.execute(
        f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY customer.id {order} LIMIT ?", (*values, limit)
    ).fetchall()
    found = [_customer(row) for row in rows]
    return found[::-1] if down else found


def newest(db: sqlite3.Connection, limit: int) -> list[StoredCustomer]:
    """The customers created last, newest first."""
    rows = db.execute(f"{_SELECT} ORDER BY customer.id DESC LIMIT ?", (limit,))
    return [_customer(row) for row in rows]


def read_customers(path: Path) -> Iterator[StoredCustomer]:
    """All customers of a store in the order of their ids, over a connection of their own."""
    db = connect(path, read_only=True)
    try:
        rows = db.execute(f"{_SELECT} ORDER BY customer.id")
        for row in rows:
            yield _customer(row)
    finally:
        db.close()


def _conditions(app: App, search: Search) -> tuple[list[str], list[object]]:
    where: list[str] = ["customer.app = ?"]
    values: list[object] = [app.id]
    for key in search.contacts:
        where.append("customer.id = (SELECT customer FROM contact WHERE value = ?)")
        values.append(key)
    if search.name:
        where.append(
            "instr(coalesce(full_name, '') || ' ' || coalesce(first_name, '') || ' ' || "
            "coalesce(last_name, ''), ?) > 0"
        )
        values.append(search.name)
    for sql, value in (
        ("customer.created_ms >= ?", search.start_ms),
        ("customer.created_ms <= ?", search.end_ms),
        ("customer.id > ?", search.after),
        ("customer.id < ?", search.before),
        ("source = ?", search.source or None),
    ):
        if value is not None:
            where.append(sql)
            values.append(value)
    if search.tags:
        one = "instr(',' || replace(coalesce(tagStr, ''), ', ', ',') || ',', ',' || ? || ',') > 0"
        where.append("(" + (" AND " if search.all_tags else " OR ").join([one] * len(search.tags)) + ")")
        values += search.tags
    return where, values


_values = itemgetter(*FIELDS)


def _customer(row: sqlite3.Row) -> StoredCustomer:
    found = zip(FIELDS, _values(row), strict=True)
    return StoredCustomer(
        id=row["id"],
        tenant_id=row["tenant_id"],
        app_key=row["app_key"],
        fields={name: value for name, value in found if value is not None},
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        writes=row["writes"],
    )
