"""Step 5: correct cells where they stand. Corrections lie over the file; the file itself is never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from importer.errors import UsageError
from importer.models import Issue, Severity, Status
from importer.readers.overlay import LEFT_OUT, WHOLE_ROW, CorrectedCell
from importer.reports.wording import issue_text
from importer.web.choices import CALENDARS, countries
from importer.web.edits import can_undo, change, undo
from importer.web.mapping_table import needed_columns
from importer.web.matching import read_table
from importer.web.pages import (
    Form,
    Site,
    changing,
    language_of,
    page,
    page_number,
    see_other,
    shown,
    site_of,
    step_url,
    whole_number,
)
from importer.web.problems import ProblemRow, ProblemRows, RowFilterChoice, suggestion
from importer.web.remedies import NOTHING, REMEDIED, remedies
from importer.web.twins import SAME_CONTACT
from importer.web.works import CheckState, KindCount, Work

PAGE_ROWS = 50
_CONTEXT = 2
"""Columns that are shown beside those with problems, so that a row can be recognised."""
_LONGEST_CELL = 32_767
"""Characters: what a cell of a workbook can hold."""
Cells = dict[tuple[str, int, str], CorrectedCell]


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

    @property
    def clearable(self) -> bool:
        """Whether leaving the value out settles what is wrong with the cell."""
        return self.optional and bool(self.issues and self.text.strip())

    @property
    def mark(self) -> str:
        """How it is marked: bad, doubtful, changed, or not at all."""
        if any(issue.severity == Severity.ERROR for issue in self.issues):
            return "bad"
        return "doubtful" if self.issues else "changed" if self.corrected else ""


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


@dataclass(frozen=True, slots=True)
class GridQuery:
    """What the address of the grid says."""

    choice: RowFilterChoice
    page: int = 1
    every_column: bool = False
    edit: int = -1
    """The place of the row that is edited as a whole."""

    def url(self, work: Work, **changes: object) -> str:
        """The address with changes."""
        values: dict[str, object] = {
            "show": self.choice.show,
            "code": self.choice.code,
            "column": self.choice.column,
            "q": self.choice.text,
            "page": self.page,
            "all": "1" if self.every_column else "",
        }
        wanted = {name: value for name, value in (values | changes).items() if value not in ("", 1, None)}
        return f"{step_url(work, 'correct')}?{urlencode(wanted)}" if wanted else step_url(work, "correct")


def _query(request: Request, work: Work) -> GridQuery:
    given = request.query_params
    errors = bool(work.check and any(kind.severity == Severity.ERROR for kind in work.check.kinds))
    kind = _kind(work, given.get("kind", ""))
    code, column = (kind.code, kind.column) if kind else (given.get("code", ""), given.get("column", ""))
    show = given.get("show", "")
    if not show or (show == "errors" and code):
        show = "all" if code or not errors else "errors"
    choice = RowFilterChoice(show, code, column, given.get("q", "").strip())
    edit = whole_number(given.get("edit", ""))
    return GridQuery(
        choice,
        page_number(request),
        given.get("all") == "1",
        -1 if edit is None else edit,
    )


def _kind(work: Work, place: str) -> KindCount | None:
    """The kind of issue at a place of the check's list."""
    kinds = work.check.kinds if work.check else ()
    number = whole_number(place)
    return kinds[number] if number is not None and number < len(kinds) else None


