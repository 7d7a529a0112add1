"""Reads what the journal has recorded about the rows of a run."""

from __future__ import annotations

import sqlite3

from importer.journal import ranges
from importer.journal.database import Database
from importer.journal.known import Event, Fate, Known, gather
from importer.journal.records import BatchState, RequestRecord
from importer.models import Status

# Requests whose one outcome speaks for all their rows need no second look.
_BEGUN = """SELECT entry, sheet, rows, ordinal, attempts FROM batches b WHERE run = ? AND NOT EXISTS
            (SELECT 1 FROM outcomes o WHERE o.run = b.run AND o.entry = b.entry AND o.rows IS NULL)"""
_OUTCOMES = """SELECT o.entry, coalesce(o.sheet, b.sheet) AS sheet, coalesce(o.rows, b.rows) AS rows,
                      o.status, o.final, o.batch, o.attempts, o.code, o.message, o.trace_id
               FROM outcomes o LEFT JOIN batches b ON b.run = o.run AND b.entry = o.entry WHERE o.run = ?"""


_REQUESTS = """SELECT ordinal, part, sheet, rows, body_sha256, state, attempts, code, message, trace_id, data
               FROM batches WHERE run = ? ORDER BY entry"""


def requests(database: Database, run: int) -> tuple[RequestRecord, ...]:
    """Every request of a run, in the order in which they were begun."""
    return tuple(_request(row) for row in database.query(_REQUESTS, (run,)))


def _request(row: sqlite3.Row) -> RequestRecord:
    special = {"rows": ranges.decode(row["rows"]), "state": BatchState(row["state"])}
    return RequestRecord(**{**dict(row), **special})


def known(database: Database, run: int) -> Known:
    """What is recorded last about each row; rows of a begun request without an outcome are unanswered."""
    events = [_begun(row) for row in database.query(_BEGUN, (run,))]
    events += [_settled(row) for row in database.query(_OUTCOMES, (run,))]
    return gather(events)


def _begun(row: sqlite3.Row) -> Event:
    fate = Fate(status=None, final=False, batch=row["ordinal"], attempts=row["attempts"])
    return Event((row["entry"], 0), row["sheet"], row["rows"], fate)


def _settled(row: sqlite3.Row) -> Event:
    fate = Fate(
        status=Status(row["status"]),
        final=bool(row["final"]),
        batch=row["batch"],
        attempts=row["attempts"],
        code=row["code"],
        message=row["message"],
        trace_id=row["trace_id"],
    )
    return Event((row["entry"], 1), row["sheet"], row["rows"], fate)
