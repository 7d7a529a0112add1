"""Look up what earlier runs did with a file: which one first imported it, what has come in since, and who was
sent to the same place before."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from importer.batching import encode
from importer.errors import ImporterError, UnknownRunError, UsageError
from importer.journal import Journal, RunKind, RunRecord
from importer.models import Chunk, Status
from importer.option_layers import options_from_json
from importer.pipeline.check import CheckedChunk
from importer.pipeline.plan import RunPlan
from importer.pipeline.retry import imported_since
from importer.pipeline.row_history import SUPPRESSED
from importer.private_files import replace_private_file
from importer.readers.overlay import CorrectedCell, read_corrections
from importer.web.pages import Site
from importer.web.works import Work

_OPEN = tuple(status for status in Status if not status.done)
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


@dataclass(frozen=True, slots=True)
class Overwrite:
    """A row that was sent after an earlier one that it shares a contact with."""

    sheet: str
    row: int
    name: str
    other_sheet: str
    other_row: int
    other_name: str
    contact: str


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


class SentBefore:
    """Finds out which of the people who must not be sent were sent to the same place before, as far as the
    journal knows: leaving them out does not take them out of the CRM."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lane = ""
        self._found: list[tuple[str, np.ndarray, np.ndarray]] = []

    def add(self, plan: RunPlan, checked: CheckedChunk) -> None:
        """Take a chunk as it was checked."""
        listed = [row for one in checked.outcomes if one.code == SUPPRESSED for row in one.rows]
        if not listed or plan.destination is None:
            return
        self._lane = plan.destination.lane
        mapped = plan.mapper.map(Chunk(checked.chunk.sheet, checked.chunk.frame.loc[sorted(listed)]))
        all_rows = np.ones(len(mapped.frame), dtype=bool)
        customers = encode(mapped, plan.contract, all_rows, plan.fingerprint_key)
        self._found.append((checked.chunk.sheet, customers.rows, customers.contacts))

    def rows(self) -> list[tuple[str, int]]:
        """Sheet and row of each."""
        if not self._found:
            return []
        with Journal.open(self._site.journal) as journal:
            lane = journal.contents.of(self._lane)
        return [
            (sheet, row)
            for sheet, rows, contacts in self._found
            for row in rows[lane.look_up(contacts, np.zeros(len(rows), dtype=np.int64)).known].tolist()
        ]


def work_of(site: Site, run: RunRecord) -> Work | None:
    """The piece of work that a run was started from; None if it is gone, or there was none."""
    folder = Path(run.report_dir) if run.report_dir else Path()
    if folder.parent.parent.parent != site.works.root:
        return None
    with contextlib.suppress(UsageError):
        return site.works.get(folder.parent.parent.name)
    return None


def rests(site: Site) -> dict[str, Work]:
    """The pieces of work that are about the rest of a run, by that run."""
    return {work.rest_of: work for work in reversed(site.works.recent()) if work.rest_of}


def rows_left(site: Site, journal: Journal, run: RunRecord, about: Mapping[str, Work]) -> int:
    """How many rows of a run are still to be done: without those that later runs have brought in, and those
    that a person has left out since. `about`: what `rests` returns."""
    left = sum(rows for status, rows in run.counts.items() if not status.done)
    if not left or run.dry_run:
        return left
    first = first_of(journal, run)
    gone: dict[str, list[int]] = {}
    if run.parent or any(not child.dry_run for child in journal.children(run.id)):
        gone = {sheet: rows.tolist() for sheet, rows in imported_since(journal, first, None).items()}
    work = work_of(site, run) or about.get(first.id)
    for cell in site.works.corrections(work).values() if work else ():
        if cell.whole_row:
            gone.setdefault(cell.sheet, []).append(cell.row)
    if not gone:
        return left
    own = journal.row_states(run.id)
    done = sum(int(np.isin(own.rows_with_status(sheet, *_OPEN), rows).sum()) for sheet, rows in gone.items())
    return max(left - done, 0)


def keep_overwrites(site: Site, work: Work, run: str, found: Sequence[Overwrite]) -> None:
    """Keep which rows overwrite which in a run of a piece of work. Raises OSError."""
    lines = json.dumps([dataclasses.astuple(one) for one in found], ensure_ascii=False)
    replace_private_file(_overwrites_file(site, work, run), lines.encode("utf-8", "surrogatepass"))


def overwrites_of(site: Site, journal: Journal, run: RunRecord) -> list[Overwrite]:
    """The rows that overwrote an earlier one in a run: both came in, and shared a contact."""
    work = work_of(site, run)
    found: list[Overwrite] = []
    with contextlib.suppress(OSError, ValueError, TypeError):
        if work is not None:
            text = _overwrites_file(site, work, run.id).read_text("utf-8", "surrogatepass")
            found = [Overwrite(*line) for line in json.loads(text)]
    if not found:
        return []
    states = journal.row_states(run.id)

    def came_in(sheet: str, row: int) -> bool:
        return bool(states.has_status(sheet, np.array([row], dtype=np.int64), Status.IMPORTED)[0])

    return [one for one in found if came_in(one.sheet, one.row) and came_in(one.other_sheet, one.other_row)]


def _overwrites_file(site: Site, work: Work, run: str) -> Path:
    return site.works.folder(work.id) / f"overwrites-{run}.json"
