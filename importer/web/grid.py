"""Draw up the rows of the correction grid: cells, what is wrong with them, and rows that belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace

from importer.contact_keys import holds_contact, without_contact
from importer.contracts import Contract
from importer.mapping.person_names import FIELDS
from importer.models import Issue, Severity
from importer.option_types import Duplicates
from importer.readers.overlay import WHOLE_ROW
from importer.reports.wording import issue_text
from importer.web.problems import Corrections, ProblemRow, ProblemRows, suggestion
from importer.web.rechecks import GridState
from importer.web.twins import SAME_CONTACT, Place, Twin, same_name
from importer.web.works import Work

_CONTEXT = 2
"""Columns that are shown beside those with problems, if no column holds names."""
_SHARED = "web-shared-with-later"
"""The message of an earlier row that shares a contact with a later one."""
LACKING = "required"
"""The code of the issue of a row without a value that it needs."""
_PLACEHOLDER = "web-required-word"
"""Its message if the cell holds a word for nothing."""
_STATE = "grid-state,remedy-buttons,corrections-save,corrections-for-programs"
"""What changes on the page with every correction."""
_MARKS = ("bad", "doubtful", "noted", "changed")
"""How cells are marked, the worst first."""
_GRADES = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


@dataclass(frozen=True, slots=True)
class CellIssue:
    """What is wrong with a cell or a row, in words, with a likely correction."""

    severity: str
    text: str
    suggestion: str
    code: str


@dataclass(frozen=True, slots=True)
class GridCell:
    """One cell as the grid shows it."""

    column: str
    text: str
    original: str
    corrected: bool
    issues: tuple[CellIssue, ...]
    optional: bool = False
    """Whether the row may go without it."""
    reads: str = ""
    """What a corrected cell is read as, if that is not what it says."""
    both: str = ""
    """What it would say if the other name were this one, too; empty unless it lacks a name."""

    @property
    def clearable(self) -> bool:
        """Whether leaving the value out settles what is wrong with the cell."""
        return self.optional and self.mark in ("bad", "doubtful") and bool(self.text.strip())

    @property
    def mark(self) -> str:
        """How it is marked: as one of `_MARKS`, or not at all."""
        if not self.issues:
            return "changed" if self.corrected else ""
        return _MARKS[min(_GRADES.index(issue.severity) for issue in self.issues)]


@dataclass(frozen=True, slots=True)
class PairLine:
    """What is to be said of two rows that share a contact, or did."""

    number: int
    """The place of the later row."""
    text: str
    """The code of its sentence."""
    row: str
    name: str
    other_row: str
    other_name: str
    contact: str


@dataclass(frozen=True, slots=True)
class GridRow:
    """One row as the grid shows it."""

    number: int
    sheet: str
    row: int
    cells: tuple[GridCell, ...]
    issues: tuple[CellIssue, ...]
    """Those of the row as a whole."""
    errors: int
    corrected: bool
    left_out: bool = False
    """Whether a person has left the row out."""
    pairs: tuple[PairLine, ...] = ()
    """What stands above it: the first of the rows that belong together."""
    swap: str = ""
    """What changes on the page with the row."""

    @property
    def doubtful(self) -> bool:
        """Whether something is left to be looked at."""
        return bool(self.issues) or any(cell.mark in ("bad", "doubtful") for cell in self.cells)


@dataclass(frozen=True, slots=True)
class GridView:
    """By what rows are drawn up."""

    work: Work
    header: Sequence[str]
    cells: Corrections
    state: GridState
    lang: str
    needed: frozenset[str] = frozenset()
    """The columns without which a row cannot go."""
    names: Sequence[str] = ()
    """The columns by which a person is recognised."""
    brief: str = ""
    """The code of issues whose hint is said above the grid."""
    noted: str = ""
    """The code of notes that are shown."""

    def name(self, row: ProblemRow | None) -> str:
        """Whose row it is; empty if that cannot be told."""
        if row is None:
            return ""
        texts = (self.text(row, self.header.index(name)) for name in self.names)
        return " ".join(text.strip() for text in texts if text.strip())

    def text(self, row: ProblemRow, at: int) -> str:
        """A cell as it is read with the corrections."""
        cell = self.cells.get((row.sheet, row.row, self.header[at]))
        return cell.now if cell else row.cells[at] if at < len(row.cells) else ""


def names_of(work: Work) -> tuple[str, ...]:
    """The columns of the last check that hold names of people, in the file's order."""
    return tuple(_feeding(work, FIELDS))


def needed_columns(work: Work, contract: Contract) -> frozenset[str]:
    """The columns without which a row cannot go."""
    return frozenset(_feeding(work, [one.name for one in contract.fields if one.required]))


