"""Step 5: correct cells where they stand. Corrections lie over the file; the file itself is never changed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from importer.errors import ImporterError, UsageError
from importer.escaping import single_line
from importer.messages import sentence
from importer.models import Severity, Status
from importer.readers.overlay import LEFT_OUT, WHOLE_ROW
from importer.reports.wording import issue_text
from importer.web.corrections_file import MOST_BYTES, read_workbook, workbook
from importer.web.edits import can_undo, change, take_over, undo
from importer.web.grid import (
    GridView,
    grid_row,
    names_of,
    needed_columns,
    paired_rows,
    shown_columns,
    with_other_names,
)
from importer.web.mapping_table import CALENDARS, countries
from importer.web.pages import (
    Form,
    Site,
    changing,
    language_of,
    language_tags,
    page,
    page_number,
    see_other,
    shown,
    site_of,
    step_url,
    told,
    whole_number,
)
from importer.web.problems import LOSING, ProblemRow, ProblemRows, RowFilterChoice
from importer.web.rechecks import GridState
from importer.web.remedies import (
    NOTHING,
    REMEDIED,
    back_to,
    clearable,
    kind_at,
    leavable,
    offered,
    remedies,
    rows_of,
    with_one_name,
)
from importer.web.running import is_current
from importer.web.twins import SAME_CONTACT
from importer.web.uploads import spool_beside
from importer.web.works import CheckState, KindCount, Work

PAGE_ROWS = 50
PAGE_PAIRS = 20
"""Rows on a page that shows each with those that share its contact."""
_MOST_LINES = 20
"""Lines that are named."""
_LONGEST_LINES = 250
"""Characters of a list of them."""
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LONGEST_CELL = 32_767
"""Characters: what a cell of a workbook can hold."""


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
    kind = kind_at(work, given.get("kind", ""))
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


def _correct(request: Request) -> Response:
    site, lang = site_of(request), language_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        return see_other(step_url(work, "check"))
    rows = rows_of(site, work)
    cells = site.works.corrections(work)
    query = _query(request, work)
    places = rows.choose(query.choice, {(cell.sheet, cell.row) for cell in cells.values()})
    paired = query.choice.code == SAME_CONTACT and bool(rows.twins)
    most = PAGE_PAIRS if paired else PAGE_ROWS
    pages = max(-(-len(places) // most), 1)
    number = min(query.page, pages)
    some = list(rows.read(places[(number - 1) * most : number * most]))
    wanted = (query.choice.code, query.choice.column)
    chosen = next((at for at, one in enumerate(work.check.kinds) if (one.code, one.column) == wanted), -1)
    kind = work.check.kinds[chosen] if chosen >= 0 else None
    chosen_remedies = remedies(site, work, kind, rows, language_tags(request)) if kind else NOTHING
    needed = needed_columns(work, site.contract(work))
    view = GridView(
        work,
        work.check.header,
        cells,
        site.rechecks.state(work, cells),
        lang,
        needed,
        names_of(work),
        kind.code if kind and ((chosen_remedies.kinds and len(places) > 1) or paired) else "",
        query.choice.code,
    )
    grid = paired_rows(some, rows, view) if paired else [grid_row(row, view) for row in some]
    columns = shown_columns(grid, view, every=query.every_column)
    open_rows = _open_rows(rows, view.state, work.check)
    current = is_current(site, work)
    return page(
        request,
        "correct.html",
        work=work,
        step="correct",
        query=query,
        grid=grid,
        columns=[(work.check.header.index(name), name) for name in columns],
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
        offers=len(offered(rows, query.choice.code, query.choice.column, cells)),
        clearable=len(clearable(rows, kind, cells))
        if kind and kind.column not in needed and kind.code not in LOSING
        else 0,
        remedies=chosen_remedies,
        advice=_advice(kind, some, lang) if view.brief and not paired else "",
        countries=countries(lang),
        calendars=CALENDARS,
        both=len(with_one_name(rows, kind, view)) if kind else 0,
        apart=len(with_other_names(rows, view)) if paired and not work.duplicates else 0,
        leavable=len(leavable(rows, kind, cells)) if kind and kind.code not in LOSING else 0,
        losing=LOSING,
        can_undo=can_undo(site, work),
        taken=whole_number(request.query_params.get("taken", "")),
        refused=single_line(request.query_params.get("refused", ""))[:_LONGEST_LINES],
        current=current,
    )


def _open_rows(rows: ProblemRows, state: GridState, check: CheckState) -> int:
    """How many rows are still kept back by an error, those included for which the grid has no room."""
    elsewhere = max(check.counts.get(Status.INVALID.value, 0) - rows.errors, 0)
    here = rows.errors_without(state.rows.keys())
    wrong = sum(any(issue.severity is Severity.ERROR for issue in one.issues) for one in state.rows.values())
    return elsewhere + here + wrong


def _advice(kind: KindCount | None, some: Sequence[ProblemRow], lang: str) -> str:
    """What to do about a kind of problem, said once for all of its rows."""
    for row in some:
        for issue in row.issues:
            if kind and (issue.code, issue.column or "") == (kind.code, kind.column):
                return issue_text(issue, lang=lang, offer=False, on_page=True).hint
    return ""


def _save_cell(request: Request, form: Form) -> Response:
    """Correct one cell; an empty `take` means the text, `original` puts back what the file says."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        raise UsageError("web-check-first")
    rows, header = rows_of(site, work), work.check.header
    number, place, at = (_number(form.get(name, "")) for name in ("row", "place", "column"))
    row = next(rows.read([place])) if place < len(rows) else None
    if row is None or row.row != number or at >= len(header):
        raise UsageError("web-row-gone", row=form.get("row", ""))
    text = form.get("take", form.get("text", ""))
    if len(text) > _LONGEST_CELL:
        raise UsageError("web-cell-too-long", most=_LONGEST_CELL)
    wanted = row.cells[at] if "original" in form else text
    change(site, work, [(row, header[at], row.cells[at], wanted)])
    return see_other(back_to(form, work, f"#r-{row.number}"))


