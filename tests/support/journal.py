"""Records and batches to put into a journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from importer.journal import Journal, RunRecord
from importer.models import Batch, Destination, Mode

MakeRecord = Callable[..., RunRecord]
"""`make_record(run_id, **changes)`."""
MakeBatch = Callable[..., Batch]
"""`make_batch(ordinal, *rows, sheet="")`."""

OpenJournal = Callable[[], Journal]
"""Opens the journal once more, as another process would."""

DESTINATION = Destination("https://crm.example", "1", "app", "sea")


def record(run_id: str = "run-1", **changes: object) -> RunRecord:
    """The record of a run; `changes` replace its fields."""
    given: dict[str, Any] = {
        "source": "customers.csv",
        "path": "/data/customers.csv",
        "sha256": f"hash of {run_id}",
        "size": 1234,
        "mode": Mode.UPDATE,
        "contract": "sea",
        "mapping": 'name = "headers"\n',
        "mapping_name": "headers",
        "mapping_digest": "digest",
        "destination": DESTINATION,
    }
    return RunRecord(run_id, **{**given, **changes})


def newest_interrupted(journal: Journal) -> RunRecord | None:
    """The newest run that `resume` can take up."""
    open_runs = (run for run in journal.runs() if run.state.resumable and not run.dry_run)
    return next(open_runs, None)


def batch(ordinal: int, *rows: int, sheet: str = "") -> Batch:
    """A batch of rows that hold nothing."""
    return Batch(ordinal, sheet, rows, (b"{}",) * len(rows), ((),) * len(rows))
