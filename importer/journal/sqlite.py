"""The journal in an SQLite file: where it is, how it is opened, and what its errors mean to a user."""

from __future__ import annotations

import contextlib
import errno
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from importer.errors import JournalError, JournalPlaceError
from importer.journal import schema
from importer.journal.database import Database, Fence, Row, Statements
from importer.losses import (
    CommitCount,
    CommitCounter,
    acknowledge_losses,
    add_loss,
    has_notes,
    loss_between,
    read_losses,
)
from importer.models import Note
from importer.patterns import late_pattern
from importer.private_files import (
    ensure_private_database,
    ensure_private_file,
    file_size_limit,
    make_private_folder,
    open_plain_file,
)
from importer.user_folders import journal_file

BUSY_SECONDS = 15.0

_WAL_RETRY_SECONDS = 0.02
"""Between two tries to switch a new journal to WAL."""
_NEAR_LIMIT = 1 << 20
"""Bytes below the limit of a file from which on a failed write has met it; SQLite does not say so."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PLACE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})
_FULL_DISK = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


APPLICATION_ID = 0x4E584C4A
"""In the header of each journal, by which it is known: “NXLJ”."""
_SQLITE, _APPLICATION_ID_AT = b"SQLite format 3\0", 68
"""How a file of SQLite begins, and where its number stands (sqlite.org, “Database File Format”)."""
_FIRST_TABLES = frozenset({"runs", "batches", "outcomes"})
"""Of each version; journals before 0.2.0 have no number."""


class SqliteDatabase(Database):
    """One connection to the journal's file; threads take turns.

    WAL with synchronous=FULL: what a transaction wrote is on the disk when it returns. Any failure of SQLite
    is raised as a JournalError: `journal-damaged`, `journal-locked`, `journal-full`, `journal-unwritable` or
    `journal-failed`.
    """

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self.place = str(path)
        self.moved_aside = None
        self._busy_seconds = busy_seconds
        self._lock = threading.RLock()
        self._counter = CommitCounter.beside(path)
        self._counter_elsewhere = CommitCounter.elsewhere(path)
        try:
            if not self._is_ours():
                raise JournalPlaceError("journal-foreign", path=path)
            if self._mark.is_file():
                self.moved_aside = self.move_aside()
            # Before the journal, which others may be writing to.
            noted = self._counter.read()
            elsewhere = self._counter_elsewhere.read() if self._counter_elsewhere else None
            try:
                self._connection = self._open()
            except JournalError as error:
                if error.code != "journal-damaged":
                    raise
                self.moved_aside = self.move_aside()
                noted = elsewhere = None
                self._connection = self._open()
            self._check_count(noted, elsewhere)
        except OSError as error:
            raise self._translated(error) from error

    @property
    def _mark(self) -> Path:
        """A mark left where damage was found, because opening the file does not always show it."""
        return self.path.with_name(self.path.name + ".is-damaged")

    def _is_ours(self) -> bool:
        """Return whether the file is a journal, a damaged one included, or nobody's, before it is touched.

        The header says so, or the files beside it; of older versions, whose header says nothing, the tables.
        What lies in the state folder and is no other database is ours in any case.

        Raises OSError, JournalError.
        """
        with contextlib.suppress(FileNotFoundError), open_plain_file(self.path) as file:
            head = file.read(len(_SQLITE) + _APPLICATION_ID_AT + 4)
            whose = int.from_bytes(head[_APPLICATION_ID_AT : _APPLICATION_ID_AT + 4], "big")
            if not head or has_notes(self.path) or self._mark.is_file():
                return True
            if head.startswith(_SQLITE) and whose:
                return whose == APPLICATION_ID
            if self.path.absolute() == journal_file().absolute():
                return True
            return head.startswith(_SQLITE) and self._has_tables()
        return True

    def _has_tables(self) -> bool:
        """Return whether an SQLite file has the tables of a journal, or none at all. Raises JournalError."""
        address = f"file:{quote(str(self.path.absolute()))}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(address, self._busy_seconds, uri=True)) as connection:
                found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        except sqlite3.Error as error:
            if primary_code(error) in _DAMAGED:
                return False
            raise self._translated(error) from error
        return not found or found >= _FIRST_TABLES

    def _open(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            make_private_folder(self.path.parent)
            # SQLite gives its -wal and -shm files the permissions of the database.
            ensure_private_database(self.path)
            connection = sqlite3.connect(
                self.path,
                timeout=self._busy_seconds,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
            )
            connection.text_factory = loaded
            self._write_ahead(connection)
            for pragma in ("synchronous = FULL", "secure_delete = ON"):
                connection.execute(f"PRAGMA {pragma}")
            if version(connection) > len(schema.MIGRATIONS):
                raise JournalPlaceError("journal-newer", path=self.path)
            _migrate(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, (sqlite3.Error, OSError)):
                raise self._translated(error) from error
            raise
        return connection

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Switch a new journal to WAL. If two processes do so at once, SQLite refuses one of them without
        waiting (sqlite.org, “sqlite3_busy_handler”: where waiting could be a deadlock)."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                # Before the log begins, so that the file itself says whose it is.
                if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if primary_code(error) not in _LOCKED or time.monotonic() >= deadline:
                    raise
            time.sleep(_WAL_RETRY_SECONDS)

    def _check_count(self, noted: CommitCount | None, elsewhere: CommitCount | None) -> None:
        """Keep what the journal has lost since these were written, until somebody acknowledges it."""
        row = self.query("SELECT journal, count FROM commits")[0]
        found = CommitCount(row["journal"], row["count"])
        self._name = found.journal
        loss = loss_between(noted, elsewhere, found, self.path)
        if loss is not None:
            add_loss(self.path, loss)
        if loss is not None or noted is None:
            self._counter.begin(found)
        strange = elsewhere is None or elsewhere.journal != found.journal
        if self._counter_elsewhere is not None and (loss is not None or strange):
            self._counter_elsewhere.begin_anew(found)

    @contextlib.contextmanager
    def transaction(self, fence: Fence | None = None) -> Iterator[Statements]:
        """Write everything inside at once, or nothing. It is on the disk when the block ends.

        A process that is stopped keeps its locks here, and one that has ended writes nothing more, so there
        is nothing to fence off.
        """
        with self._lock:
            connection = self._connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("UPDATE commits SET count = count + 1")
                    count = connection.execute("SELECT count FROM commits").fetchone()[0]
                    connection.execute("COMMIT")
                    for counter in filter(None, (self._counter, self._counter_elsewhere)):
                        counter.write(CommitCount(self._name, count))
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, OSError) as error:
                raise self._translated(error) from error

    def insert(self, table: str, values: Mapping[str, object]) -> int:
        """Insert one row into a table whose key is `number`, inside a `transaction`. Returns the number."""
        marks = ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 - our own names
        number = self._connection.execute(sql, tuple(values.values())).lastrowid
        assert number is not None  # noqa: S101 - an INSERT into a table with a key has one
        return number

    def query(self, sql: str, values: tuple[object, ...] = ()) -> Sequence[Row]:
        """All rows that a SELECT finds."""
        with self._lock:
            try:
                cursor = self._connection.cursor()
                cursor.row_factory = sqlite3.Row
                return cursor.execute(sql, storable(values)).fetchall()
            except sqlite3.Error as error:
                raise self._translated(error) from error
            except UnicodeDecodeError as error:
                raise self._translated(_malformed()) from error

    @contextlib.contextmanager
    def decoding(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
            raise self._translated(_malformed()) from error

    @property
    def losses(self) -> tuple[Note, ...]:
        return read_losses(self.path)

    def acknowledge_losses(self) -> tuple[Note, ...]:
        try:
            return acknowledge_losses(self.path)
        except OSError as error:
            raise JournalPlaceError("journal-unwritable", path=self.path, problem=error) from error

    def vacuum(self) -> None:
        """Free the space of deleted runs, in the WAL as well, so that nothing of them is left on the disk."""
        with self._lock:
            try:
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise self._translated(error) from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()
            for counter in filter(None, (self._counter, self._counter_elsewhere)):
                counter.close()

    def move_aside(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Path:
        """Rename a damaged journal and its WAL, and note it as a loss. Returns its new path.

        Raises OSError.
        """
        stem = f"{self.path.stem}.damaged-{now():%Y%m%d-%H%M%S}"
        names = (f"{stem}{again}{self.path.suffix}" for again in ("", *(f"-{n}" for n in range(2, 1000))))
        aside = next(place for name in names if not (place := self.path.with_name(name)).exists())
        # Noted first: what follows may be interrupted.
        add_loss(self.path, Note("journal-moved-aside", (("path", str(aside)),)))
        self._counter.forget()
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + ending).rename(aside.with_name(aside.name + ending))
        self._mark.unlink(missing_ok=True)
        return aside

    def _translated(self, error: sqlite3.Error | OSError) -> JournalError:
        """Return the error for people, by the number of the fault: its text may hold any path."""
        limit = file_size_limit()
        near_limit = limit is not None and self._size() + _NEAR_LIMIT > limit
        if isinstance(error, OSError):
            if error.errno in _FULL_DISK:
                return JournalError("journal-full", path=self.path)
            if error.errno == errno.EFBIG or near_limit:
                return JournalError("journal-limit", path=self.path, limit=limit)
            problem = error.strerror or type(error).__name__
            return JournalPlaceError("journal-unwritable", path=self.path, problem=problem)
        code, problem = primary_code(error), str(error)
        if code in _DAMAGED:
            with contextlib.suppress(OSError):
                ensure_private_file(self._mark)
            return JournalError("journal-damaged", path=self.path, problem=problem)
        if code in _LOCKED:
            return JournalError("journal-locked", path=self.path, seconds=f"{self._busy_seconds:g}")
        if code == sqlite3.SQLITE_FULL:
            return JournalError("journal-full", path=self.path)
        if near_limit:
            return JournalError("journal-limit", path=self.path, limit=limit)
        if code in _PLACE:
            return JournalPlaceError("journal-unwritable", path=self.path, problem=problem)
        return JournalError("journal-failed", path=self.path, problem=problem)

    def _size(self) -> int:
        """Bytes of the largest of the journal's files."""
        sizes = [0]
        for ending in ("", "-wal"):
            with contextlib.suppress(OSError):
                sizes.append(self.path.with_name(self.path.name + ending).stat().st_size)
        return max(sizes)


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's number of a fault (sqlite.org, “Result and Error Codes”); 1 if it has none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _malformed() -> sqlite3.Error:
    error = sqlite3.DatabaseError("malformed value")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


