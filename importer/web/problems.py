"""Keep the rows in which a check found problems, hand them out by the page, check them anew when edited."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from importer import arrow
from importer.journal import Journal, RowStates
from importer.models import Chunk, Issue, Severity, Status
from importer.pipeline.check import CheckedChunk, Checker, CheckRules
from importer.pipeline.plan import RunPlan, make_plan
from importer.private_files import create_private_file
from importer.readers.overlay import STALE, CorrectedCell
from importer.reports.likely_corrections import likely_correction
from importer.web.pages import Site
from importer.web.works import Work

MOST_ROWS = 50_000
"""Rows that the grid has. Whoever has more corrects the source, or rejects.xlsx, in a spreadsheet program."""
_GRAVE = (Severity.ERROR, Severity.WARNING)
_BOUND = 2
REFUSED = "refused-before"
"""The issue of a row that the CRM refused in the run whose rest is checked."""
IMPORTED_BEFORE = "imported-before"


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One row with its cells as they were read, by the columns of the check's header, and what is wrong."""

    number: int
    """Its place among all rows with problems, from 0."""
    sheet: str
    row: int
    cells: tuple[str, ...]
    issues: tuple[Issue, ...]
    """As the check found them, with the corrections that it was made with."""
    corrected: frozenset[str] = frozenset()
    """The columns that were corrected in that check."""


Corrections = Mapping[tuple[str, int, str], CorrectedCell]
"""Corrected cells by sheet, row and column."""


class ProblemWriter:
    """Writes the rows with errors or warnings of a check as they come, and those that were corrected."""

    def __init__(self, path: Path, corrections: Corrections, before: RowStates | None = None) -> None:
        """`corrections`: those of the check. `before`: what became of the rows in the run whose rest this is.

        Raises OSError.
        """
        self._path = path
        self._before = before
        self._corrected: dict[tuple[str, int], list[CorrectedCell]] = {}
        for cell in corrections.values():
            self._corrected.setdefault((cell.sheet, cell.row), []).append(cell)
        self._part = path.with_name(f".{path.name}.part")
        self._file: BinaryIO = create_private_file(self._part)
        self.rows = 0
        self.kept = 0
        self.refused = 0
        """Rows that the CRM refused in the run whose rest this is."""

    def add(self, checked: CheckedChunk) -> None:
        """Take a chunk as it was checked. Raises OSError."""
        found: dict[int, list[Issue]] = {}
        for issue in checked.issues:
            if issue.severity in _GRAVE:
                found.setdefault(issue.row, []).append(issue)
        for issue in self._refused(checked):
            found.setdefault(issue.row, []).append(issue)
            self.refused += 1
        self.rows += len(found)
        sheet, frame = checked.chunk.sheet, checked.chunk.frame
        mine = {row for there, row in self._corrected if there == sheet} & set(frame.index.tolist())
        # Rows that are in are not sent again: an edit of one would come to nothing.
        mine -= {row for one in checked.outcomes if one.code == IMPORTED_BEFORE for row in one.rows}
        wanted = sorted(found.keys() | mine)
        if self.kept + len(wanted) > MOST_ROWS:
            wanted = sorted(mine) + sorted(found.keys() - mine)[: max(MOST_ROWS - self.kept - len(mine), 0)]
            wanted.sort()
        if not wanted:
            return
        self.kept += len(found.keys() & set(wanted))
        places = {name: at for at, name in enumerate(frame.columns)}
        picked = frame.loc[wanted].itertuples(index=False, name=None)
        for row, texts in zip(wanted, picked, strict=True):
            cells, corrected = list(map(str, texts)), []
            for cell in self._corrected.get((sheet, row), ()):
                if cell.column in places and cells[places[cell.column]] == cell.now:
                    cells[places[cell.column]] = cell.was
                    corrected.append(cell.column)
            line = [sheet, row, cells, [_packed(issue) for issue in found.get(row, ())], corrected]
            self._file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")

    def _refused(self, checked: CheckedChunk) -> Iterator[Issue]:
        """Yield what the CRM said of rows that it refused before and that would be sent again."""
        if self._before is None:
            return
        customers = checked.customers
        for outcome in self._before.outcomes(customers.sheet, customers.rows):
            if outcome.status is Status.REJECTED:
                said = " ".join(part for part in (outcome.code, outcome.message) if part)
                for row in outcome.rows:
                    yield Issue(REFUSED, Severity.WARNING, row, customers.sheet, expected=said)

    def finish(self) -> None:
        """Give the file its name. Raises OSError."""
        self._file.close()
        self._part.replace(self._path)

    def __enter__(self) -> ProblemWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


def _packed(issue: Issue) -> list[object]:
    about = [issue.code, issue.severity.value, issue.column, issue.field, issue.found, issue.limit]
    return [*about, issue.length, issue.expected, issue.suggestion, issue.other_row, issue.wording]


