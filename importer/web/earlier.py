"""Look up what earlier runs did with a file: which one first imported it, what has come in since, and which
of its rows were corrected in an earlier file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.errors import ImporterError, UnknownRunError, UsageError
from importer.journal import Journal, RunKind, RunRecord
from importer.models import Status
from importer.option_layers import options_from_json
from importer.pipeline.check import CheckedChunk
from importer.pipeline.retry import imported_since
from importer.private_files import replace_private_file
from importer.readers.overlay import CorrectedCell, Corrections, read_corrections
from importer.web.pages import Site
from importer.web.problems import ProblemRows
from importer.web.works import Work

_OPEN = tuple(status for status in Status if not status.done)
_MOST = 20
"""Runs with corrections whose file is looked up: each is read from disk. As many pieces of work, too."""
_RUNNING_NUMBER = "[0-9]{0,5}"
"""What may differ between a row and the same one in a later list: its running number."""
_FEWEST_EQUAL = 2
"""So many cells make two rows the same one."""


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


class CorrectedBefore:
    """Finds the rows that stand in a file as they stood in an earlier one before a person corrected them.

    The files may differ otherwise: such a list has grown, and brings the old texts along.
    """

    def __init__(self, site: Site, work: Work) -> None:
        """Takes the corrections of earlier pieces of work that were imported; the later ones count."""
        self._here = site.works.corrections(work)
        self._known: dict[tuple[str, ...], dict[str, list[CorrectedCell]]] = {}
        """By the columns of a file, and by the text of a row: its corrections."""
        self.found: list[CorrectedCell] = []
        """The corrections, at the rows of this file."""
        sha256 = site.looks.of(work).sha256
        earlier = [] if work.report else [one for one in site.works.recent() if one.run and one.check]
        corrected: list[tuple[Work, Corrections]] = []
        for one in [one for one in earlier if one.id != work.id and not one.report][:_MOST]:
            with contextlib.suppress(ImporterError):
                made = site.works.kept_corrections(one)
                if made.cells and made.sha256 != sha256:
                    corrected.append((one, made))
        if not corrected:
            return
        with Journal.open(site.journal) as journal:
            for one, made in corrected:
                with contextlib.suppress(OSError, ValueError, ImporterError):
                    if journal.run(one.run).counts.get(Status.IMPORTED, 0):
                        self._learn(site, one, made)

    def _learn(self, site: Site, earlier: Work, made: Corrections) -> None:
        header = earlier.check.header if earlier.check else ()
        by_row: dict[tuple[str, int], list[CorrectedCell]] = {}
        for cell in made.cells:
            if not cell.whole_row:
                by_row.setdefault((cell.sheet, cell.row), []).append(cell)
        if not by_row:
            return
        rows, known = ProblemRows(site.works.problems_file(earlier)), self._known.setdefault(header, {})
        for place, cells in by_row.items():
            row = rows.find(*place)
            if row is None or any(row.cells[header.index(one.column)] != one.was for one in cells):
                continue
            if sum(map(_tells, row.cells)) >= _FEWEST_EQUAL:
                known.setdefault(_row_text(row.cells), cells)

    def add(self, checked: CheckedChunk) -> None:
        """Take a chunk as it was checked."""
        frame, sheet = checked.chunk.frame, checked.chunk.sheet
        for header, known in self._known.items():
            if not known or not set(header) <= set(frame.columns):
                continue
            texts = _row_texts([arrow.to_arrow(frame[name]) for name in header])
            hits = pc.is_in(texts, value_set=pa.array(known, type=texts.type))
            for at in np.flatnonzero(hits.to_numpy(zero_copy_only=False)).tolist():
                number = int(frame.index[at])
                self.found += self._moved(known[texts[at].as_py()], sheet, number)

    def _moved(self, cells: Sequence[CorrectedCell], sheet: str, row: int) -> Iterator[CorrectedCell]:
        for cell in cells:
            if (sheet, row, cell.column) not in self._here:
                yield replace(cell, sheet=sheet, row=row)


def _tells(cell: str) -> bool:
    return re.fullmatch(_RUNNING_NUMBER, cell) is None


def _row_text(cells: Sequence[str]) -> str:
    return "\x1f".join(cell if _tells(cell) else "" for cell in cells)


def _row_texts(columns: Sequence[pa.Array]) -> pa.Array:
    """The text of each row, as `_row_text` makes it."""
    told = [pc.replace_substring_regex(one, f"^{_RUNNING_NUMBER}$", "") for one in columns]
    separator = pa.scalar("\x1f", told[0].type)
    return pc.binary_join_element_wise(*told, separator)


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