def _leave_out(request: Request, form: Form) -> Response:
    """Leave a row out as a whole, or take it in again."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        raise UsageError("web-check-first")
    rows = rows_of(site, work)
    number, place = (_number(form.get(name, "")) for name in ("row", "place"))
    row = next(rows.read([place])) if place < len(rows) else None
    if row is None or row.row != number:
        raise UsageError("web-row-gone", row=form.get("row", ""))
    change(site, work, [(row, WHOLE_ROW, "", "" if form.get("do") == "take" else LEFT_OUT)])
    return see_other(back_to(form, work, f"#r-{row.number}"))


def _number(text: str) -> int:
    """A number of a form; one that is out of every range for anything else."""
    found = whole_number(text)
    return 1 << 40 if found is None else found


def _undo(request: Request, form: Form) -> Response:
    """Take back the last step, whatever it changed."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    if work.check is None:
        raise UsageError("web-check-first")
    undo(site, work, rows_of(site, work))
    return see_other(back_to(form, work))


def _workbook(request: Request) -> Response:
    """The corrections as a workbook, to be opened and gone on with by a person."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    cells = site.works.corrections(work).values()
    if not cells:
        raise UsageError("web-no-page")
    name = sentence("web-corrections-name", {"name": Path(work.name).stem}, language_of(request))
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}.xlsx"}
    return Response(workbook(cells, language_of(request)), media_type=_XLSX, headers=headers)


async def _take_workbook(request: Request) -> Response:
    """Take the corrections of a workbook over, as one step."""
    site = site_of(request)
    try:
        work = site.works.get(request.path_params["work"])
        path = await spool_beside(request, site.works.folder(work.id) / "taken", MOST_BYTES)
        url = await run_in_threadpool(_take, site, work, path)
    except ClientDisconnect:
        return Response(status_code=400)
    except ImporterError as error:
        return JSONResponse(told(request, error), 400)
    return JSONResponse({"url": url}, 201)


def _take(site: Site, work: Work, path: Path) -> str:
    """Take corrections over. Returns the page that says how many, and which lines did not fit."""
    try:
        if work.check is None:
            raise UsageError("web-check-first")
        found = read_workbook(path, path.name, work.check.header, rows_of(site, work))
    finally:
        shutil.rmtree(path.parent, ignore_errors=True)
    taken = take_over(site, work, found.cells, again=True)
    lines = ", ".join(map(str, found.refused[:_MOST_LINES])) + ("…" if found.refused[_MOST_LINES:] else "")
    query = {"show": "changed", "taken": str(taken), "refused": lines}
    return f"{step_url(work, 'correct')}?{urlencode({name: value for name, value in query.items() if value})}"


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
    ("GET", "/w/{work}/corrections.xlsx", shown(_workbook)),
    ("POST", "/w/{work}/corrections", _take_workbook),
    ("POST", "/w/{work}/cells", changing(_save_cell)),
    ("POST", "/w/{work}/row", changing(_leave_out)),
    ("POST", "/w/{work}/undo", changing(_undo)),
]
