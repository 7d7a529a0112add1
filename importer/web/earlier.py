"""Look up what earlier runs did with a file: which one first imported it, and what has come in since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from importer.errors import ImporterError, UnknownRunError
from importer.journal import Journal, RunKind, RunRecord
from importer.models import Status
from importer.option_layers import options_from_json
from importer.readers.overlay import CorrectedCell, read_corrections
from importer.web.pages import Site
from importer.web.works import Work

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
    cells: tuple[CorrectedCell, ...] = ()
    """The corrections that it was made with."""
    lost: bool = False
    """Whether its corrections are gone: only name and size say that the file was this one."""


@dataclass(frozen=True, slots=True)
class EarlierCorrections:
    """The corrections that were made in this file for an earlier import of it."""

    run: str
    open: tuple[CorrectedCell, ...] = ()
    """Those of the corrected cells that nobody has corrected here."""
    taken: int = 0
    """How many stand here already, as then or otherwise."""
    lost: bool = False
    """Whether they are gone."""


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


def earlier_imports(
    journal: Journal, work: Work, sha256: str, destination_key: str = ""
) -> list[EarlierImport]:
    """The runs that brought rows of this content in, corrected or not, the newest first.

    `sha256` is that of the file of `work`. `destination_key`: only those to this place.
    """
    found: list[EarlierImport] = []
    looked = 0
    for run in journal.runs():
        came_in = run.counts.get(Status.IMPORTED, 0)
        if run.dry_run or not came_in or (destination_key and run.destination_key != destination_key):
            continue
        one = EarlierImport(run.id, run.started, came_in, run.mode.label)
        corrections = "" if run.sha256 == sha256 else options_from_json(run.read_options).corrections
        if run.sha256 == sha256:
            found.append(one)
        elif corrections and looked < _MOST:
            looked += 1
            try:
                made = read_corrections(Path(corrections))
            except ImporterError:
                if (Path(run.source).name, run.size) == (work.name, work.size):
                    found.append(replace(one, lost=True))
            else:
                if made.sha256 == sha256:
                    found.append(replace(one, cells=made.cells))
    return found


def earlier_corrections(site: Site, work: Work, before: Sequence[EarlierImport]) -> EarlierCorrections | None:
    """What became of the corrections of the last import that had any; None if none of `before` had."""
    last = next((one for one in before if one.cells or one.lost), None)
    if last is None:
        return None
    here = site.works.corrections(work)
    missing = tuple(cell for cell in last.cells if (cell.sheet, cell.row, cell.column) not in here)
    return EarlierCorrections(last.run, missing, len(last.cells) - len(missing), last.lost)