class _Connection(sqlite3.Connection):
    """A connection that takes every text. SQLite stores UTF-8 alone, and a path of POSIX may be none: Python
    holds its bytes as surrogates (PEP 383), which become characters of plane 16 that nobody uses."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        try:
            return super().execute(sql, storable(parameters))
        except UnicodeDecodeError as error:  # SQLite's own message quotes what the file holds
            raise _malformed() from error

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        return super().executemany(sql, map(storable, parameters))


_SURROGATES, _STAND_INS = 0xD800, 0x10F800
_SURROGATE = re.compile("[\ud800-\udfff]")
_STAND_IN_FOR_NUL = "\U0010f7ff"
_STAND_IN = late_pattern("[\U0010f800-\U0010ffff]")


def surrogates_moved(text: str) -> str:
    """Return a text as it is stored: surrogates, and NUL, which PostgreSQL has no place for, are replaced."""
    moved = str(_moved(_SURROGATE, text, _STAND_INS - _SURROGATES))
    return moved.replace("\0", _STAND_IN_FOR_NUL)


def surrogates_restored(text: str) -> str:
    """Return a stored text as it was."""
    restored = str(_moved(_STAND_IN, text, _SURROGATES - _STAND_INS))
    return restored.replace(_STAND_IN_FOR_NUL, "\0")


def storable(values: Any) -> Any:
    """The values of a statement, surrogates replaced."""
    for value in values:
        if type(value) is str and not value.isascii() and _SURROGATE.search(value):
            return tuple(_moved(_SURROGATE, one, _STAND_INS - _SURROGATES) for one in values)
    return values


def loaded(raw: bytes) -> str:
    """A text of the journal, surrogates restored."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise _malformed() from error
    return text if b"\xf4\x8f" not in raw else str(_moved(_STAND_IN, text, _SURROGATES - _STAND_INS))


def _moved(what: re.Pattern[str], value: object, distance: int) -> object:
    if type(value) is not str:
        return value
    return what.sub(lambda found: chr(ord(found[0]) + distance), value)


def version(connection: sqlite3.Connection) -> int:
    """How many migrations this database has seen."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection) -> None:
    """Brings an open database up to date, each step in one transaction together with its number."""
    for number in range(version(connection) + 1, len(schema.MIGRATIONS) + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version(connection) < number:
                for statement in schema.statements(schema.MIGRATIONS[number - 1]):
                    connection.execute(statement)
                schema.key_marks(schema.MIGRATIONS[number - 1], connection.execute)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
