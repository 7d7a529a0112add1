"""Steps 1 and 2: take a file in, list the recent ones, and show how a file is read."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from importer.errors import ImporterError, InputError, UsageError
from importer.journal import Journal
from importer.private_files import create_private_file
from importer.readers.base import ALL_SHEETS
from importer.web.earlier import EarlierImport, earlier_corrections, earlier_imports
from importer.web.pages import (
    Form,
    Site,
    changing,
    language_of,
    page,
    revision_of,
    see_other,
    shown,
    site_of,
    step_url,
    told,
    whole_number,
)
from importer.web.reading import LookCache
from importer.web.rechecks import RecheckCache
from importer.web.works import Work, WorkStore

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
    works = site.works.recent()
    running = {task.owner for task in site.tasks.running()}
    return page(request, "home.html", works=works[:RECENT], more=len(works) - RECENT, running=running)


async def _upload(request: Request) -> Response:
    """Take a file as the raw body of a request, straight to disk."""
    site = site_of(request)
    try:
        work = await _spooled(request, site.works)
    except ClientDisconnect:
        return Response(status_code=400)
    except ImporterError as error:
        return JSONResponse(told(request, error), 400)
    return JSONResponse({"url": step_url(work, "see")}, 201)


async def _spooled(request: Request, works: WorkStore) -> Work:
    try:
        work = works.new(request.query_params.get("name", ""))
    except OSError as error:
        raise InputError("no-room", name="", reason=error.strerror or error) from None
    size, announced = 0, request.headers.get("content-length", "")
    try:
        with create_private_file(works.file(work)) as file:
            async for piece in request.stream():
                file.write(piece)
                size += len(piece)
        if not size:
            raise InputError("empty-file", name=work.name)
        if announced.isdigit() and size != int(announced):
            raise ClientDisconnect
        work = replace(work, size=size)
        works.save(work)
    except OSError as error:
        works.delete(work.id)
        raise works.no_room(work, error) from None
    except BaseException:
        works.delete(work.id)
        raise
    return work


def _paste(request: Request, form: Form) -> Response:
    """Take rows that were copied from a spreadsheet, as text with tabs."""
    site, text = site_of(request), form.get("rows", "")
    if not text.strip():
        raise UsageError("web-nothing-pasted")
    work = site.works.new("pasted.tsv" if "\t" in text else "pasted.csv")
    content = text.encode("utf-8", "replace")
    try:
        with create_private_file(site.works.file(work)) as file:
            file.write(content)
        site.works.save(replace(work, size=len(content)))
    except OSError as error:
        site.works.delete(work.id)
        raise site.works.no_room(work, error) from None
    return see_other(step_url(work, "see"))


def _work(request: Request) -> Response:
    """Lead to the step at which a piece of work is."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    return see_other(step_url(work, present_step(site, work)))


def present_step(site: Site, work: Work) -> str:
    """The step at which a piece of work is."""
    task = site.tasks.of(work.id)
    if task is not None and task.running:
        return "import" if task.kind == "import" else "check"
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
        readable=look.error is None or look.error.code in _READ_OTHERWISE,
        work=work,
        step="see",
        look=look,
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


def _change_reading(request: Request, form: Form) -> Response:
    """Read the file otherwise, or go on with how it is read."""
    site = site_of(request)
    with site.works.editing(request.path_params["work"], revision_of(form)) as edit:
        work = edit.work
        if form.get("do") == "continue":
            look = site.looks.of(work)
            if look.error is not None:
                raise look.error
            edit.set(seen=True, report=look.report)
            return see_other(step_url(work, "check" if look.report else "match"))
        header_row: int | str | None = work.header_row
        if "header_row" in form:
            text = form["header_row"]
            header_row = whole_number(text) or ("none" if text == "none" else None)
        changes: dict[str, object] = {"header_row": header_row}
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
    ("POST", "/files", _upload),
    ("POST", "/paste", changing(_paste)),
    ("GET", "/favicon.ico", shown(_favicon)),
    ("GET", "/w/{work}", shown(_work)),
    ("GET", "/w/{work}/see", shown(_see)),
    ("POST", "/w/{work}/see", changing(_change_reading)),
    ("POST", "/w/{work}/delete", changing(_delete)),
]
