"""Step 6: say where a file goes and what that means, and import it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from importer import messages
from importer.errors import ImporterError, UnknownRunError, UsageError
from importer.journal import Journal, RunState
from importer.models import Destination, Mode, Status
from importer.pipeline.plan import RunPlan
from importer.pipeline.session import Session
from importer.pipeline.suppression_lists import read_list
from importer.private_files import make_private_folder
from importer.readers.overlay import read_corrections
from importer.readers.row_roles import ASIDES
from importer.reports.wording import places
from importer.web.corrected_before import keep_report_corrections
from importer.web.earlier import (
    CORRECTED_BEFORE,
    LISTED_BEFORE,
    EarlierCorrections,
    EarlierImport,
    Overwrite,
    earlier_corrections,
    earlier_imports,
    keep_overwrites,
)
from importer.web.edits import take_over
from importer.web.grid import GridView, names_of
from importer.web.mapping_table import keep_mapping
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
)
from importer.web.problems import LOSING, ProblemRows
from importer.web.rechecks import GridState
from importer.web.running import check_file, is_current, mode_of, nothing_new, run_options, sendable
from importer.web.tasks import Task, TaskObserver
from importer.web.uploads import spool_beside
from importer.web.works import KindCount, Work

_COUNTRYLESS, _NO_CONTACT = "no-country-code", "no-contact"
_MOST_OVERWRITES = 500
MOST_LIST = 1 << 30
"""Bytes of a list of people who must not be sent."""
_TYPED = "web-word-to-type"
"""What a person types before old data is overwritten."""


def _import(request: Request) -> Response:
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    task = site.tasks.of(work.id)
    running = task is not None and task.running and task.kind == "import"
    failed = task is not None and not task.running and task.kind == "import" and task.error is not None
    if task is not None and not task.running and task.kind == "import" and task.result is not None:
        return see_other(f"/runs/{task.result.summary.run_id}?w={work.id}")
    if not running and work.run and _unfinished(site, work.run):
        return see_other(f"/runs/{work.run}?w={work.id}")
    current = is_current(site, work)
    there, lacking = None, None
    before: list[EarlierImport] = []
    try:
        there = site.destination(work)
        before = _imported_before(site, work, there)
    except ImporterError as error:
        lacking = told(request, error)
    return page(
        request,
        "import.html",
        work=work,
        step="import",
        task=task if running else None,
        current=current,
        nothing_new=nothing_new(site, work),
        invalid=work.check.counts.get(Status.INVALID.value, 0) if work.check else 0,
        there=there,
        lacking=lacking,
        error=told(request, task.error) if failed and task and task.error else None,
        before=before,
        known=there is not None and not work.rest_of and _is_known(site, there),
        unchanged=_left_out(work, "unchanged"),
        suppressed=_left_out(work, "suppressed"),
        contactless=_contactless(work) if before else None,
        corrections=_corrections(site, work, before),
        countryless=_countryless(site, work) if current else (),
        asides=sum(_left_out(work, code) for code in ASIDES),
        already=work.check.counts.get(Status.SKIPPED.value, 0) if work.check and work.rest_of else 0,
        profiles=site.config.names("profile"),
        profile=site.place(work),
        modes=[mode.label for mode in (Mode.UPDATE, Mode.KEEP, Mode.REPLACE)],
        mode=mode_of(work).label,
        typed=messages.sentence(_TYPED, {}, language_of(request)),
        valid=sendable(work),
        losing=LOSING,
    )


def _is_known(site: Site, there: Destination) -> bool:
    """Whether it is known what was sent to a place, so that what has changed can be told from the rest."""
    with Journal.open(site.journal) as journal:
        return journal.contents.keeps(there.lane)


def _left_out(work: Work, code: str) -> int:
    """How many rows the last check left out for one reason."""
    return sum(one.rows for one in work.check.left_out if one.code == code) if work.check else 0


def _contactless(work: Work) -> KindCount | None:
    """The customers that are sent without anything by which the CRM could recognise them."""
    kinds = work.check.kinds if work.check else ()
    return next((kind for kind in kinds if kind.code == _NO_CONTACT and kind.sent), None)


def _choose_scope(request: Request, form: Form) -> Response:
    """Send only what is new or has changed, or everything; the file is checked with that."""
    site, lang = site_of(request), language_of(request)
    work_id = request.path_params["work"]
    if _is_busy(site, work_id):
        raise UsageError("web-still-running")
    with site.works.editing(work_id) as edit:
        edit.set(only_changed=form.get("do") == "changed", mode=form.get("mode", edit.work.mode))
    work = site.works.get(work_id)
    if work.only_changed:
        site.destination(work)  # what has changed is known only for the place where it goes
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(f"{step_url(work, 'check')}?then=import")


def _is_busy(site: Site, work_id: str) -> bool:
    task = site.tasks.of(work_id)
    return task is not None and task.running


async def _add_list(request: Request) -> Response:
    """Take a list of people who must not be sent, and check the file with it."""
    site, lang = site_of(request), language_of(request)
    try:
        work = site.works.get(request.path_params["work"])
        if _is_busy(site, work.id):
            raise UsageError("web-still-running")
        path = await spool_beside(request, site.works.folder(work.id) / "list", MOST_LIST)
        await run_in_threadpool(_keep_list, site, work, path)
    except ClientDisconnect:
        return Response(status_code=400)
    except ImporterError as error:
        return JSONResponse(told(request, error), 400)
    work = site.works.get(work.id)
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return JSONResponse({"url": step_url(work, "check")}, 201)


def _keep_list(site: Site, work: Work, path: Path) -> None:
    """Keep a list with the piece of work. Raises InputError for one that cannot be read."""
    try:
        read_list(str(path), None)
        with site.works.editing(work.id) as edit:
            make_private_folder(site.works.lists_folder(work))
            path.replace(site.works.lists_folder(work) / path.name)
            names = tuple(dict.fromkeys((*edit.work.suppress, path.name)))
            site.works.keep_lists(replace(edit.work, suppress=names), site.place(edit.work))
            edit.set(suppress=names)
    finally:
        shutil.rmtree(path.parent, ignore_errors=True)


def _remove_list(request: Request, form: Form) -> Response:
    """Compare with a list no longer, and check the file without it."""
    site, lang = site_of(request), language_of(request)
    work_id, name = request.path_params["work"], form.get("name", "")
    if _is_busy(site, work_id):
        raise UsageError("web-still-running")
    with site.works.editing(work_id) as edit:
        edit.set(suppress=site.works.remove_list(edit.work, site.place(edit.work), name).suppress)
    work = site.works.get(work_id)
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(step_url(work, "check"))


def _countryless(site: Site, work: Work) -> list[str]:
    """The columns with phones whose country is not said."""
    kinds = [kind for kind in work.check.kinds if kind.code == _COUNTRYLESS] if work.check else []
    try:
        rows: ProblemRows = site.rechecks.rows(work)
    except (OSError, ValueError):
        return [kind.column for kind in kinds]
    return [kind.column for kind in kinds if _COUNTRYLESS in rows.wordings(kind.code, kind.column, 200)]


def _imported_before(site: Site, work: Work, there: Destination) -> list[EarlierImport]:
    """The imports of this file to the same place, the newest first. The rest of one is no second import."""
    sha256 = site.looks.of(work).sha256
    if work.rest_of or not sha256:
        return []
    with Journal.open(site.journal) as journal:
        return earlier_imports(journal, work, sha256, there.key)


def _corrections(site: Site, work: Work, before: Sequence[EarlierImport]) -> EarlierCorrections | None:
    """What became of the corrections of earlier imports of a file: of the last one, and of its reports."""
    found = earlier_corrections(site, work, before)
    if found is None or not found.open or work.check is None or CORRECTED_BEFORE not in work.check.told:
        return found
    there = {(cell.sheet, cell.row, cell.column) for cell in found.open}
    told = read_corrections(site.works.told_file(work, CORRECTED_BEFORE)).cells
    more = tuple(cell for cell in told if (cell.sheet, cell.row, cell.column) not in there)
    return replace(found, open=(*found.open, *more))


def _take_over(request: Request, form: Form) -> Response:
    """Take the corrections of an earlier import of the same file over, and check the file with them."""
    site, lang = site_of(request), language_of(request)
    work = site.works.get(request.path_params["work"])
    sha256 = site.looks.of(work).sha256
    with Journal.open(site.journal) as journal:
        before = earlier_imports(journal, work, sha256) if sha256 and not work.report else []
    wanted = [one for one in before if one.run == form.get("run")]
    found = _corrections(site, work, wanted)
    if found is None or found.lost:
        raise UsageError("web-changed-elsewhere")
    take_over(site, work, found.open)
    if work.check is None:
        return see_other(step_url(work, "see"))
    work = site.works.get(work.id)
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(step_url(work, "check"))


def _take_told(request: Request, form: Form) -> Response:
    """Take over the corrections of rows that earlier imports tell something of, or leave such rows out; the
    file is checked with that."""
    site, lang = site_of(request), language_of(request)
    work, code = site.works.get(request.path_params["work"]), request.path_params["code"]
    if _is_busy(site, work.id):
        raise UsageError("web-still-running")
    if work.check is None or code not in work.check.told or code == LISTED_BEFORE:
        raise UsageError("web-changed-elsewhere")
    take_over(site, work, read_corrections(site.works.told_file(work, code)).cells)
    work = site.works.get(work.id)
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(step_url(work, "check"))


def _unfinished(site: Site, run: str) -> bool:
    """Whether an import ended early, or is at work in another program."""
    with Journal.open(site.journal) as journal, contextlib.suppress(UnknownRunError):
        return journal.run(run).state is not RunState.FINISHED
    return False


def _start_import(request: Request, form: Form) -> Response:
    """Send the rows that the check called valid; the deed is named on the button, and done once."""
    site, lang = site_of(request), language_of(request)
    if form.get("do") == "profile":
        with site.works.editing(request.path_params["work"], revision_of(form)) as edit:
            elsewhere = replace(edit.work, profile=form.get("profile", ""))
            site.works.keep_lists(elsewhere, site.place(elsewhere))
            edit.set(profile=elsewhere.profile, check=None)
            return see_other(step_url(edit.work, "check"))
    work = site.works.get(request.path_params["work"])
    running = site.tasks.of(work.id)
    if running is not None and running.running:
        return see_other(step_url(work, "import" if running.kind == "import" else "check"))
    if work.run and _unfinished(site, work.run):
        return see_other(f"/runs/{work.run}?w={work.id}")
    if work.check is None or not is_current(site, work):
        raise UsageError("web-check-first")
    mode = next((one for one in Mode if one.label == form.get("mode")), None)
    if mode is None:
        raise UsageError("web-no-page")
    words = {one: messages.sentence(_TYPED, {}, one) for one in messages.LANGUAGES}
    if mode is Mode.REPLACE and form.get("typed", "").strip().lower() not in words.values():
        raise UsageError("web-type-the-word", word=words[lang])
    if work.only_changed and mode.label != mode_of(work).label:
        # What has changed depends on the mode: the person sees first what it is now.
        with site.works.editing(work.id, revision_of(form)) as edit:
            edit.set(mode=mode.label)
        changed = site.works.get(work.id)
        site.tasks.start(work.id, "check", lambda task: check_file(site, changed, lang, task))
        return see_other(step_url(work, "check"))
    again = form.get("again") == "yes" or work.only_changed
    before = [] if again else _imported_before(site, work, site.destination(work))
    if before:
        raise UsageError("web-imported-before", run=before[0].run)
    undone = work.check.told.get(CORRECTED_BEFORE)
    if undone and form.get("undo") != "yes":
        rows = places(((one.sheet, one.row) for one in undone.first), lang)
        raise UsageError("web-undoes-corrections", rows=rows)
    with site.works.editing(work.id, revision_of(form)) as edit:
        edit.set(mode=mode.label)
    keep_mapping(site, work, site.looks.of(work).header)
    site.tasks.start(work.id, "import", lambda task: import_file(site, work, mode, lang, task, again=again))
    return see_other(step_url(work, "import"))


def _overwrites(site: Site, work: Work) -> list[Overwrite]:
    """The rows that overwrite an earlier one, by the last check; the first of them."""
    rows: ProblemRows = site.rechecks.rows(work)
    header, cells = work.check.header if work.check else (), site.works.corrections(work)
    view = GridView(work, header, cells, GridState({}, {}), "en", names=names_of(work))
    found = []
    for place, twins in islice(rows.twins.items(), _MOST_OVERWRITES):
        name = view.name(rows.find(*place))
        for twin in twins:
            other = view.name(rows.find(*twin.place))
            found.append(Overwrite(*place, name, *twin.place, other, twin.contact))
    return found


def import_file(site: Site, work: Work, mode: Mode, lang: str, task: Task, *, again: bool = False) -> None:
    """Import a file that was checked, with the corrections it was checked with."""
    moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = site.works.folder(work.id) / "reports" / moment
    options = replace(
        run_options(site, work, lang, folder),
        mode=mode,
        dry_run=False,
        # What is sent is remembered, so that next time only what has changed need be sent.
        changed_only=True,
        full=not work.only_changed,
    )
    before: list[str] = []
    overwrites = _overwrites(site, work)

    def confirm(plan: RunPlan) -> bool:
        if plan.before is not None and not again:
            before.append(plan.before.id)
            return False
        return True

    def begun(run: str) -> None:
        # Whatever ends this program from now on: what was sent is in that run, and it can go on.
        with site.works.editing(work.id) as edit:
            edit.set(run=run)
        with contextlib.suppress(OSError):  # it is told less, and nothing is sent otherwise
            keep_overwrites(site, work, run, overwrites)

    observer = TaskObserver(task.progress, confirm=confirm, begun=begun)
    with Session.open(site.settings(work), observer=observer, stopper=task.stopper) as session:
        result = session.start(site.works.file(work), options, name=work.name)
    if result is None:
        raise UsageError("web-imported-before", run=before[0] if before else "–")
    task.result = result
    if work.report:
        with contextlib.suppress(OSError, ImporterError):  # a later list is told less
            keep_report_corrections(site, work, result.summary.run_id)
    site.note_result(result)


ROUTES = [
    ("POST", "/w/{work}/earlier-corrections", changing(_take_over)),
    ("POST", "/w/{work}/told/{code}", changing(_take_told)),
    ("GET", "/w/{work}/import", shown(_import)),
    ("POST", "/w/{work}/import", changing(_start_import)),
    ("POST", "/w/{work}/scope", changing(_choose_scope)),
    ("POST", "/w/{work}/lists", _add_list),
    ("POST", "/w/{work}/lists/remove", changing(_remove_list)),
]
