"""Open the journal where it is: its database, and the locks that belong to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from importer.errors import JournalError
from importer.journal.database import Database
from importer.journal.locks import FileLocks, Locks, rate_name
from importer.journal.rate import OwnRate, SharedRate
from importer.journal.sqlite import SqliteDatabase
from importer.journal_place import is_address, journal_place, secret_command

T = TypeVar("T")
_TRY_EVERY = 0.5


def open_place(given: Path | str | None, busy_seconds: float) -> tuple[Database, Locks]:
    """Open the database at a place (None: the user's), with the locks that belong to it.

    Raises JournalError, SettingsError.
    """
    place = given or journal_place()
    if isinstance(place, str) and is_address(place):
        from importer.journal.advisory_locks import AdvisoryLocks
        from importer.journal.postgres import PostgresDatabase

        database = PostgresDatabase(place, secret_command())
        return database, AdvisoryLocks(database)
    file = Path(place)
    return SqliteDatabase(file, busy_seconds), FileLocks(file.parent / "locks")


def opened_patiently(opened: Callable[[], T], seconds: float, stopped: Callable[[], object]) -> T:
    """Open a journal. While its database is away, try again for so long, or until `stopped` gives a reason.

    For where nobody watches: a machine that has just started may have no network yet. Raises as `opened`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return opened()
        except JournalError as error:
            if error.code != "journal-away" or time.monotonic() > deadline or stopped() is not None:
                raise
        time.sleep(_TRY_EVERY)


def open_rate(database: Database, locks: Locks, access_key: str, run: str) -> OwnRate:
    """Return the rate of an access key, which a run shares with all others of the journal."""
    if not database.shared:
        return SharedRate.beside(database.path, access_key, run)
    from importer.journal.postgres import PostgresDatabase
    from importer.journal.shared_rate import DatabaseRate

    assert isinstance(database, PostgresDatabase)  # noqa: S101 - the only one that is shared
    return DatabaseRate(database, rate_name(access_key), run, locks.run_held)
