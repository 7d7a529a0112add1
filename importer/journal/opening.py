"""Open the journal where it is: its database, and the locks that belong to it."""

from __future__ import annotations

from pathlib import Path

from importer.journal.database import Database
from importer.journal.locks import FileLocks, Locks
from importer.journal.place import is_address
from importer.journal.sqlite import SqliteDatabase


def open_place(place: Path | str, busy_seconds: float) -> tuple[Database, Locks]:
    """Open the database at a place, with the locks that belong to it. Raises JournalError, SettingsError."""
    if isinstance(place, str) and is_address(place):
        from importer.journal.advisory_locks import AdvisoryLocks
        from importer.journal.postgres import PostgresDatabase

        database = PostgresDatabase(place)
        return database, AdvisoryLocks(database)
    file = Path(place)
    return SqliteDatabase(file, busy_seconds), FileLocks(file.parent / "locks")
