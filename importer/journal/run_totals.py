"""The newest run of each job and tenant, with its requests: what those who watch look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from importer.journal.database import Database
from importer.journal.records import RunRecord, decode_time

NEWEST_OF_EACH = """WHERE number IN (SELECT max(number) FROM runs WHERE dry_run = 0
                    GROUP BY job, profile, host, tenant_id, app_key) ORDER BY number"""
_REQUESTS = "SELECT count(*) AS requests, coalesce(sum(attempts), 0) AS attempts FROM batches WHERE run = ?"
_SUCCESS = """SELECT finished FROM runs WHERE number = (SELECT max(number) FROM runs WHERE dry_run = 0
              AND exit_code = 0 AND job = ? AND profile = ? AND host = ? AND tenant_id = ? AND app_key = ?)"""


@dataclass(frozen=True, slots=True)
class RunTotals:
    """A run, and what it took."""

    record: RunRecord
    requests: int
    """Those that left, or were about to; a batch that was taken apart counts with each part."""
    attempts: int
    """All tries of these requests."""
    last_success: datetime | None
    """When a run of the same job and tenant last ended with nothing left to do."""


def read_totals(database: Database, record: RunRecord) -> RunTotals:
    """Return what a run took, from its id."""
    number = database.query("SELECT number FROM runs WHERE id = ?", (record.id,))[0]["number"]
    counted = database.query(_REQUESTS, (number,))[0]
    there = record.destination
    place = (there.host, there.tenant_id, there.app_key) if there else ("", "", "")
    good = database.query(_SUCCESS, (record.job, record.profile, *place))
    success = decode_time(good[0]["finished"]) if good else None
    return RunTotals(record, counted["requests"], counted["attempts"], success)
