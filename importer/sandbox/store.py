"""The sandbox's store in SQLite: customers, their contacts and the tenant's applications.

The vendor does not document which rows are the same customer. The sandbox decides it as follows. A customer
owns every phone (of any kind, digits only) and e-mail (in any case) that ever came with it in the same
application. A row belongs to the owner of the first of its contacts that has one, in the order of the
contract's fields, and claims those that have none. So the same row always finds the same customer. A row
without contacts is a new customer each time.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from pathlib import Path

from importer.contracts import NAMES, Contract, FieldKind, load
from importer.private_files import ensure_private_file

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
class StoredApp:
    """One customer application."""

    id: int
    app_key: str
    app_name: str
    webhook: str
    tenant_id: int


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to a store's file. Raises sqlite3.Error if it is none."""
    if not read_only and not path.exists():
        ensure_private_file(path)
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
class CustomerSearch:
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


def read_customers(path: Path) -> Iterator[StoredCustomer]:
    """All customers of a store in the order of their ids, over a connection of their own."""
    db = connect(path, read_only=True)
    try:
        rows = db.execute(f"{_SELECT} ORDER BY customer.id")
        for row in rows:
            yield _customer(row)
    finally:
        db.close()


def _conditions(app: StoredApp, wanted: CustomerSearch) -> tuple[list[str], list[object]]:
    where: list[str] = ["customer.app = ?"]
    values: list[object] = [app.id]
    for key in wanted.contacts:
        where.append("customer.id = (SELECT customer FROM contact WHERE value = ?)")
        values.append(key)
    if wanted.name:
        where.append(
            "instr(coalesce(full_name, '') || ' ' || coalesce(first_name, '') || ' ' || "
            "coalesce(last_name, ''), ?) > 0"
        )
        values.append(wanted.name)
    for sql, value in (
        ("customer.created_ms >= ?", wanted.start_ms),
        ("customer.created_ms <= ?", wanted.end_ms),
        ("customer.id > ?", wanted.after),
        ("customer.id < ?", wanted.before),
        ("source = ?", wanted.source or None),
    ):
        if value is not None:
            where.append(sql)
            values.append(value)
    if wanted.tags:
        one = "instr(',' || replace(coalesce(tagStr, ''), ', ', ',') || ',', ',' || ? || ',') > 0"
        where.append("(" + (" AND " if wanted.all_tags else " OR ").join([one] * len(wanted.tags)) + ")")
        values += wanted.tags
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


MAX_APPS = 1000
ROWS_AT_ONCE = 50
REPLACE, UPDATE, KEEP = 0, 1, 2


_TOUCH = "updated_ms = excluded.updated_ms, writes = writes + 1"
_MERGED = {
    # Custom fields are updated key by key, the others field by field.
    "customize_field": "customize_field = CASE WHEN excluded.customize_field IS NULL THEN customize_field "
    "WHEN coalesce(customize_field, '') = '' OR excluded.customize_field = '' THEN excluded.customize_field "
    "ELSE json_patch(customize_field, excluded.customize_field) END"
}


@lru_cache(maxsize=256)
def _upsert_parts(mode: int, names: tuple[str, ...]) -> tuple[str, str]:
    """What stands before and after the values (id, app, created, updated, *names) that a mode stores; every
    name is one of `FIELDS`."""
    head = f"INSERT INTO customer ({', '.join(('id', 'app', 'created_ms', 'updated_ms', *names))}) VALUES"
    if mode == KEEP:
        return head, "ON CONFLICT (id) DO NOTHING"
    if mode == REPLACE:
        changes = [f"{name} = excluded.{name}" for name in FIELDS]
    else:
        changes = [_MERGED.get(name, f"{name} = coalesce(excluded.{name}, {name})") for name in names]
    return head, f"ON CONFLICT (id) DO UPDATE SET {', '.join([_TOUCH, *changes])}"


