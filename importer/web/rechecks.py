"""Check rows anew as a person edits them, by the mapping and the rules of the check."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from importer import arrow
from importer.journal import Journal
from importer.mapping import MappingFile
from importer.models import Chunk, Issue
from importer.pipeline.check import Checker, CheckRules
from importer.pipeline.plan import RunPlan, make_plan
from importer.readers.overlay import STALE, WHOLE_ROW
from importer.web.pages import Site
from importer.web.problems import GRAVE, Corrections, ProblemRow, ProblemRows
from importer.web.twins import SAME_CONTACT, Place, Twin, contact_texts, with_twin
from importer.web.works import Work

_BOUND = 2
Changes = Mapping[str, str]
"""The texts of a row's corrected cells by their columns."""


@dataclass(frozen=True, slots=True)
class EditedRow:
    """How a row stands with its corrections."""

    issues: tuple[Issue, ...] = ()
    contacts: Mapping[int, str] = field(default_factory=dict)
    """What is sent of it that a customer is recognised by, by key; nothing of a row that is not sent."""
    reads: Mapping[str, str] = field(default_factory=dict)
    """What corrected cells are read as, by their columns, where that is not what they say."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """A mapping bound to its file, for checking rows that a person edits."""

    plan: RunPlan

    def check(self, rows: Sequence[ProblemRow], changes: Mapping[Place, Changes]) -> list[EditedRow]:
        """How rows stand with these corrections, by sheet and row.

        What the reader found, and what concerns other rows, is not looked for again: it is taken from the
        check, unless a correction settles it.
        """
        before = self._found([(row, row.cells) for row in rows], {})
        after = self._found([(row, self._corrected(row, changes)) for row in rows], changes)
        found = []
        for row, then, now in zip(rows, before, after, strict=True):
            again = {(issue.code, issue.column) for issue in then.issues}
            rewritten = changes.get((row.sheet, row.row), {}).keys()
            kept = [
                issue
                for issue in row.issues
                if (issue.code, issue.column) not in again
                and issue.code != STALE
                and issue.column not in rewritten | row.corrected
                and not (issue.column is None and issue.code != SAME_CONTACT and rewritten)
            ]
            found.append(replace(now, issues=(*kept, *now.issues)))
        return found

    def _corrected(self, row: ProblemRow, changes: Mapping[Place, Changes]) -> tuple[str, ...]:
        mine = changes.get((row.sheet, row.row))
        if not mine:
            return row.cells
        return tuple(mine.get(name, cell) for name, cell in zip(self.plan.header, row.cells, strict=False))

    def _as_read(self, rows: Sequence[ProblemRow]) -> pd.DataFrame | None:
        """Rows as they were read; None without any."""
        if not rows:
            return None
        columns = {
            name: arrow.array([row.cells[at] if at < len(row.cells) else "" for row in rows])
            for at, name in enumerate(self.plan.header)
        }
        return arrow.frame(columns, np.array([row.row for row in rows], dtype=np.int64))

    def _found(
        self, rows: Sequence[tuple[ProblemRow, Sequence[str]]], changes: Mapping[Place, Changes]
    ) -> list[EditedRow]:
        """The errors and warnings of rows with these cells. Rows of several sheets are checked by sheet."""
        by_sheet: dict[str, list[tuple[ProblemRow, Sequence[str]]]] = {}
        for one in rows:
            by_sheet.setdefault(one[0].sheet, []).append(one)
        found: dict[Place, EditedRow] = {}
        for sheet, some in by_sheet.items():
            some = sorted(some, key=lambda one: one[0].row)
            numbers = np.array([row.row for row, _ in some], dtype=np.int64)
            columns = {
                name: arrow.array([cells[at] if at < len(cells) else "" for _, cells in some])
                for at, name in enumerate(self.plan.header)
            }
            corrected = [row for row, _ in some if (sheet, row.row) in changes]
            chunk = Chunk(sheet, arrow.frame(columns, numbers), as_read=self._as_read(corrected))
            rules = CheckRules(self.plan.options.duplicates, self.plan.options.strict)
            checked = Checker(self.plan.mapper, self.plan.contract, rules).check(chunk)
            issues: dict[int, list[Issue]] = {}
            for issue in checked.issues:
                # Two of the rows that are looked at together may share a contact; the check has said so.
                if issue.severity in GRAVE and issue.code != SAME_CONTACT:
                    issues.setdefault(issue.row, []).append(issue)
            fields, customers = self.plan.contract.contact_fields, checked.customers
            contacts = {
                row: contact_texts(customers, at, fields) for at, row in enumerate(customers.rows.tolist())
            }
            reads = self._read(chunk, changes)
            for row in numbers.tolist():
                mine = tuple(issues.get(row, ()))
                found[sheet, row] = EditedRow(mine, contacts.get(row, {}), reads.get(row, {}))
        return [found[row.sheet, row.row] for row, _ in rows]

    def _read(self, chunk: Chunk, changes: Mapping[Place, Changes]) -> dict[int, dict[str, str]]:
        """What corrected cells are read as, where one column alone feeds a field and says it otherwise."""
        wanted = {row for sheet, row in changes if sheet == chunk.sheet}
        if not wanted:
            return {}
        mapped = self.plan.mapper.map(chunk).frame
        feeding = {
            sources[0]: name
            for name, sources in self.plan.mapper.columns.items()
            if len(sources) == 1 and name in mapped.columns
        }
        found: dict[int, dict[str, str]] = {}
        for column, name in feeding.items():
            values = dict(zip(mapped.index.tolist(), arrow.to_arrow(mapped[name]).to_pylist(), strict=True))
            for row in wanted & values.keys():
                text, value = changes[chunk.sheet, row].get(column), values[row]
                if text is not None and value and str(value) != text.strip():
                    found.setdefault(row, {})[column] = str(value)
        return found


@dataclass(frozen=True, slots=True)
class GridState:
    """How the rows of the grid stand that corrections concern."""

    rows: Mapping[Place, EditedRow]
    twins: Mapping[Place, tuple[Twin, ...]]
    """The earlier rows with which rows share a contact now, where that may have changed."""

    def issues(self, row: ProblemRow) -> Sequence[Issue]:
        """What is wrong with a row now."""
        known = self.rows.get((row.sheet, row.row))
        return row.issues if known is None else known.issues

    def reads(self, row: ProblemRow) -> Mapping[str, str]:
        """What the corrected cells of a row are read as."""
        known = self.rows.get((row.sheet, row.row))
        return {} if known is None else known.reads


class RecheckCache:
    """Plans of the files that are being corrected, and the index of their rows: the last ones are kept."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.RLock()
        self._bound: OrderedDict[tuple[str, str], Recheck] = OrderedDict()
        self._rows: OrderedDict[tuple[str, str], ProblemRows] = OrderedDict()
        self._known: dict[tuple[str, str], dict[Place, tuple[Changes, EditedRow]]] = {}

    def rows(self, work: Work) -> ProblemRows:
        """The rows with problems of the last check. Raises OSError if they are gone."""
        assert work.check is not None  # noqa: S101 - the caller has looked
        key = (work.id, work.check.run)
        with self._lock:
            if key not in self._rows:
                self._rows[key] = ProblemRows(self._site.works.problems_file(work))
                while len(self._rows) > _BOUND:
                    self._rows.popitem(last=False)
            return self._rows[key]

    def state(self, work: Work, cells: Corrections) -> GridState:
        """How the rows stand that are corrected, and those that share a contact with them. Raises what
        planning a run raises.

        Rows whose corrections are those of the last time are not looked at again.
        """
        texts: dict[Place, dict[str, str]] = {}
        for cell in cells.values():
            texts.setdefault((cell.sheet, cell.row), {})[cell.column] = cell.now
        with self._lock:
            rows = self.rows(work)
            kept = self._known.setdefault((work.id, work.check.run if work.check else ""), {})
            later = {other for place in texts for other in rows.later(place)}
            concerned = {place for place in texts.keys() | later if place in rows.twins}
            earlier = {twin.place for place in concerned for twin in rows.twins[place]}
            found: dict[Place, EditedRow] = {}
            open_: list[ProblemRow] = []
            for place in texts.keys() | concerned | earlier:
                changes = texts.get(place, {})
                known = kept.get(place)
                if WHOLE_ROW in changes:
                    found[place] = EditedRow()
                elif known is not None and known[0] == changes:
                    found[place] = known[1]
                elif (row := rows.find(*place)) is not None:
                    open_.append(row)
            if open_:
                for row, state in zip(open_, self._recheck(work).check(open_, texts), strict=True):
                    place = (row.sheet, row.row)
                    found[place] = state
                    kept[place] = texts.get(place, {}), state
            twins = {place: _still(rows.twins[place], place, found) for place in concerned}
            return GridState(
                {
                    place: replace(state, issues=_about(state.issues, twins.get(place)))
                    for place, state in found.items()
                },
                twins,
            )

    def _recheck(self, work: Work) -> Recheck:
        key = (work.id, work.check.run if work.check else "")
        if key not in self._bound:
            works = self._site.works
            mapping = works.mapping_file(work)
            options = replace(
                self._site.options(work, "en"),
                dry_run=True,
                mapping=str(mapping) if mapping.is_file() else None,
            )
            connection = self._site.connection(work, dry_run=True)
            with Journal.open(self._site.journal) as journal:
                self._bound[key] = Recheck(make_plan(works.file(work), options, connection, journal))
            while len(self._bound) > _BOUND:
                self._bound.popitem(last=False)[1].plan.close()
        return self._bound[key]

    def mapping(self, work: Work) -> MappingFile:
        """The mapping by which a file was checked: a report brings it along."""
        with self._lock:
            return self._recheck(work).plan.mapping

    def close(self) -> None:
        """Close everything that is open."""
        with self._lock:
            for work_id in {key[0] for key in self._bound}:
                self.forget(work_id)

    def forget(self, work_id: str) -> None:
        """Close what is open of a piece of work."""
        with self._lock:
            for key in [key for key in self._bound if key[0] == work_id]:
                self._bound.pop(key).plan.close()
            for key in [key for key in self._rows if key[0] == work_id]:
                del self._rows[key]
            for key in [key for key in self._known if key[0] == work_id]:
                del self._known[key]


def _still(twins: Sequence[Twin], place: Place, states: Mapping[Place, EditedRow]) -> tuple[Twin, ...]:
    """The earlier rows with which a row still shares something, and what that is now."""
    mine = states[place].contacts if place in states else {}
    found = []
    for twin in twins:
        other = states.get(twin.place)
        if other is None:  # the grid has no room for that row, so nobody has changed it
            shared = [twin.contact] if twin.contact in mine.values() else []
        else:
            shared = [text for key, text in mine.items() if key in other.contacts]
        if shared:
            found.append(replace(twin, contact=shared[0]))
    return tuple(found)


def _about(issues: Sequence[Issue], twins: Sequence[Twin] | None) -> tuple[Issue, ...]:
    """The issues of a row, with what is now true of shared contacts."""
    if twins is None:
        return tuple(issues)
    return tuple(with_twin(one, twins) for one in issues if one.code != SAME_CONTACT or twins)
