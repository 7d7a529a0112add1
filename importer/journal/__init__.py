"""The journal: the one record of what happened.

Every report is drawn from it, and every run is resumed from it. A batch is in it, durably, before its first
byte leaves; its outcome is in it before anything relies on it. It keeps row numbers, hashes and answers;
never a secret, never a customer's data.
"""

from __future__ import annotations

from importer.journal.contacts import LONGEST_SETTLE, LateRequest, RunContacts
from importer.journal.contents import LaneContents
from importer.journal.journal import Journal
from importer.journal.lanes import Lanes, LaneUser, Ticket
from importer.journal.newer_imports import NewerImports, Overtaken
from importer.journal.records import (
    BatchState,
    BegunEntry,
    RequestRecord,
    RowsOfRun,
    RunFilter,
    RunKind,
    RunRecord,
    RunState,
    SettledEntry,
    new_run_id,
)
from importer.journal.row_states import MARKED, NOT_RECORDED, RowState, RowStates, union_rows
from importer.journal.run_journal import RunJournal
from importer.journal.sent_rows import SentAs, SentRows, join_sheets

__all__ = [
    "LONGEST_SETTLE",
    "MARKED",
    "NOT_RECORDED",
    "BatchState",
    "BegunEntry",
    "Journal",
    "LaneContents",
    "LaneUser",
    "Lanes",
    "LateRequest",
    "NewerImports",
    "Overtaken",
    "RequestRecord",
    "RowState",
    "RowStates",
    "RowsOfRun",
    "RunContacts",
    "RunFilter",
    "RunJournal",
    "RunKind",
    "RunRecord",
    "RunState",
    "SentAs",
    "SentRows",
    "SettledEntry",
    "Ticket",
    "join_sheets",
    "new_run_id",
    "union_rows",
]