class Store:
    """One SQLite file. Not thread-safe: the server's loop writes, others read over their own connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = connect(path)
        try:
            self._begin()
        except BaseException:
            self._db.close()
            raise
        self.identity = str(self._about("id"))
        """The store's own id, whatever its file is called."""
        self._next = 1 + self._one("SELECT coalesce(max(id), 0) FROM customer")
        self._expect_new_contacts = True
        self._contacts = {name: contact_fields(load(name)) for name in NAMES}

    def _begin(self) -> None:
        """Make a new file a store. Refuses a database of something else before it changes a byte of it."""
        if self._one("PRAGMA application_id") != APPLICATION_ID:
            if self._one("SELECT count(*) FROM sqlite_master"):
                raise sqlite3.DatabaseError("it is a database of something else")
            self._db.execute("PRAGMA page_size = 16384")  # measured: the quickest for contacts in no order
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        elif self._one("PRAGMA user_version") != VERSION:
            raise sqlite3.DatabaseError("it is of another version of the sandbox")
        # Data must survive the end of this process, not a crash of the machine: nothing waits for the disk.
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; "
            f"PRAGMA wal_autocheckpoint = 16000; PRAGMA user_version = {VERSION}; {SCHEMA}"
        )
        self._db.execute("INSERT OR IGNORE INTO about VALUES ('id', ?)", (uuid.uuid4().hex,))
        self._db.commit()

    def close(self) -> None:
        self._db.commit()
        self._db.close()

    def commit(self) -> None:
        self._db.commit()

    def write(
        self, contract: str, app: StoredApp, mode: int, customers: Sequence[Mapping[str, object]], now_ms: int
    ) -> None:
        """Store a batch in row order under mode 0 (replace), 1 (update) or 2 (keep); the caller commits."""
        contacts = contact_keys(self._contacts[contract], app.id, customers)
        owners = self._claim(contacts)
        used = frozenset().union(*customers)
        names = tuple(name for name in FIELDS if name in used)
        rows = [
            (owner, app.id, now_ms, now_ms, *map(customer.get, names))
            for owner, customer in zip(owners, customers, strict=True)
        ]
        head, tail = _upsert_parts(mode, names)
        self._insert(head, rows, tail)
        self._next = max(self._next, max(owners) + 1)

    def _claim(self, contacts: Sequence[Sequence[str]]) -> list[int]:
        """Find the owner of each row, and claim its contacts that have none.

        Most batches hold only new contacts or only known ones, like the batch before them. New ones are
        claimed without looking them up first; if a claim meets an owner, they are looked up after all.
        """
        known: dict[str, int] = {}
        if not self._expect_new_contacts:
            known = self._known(contacts)
        owners, claims = _assign_owners(contacts, known, self._next)
        before = self._db.total_changes
        self._insert("INSERT OR IGNORE INTO contact VALUES", list(claims.items()))
        if self._db.total_changes - before < len(claims):
            known = {value: owner for value, owner in self._known(contacts).items() if owner < self._next}
            owners, claims = _assign_owners(contacts, known, self._next)
            self._insert("INSERT OR REPLACE INTO contact VALUES", list(claims.items()))
        self._expect_new_contacts = not known
        return owners

    def _insert(self, head: str, rows: Sequence[tuple[object, ...]], tail: str = "") -> None:
        """Insert rows in their order, many with one statement: a quarter quicker than one by one."""
        if not rows:
            return
        one = f"({', '.join('?' * len(rows[0]))})"
        whole = len(rows) - len(rows) % ROWS_AT_ONCE
        many = f"{head} {', '.join([one] * ROWS_AT_ONCE)} {tail}"
        for start in range(0, whole, ROWS_AT_ONCE):
            self._db.execute(many, (*chain.from_iterable(rows[start : start + ROWS_AT_ONCE]),))
        self._db.executemany(f"{head} {one} {tail}", rows[whole:])

    def _known(self, contacts: Sequence[Sequence[str]]) -> dict[str, int]:
        """The owners of those contacts that have one."""
        wanted = {value for values in contacts for value in values}
        if not wanted:
            return {}
        marks = ",".join("?" * len(wanted))
        return dict(
            self._db.execute(f"SELECT value, customer FROM contact WHERE value IN ({marks})", (*wanted,))  # noqa: S608
        )

    def search(self, app: StoredApp, wanted: CustomerSearch, limit: int) -> list[StoredCustomer]:
        """Customers of an application by ascending id; with `before` the nearest ones below it."""
        where, values = _conditions(app, wanted)
        down = wanted.before is not None and wanted.after is None
        order = "DESC" if down else "ASC"
        rows = self._db.execute(
            f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY customer.id {order} LIMIT ?", (*values, limit)
        )
        found = [_customer(row) for row in rows]
        return found[::-1] if down else found

    def newest(self, limit: int) -> list[StoredCustomer]:
        """The customers created last, newest first."""
        rows = self._db.execute(f"{_SELECT} ORDER BY customer.id DESC LIMIT ?", (limit,))
        return [_customer(row) for row in rows]

    def app(self, app_key: str) -> StoredApp | None:
        """The application with that key, if there is one."""
        row = self._db.execute(
            "SELECT id, app_key, app_name, webhook, tenant_id FROM app WHERE app_key = ?", (app_key,)
        ).fetchone()
        return StoredApp(*row) if row else None

    def add_app(self, app_key: str, app_name: str, webhook: str, tenant_id: int, by_call: bool) -> StoredApp:
        """Store an application; the caller commits."""
        self._db.execute(
            "INSERT INTO app (app_key, app_name, webhook, tenant_id, created_by_call) VALUES (?, ?, ?, ?, ?)",
            (app_key, app_name, webhook, tenant_id, by_call),
        )
        found = self.app(app_key)
        assert found is not None  # noqa: S101 - stored in the line above
        return found

    def apps_created(self) -> int:
        """How many applications were made by createApp."""
        return self._one("SELECT count(*) FROM app WHERE created_by_call")

    def apps(self) -> list[StoredApp]:
        return [
            StoredApp(*row)
            for row in self._db.execute("SELECT id, app_key, app_name, webhook, tenant_id FROM app")
        ]

    def count(self) -> int:
        """Customers of all applications."""
        return self._one("SELECT count(*) FROM customer")

    def _about(self, name: str) -> object:
        return self._db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()[0]

    def _one(self, sql: str) -> int:
        return int(self._db.execute(sql).fetchone()[0])


def _assign_owners(
    contacts: Sequence[Sequence[str]], known: Mapping[str, int], first_new: int
) -> tuple[list[int], dict[str, int]]:
    """The owner of each row in turn, and the contacts newly claimed with their owners."""
    owners: list[int] = []
    claims: dict[str, int] = {}
    for values in contacts:
        owner = 0
        for value in values:
            owner = known.get(value, 0) or claims.get(value, 0)
            if owner:
                break
        if not owner:
            owner, first_new = first_new, first_new + 1
        for value in values:
            if value not in known:
                claims.setdefault(value, owner)
        owners.append(owner)
    return owners, claims
