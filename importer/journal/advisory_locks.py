"""Locks between processes of several machines: advisory locks of PostgreSQL, on a connection of their own.

The server frees them when the connection ends. A process that is stopped keeps its connection, and so its
locks; a host that is gone is noticed by keepalives. What was lost with the connection is taken again, unless
somebody else has it by then.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from typing import Any

from importer.errors import JournalError
from importer.journal.locks import Lock, LockHolder, Locks, TurnDoubtError, locked_by
from importer.journal.postgres import PostgresDatabase
from importer.journal_place import driver

_PATIENCE = 0.3
_RETRY_EVERY = 0.05
_REGAIN_EVERY = 0.5
_TRY = "SELECT pg_try_advisory_lock($1)"
_FREE = "SELECT pg_advisory_unlock($1)"
_HELD = """SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND classid::bigint = $1 AND objid::bigint = $2)"""
_NOTE = """INSERT INTO lock_holders (name, pid, host, run, since)
           VALUES ($1, $2, $3, $4, to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SSOF'))
           ON CONFLICT (name) DO UPDATE SET pid = excluded.pid, host = excluded.host, run = excluded.run,
           since = excluded.since"""


class AdvisoryLocks(Locks):
    """All locks of a journal in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._mutex = threading.RLock()
        self._connection: Any = None
        self._errors = driver().Error
        self._held: dict[str, LockHolder] = {}
        self._lost: JournalError | None = None

    def lock(self, name: str) -> Lock:
        return AdvisoryLock(self, name)

    def held(self, name: str) -> bool:
        with self._mutex:
            return name in self._held or bool(self._ask(_HELD, _halves(name))[0][0])

    def remove(self, name: str) -> None:
        self._ask("DELETE FROM lock_holders WHERE name = $1", (name,))

    def holder(self, name: str) -> LockHolder | None:
        """Who holds a lock, by the note."""
        found = self._ask("SELECT pid, host, run, since FROM lock_holders WHERE name = $1", (name,))
        return LockHolder(*found[0]) if found else None

    def take(self, name: str, holder: LockHolder) -> bool:
        """Take a lock, if it is free."""
        with self._mutex:
            if name in self._held or not self._ask(_TRY, (_number(name),))[0][0]:
                return False
            self._held[name] = holder
            self._ask(_NOTE, (name, holder.pid, holder.host, holder.run))
            return True

    def give(self, name: str) -> None:
        """Give a lock back."""
        with self._mutex:
            if self._held.pop(name, None) is None:
                return
            with contextlib.suppress(JournalError, self._errors):
                # Before the lock is free, or the note of the next holder would be removed.
                self._connection.execute("DELETE FROM lock_holders WHERE name = $1", (name,))
                self._connection.execute(_FREE, (_number(name),))

    def keep(self) -> bool:
        with self._mutex:
            try:
                self._alive()
            except self._errors:
                self._regain()
                return True
            return False

    def look(self) -> None:
        with self._mutex:
            try:
                self._alive()
            except self._errors as error:
                raise TurnDoubtError from error

    def close(self) -> None:
        with self._mutex, contextlib.suppress(Exception):
            if self._connection is not None:
                self._connection.close()

    def _alive(self) -> None:
        if self._lost is not None:
            raise self._lost
        if self._connection is not None:
            self._connection.execute("SELECT 1")

    def _ask(self, sql: str, values: tuple[object, ...]) -> list[Any]:
        with self._mutex:
            if self._lost is not None:
                raise self._lost
            try:
                if self._connection is None:
                    self._connection = self._database.connect("locks")
                cursor = self._connection.execute(sql, values)
            except self._errors as error:
                if self._connection is None:
                    raise self._database.translated(error) from error
                self._regain()
                cursor = self._connection.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []

    def _regain(self) -> None:
        """Connect again, and take again what was held. Raises JournalError if somebody else has it."""
        deadline = time.monotonic() + self._database.patience
        with contextlib.suppress(Exception):
            self._connection.close()
        connection: Any = None
        while True:
            try:
                connection = self._database.connect("locks")
                missing = [
                    name
                    for name in self._held
                    if not connection.execute(_TRY, (_number(name),)).fetchone()[0]
                ]
                taken = [name for name in missing if self._by_another(connection, name)]
                if taken:
                    connection.close()
                    self._lost = JournalError("journal-lane-lost", place=self._database.place)
                    raise self._lost
                if not missing:
                    self._connection = connection
                    return
                connection.close()  # the server has not noticed yet that our old connection is gone
            except self._errors as error:
                with contextlib.suppress(Exception):
                    connection.close()
                if self._database.gives_up(deadline):
                    raise self._database.translated(error) from error
            if self._database.gives_up(deadline):
                raise JournalError("journal-away", place=self._database.place, problem="–")
            time.sleep(_REGAIN_EVERY)

    def _by_another(self, connection: Any, name: str) -> bool:
        """Whether the note says that another process holds what we held."""
        found = connection.execute(
            "SELECT pid, host, run FROM lock_holders WHERE name = $1", (name,)
        ).fetchone()
        mine = self._held[name]
        return found is not None and tuple(found) != (mine.pid, mine.host, mine.run)


class AdvisoryLock(Lock):
    """One advisory lock."""

    def __init__(self, locks: AdvisoryLocks, name: str) -> None:
        self.name = name
        self._locks = locks
        self._mine = False

    def acquire(self, holder: LockHolder, code: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not self._locks.take(self.name, holder):
            if time.monotonic() > deadline:
                raise locked_by(self.holder(), code)
            time.sleep(_RETRY_EVERY)
        self._mine = True

    @property
    def held(self) -> bool:
        return self._mine

    def holder(self) -> LockHolder | None:
        return self._locks.holder(self.name)

    def remove(self) -> None:
        with contextlib.suppress(JournalError):
            self._locks.remove(self.name)

    def release(self) -> None:
        if self._mine:
            self._mine = False
            self._locks.give(self.name)


def _number(name: str) -> int:
    """The lock's number: 64 bits of a hash of its name."""
    return int.from_bytes(hashlib.sha256(f"nxlink|{name}".encode()).digest()[:8], "big", signed=True)


def _halves(name: str) -> tuple[int, int]:
    """The number as pg_locks shows it."""
    number = _number(name) & 0xFFFF_FFFF_FFFF_FFFF
    return number >> 32, number & 0xFFFF_FFFF
