"""Keep the result of an SQL query as a file, from which the run reads, is taken up again and reported.

SQLAlchemy speaks to the database, in a transaction that may only read and is rolled back in any case.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa

from importer.config import ConfigFile
from importer.errors import ImporterError, InputError, SettingsError, SourceAwayError, SourceRefusedError
from importer.escaping import single_line
from importer.readers.typed_values import value_text
from importer.sources import extras, spool
from importer.sources.locations import DatabaseQuery, LocalCopy
from importer.sources.settings import SourceSettings, source_settings
from importer.trust import is_elsewhere, is_tls_fault, verified_tls, without_names

if TYPE_CHECKING:
    import sqlalchemy as sa

ROWS = 5_000
"""Rows that are fetched at a time."""
_READING = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*\(*\s*(?:select|with|values|table|show|exec|call)\b",
    re.IGNORECASE | re.DOTALL,
)
"""How a query begins that may return a table. The database sees to it that it only reads."""
_SYNTAX_CLASSES = ("42", "0A", "26")
"""SQLSTATE classes whose message speaks of the query alone, never of data."""
_NO_RIGHTS = ("42501", 1044, 1142, 1143, 1227, 1370)
"""For what a user may not do: SQLSTATE of PostgreSQL, and the numbers of MySQL and MariaDB."""
_SEVERAL = ("one statement at a time", "multiple commands")
"""What SQLite and PostgreSQL say of more than one statement."""
_LONGEST_REASON = 200


def keep_result(query: DatabaseQuery, config: ConfigFile, told: Callable[[int], None]) -> LocalCopy:
    """Run a query and write its rows into the spool, as text in Arrow IPC. `told` hears how many bytes.

    Raises InputError for a query that fails, writes or returns no table, SettingsError for a database that
    is not set up, SourceRefusedError and SourceAwayError for one that does not let us in or is away.
    """
    settings = source_settings(config, query.database)
    if _READING.match(query.text) is None:
        raise InputError("query-writes", name=query)
    sqlalchemy = extras.load("sqlalchemy", "sql")
    engine = _engine(sqlalchemy, settings, query)
    try:
        with engine.connect() as connection:
            result = _execute(connection, query.text)
            if not result.returns_rows:
                raise InputError("query-no-table", name=query)
            return spool.write_copy(_pieces(result, told), str(query), f"{query.database}.arrow")
    except sqlalchemy.exc.NoSuchModuleError:
        raise SettingsError("database-unknown", name=query, url=_shown(settings)) from None
    except sqlalchemy.exc.DBAPIError as error:
        raise _told(error, query) from None
    finally:
        engine.dispose()


def _engine(sqlalchemy: Any, settings: SourceSettings, query: DatabaseQuery) -> sa.Engine:
    try:
        url = sqlalchemy.make_url(settings.url)
        secret = settings.secret()
        if settings.user:
            url = url.set(username=settings.user)
        if secret:
            url = url.set(password=secret.reveal())
        if url.get_backend_name() == "sqlite":
            return _sqlite(sqlalchemy, settings, url.database or "", query)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        options = {"host": url.host, **url.query}
        if url.drivername == "postgresql+psycopg":
            url = url.update_query_dict(verified_tls(options))
        engine: sa.Engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    except sqlalchemy.exc.ArgumentError:
        raise SettingsError("database-unknown", name=query, url=_shown(settings)) from None
    except sqlalchemy.exc.NoSuchModuleError:
        raise SettingsError("database-unknown", name=query, url=_shown(settings)) from None
    except ModuleNotFoundError as error:
        raise SettingsError("database-driver", name=query, driver=error.name) from None
    own = bool(secret) or not is_elsewhere(options)
    settings.refuse_unvouched(str(query), url.host or _shown(settings), own=own)
    return engine


def _sqlite(sqlalchemy: Any, settings: SourceSettings, database: str, query: DatabaseQuery) -> sa.Engine:
    """Open an SQLite file so that nothing can be written, not even a file that is not there."""
    import sqlite3

    path = settings.path(Path(database))
    if path is None or not path.is_file():
        raise InputError("no-file", name=path)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30)

    return sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=sqlalchemy.NullPool)


def _execute(connection: sa.Connection, text: str) -> sa.CursorResult[Any]:
    """Execute the query as it stands. What only reads on each kind of database is said to it first."""
    match connection.dialect.name:
        case "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        case "mysql" | "mariadb":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        case "oracle":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    # Without parameters, so that a % or a : in the query is no place for one.
    options = {"stream_results": True, "max_row_buffer": ROWS, "no_parameters": True}
    return connection.execution_options(**options).exec_driver_sql(text)


def _pieces(result: sa.CursorResult[Any], told: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the bytes of an Arrow IPC stream, some thousand rows at a time."""
    names = [str(name) for name in result.keys()]  # noqa: SIM118 - no mapping
    schema = pa.schema([pa.field(name, pa.large_string()) for name in names])
    sink, size = io.BytesIO(), 0
    with pa.ipc.new_stream(sink, schema) as writer:
        for rows in result.partitions(ROWS):
            columns = zip(*rows, strict=True)
            arrays = [
                pa.array([value_text(value) for value in column], pa.large_string()) for column in columns
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            size += sink.tell()
            told(size)
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()


def _texts(column: Iterable[object]) -> pa.Array:
    return pa.array([value_text(value) for value in column], pa.large_string())


def _told(error: sa.exc.DBAPIError, query: DatabaseQuery) -> ImporterError:
    """Return what went wrong, by SQLSTATE (SQL:2016, 24) where the driver tells it."""
    state = str(getattr(error.orig, "sqlstate", "") or "")
    number, said_by = _in_numbers(error.orig)
    text = single_line(said_by.splitlines()[0] if said_by else type(error.orig).__name__)
    reason = text[:_LONGEST_REASON]
    said = without_names(text.lower())
    if state == "25006" or "readonly database" in said or "read-only" in said:
        return InputError("query-writes", name=query)
    if not state and is_tls_fault(str(error.orig)):
        return SourceRefusedError("database-tls", name=query)
    if state.startswith("28") or "password authentication failed" in said:
        return SourceRefusedError("database-login", name=query)
    if state in _NO_RIGHTS or number in _NO_RIGHTS:
        return SourceRefusedError("database-rights", name=query, reason=reason)
    if any(mark in said for mark in _SEVERAL):
        return InputError("query-several", name=query)
    if state.startswith(_SYNTAX_CLASSES) or (
        not state and type(error).__name__ == "OperationalError" and _is_sqlite(error)
    ):
        return InputError("query-failed", name=query, reason=reason)
    if type(error).__name__ in ("OperationalError", "InterfaceError") and not _is_sqlite(error):
        return SourceAwayError("database-away", name=query)
    reason = text[:_LONGEST_REASON] if _is_sqlite(error) else state or type(error.orig).__name__
    return InputError("query-failed", name=query, reason=reason)


def _in_numbers(error: object) -> tuple[int, str]:
    """Return the number of an error of MySQL, and its text; 0 for other databases, which tell none."""
    match getattr(error, "args", ()):
        case (int(number), str(text)):
            return number, text
    return 0, str(error)


def _is_sqlite(error: sa.exc.DBAPIError) -> bool:
    return type(error.orig).__module__ == "sqlite3"


def _shown(settings: SourceSettings) -> str:
    return settings.url.partition("://")[0] + "://…"