def _feeding(work: Work, fields: Sequence[str]) -> Iterator[str]:
    feeding = work.check.feeding if work.check else {}
    wanted = {column for name in fields for column in feeding.get(name, ())}
    return (column for column in (work.check.header if work.check else ()) if column in wanted)


def grid_row(row: ProblemRow, view: GridView, shared: Sequence[Issue] = ()) -> GridRow:
    """A row as the grid shows it. `shared`: what is to be said of later rows with its contacts."""
    issues = (*view.state.issues(row), *shared)
    reads = view.state.reads(row)
    by_column: dict[str, list[CellIssue]] = {}
    for issue in (one for one in issues if one.severity is not Severity.NOTE or one.code == view.noted):
        column = issue.column or _shared_column(issue, row, view)
        issue = _of_placeholder(issue, row, view)
        by_column.setdefault(column, []).append(_worded(issue, view.lang, brief=issue.code == view.brief))
    made = []
    for at, (name, original) in enumerate(zip(view.header, row.cells, strict=False)):
        corrected = (row.sheet, row.row, name) in view.cells
        about = tuple(by_column.pop(name, ()))
        cell = GridCell(name, view.text(row, at), original, corrected, about, name not in view.needed)
        lacks = any(issue.code == LACKING for issue in about)
        both = name_for_both(row, name, view) if lacks else ""
        made.append(replace(cell, reads=reads.get(name, ""), both=both))
    rest = tuple(one for some in by_column.values() for one in some)
    errors = sum(issue.severity is Severity.ERROR for issue in issues)
    corrected = any(cell.corrected for cell in made)
    left_out = (row.sheet, row.row, WHOLE_ROW) in view.cells
    swap = f"r-{row.number},e-{row.number},{_STATE}"
    return GridRow(row.number, row.sheet, row.row, tuple(made), rest, errors, corrected, left_out, swap=swap)


def name_for_both(row: ProblemRow, column: str, view: GridView) -> str:
    """What a column of names would say for somebody with one name alone, which the API wants in both of its
    fields; empty if that is not what the row lacks."""
    feeding = view.work.check.feeding if view.work.check else {}
    first, last = feeding.get("first_name", ()), feeding.get("last_name", ())
    if column not in first and column not in last:
        return ""
    split = column in first and column in last
    others = (column,) if split else last if column in first else first
    texts = (view.text(row, view.header.index(name)).strip() for name in others if name in view.header)
    name = next((text for text in texts if any(map(str.isalpha, text))), "")
    return f"{name} {name}" if split and name else name


def _of_placeholder(issue: Issue, row: ProblemRow, view: GridView) -> Issue:
    """The issue; of a cell that lacks a value and holds a word for nothing, with that word."""
    if issue.code != LACKING or issue.wording or issue.column not in view.header:
        return issue
    text = view.text(row, view.header.index(issue.column)).strip()
    return replace(issue, found=text, wording=_PLACEHOLDER) if text else issue


@dataclass(slots=True)
class _Group:
    """Rows that share contacts, directly or through others."""

    rows: dict[int, ProblemRow] = field(default_factory=dict)
    pairs: list[tuple[ProblemRow, Twin]] = field(default_factory=list)


def paired_rows(later: Sequence[ProblemRow], rows: ProblemRows, view: GridView) -> list[GridRow]:
    """Rows that share a contact with earlier ones, each below those: group by group, in the file's order."""
    groups: list[_Group] = []
    for row in later:
        twins = rows.twins.get((row.sheet, row.row), ())
        found = {row.number: row}
        for twin in twins:
            if (other := rows.find(*twin.place)) is not None:
                found[other.number] = other
        joined = _Group(found, [(row, twin) for twin in twins])
        for group in [group for group in groups if group.rows.keys() & found.keys()]:
            joined = _Group(group.rows | joined.rows, [*group.pairs, *joined.pairs])
            groups.remove(group)
        groups.append(joined)
    order = {sheet: at for at, sheet in enumerate(dict.fromkeys(row.sheet for row in later))}
    made: list[GridRow] = []
    for group in groups:
        lines = tuple(_pair_line(row, twin, rows, view) for row, twin in group.pairs)
        shared = _shared_issues(group, view)
        some = sorted(group.rows.values(), key=lambda row: (order.get(row.sheet, -1), row.row))
        ids = [f"p-{line.number}" for line in lines]
        ids += [f"{kind}-{row.number}" for row in some for kind in "re"]
        swap = ",".join(dict.fromkeys((*ids, _STATE)))
        drawn = [grid_row(row, view, shared.get((row.sheet, row.row), ())) for row in some]
        made += [replace(row, swap=swap, pairs=() if at else lines) for at, row in enumerate(drawn)]
    return made


def still_shared(row: ProblemRow, rows: ProblemRows, view: GridView) -> Sequence[Twin]:
    """The earlier rows with which a row shares a contact as it stands now."""
    place = (row.sheet, row.row)
    return view.state.twins.get(place, rows.twins.get(place, ()))


