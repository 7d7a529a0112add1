"""The journal in PostgreSQL, which several machines share: connections, transactions, what errors mean.

The statements are those of SQLite; this module writes placeholders and types as PostgreSQL wants them. A
connection that is lost is made anew for as long as `patience` allows. Whether a transaction had been
committed by then, PostgreSQL knows by its number (`pg_xact_status`), so nothing is written twice or left out.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from importer.config import Secret
from importer.credentials import run_password_command
from importer.errors import JournalError, JournalPlaceError
from importer.journal import schema
from importer.journal.database import Database, Fence, Row, Statements
from importer.journal.dialect import FoundRows, definition, read_row, statement, written
from importer.journal.sqlite import surrogates_moved
from importer.journal_place import address_options, driver, shown_address
from importer.trust import is_tls_fault, verified_tls, without_names
from importer.user_folders import journal_file

T = TypeVar("T")

OLDEST = 140000
"""The oldest server, as libpq counts versions: PostgreSQL 14."""
SIGNED_FOR = 65.0
"""Seconds after which a signed request is refused (60, docs/remote-api.md), and the slack of the clocks."""
_RETRY_EVERY = 0.5
_CLOCK_EVERY = 30.0
"""Seconds after which the database's clock is looked at again."""
_CLOCK_STEP = 0.5
"""Seconds by which this machine's clock may be set before it is."""
_REFUSED = re.compile("password|authentication|pg_hba|role .* does not exist")
_NO_DATABASE = re.compile("database .* does not exist")
_NUMBERS_LOCK = 0x4E584C49
"""An advisory lock of a transaction: runs and tickets are numbered one at a time."""
_KEEPALIVE = {"keepalives": 1, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
"""A host that is gone is noticed within 30 seconds, on both sides."""
_SESSION = (
    "SET tcp_keepalives_idle = 15",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET idle_in_transaction_session_timeout = '30s'",
    "SET synchronous_commit = on",
    "SET client_min_messages = warning",
)


# Connections


def connect(address: str, *, application: str, password: Secret | None = None) -> Any:
    """Return a new connection in autocommit mode. Raises what psycopg raises."""
    psycopg = driver()
    connection = psycopg.connect(
        address,
        **verified_tls(address_options(address)),
        **({"password": password.reveal()} if password else {}),
        autocommit=True,
        connect_timeout=10,
        application_name=application,
        cursor_factory=psycopg.RawCursor,
        **_KEEPALIVE,
    )
    try:
        connection.execute("; ".join(_SESSION))
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass
class _Work:
    """A transaction on its way: what was carried out in it, so that it can be carried out again."""

    fence: Fence | None
    done: list[Callable[[Any], object]] = field(default_factory=list)
    looked: bool = False
    """Whether the caller has seen anything of it, and may have decided by that."""
    number: str | None = None
    """By which PostgreSQL knows it."""


class PostgresDatabase(Database):
    """One connection to a PostgreSQL database that holds the journal; threads take turns."""

    shared = True
    signed_for = SIGNED_FOR

    def __init__(self, address: str, secret_command: str | None = None) -> None:
        """Raises JournalError `journal-away`, JournalPlaceError for what will not heal by itself.

        `secret_command` prints the password; SettingsError as `run_password_command` if it does not.
        """
        self.place = shown_address(address)
        self.path = journal_file()
        self.address = address
        self._secret_command = secret_command
        self._password: Secret | None = None
        self._mutex = threading.RLock()
        self._work: _Work | None = None
        self._psycopg = driver()
        try:
            self._connection = self._open()
            try:
                self._refuse_pooled()
                self._migrate()
            except BaseException:
                self._connection.close()
                raise
        except self._psycopg.Error as error:
            raise self.translated(error) from error
        self._offset, self._looked, self._step = 0.0, float("-inf"), 0.0

    def connect(self, what: str = "") -> Any:
        """Return a new connection; `what` it is for stands beside our name in the server's list.

        A password that is no longer taken is asked for anew. Raises what psycopg raises.
        """
        application, known = f"nxlink-importer {what}".rstrip(), self._password
        if self._secret_command and known is None:
            self._password = Secret(run_password_command(self._secret_command, "journal_secret_command"))
        try:
            return connect(self.address, application=application, password=self._password)
        except self._psycopg.OperationalError as error:
            if known is None or not _REFUSED.search(without_names(str(error))):
                raise
            self._password = None
            return self.connect(what)

    def _open(self) -> Any:
        connection = self.connect()
        if connection.info.server_version < OLDEST:
            found = connection.info.server_version // 10000
            connection.close()
            raise JournalPlaceError("journal-server-old", place=self.place, found=found)
        return connection

    def _refuse_pooled(self) -> None:
        """Refuse a pool that gives each transaction another session: locks of a session mean nothing there.

        Raises JournalPlaceError `journal-pooled`.
        """
        mine = self._connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        if mine == self._connection.info.backend_pid:
            return  # nobody stands between
        mark = f"nxlink.session = '{threading.get_ident()}-{time.monotonic_ns()}'"
        self._connection.execute(f"SET {mark}")
        others: list[Any] = []
        try:
            # Others take the session that the pool has to spare, and keep it. One that is given ours says it
            # all; a small pool would let the next wait.
            for _ in range(3):
                others.append(self.connect())
                if others[-1].execute("SELECT pg_backend_pid()").fetchone()[0] == mine:
                    raise JournalPlaceError("journal-pooled", place=self.place)
                others[-1].execute("BEGIN; SELECT 1")
            found = self._connection.execute(
                "SELECT current_setting('nxlink.session', true), pg_backend_pid()"
            )
            value, now = found.fetchone()
        finally:
            for other in others:
                other.close()
        if now != mine or value != mark.partition("'")[2].rstrip("'"):
            raise JournalPlaceError("journal-pooled", place=self.place)

    def _migrate(self) -> None:
        with self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock($1)", (_NUMBERS_LOCK,))
            there = self._connection.execute("SELECT to_regclass('journal_version')").fetchone()[0]
            if there is None:
                self._connection.execute("CREATE TABLE journal_version (version INTEGER NOT NULL)")
                self._connection.execute("INSERT INTO journal_version VALUES (0)")
            version = self._connection.execute("SELECT version FROM journal_version").fetchone()[0]
            if version > len(schema.MIGRATIONS):
                raise JournalPlaceError("journal-newer", path=self.place)
            for migration in schema.MIGRATIONS[version:]:
                for sql in schema.statements(migration):
                    self._connection.execute(definition(sql))
                schema.key_marks(
                    migration, lambda sql, values: self._connection.execute(statement(sql), values)
                )
            if version < len(schema.MIGRATIONS):
                self._connection.execute("UPDATE journal_version SET version = $1", (len(schema.MIGRATIONS),))

    # Transactions

    @contextlib.contextmanager
    def transaction(self, fence: Fence | None = None) -> Iterator[Statements]:
        with self._mutex:
            work = self._work = _Work(fence)
            try:
                self._again(lambda: self._begin(work), work)
                yield _Transaction(self, work)
                self._again(self._commit, work)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._work = None

    def _begin(self, work: _Work) -> None:
        """Begin, or begin anew with all that was carried out before the connection was lost."""
        self._connection.execute("BEGIN")
        work.number = self._connection.execute("SELECT pg_current_xact_id()::text").fetchone()[0]
        if work.fence is not None:
            held = self._connection.execute(
                "SELECT 1 FROM lanes WHERE lane = $1 AND fence = $2 FOR SHARE",
                (surrogates_moved(work.fence.lane), work.fence.number),
            )
            if held.fetchone() is None:
                raise JournalError("journal-lane-lost", place=self.place)
        for step in work.done:
            step(self._connection)

    def _commit(self) -> None:
        self._connection.execute("COMMIT")

    def carry_out(self, work: _Work, step: Callable[[Any], T]) -> T:
        """Carry out a step of a transaction, after a loss of the connection once more with those before."""
        found = self._again(lambda: step(self._connection), work)
        work.done.append(step)
        return found

    def _again(self, step: Callable[[], T], work: _Work | None = None) -> T:
        """Do a step. If the connection is lost, wait for the database and do it again.

        Inside a transaction all before it is done again first, unless it had been committed, or the caller
        has seen anything of it.
        """
        deadline = time.monotonic() + self.patience
        committing = step == self._commit
        while True:
            try:
                return step()
            except self._psycopg.Error as error:
                if not self._lost(error):
                    raise self.translated(error) from error
                lost = error
            while True:
                if self.gives_up(deadline):
                    raise self.translated(lost) from lost
                try:
                    self._connection.close()
                    self._connection = self._open()
                    if work is not None and work.number is not None:
                        if self._was_committed(work.number, committing=committing):
                            return None  # type: ignore[return-value]  # only a commit can have been
                        if work.looked:
                            raise self.translated(lost)
                        self._begin(work)
                    break
                except self._psycopg.Error as error:
                    if not self._lost(error):
                        raise self.translated(error) from error
                    lost = error
                    time.sleep(_RETRY_EVERY)

    def gives_up(self, deadline: float) -> bool:
        """Return whether to wait no longer for a database that is away."""
        return time.monotonic() > deadline or self.stopped() is not None

    def _was_committed(self, number: str, *, committing: bool) -> bool:
        """Ask what became of a transaction whose connection was lost."""
        while committing:
            found = self._connection.execute("SELECT pg_xact_status($1::xid8)", (number,)).fetchone()[0]
            if found != "in progress":
                return bool(found == "committed")
            time.sleep(_RETRY_EVERY)
        return False

    def _lost(self, error: Exception) -> bool:
        """Return whether the connection is gone, or the server is about to end or to begin."""
        closed = self._connection.closed or self._connection.broken
        state = getattr(error, "sqlstate", None) or ""
        if not closed and not state:
            return isinstance(error, self._psycopg.OperationalError)
        return bool(closed) or state.startswith(("08", "57P"))

    # Questions

    def query(self, sql: str, values: tuple[object, ...] = ()) -> Sequence[Row]:
        with self._mutex:
            work = self._work
            if work is not None:
                work.looked = True

            def ask() -> Sequence[Row]:
                cursor = self._connection.execute(statement(sql), tuple(map(written, values)))
                names = [column.name for column in cursor.description]
                return [dict(zip(names, read_row(row), strict=True)) for row in cursor.fetchall()]

            return self._again(ask, work)

    def insert(self, table: str, values: Mapping[str, object]) -> int:
        marks = ", ".join(f"${place}" for place in range(1, len(values) + 1))
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks}) RETURNING number"  # noqa: S608 - our own names
        found = tuple(map(written, values.values()))
        assert self._work is not None  # noqa: S101 - only inside a transaction
        number: int = self.carry_out(
            self._work, lambda connection: connection.execute(sql, found).fetchone()[0]
        )
        self._work.looked = True
        return number

    @contextlib.contextmanager
    def decoding(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
            raise JournalError("journal-failed", path=self.place, problem="malformed value") from error

    def alone(self, connection: Statements) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(?)", (_NUMBERS_LOCK,))

    def now(self) -> float:
        """Seconds since 1970 by the database's clock."""
        step = time.time() - time.monotonic()
        # A clock that was set, or a machine that slept, shows in the step between the two.
        if time.monotonic() - self._looked > _CLOCK_EVERY or abs(step - self._step) > _CLOCK_STEP:
            with self._mutex:
                found = self._again(
                    lambda: self._connection.execute(
                        "SELECT extract(epoch FROM clock_timestamp())::float8"
                    ).fetchone()[0]
                )
            self._offset, self._looked, self._step = found - time.time(), time.monotonic(), step
        return time.time() + self._offset

    def vacuum(self) -> None:
        """The server's autovacuum does it."""

    def close(self) -> None:
        with self._mutex, contextlib.suppress(Exception):
            self._connection.close()

    def translated(self, error: Exception) -> JournalError:
        """Return the error for a failure of the driver or the server; it holds no address with a user."""
        state = getattr(error, "sqlstate", None) or ""
        text = str(getattr(getattr(error, "diag", None), "message_primary", None) or error)
        problem = text.partition("\n")[0]
        found = {"place": self.place, "problem": problem}
        # libpq gives no code for what it was told while it connected; names in it say nothing.
        said = without_names(text)
        if state.startswith("28") or _REFUSED.search(said):
            return JournalPlaceError("journal-refused", **found)
        if state in ("42501", "3D000", "3F000") or _NO_DATABASE.search(said):
            return JournalPlaceError("journal-rights", **found)
        if not state and is_tls_fault(text):
            return JournalPlaceError("journal-tls", **found)
        if state == "53100":
            return JournalError("journal-full", path=self.place)
        if isinstance(error, self._psycopg.OperationalError) or state.startswith(("08", "57", "53")):
            return JournalError("journal-away", **found)
        return JournalError("journal-failed", path=self.place, problem=problem)


class _Transaction:
    """Carries out the statements of one transaction, and remembers them."""

    def __init__(self, database: PostgresDatabase, work: _Work) -> None:
        self._database = database
        self._work = work

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> FoundRows:
        values = tuple(map(written, parameters))

        def step(connection: Any) -> FoundRows:
            cursor = connection.execute(statement(sql), values)
            return FoundRows([read_row(row) for row in cursor.fetchall()] if cursor.description else [])

        if sql.lstrip().startswith("SELECT") or "RETURNING" in sql:
            self._work.looked = "pg_advisory" not in sql or self._work.looked
        return self._database.carry_out(self._work, step)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        values = [tuple(map(written, each)) for each in parameters]
        if not values:
            return None

        def step(connection: Any) -> None:
            if len(values) == 1:
                connection.execute(statement(sql), values[0])
                return
            with connection.cursor() as cursor:
                cursor.executemany(statement(sql), values)

        return self._database.carry_out(self._work, step)
