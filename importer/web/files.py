"""Steps 1 and 2: list the recent files, and show how a file is read."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from importer.errors import UnknownRunError, UsageError
from importer.journal import Journal
from importer.messages import LANGUAGES
from importer.readers.base import ALL_SHEETS
from importer.reports.model import OWN_COLUMNS
from importer.reports.reimport import is_report
from importer.web.corrections_file import is_corrections
from importer.web.earlier import EarlierImport, earlier_corrections, earlier_imports, rests, rows_left
from importer.web.pages import (
    Form,
    Site,
    changing,
    language_of,
    language_tags,
    page,
    revision_of,
    see_other,
    shown,
    site_of,
    step_url,
    told,
    whole_number,
)
from importer.web.reading import FileLook, LookCache
from importer.web.rechecks import RecheckCache
from importer.web.running import check_file
from importer.web.works import Work

ENCODINGS = (
    *("utf-8", "gb18030", "big5", "utf-16", "windows-1252", "iso-8859-2", "windows-1251"),
    *("shift_jis", "euc-kr", "windows-1256", "windows-1258", "windows-874"),
)
DELIMITERS = ("comma", "semicolon", "tab", "pipe")
RECENT = 30
_PRUNE_SECONDS = 3600.0
_SHOWN = ("other-sheets", "two-header-rows", "encoding-guessed")
"""Notes that say what the page itself shows."""
_READ_OTHERWISE = (
    *("encoding-doubt", "encoding-unknown", "no-header", "no-header-in-sheet", "header-row-missing"),
    *("no-sheet", "too-many-columns", "record-too-long"),
)
"""Errors of files that may be read with other choices."""
_MARKS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


def prepare(site: Site) -> None:
    """Give a site its caches."""
    site.looks = LookCache(site.works)
    site.rechecks = RecheckCache(site)


def _home(request: Request) -> Response:
    site = site_of(request)
    if time.monotonic() - site.pruned > _PRUNE_SECONDS:
        site.pruned = time.monotonic()
        with contextlib.suppress(OSError):
            site.works.prune(frozenset(task.owner for task in site.tasks.running()))
    groups: dict[tuple[str, str], list[Work]] = {}
    for work in site.works.recent():
        groups.setdefault((work.name, work.sha256 or work.id), []).append(work)
    works = list(groups.values())
    running = {task.owner for task in site.tasks.running()}
    shown_works = [work for group in works[:RECENT] for work in group]
    return page(
        request,
        "home.html",
        works=works[:RECENT],
        more=len(works) - RECENT,
        running=running,
        foreign=_foreign(request),
        left=_rows_left(site, shown_works),
    )


def _foreign(request: Request) -> str:
    """The language that a person would rather read; empty if the page speaks it."""
    preferred = language_tags(request)[0]
    return "" if preferred.split("-")[0].lower() in ("", "*", *LANGUAGES) else preferred


def _rows_left(site: Site, works: Sequence[Work]) -> dict[str, int]:
    """How many rows the last import of each piece of work has left."""
    found, about = {}, rests(site)
    with Journal.open(site.journal) as journal:
        for work in works:
            with contextlib.suppress(UnknownRunError):
                found[work.id] = rows_left(site, journal, journal.run(work.run), about) if work.run else 0
    return found


def _work(request: Request) -> Response:
    """Lead to the step at which a piece of work is."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    return see_other(step_url(work, present_step(site, work)))


def present_step(site: Site, work: Work) -> str:
    """The step at which a piece of work is."""
    task = site.tasks.of(work.id)
    if task is not None and task.running:
        return task.kind if task.kind in ("import", "fetch") else "check"
    if work.run:
        return "import"
    if work.check is not None:
        return "correct" if work.check.problem_rows else "import"
    if work.seen:
        return "check" if work.report else "match"
    return "see"