def _pair_line(row: ProblemRow, twin: Twin, rows: ProblemRows, view: GridView) -> PairLine:
    now = next((one for one in still_shared(row, rows, view) if one.place == twin.place), None)
    mine, theirs = view.name(row), view.name(rows.find(*twin.place))
    if now is None:
        text = "pair-settled"
    elif view.work.duplicates == Duplicates.SKIP:
        text = "pair-skipped"
    elif not mine or not theirs:
        text = "pair-unnamed"
    else:
        text = "pair-same" if same_name(mine, theirs) else "pair-different"
    other = str(twin.row) if twin.sheet == row.sheet else f"{twin.row} ({twin.sheet})"
    contact = now.contact if now else twin.contact
    return PairLine(row.number, text, str(row.row), mine, other, theirs, contact)


def with_other_names(rows: ProblemRows, view: GridView) -> Set[int]:
    """The places of rows that share a contact with an earlier row of another name."""

    def found() -> dict[int, str]:
        plain = replace(view, cells={})
        later = ((rows.find(*place), twins) for place, twins in rows.twins.items())
        return {row.number: "" for row, twins in later if row and any(_others(row, twins, rows, plain))}

    settled = {rows.place(*place) for place, twins in view.state.twins.items() if not twins}
    return rows.once(SAME_CONTACT, found).keys() - settled


def without_shared(rows: ProblemRows, view: GridView) -> list[tuple[ProblemRow, str, str]]:
    """The cells of rows that share a contact with an earlier row of another name: row, column, and what the
    cell says without it."""
    made = []
    for row in rows.read(sorted(with_other_names(rows, view))):
        for twin in _others(row, still_shared(row, rows, view), rows, view):
            issue = Issue(SAME_CONTACT, Severity.WARNING, row.row, row.sheet, found=twin.contact)
            column = _shared_column(issue, row, view)
            if column and column not in view.needed:
                made.append(
                    (row, column, without_contact(view.text(row, view.header.index(column)), twin.contact))
                )
    return made


def _others(row: ProblemRow, twins: Sequence[Twin], rows: ProblemRows, view: GridView) -> Iterator[Twin]:
    """Those of the earlier rows whose customer is called otherwise."""
    mine = view.name(row)
    for twin in twins:
        theirs = view.name(rows.find(*twin.place))
        if mine and theirs and not same_name(mine, theirs):
            yield twin


def _shared_issues(group: _Group, view: GridView) -> dict[Place, list[Issue]]:
    """What is said at the cell of an earlier row that a later one shares."""
    found: dict[Place, list[Issue]] = {}
    if view.work.duplicates == Duplicates.SKIP:
        return found
    for row, first in group.pairs:
        now = view.state.twins.get((row.sheet, row.row))
        twin = first if now is None else next((one for one in now if one.place == first.place), None)
        if twin is not None:
            other = str(row.row) if row.sheet == twin.sheet else f"{row.row} ({row.sheet})"
            issue = Issue(SAME_CONTACT, Severity.WARNING, twin.row, twin.sheet, found=twin.contact)
            found.setdefault(twin.place, []).append(replace(issue, expected=other, wording=_SHARED))
    return found


def _shared_column(issue: Issue, row: ProblemRow, view: GridView) -> str:
    """The column with the contact that a row shares with another one; empty if that cannot be told."""
    if issue.code != SAME_CONTACT or not issue.found:
        return ""
    found = issue.found
    return next((name for at, name in enumerate(view.header) if holds_contact(view.text(row, at), found)), "")


def _worded(issue: Issue, lang: str, *, brief: bool = False) -> CellIssue:
    """An issue in words; `brief`: without what to do about it, which is said above the grid."""
    # The person's own column says more than the API's name for it.
    own = replace(issue, field=None) if issue.column else issue
    words = issue_text(own, lang=lang, offer=False, on_page=True)
    text = words.message if brief else words.sentence(lang)
    return CellIssue(issue.severity.value, text, suggestion(issue), issue.code)


def shown_columns(grid: Sequence[GridRow], view: GridView, *, every: bool) -> list[str]:
    """The columns to show: those that tell whose row it is, those with problems on this page, or `every` one.

    Those in which the check found the worst come first, so that it is seen at once. Edits keep the order.
    """
    whose = list(view.names or view.header[:_CONTEXT])
    worst: dict[str, int] = {}
    for kind in view.work.check.kinds if view.work.check else ():
        grade = _GRADES.index(Severity(kind.severity))
        worst[kind.column] = min(grade, worst.get(kind.column, grade))
    wanted = {cell.column for row in grid for cell in row.cells if cell.issues or cell.corrected}
    rest = [name for name in view.header if name not in whose and (every or name in wanted)]
    return [*whose, *sorted(rest, key=lambda name: worst.get(name, len(_GRADES)))]
