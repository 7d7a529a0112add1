"""Check rows anew as a person edits them, by the mapping and the rules of the check."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from importer import arrow
from importer.journal import Journal
from importer.models import Chunk, Issue
from importer.pipeline.check import Checker, CheckRules
from importer.pipeline.plan import RunPlan, make_plan
from importer.readers.overlay import STALE, WHOLE_ROW
from importer.web.pages import Site
from importer.web.problems import GRAVE, Corrections, ProblemRow, ProblemRows
from importer.web.twins import SAME_CONTACT
from importer.web.works import Work

_BOUND = 2


@dataclass(frozen=True, slots=True)
class Recheck:
    """A mapping bound to its file, for checking rows that a person edits."""

    plan: RunPlan

    def check(
        self, rows: Sequence[ProblemRow], cells: Mapping[tuple[str, int, str], str]
    ) -> list[list[Issue]]:
        """The issues of rows as they are with these corrections, by sheet, row and column.

        What the reader found, and what concerns other rows, is not looked for again: it is taken from the
        check, unless a correction settles it.
        """
        before = self._found([(row, row.cells) for row in rows])
        after = self._found([(row, self._corrected(row, cells)) for row in rows])
        found = []
        for row, then, now in zip(rows, before, after, strict=True):
            again = {(issue.code, issue.column) for issue in then}
            rewritten = {key[2] for key in cells if key[:2] == (row.sheet, row.row)}
            kept = [
                issue
                for issue in row.issues
                if (issue.code, issue.column) not in again
                and issue.code != STALE
                and issue.column not in rewritten | row.corrected
                and not (issue.column is None and issue.code != SAME_CONTACT and rewritten)
            ]
            found.append([*kept, *now])
        return found

    def _corrected(self, row: ProblemRow, cells: Mapping[tuple[str, int, str], str]) -> tuple[str, ...]:
        pairs = zip(self.plan.header, row.cells, strict=False)
        return tuple(cells.get((row.sheet, row.row, name), cell) for name, cell in pairs)

    def _found(self, rows: Sequence[tuple[ProblemRow, Sequence[str]]]) -> list[list[Issue]]:
        """The errors and warnings of rows with these cells. Rows of several sheets are checked by sheet."""
        by_sheet: dict[str, list[tuple[ProblemRow, Sequence[str]]]] = {}
        for one in rows:
            by_sheet.setdefault(one[0].sheet, []).append(one)
        found: dict[tuple[str, int], list[Issue]] = {}
        for sheet, some in by_sheet.items():
            some = sorted(some, key=lambda one: one[0].row)
            numbers = np.array([row.row for row, _ in some], dtype=np.int64)
            columns = {
                name: arrow.array([cells[at] if at < len(cells) else "" for _, cells in some])
                for at, name in enumerate(self.plan.header)
            }
            rules = CheckRules(self.plan.options.duplicates, self.plan.options.strict)
            checker = Checker(self.plan.mapper, self.plan.contract, rules)
            checked = checker.check(Chunk(sheet, arrow.frame(columns, numbers)))
            for issue in checked.issues:
                # Two of the rows that are looked at together may share a contact; the check has said so.
                if issue.severity in GRAVE and issue.code != SAME_CONTACT:
                    found.setdefault((sheet, issue.row), []).append(issue)
        return [found.get((row.sheet, row.row), []) for row, _ in rows]


class RecheckCache:
    """Plans of the files that are being corrected, and the index of their rows: the last ones are kept."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.RLock()
        self._bound: OrderedDict[tuple[str, str], Recheck] = OrderedDict()
        self._rows: OrderedDict[tuple[str, str], ProblemRows] = OrderedDict()
        self._known: dict[tuple[str, str, str, int], tuple[frozenset[tuple[str, str]], list[Issue]]] = {}

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

    def issues(self, work: Work, cells: Corrections) -> dict[tuple[str, int], list[Issue]]:
        """The issues that corrected rows have now, by sheet and row. Raises what planning a run raises.

        Rows whose corrections are those of the last time are not looked at again.
        """
        run = work.check.run if work.check else ""
        texts: dict[tuple[str, int], dict[str, str]] = {}
        for cell in cells.values():
            texts.setdefault((cell.sheet, cell.row), {})[cell.column] = cell.now
        with self._lock:
            found: dict[tuple[str, int], list[Issue]] = {}
            rows, open_ = self.rows(work), []
            for place, changes in texts.items():
                if WHOLE_ROW in changes:
                    found[place] = []
                    continue
                known = self._known.get((work.id, run, *place))
                if known is not None and known[0] == frozenset(changes.items()):
                    found[place] = known[1]
                elif (row := rows.find(*place)) is not None:
                    open_.append(row)
            if open_:
                flat = {key: cell.now for key, cell in cells.items()}
                for row, issues in zip(open_, self._recheck(work).check(open_, flat), strict=True):
                    place = (row.sheet, row.row)
                    found[place] = issues
                    self._known[work.id, run, *place] = frozenset(texts[place].items()), issues
            return found

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
            for place in [place for place in self._known if place[0] == work_id]:
                del self._known[place]
