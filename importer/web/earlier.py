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
import pyarrow.compute as pc

from importer import arrow
from importer.batching import Customers, encode
from importer.errors import ImporterError, UnknownRunError, UsageError
from importer.journal import Journal, LaneContents, RunKind, RunRecord
from importer.models import Chunk, MappedChunk, Mode, Status
from importer.option_layers import options_from_json
from importer.pipeline.check import CheckedChunk
from importer.pipeline.plan import RunPlan
from importer.pipeline.retry import imported_since
from importer.pipeline.row_history import SUPPRESSED
from importer.private_files import replace_private_file
from importer.readers.overlay import CorrectedCell, read_corrections
from importer.web.pages import Site
from importer.web.twins import Place, same_name
from importer.web.works import Work

CORRECTED_BEFORE = "corrected-before"
"""Rows that stand here as they stood in an earlier file before they were corrected there."""
LISTED_BEFORE = "listed-before"
"""Rows of people who must not be sent and were sent to the same place before."""
BARE_BEFORE = "bare-before"
"""Rows without a contact that were sent to the same place before, just as they are."""
NATIONAL_BEFORE = "national-before"
"""Rows that are known there by nothing but a phone that was sent without its country."""
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

    @property
    def same_name(self) -> bool:
        """Whether both rows bear one name: then they are probably one customer, entered twice."""
        return bool(self.name) and same_name(self.name, self.other_name)


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
    """Finds out what the journal knows of rows at the place where they would go.

    People who must not be sent may be there: leaving them out does not take them out of the CRM. And rows
    may be there that the CRM cannot recognise any more, so that it would add them a second time.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lane: LaneContents | None = None
        self._opened = False
        self.found: dict[str, list[Place]] = {}
        """Sheets and rows by what is to be said of them."""

    def add(self, plan: RunPlan, checked: CheckedChunk) -> None:
        """Take a chunk as it was checked."""
        lane = self._known_to(plan)
        if lane is None:
            return
        listed = sorted(row for one in checked.outcomes if one.code == SUPPRESSED for row in one.rows)
        if listed:
            customers = self._encoded(plan, self._mapped(plan, checked, listed))
            self._note(LISTED_BEFORE, customers, lane.look_up(customers.contacts, _none(customers)).known)
        customers = checked.customers
        bare = ~customers.contacts.any(axis=1)
        if bare.any() and not plan.options.changed_only:  # else those that are there stay behind anyway
            self._add_bare(plan, checked, customers.rows[bare], lane)
        phones = [
            one.field.name
            for one in plan.mapper.bound.fields
            if one.field.name in plan.contract.contact_fields and one.rule.region and len(one.sources) == 1
        ]
        if phones:
            known = lane.look_up(customers.contacts, _none(customers)).known
            self._add_national(plan, checked, customers.rows[~known & ~bare], phones, lane)

    def _add_bare(self, plan: RunPlan, checked: CheckedChunk, rows: np.ndarray, lane: LaneContents) -> None:
        """Rows without a contact that say just what was sent before."""
        mapped = self._mapped(plan, checked, rows)
        for mode in Mode:  # the record keeps apart what was sent in different modes
            customers = self._encoded(plan, mapped, plan.content_key_in(mode))
            if customers.contents is not None:
                self._note(BARE_BEFORE, customers, lane.look_up(customers.contacts, customers.contents).same)

    def _add_national(
        self,
        plan: RunPlan,
        checked: CheckedChunk,
        rows: np.ndarray,
        fields: Sequence[str],
        lane: LaneContents,
    ) -> None:
        """Rows that were sent before with their phone as it stands in the file, without its country."""
        if not rows.size:
            return
        mapped = self._mapped(plan, checked, rows)
        columns = {str(name): arrow.to_arrow(mapped.frame[name]) for name in mapped.frame.columns}
        for name in fields:
            (source,) = plan.mapper.columns[name]
            cells = arrow.to_arrow(checked.chunk.frame.loc[rows, source])
            digits = pc.replace_substring_regex(cells, "[^0-9]", "")
            columns[name] = pc.if_else(pc.equal(digits, ""), None, digits)
        as_dialled = replace(mapped, frame=arrow.frame(columns, mapped.frame.index.to_numpy()))
        customers = self._encoded(plan, as_dialled)
        self._note(NATIONAL_BEFORE, customers, lane.look_up(customers.contacts, _none(customers)).known)

    def _known_to(self, plan: RunPlan) -> LaneContents | None:
        if not self._opened:
            self._opened = True
            there = plan.destination
            with Journal.open(self._site.journal) as journal:
                if there is not None and journal.contents.keeps(there.lane):
                    self._lane = journal.contents.of(there.lane)
        return self._lane

    def _mapped(self, plan: RunPlan, checked: CheckedChunk, rows: list[int] | np.ndarray) -> MappedChunk:
        return plan.mapper.map(Chunk(checked.chunk.sheet, checked.chunk.frame.loc[rows]))

    def _encoded(self, plan: RunPlan, mapped: MappedChunk, key: str = "") -> Customers:
        keep = np.ones(len(mapped.frame), dtype=bool)
        sent = plan.sent_key if key else ""
        return encode(mapped, plan.contract, keep, plan.fingerprint_key, key, sent_key=sent)

    def _note(self, code: str, customers: Customers, where: np.ndarray) -> None:
        found = self.found.setdefault(code, [])
        there = {row for sheet, row in found if sheet == customers.sheet}
        found += [(customers.sheet, row) for row in customers.rows[where].tolist() if row not in there]


def _none(customers: Customers) -> np.ndarray:
    """Contents of which nothing is asked."""
    return np.zeros(len(customers), dtype=np.int64)


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