def _correct(request: Request) -> Response:
    site, lang = site_of(request), language_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        return see_other(step_url(work, "check"))
    rows = _rows(site, work)
    cells = site.works.corrections(work)
    now = site.rechecks.issues(work, cells)
    query = _query(request, work)
    places = rows.choose(query.choice, {(cell.sheet, cell.row) for cell in cells.values()})
    pages = max(-(-len(places) // PAGE_ROWS), 1)
    number = min(query.page, pages)
    some = list(rows.read(places[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]))
    header = work.check.header
    open_rows = _open_rows(rows, now, work.check)
    wanted = (query.choice.code, query.choice.column)
    chosen = next((at for at, one in enumerate(work.check.kinds) if (one.code, one.column) == wanted), -1)
    kind = work.check.kinds[chosen] if chosen >= 0 else None
    needed = _needed_columns(site, work)
    chosen_remedies = remedies(site, work, kind, rows) if kind else NOTHING
    brief = kind.code if kind and chosen_remedies.kinds and len(places) > 1 else ""
    grid = [_grid_row(row, header, cells, now, lang, needed, brief) for row in some]
    columns = _columns(grid, header, every=query.every_column)
    current = work.check.fingerprint == site.works.fingerprint(work)
    return page(
        request,
        "correct.html",
        work=work,
        step="correct",
        query=query,
        grid=grid,
        columns=columns,
        hidden=len(header) - len(columns),
        found=len(places),
        number=number,
        pages=pages,
        several_sheets=len({row.sheet for row in some}) > 1,
        changes=len(cells),
        corrected_cells=sum(not cell.whole_row for cell in cells.values()),
        rows_left_out=sum(cell.whole_row for cell in cells.values()),
        open_rows=open_rows,
        kind=kind,
        chosen_kind=chosen,
        remedied=REMEDIED,
        offers=len(_offered(rows, query.choice.code, query.choice.column, cells)),
        clearable=len(_clearable(rows, kind, cells)) if kind and kind.column not in needed else 0,
        remedies=chosen_remedies,
        advice=_advice(kind, some, lang) if brief else "",
        countries=countries(lang),
        calendars=CALENDARS,
        can_undo=can_undo(site, work),
        current=current,
        kept=len(rows),
    )


def _rows(site: Site, work: Work) -> ProblemRows:
    try:
        rows: ProblemRows = site.rechecks.rows(work)
    except (OSError, ValueError):
        raise UsageError("web-check-first") from None
    return rows


def _open_rows(rows: ProblemRows, now: dict[tuple[str, int], list[Issue]], check: CheckState) -> int:
    """How many rows are still kept back by an error, those included for which the grid has no room."""
    elsewhere = max(check.counts.get(Status.INVALID.value, 0) - rows.errors, 0)
    here = rows.errors_without(now.keys())
    wrong = sum(any(issue.severity is Severity.ERROR for issue in issues) for issues in now.values())
    return elsewhere + here + wrong


def _grid_row(
    row: ProblemRow,
    header: Sequence[str],
    cells: Cells,
    now: dict[tuple[str, int], list[Issue]],
    lang: str,
    needed: frozenset[str],
    brief: str,
) -> GridRow:
    issues = now.get((row.sheet, row.row), list(row.issues))
    by_column: dict[str, list[CellIssue]] = {}
    for issue in issues:
        column = issue.column or _twin_column(issue, row, header)
        by_column.setdefault(column, []).append(_worded(issue, lang, brief=issue.code == brief))
    made = []
    for name, original in zip(header, row.cells, strict=False):
        cell = cells.get((row.sheet, row.row, name))
        text = cell.now if cell else original
        about = tuple(by_column.pop(name, ()))
        made.append(GridCell(name, text, original, cell is not None, about, optional=name not in needed))
    rest = tuple(one for some in by_column.values() for one in some)
    errors = sum(issue.severity is Severity.ERROR for issue in issues)
    corrected = any(cell.corrected for cell in made)
    left_out = (row.sheet, row.row, WHOLE_ROW) in cells
    return GridRow(row.number, row.sheet, row.row, tuple(made), rest, errors, corrected, left_out)


def _twin_column(issue: Issue, row: ProblemRow, header: Sequence[str]) -> str:
    """The column with the contact that a row shares with an earlier one; empty if that cannot be told."""
    if issue.code != SAME_CONTACT or not issue.found:
        return ""
    wanted, number = issue.found.casefold(), issue.found.isdigit()
    for name, cell in zip(header, row.cells, strict=False):
        digits = "".join(filter(str.isdigit, cell)).lstrip("0")
        if cell.strip().casefold() == wanted or (number and len(digits) > 5 and wanted.endswith(digits)):
            return name
    return ""


def _advice(kind: KindCount | None, some: Sequence[ProblemRow], lang: str) -> str:
    """What to do about a kind of problem, said once for all of its rows."""
    for row in some:
        for issue in row.issues:
            if kind and (issue.code, issue.column or "") == (kind.code, kind.column):
                return issue_text(issue, lang=lang, offer=False, on_page=True).hint
    return ""


def _worded(issue: Issue, lang: str, *, brief: bool = False) -> CellIssue:
    """An issue in words; `brief`: without what to do about it, which is said above the grid."""
    # The person's own column says more than the API's name for it.
    own = replace(issue, field=None) if issue.column else issue
    words = issue_text(own, lang=lang, offer=False, on_page=True)
    text = words.message if brief else words.sentence(lang)
    return CellIssue(issue.severity.value, text, suggestion(issue), issue.code)


def _needed_columns(site: Site, work: Work) -> frozenset[str]:
    """The columns without which a row cannot go. All columns of a report, which brings its mapping along."""
    header = work.check.header if work.check else ()
    if work.report or not site.works.mapping_file(work).is_file():
        return frozenset(header)
    return needed_columns(read_table(site, work), site.looks.of(work), site.contract(work))


def _columns(grid: Sequence[GridRow], header: Sequence[str], *, every: bool) -> list[str]:
    """The columns to show: all, or those with problems on this page and some by which rows are recognised."""
    if every:
        return list(header)
    wanted = {cell.column for row in grid for cell in row.cells if cell.issues or cell.corrected}
    return [name for at, name in enumerate(header) if at < _CONTEXT or name in wanted]


def _offered(rows: ProblemRows, code: str, column: str, cells: Cells) -> dict[int, str]:
    """The likely corrections of a kind that nobody has taken yet, by the place of their row."""
    suggested = rows.suggested(code, column)
    corrected = {(sheet, row) for sheet, row, name in cells if name == column}
    done = {rows.place(*key) for key in corrected} if corrected else frozenset()
    return {place: text for place, text in suggested.items() if place not in done}


def _clearable(rows: ProblemRows, kind: KindCount, cells: Cells) -> list[int]:
    """The places of rows whose cell with this kind of problem nobody has corrected yet."""
    if not kind.column:
        return []
    corrected = {(sheet, row) for sheet, row, name in cells if name == kind.column}
    done = {rows.place(*key) for key in corrected}
    return [place for place in rows.of_kind(kind.code, kind.column) if place not in done]


def _save_cell(request: Request, form: Form) -> Response:
    """Correct one cell; an empty `take` means the text, `original` puts back what the file says."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        raise UsageError("web-check-first")
    rows, header = _rows(site, work), work.check.header
    number, place, at = (_number(form.get(name, "")) for name in ("row", "place", "column"))
    row = next(rows.read([place])) if place < len(rows) else None
    if row is None or row.row != number or at >= len(header):
        raise UsageError("web-row-gone", row=form.get("row", ""))
    text = form.get("take", form.get("text", ""))
    if len(text) > _LONGEST_CELL:
        raise UsageError("web-cell-too-long", most=_LONGEST_CELL)
    wanted = row.cells[at] if "original" in form else text
    change(site, work, [(row, header[at], row.cells[at], wanted)])
    return see_other(_back(form, work, f"#r-{row.number}"))


def _leave_out(request: Request, form: Form) -> Response:
    """Leave a row out as a whole, or take it in again."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        raise UsageError("web-check-first")
    rows = _rows(site, work)
    number, place = (_number(form.get(name, "")) for name in ("row", "place"))
    row = next(rows.read([place])) if place < len(rows) else None
    if row is None or row.row != number:
        raise UsageError("web-row-gone", row=form.get("row", ""))
    change(site, work, [(row, WHOLE_ROW, "", "" if form.get("do") == "take" else LEFT_OUT)])
    return see_other(_back(form, work, f"#r-{row.number}"))


def _number(text: str) -> int:
    """A number of a form; one that is out of every range for anything else."""
    found = whole_number(text)
    return 1 << 40 if found is None else found


def _take_all(request: Request, form: Form) -> Response:
    """Take the likely corrections of all cells of one kind, or leave all of them out, as one step."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        raise UsageError("web-check-first")
    header = work.check.header
    with site.works.editing(work.id):
        kind = _kind(work, form.get("kind", ""))
        if kind is None:
            raise UsageError("web-changed-elsewhere")
        rows, cells = _rows(site, work), site.works.corrections(work)
        offered = _offered(rows, kind.code, kind.column, cells)
        if form.get("do") == "clear":
            offered = dict.fromkeys(_clearable(rows, kind, cells), "")
        at = header.index(kind.column) if offered else 0
        changes = [
            (row, kind.column, row.cells[at], offered[row.number]) for row in rows.read(sorted(offered))
        ]
        change(site, work, changes)
    return see_other(_back(form, work))


def _undo(request: Request, form: Form) -> Response:
    """Take back the last step, whatever it changed."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        raise UsageError("web-check-first")
    undo(site, work, _rows(site, work))
    return see_other(_back(form, work))


def _back(form: Form, work: Work, anchor: str = "") -> str:
    query = form.get("back", "")
    here = step_url(work, "correct")
    return (query if query.startswith(f"{here}?") or query == here else here) + anchor


def _download(request: Request) -> Response:
    """The corrections, as `importer run --corrections` takes them."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    copy = site.works.corrections_snapshot(work)
    if copy is None:
        raise UsageError("web-no-page")
    headers = {"content-disposition": 'attachment; filename="corrections.jsonl"'}
    return Response(copy.read_bytes(), media_type="text/plain; charset=utf-8", headers=headers)


ROUTES = [
    ("GET", "/w/{work}/correct", shown(_correct)),
    ("GET", "/w/{work}/corrections.jsonl", shown(_download)),
    ("POST", "/w/{work}/cells", changing(_save_cell)),
    ("POST", "/w/{work}/row", changing(_leave_out)),
    ("POST", "/w/{work}/all", changing(_take_all)),
    ("POST", "/w/{work}/undo", changing(_undo)),
]
