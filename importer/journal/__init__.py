"""The journal: the one record of what happened, from which every report is drawn and every run resumed.

A batch is in it, durably, before its first byte leaves, and its outcome before anything relies on it. It
keeps row numbers, hashes and answers; never a secret, never a customer's data.
"""

from __future__ import annotations

from importer.journal.known import NOTHING, Fate, Known, united
from importer.journal.records import (
    BatchState,
    Begun,
    Kind,
    RequestRecord,
    RowsOfRun,
    RunRecord,
    RunState,
    Settled,
    new_run_id,
)
from importer.journal.run import RunJournal
from importer.journal.store import Journal

__all__ = [
    "NOTHING",
    "BatchState",
    "Begun",
    "Fate",
    "Journal",
    "Kind",
    "Known",
    "RequestRecord",
    "RowsOfRun",
    "RunJournal",
    "RunRecord",
    "RunState",
    "Settled",
    "new_run_id",
    "united",
]
