"""Look up what earlier runs did with a file: which one first imported it, and what has come in since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from importer.errors import ImporterError, UnknownRunError
from importer.journal import Journal, RunKind, RunRecord
from importer.models import Status
from importer.option_layers import options_from_json
from importer.readers.overlay import read_corrections

_MOST = 20
"""Runs with corrections whose file is looked up: each is read from disk."""


@dataclass(frozen=True, slots=True)
class EarlierImport:
    """An earlier import of a file to the same place."""

    run: str
    started: datetime | None
    imported: int
    """Rows."""
    mode: str


def first_of(journal: Journal, run: RunRecord) -> RunRecord:
    """The run that first imported the file of a run, if this one retries it, or is about its rest."""
    while True:
        run = journal.family(run)[0]
        if run.kind is not RunKind.REIMPORT or not run.parent:
            return run
        try:
            parent = journal.run(run.parent)
        except UnknownRunError:
            return run
        if parent.path != run.path:  # a report: a file of its own
            return run
        run = parent


def earlier_imports(journal: Journal, sha256: str, destination_key: str = "") -> list[EarlierImport]:
    """The runs that brought rows of this content in, corrected or not, the newest first.

    `destination_key`: only those to this place.
    """
    found, looked = [], 0
    for run in journal.runs():
        came_in = run.counts.get(Status.IMPORTED, 0)
        if run.dry_run or not came_in or (destination_key and run.destination_key != destination_key):
            continue
        same = run.sha256 == sha256
        corrections = "" if same else options_from_json(run.read_options).corrections
        if corrections and looked < _MOST:
            looked += 1
            same = _corrected(Path(corrections)) == sha256
        if same:
            found.append(EarlierImport(run.id, run.started, came_in, run.mode.label))
    return found


def _corrected(path: Path) -> str:
    """The sha256 of the file that corrections are for; empty if they are gone."""
    try:
        return read_corrections(path).sha256
    except ImporterError:
        return ""