def _see(request: Request) -> Response:
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    look = site.looks.of(work)
    before: list[EarlierImport] = []
    if look.sha256 and not look.report:
        with Journal.open(site.journal) as journal:
            before = earlier_imports(journal, work, look.sha256)
    return page(
        request,
        "see.html",
        before=before,
        corrections=earlier_corrections(site, work, before),
        corrections_of=is_corrections(look.header),
        unread=_unread_sheets(look, work),
        readable=look.error is None or look.error.code in _READ_OTHERWISE,
        work=work,
        step="see",
        look=look,
        own=_own_columns(look),
        error=told(request, look.error) if look.error else None,
        encodings=ENCODINGS,
        delimiters=DELIMITERS,
        delimiter=_MARKS.get(look.delimiter or "", look.delimiter or ""),
        all_sheets=ALL_SHEETS,
        notes=[
            note.sentence(language_of(request), on_page=True)
            for note in look.notes
            if note.code not in _SHOWN
        ],
    )


def _own_columns(look: FileLook) -> set[int]:
    """The places of the columns that the importer has added to a report, but for what it says of a row."""
    if not look.report:
        return set()
    head = next((line.cells for line in look.top if is_report(line.cells)), ())
    return {at for at, name in enumerate(head) if name in OWN_COLUMNS and name != "_message"}


def _unread_sheets(look: FileLook, work: Work) -> int:
    """How many visible sheets with rows are not read."""
    if work.sheet == ALL_SHEETS or not look.sheets:
        return 0
    return sum(sheet.visible and sheet.rows > 0 and sheet.name != look.sheet for sheet in look.sheets)


def _change_reading(request: Request, form: Form) -> Response:
    """Read the file otherwise, or go on with how it is read."""
    site, lang = site_of(request), language_of(request)
    if form.get("do") == "continue":
        with site.works.editing(request.path_params["work"], revision_of(form)) as edit:
            look = site.looks.of(edit.work)
            if look.error is not None:
                raise look.error
            edit.set(seen=True, report=look.report)
        work = site.works.get(edit.work.id)
        if look.report:  # there is nothing to match
            site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
        return see_other(step_url(work, "check" if look.report else "match"))
    with site.works.editing(request.path_params["work"], revision_of(form)) as edit:
        work = edit.work
        header_row: int | str | None = work.header_row
        if "header_row" in form:
            text = form["header_row"]
            header_row = whole_number(text) or ("none" if text == "none" else None)
        changes: dict[str, object] = {"header_row": header_row}
        if header_row and not work.sheet:  # the row that was clicked is one of the sheet that was shown
            changes["sheet"] = site.looks.of(work).sheet
        for name in ("sheet", "encoding", "delimiter"):
            if name in form:
                changes[name] = form[name] or None
        if "sheet" in form and form["sheet"] != (work.sheet or ""):
            changes["header_row"] = None
        edit.set(**changes, check=None, seen=False, matched_by="")
        # The columns may be others now.
        site.works.mapping_file(work).unlink(missing_ok=True)
    return see_other(step_url(work, "see"))


def _delete(request: Request, form: Form) -> Response:
    site, work_id = site_of(request), request.path_params["work"]
    task = site.tasks.of(work_id)
    if task is not None and task.running:
        raise UsageError("web-still-running")
    site.rechecks.forget(work_id)
    site.works.delete(site.works.get(work_id).id)
    return see_other("/")


def _favicon(request: Request) -> Response:
    icon = Path(__file__).parent / "static" / "icon.svg"
    return Response(icon.read_bytes(), media_type="image/svg+xml")


ROUTES = [
    ("GET", "/", shown(_home)),
    ("GET", "/favicon.ico", shown(_favicon)),
    ("GET", "/w/{work}", shown(_work)),
    ("GET", "/w/{work}/see", shown(_see)),
    ("POST", "/w/{work}/see", changing(_change_reading)),
    ("POST", "/w/{work}/delete", changing(_delete)),
]