def _unpacked(line: Sequence[object], row: int, sheet: str) -> Issue:
    code, severity, *rest = line
    column, field, found, limit, length, expected, suggestion, other_row, wording = rest
    return Issue(
        str(code),
        Severity(str(severity)),
        row,
        sheet,
        column,  # type: ignore[arg-type]
        field,  # type: ignore[arg-type]
        found,  # type: ignore[arg-type]
        limit,  # type: ignore[arg-type]
        length,  # type: ignore[arg-type]
        expected,  # type: ignore[arg-type]
        suggestion,  # type: ignore[arg-type]
        other_row,  # type: ignore[arg-type]
        wording,  # type: ignore[arg-type]
    )


@dataclass(frozen=True, slots=True)
class RowFilterChoice:
    """Which rows the grid shows."""

    show: str = "errors"
    """errors, warnings, changed or all."""
    code: str = ""
    column: str = ""
    text: str = ""


class ProblemRows:
    """The rows of one check, read from their file by place; only an index is held in memory."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._path = path
        offsets, errors, warned = [], [], []
        self._kinds: dict[tuple[str, str], list[int]] = {}
        self._where: dict[tuple[str, int], int] = {}
        self._suggested: dict[tuple[str, str], Mapping[int, str]] = {}
        with path.open("rb") as file:
            at = 0
            for number, line in enumerate(file):
                sheet, row, _, issues, _ = json.loads(line)
                offsets.append(at)
                at += len(line)
                errors.append(any(issue[1] == Severity.ERROR for issue in issues))
                warned.append(bool(issues) and not errors[-1])
                self._where[sheet, row] = number
                for code, column in {(issue[0], issue[2] or "") for issue in issues}:
                    self._kinds.setdefault((code, column), []).append(number)
        self._offsets = np.array(offsets, dtype=np.int64)
        self._errors = np.array(errors, dtype=bool)
        self._warned = np.array(warned, dtype=bool)

    def __len__(self) -> int:
        return len(self._offsets)

    def place(self, sheet: str, row: int) -> int:
        """The place of a row; -1 if it has no problem."""
        return self._where.get((sheet, row), -1)

    def find(self, sheet: str, row: int) -> ProblemRow | None:
        """The row of that number; None if it has no problem."""
        number = self._where.get((sheet, row))
        return None if number is None else next(self.read([number]))

    def read(self, numbers: Iterable[int]) -> Iterator[ProblemRow]:
        """Yield the rows at these places."""
        with self._path.open("rb") as file:
            for number in numbers:
                file.seek(int(self._offsets[number]))
                sheet, row, cells, issues, corrected = json.loads(file.readline())
                found = tuple(_unpacked(issue, row, sheet) for issue in issues)
                yield ProblemRow(number, sheet, row, tuple(cells), found, frozenset(corrected))

    def choose(self, wanted: RowFilterChoice, changed: Iterable[tuple[str, int]]) -> list[int]:
        """The places of the rows to show, in the order of the file. `changed`: the rows with corrections."""
        everything = np.ones(len(self), dtype=bool)
        if wanted.show == "errors":
            everything = self._errors.copy()
        elif wanted.show == "warnings":
            everything = self._warned.copy()
        elif wanted.show == "changed":
            everything[:] = False
            places = [self._where[key] for key in changed if key in self._where]
            everything[places] = True
        if wanted.code:
            of_kind = np.zeros(len(self), dtype=bool)
            of_kind[self._kinds.get((wanted.code, wanted.column), [])] = True
            everything &= of_kind
        numbers: list[int] = np.flatnonzero(everything).tolist()
        if wanted.text:
            text = wanted.text.casefold()
            numbers = [row.number for row in self.read(numbers) if _holds(row, text)]
        return numbers

    def errors_without(self, places: Iterable[tuple[str, int]]) -> int:
        """How many rows have errors, apart from those of these sheets and rows."""
        mine = [self._where[place] for place in places if place in self._where]
        return int(self._errors.sum()) - int(self._errors[mine].sum())

    def suggested(self, code: str, column: str) -> Mapping[int, str]:
        """The likely corrections of the cells with this kind of issue, by the place of their row."""
        kind = (code, column)
        if kind not in self._suggested:
            found: dict[int, str] = {}
            for row in self.read(self._kinds.get(kind, ()) if column else ()):
                for issue in row.issues:
                    text = suggestion(issue) if (issue.code, issue.column) == kind else ""
                    if text:
                        found.setdefault(row.number, text)
            self._suggested[kind] = found
        return self._suggested[kind]


def suggestion(issue: Issue) -> str:
    """What a cell was probably meant to be; empty if nothing is likely."""
    return issue.suggestion or likely_correction(issue.code, issue.found or "")


def _holds(row: ProblemRow, text: str) -> bool:
    return text == str(row.row) or any(text in cell.casefold() for cell in row.cells)


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
                and not (issue.column is None and issue.code != "same-contact" and rewritten)
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
                if issue.severity in _GRAVE and issue.code != "same-contact":
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
            rows, found, open_ = self.rows(work), {}, []
            for place, changes in texts.items():
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
