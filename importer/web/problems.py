"""Keep the rows in which a check found problems, and hand them out by the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from importer.journal import RowStates
from importer.models import Issue, Severity, Status
from importer.pipeline.check import CheckedChunk
from importer.pipeline.people import TAKEN
from importer.private_files import create_private_file
from importer.readers.overlay import CorrectedCell
from importer.reports.likely_corrections import likely_correction
from importer.web.twins import (
    SAME_CONTACT,
    Place,
    RowSpool,
    TwinFinder,
    read_twins,
    with_twin,
    write_twins,
)

MOST_ROWS = 50_000
"""Rows that the grid has. Whoever has more corrects the source, or rejects.xlsx, in a spreadsheet program."""
_MOST_DOUBTFUL = 20_000
"""Of these, doubtful rows, so that there is room for those that are kept back."""
_MOST_TWINS = 5_000
"""Rows without a problem of their own that the grid has because a later row shares their contact."""
GRAVE = (Severity.ERROR, Severity.WARNING)
"""What brings a row into the grid."""
LOSING = frozenset({"several-values"})
"""Notes on cells of which a part is not sent: the grid has their rows for whoever asks for them."""
_MOST_LOSING = 5_000
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

    def __init__(
        self, path: Path, corrections: Corrections, contacts: Sequence[str], before: RowStates | None = None
    ) -> None:
        """`corrections`: those of the check. `contacts`: the fields that can hold one. `before`: what became
        of the rows in the run whose rest this is.

        Raises OSError.
        """
        self._path = path
        self._twins = TwinFinder(contacts)
        self._before = before
        self._spool = RowSpool(path.with_name(f".{path.name}.rows"))
        self._columns: dict[str, list[str]] = {}
        self._written: set[Place] = set()
        self._corrected: dict[tuple[str, int], list[CorrectedCell]] = {}
        for cell in corrections.values():
            self._corrected.setdefault((cell.sheet, cell.row), []).append(cell)
        self._part = path.with_name(f".{path.name}.part")
        self._file: BinaryIO = create_private_file(self._part)
        self.rows = 0
        self.kept = 0
        self._doubtful = self._losing = 0
        self.refused = 0
        """Rows that the CRM refused in the run whose rest this is."""

    def add(self, checked: CheckedChunk) -> None:
        """Take a chunk as it was checked. Raises OSError."""
        found: dict[int, list[Issue]] = {}
        losing: dict[int, list[Issue]] = {}
        for issue in checked.issues:
            if issue.code == TAKEN:
                continue  # said at the later row, beside this one
            if issue.severity in GRAVE:
                found.setdefault(issue.row, []).append(issue)
            elif issue.code in LOSING:
                losing.setdefault(issue.row, []).append(issue)
        shared = [row for row, issues in found.items() if any(one.code == SAME_CONTACT for one in issues)]
        self._twins.add(checked.customers, shared)
        for issue in self._refused(checked):
            found.setdefault(issue.row, []).append(issue)
            self.refused += 1
        self.rows += len(found)
        sheet, frame = checked.chunk.sheet, checked.chunk.frame
        mine = {row for there, row in self._corrected if there == sheet} & set(frame.index.tolist())
        # Rows that are in are not sent again: an edit of one would come to nothing.
        mine -= {row for one in checked.outcomes if one.code == IMPORTED_BEFORE for row in one.rows}
        self._columns[sheet] = list(map(str, frame.columns))
        self._spool.add(sheet, frame)
        wanted = self._chosen(found, mine)
        self.kept += len(found.keys() & set(wanted))
        lost = sorted(losing.keys() - found.keys() - mine)[: max(_MOST_LOSING - self._losing, 0)]
        self._losing += len(lost)
        wanted = sorted([*wanted, *lost])
        if not wanted:
            return
        picked = frame.loc[wanted].itertuples(index=False, name=None)
        for row, texts in zip(wanted, picked, strict=True):
            self._written.add((sheet, row))
            self._file.write(
                self._line((sheet, row), list(map(str, texts)), [*found.get(row, ()), *losing.get(row, ())])
            )

    def _line(self, place: Place, cells: list[str], issues: Sequence[Issue]) -> bytes:
        """A row as it is kept: with its cells as they were read, before any correction."""
        corrected, names = [], self._columns[place[0]]
        for cell in self._corrected.get(place, ()):
            at = names.index(cell.column) if cell.column in names else -1
            if at >= 0 and cells[at] == cell.now:
                cells[at] = cell.was
                corrected.append(cell.column)
        line = [*place, cells, [_packed(issue) for issue in issues], corrected]
        return json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"

    def _chosen(self, found: Mapping[int, Sequence[Issue]], mine: set[int]) -> list[int]:
        """The rows of a chunk that the grid gets: those that are kept back come before doubtful ones."""
        grave = {
            row for row, issues in found.items() if any(one.severity is Severity.ERROR for one in issues)
        }
        doubtful = sorted(found.keys() - grave - mine)[: max(_MOST_DOUBTFUL - self._doubtful, 0)]
        self._doubtful += len(doubtful)
        room = max(MOST_ROWS - self.kept - len(mine), 0)
        return sorted([*mine, *[*sorted(grave - mine), *doubtful][:room]])

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

    def names(self, places: Iterable[Place], columns: Sequence[str]) -> dict[Place, str]:
        """Whose rows these are, by the columns with names. Raises OSError."""
        found = {}
        for place, cells in self._spool.cells(places).items():
            texts = dict(zip(self._columns[place[0]], cells, strict=True))
            found[place] = " ".join(filter(None, (texts.get(name, "").strip() for name in columns)))
        return found

    def finish(self) -> None:
        """Give the file its name. Raises OSError."""
        twins = self._twins.twins()
        earlier = dict.fromkeys(twin.place for some in twins.values() for twin in some)
        wanted = [place for place in earlier if place not in self._written][:_MOST_TWINS]
        for place, cells in self._spool.cells(wanted).items():
            self._file.write(self._line(place, cells, ()))
        self._file.close()
        write_twins(_twins_file(self._path), twins)
        self._part.replace(self._path)

    def __enter__(self) -> ProblemWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._spool.close()
        self._part.unlink(missing_ok=True)


def _twins_file(path: Path) -> Path:
    return path.with_suffix(".twins.json")


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
        self.twins = read_twins(_twins_file(path))
        """The earlier rows of rows that share a contact with them."""
        self._later: dict[Place, list[Place]] = {}
        for place, some in self.twins.items():
            for twin in some:
                self._later.setdefault(twin.place, []).append(place)
        offsets, errors, warned, quiet = [], [], [], []
        self._kinds: dict[tuple[str, str], list[int]] = {}
        self._where: dict[tuple[str, int], int] = {}
        self._suggested: dict[tuple[str, str], Mapping[int, str]] = {}
        self._once: dict[str, Mapping[int, str]] = {}
        with path.open("rb") as file:
            at = 0
            for number, line in enumerate(file):
                sheet, row, _, issues, corrected = json.loads(line)
                offsets.append(at)
                at += len(line)
                errors.append(any(issue[1] == Severity.ERROR for issue in issues))
                warned.append(not errors[-1] and any(issue[1] == Severity.WARNING for issue in issues))
                quiet.append(not errors[-1] and not warned[-1] and not corrected)
                self._where[sheet, row] = number
                for code, column in {(issue[0], issue[2] or "") for issue in issues}:
                    self._kinds.setdefault((code, column), []).append(number)
        self._offsets = np.array(offsets, dtype=np.int64)
        self._errors = np.array(errors, dtype=bool)
        self._warned = np.array(warned, dtype=bool)
        self._quiet = np.array(quiet, dtype=bool)
        """Rows without a problem: a part of a cell is not sent, or later rows share their contact; those come
        last, whatever their number."""

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
                twins = self.twins.get((sheet, row), ())
                found = tuple(with_twin(_unpacked(issue, row, sheet), twins) for issue in issues)
                yield ProblemRow(number, sheet, row, tuple(cells), found, frozenset(corrected))

    def choose(self, wanted: RowFilterChoice, changed: Iterable[tuple[str, int]]) -> list[int]:
        """The places of the rows to show, in the order of the file. `changed`: the rows with corrections."""
        everything = ~self._quiet if wanted.code not in LOSING else np.ones(len(self), dtype=bool)
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

    def later(self, place: Place) -> Sequence[Place]:
        """The later rows that share a contact with a row, by the check."""
        return self._later.get(place, ())

    @property
    def errors(self) -> int:
        """How many rows are kept back by errors."""
        return int(self._errors.sum())

    def errors_without(self, places: Iterable[tuple[str, int]]) -> int:
        """How many rows have errors, apart from those of these sheets and rows."""
        mine = [self._where[place] for place in places if place in self._where]
        return int(self._errors.sum()) - int(self._errors[mine].sum())

    def of_kind(self, code: str, column: str) -> Sequence[int]:
        """The places of the rows with this kind of issue."""
        return self._kinds.get((code, column), ())

    def cells(self, code: str, column: str, most: int) -> list[str]:
        """The first cells with this kind of issue, as they were read; at most so many."""
        found = []
        for row in self.read(self._kinds.get((code, column), ())[:most]):
            found += [
                one.found for one in row.issues if (one.code, one.column) == (code, column) and one.found
            ]
        return found

    def wordings(self, code: str, column: str, most: int) -> frozenset[str]:
        """The codes of the messages that say the first issues of this kind."""
        rows = self.read(self.of_kind(code, column)[:most])
        return frozenset(one.wording or one.code for row in rows for one in row.issues if one.code == code)

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

    def once(self, name: str, make: Callable[[], Mapping[int, str]]) -> Mapping[int, str]:
        """What was made of these rows under a name; it is made once."""
        if name not in self._once:
            self._once[name] = make()
        return self._once[name]


def suggestion(issue: Issue) -> str:
    """What a cell was probably meant to be; empty if nothing is likely."""
    return issue.suggestion or likely_correction(issue.code, issue.found or "", issue.expected or "")


def _holds(row: ProblemRow, text: str) -> bool:
    return text == str(row.row) or any(text in cell.casefold() for cell in row.cells)
