"""Step 4: check a whole file; and show how far a check or an import is."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from importer import messages
from importer.errors import InterruptedRun, UnknownRunError, UsageError
from importer.journal import Journal, RowStates
from importer.mapping.person_names import FIELDS
from importer.models import IssueGroup, Mode, Severity, Status
from importer.options import RunOptions
from importer.pipeline.events import RowsChecked
from importer.pipeline.people import TAKEN
from importer.pipeline.plan import RunPlan
from importer.pipeline.session import Session
from importer.readers.overlay import LEFT_OUT, WHOLE_ROW, CorrectedCell, write_corrections
from importer.reports import ReportResult
from importer.reports.wording import issue_text, reason_text, shortened
from importer.web.corrected_before import CorrectedBefore
from importer.web.earlier import CORRECTED_BEFORE, SentBefore
from importer.web.matching import is_complete
from importer.web.pages import (
    Form,
    Site,
    changing,
    draw,
    language_of,
    page,
    see_other,
    shown,
    site_of,
    step_url,
    told,
)
from importer.web.problems import LOSING, REFUSED, ProblemWriter
from importer.web.tasks import Task, TaskObserver
from importer.web.twins import Place
from importer.web.works import CheckState, KindCount, LeftOut, NamedRow, ToldRows, Work

LOOK_SECONDS = 0.25
"""How often the progress is looked at."""
HEARTBEAT_SECONDS = 15.0
_NAMED = 10
"""Rows that are named."""
PAUSED = "web-paused"
"""Why a run ended that is to go on soon."""


def run_options(site: Site, work: Work, lang: str, folder: Path) -> RunOptions:
    mapping = site.works.mapping_file(work)
    corrections = site.works.corrections_snapshot(work)
    return replace(
        site.options(work, lang),
        mapping=str(mapping) if mapping.is_file() else None,
        corrections=str(corrections) if corrections else None,
        suppress=tuple(str(site.works.lists_folder(work) / name) for name in work.suppress),
        mode=mode_of(work) if work.only_changed else None,
        changed_only=work.only_changed,
        report_dir=folder,
    )


def mode_of(work: Work) -> Mode:
    """What happens to customers that the CRM knows, as it was chosen last."""
    return next((one for one in Mode if one.label == work.mode), Mode.UPDATE)


def _check(request: Request) -> Response:
    """How the file stands: being checked, checked, or still to be checked."""
    site = site_of(request)
    work = site.works.get(request.path_params["work"])
    task = site.tasks.of(work.id)
    busy = task is not None and task.running
    if request.query_params.get("then") == "import" and not busy and nothing_new(site, work):
        return see_other(step_url(work, "import"))
    current = is_current(site, work)
    failed = task is not None and not task.running and task.kind == "check" and task.error is not None
    return page(
        request,
        "check.html",
        work=work,
        step="check",
        task=task if task is not None and task.running else None,
        current=current,
        error=told(request, task.error) if failed and task and task.error else None,
        corrected=sum(not cell.whole_row for cell in site.works.corrections(work).values()),
        valid=sendable(work),
        losing=LOSING,
    )


def is_current(site: Site, work: Work) -> bool:
    """Whether the last check knows the file as it is read and corrected now, and whom not to send."""
    if work.check is None or site.works.lists_due(work, site.place(work)):
        return False
    return work.check.fingerprint == site.works.fingerprint(work)


def nothing_new(site: Site, work: Work) -> bool:
    """Whether only new rows were asked for, and there are none: that is the end of the way."""
    return work.only_changed and not sendable(work) and is_current(site, work)


def sendable(work: Work) -> int:
    """How many rows of the last check would be sent."""
    return work.check.counts.get(Status.VALID.value, 0) if work.check else 0


def _start_check(request: Request, form: Form) -> Response:
    site, lang = site_of(request), language_of(request)
    work = site.works.get(request.path_params["work"])
    if not work.seen:
        return see_other(step_url(work, "see"))
    if not work.report and not site.works.mapping_file(work).is_file():
        return see_other(step_url(work, "match"))
    if not work.report and not is_complete(site, work):
        return see_other(f"{step_url(work, 'match')}#missing")
    site.tasks.start(work.id, "check", lambda task: check_file(site, work, lang, task))
    return see_other(step_url(work, "check"))


def check_file(site: Site, work: Work, lang: str, task: Task) -> None:
    """Take the whole file through the dry run, and keep the rows with problems."""
    work = site.works.take_lists_over(work.id, site.place(work))
    fingerprint = site.works.fingerprint(work)
    folder = site.works.folder(work.id) / "check"
    options = replace(run_options(site, work, lang, folder), dry_run=True)
    site.rechecks.forget(work.id)
    corrections = site.works.corrections(work)
    path, contacts = site.works.problems_file(work), site.contract(work).contact_fields
    before, sent = CorrectedBefore(site, work), SentBefore(site)

    def look(plan: RunPlan, event: RowsChecked) -> None:
        problems.add(event.checked)
        before.add(event.checked, [one for name in FIELDS for one in plan.mapper.columns.get(name, ())])
        sent.add(plan, event.checked)

    with ProblemWriter(path, corrections, contacts, _before(site, work)) as problems:
        observer = TaskObserver(task.progress, look=look)
        with Session.open(site.settings(work), observer=observer, stopper=task.stopper) as session:
            result = session.start(site.works.file(work), options, name=work.name)
        assert result is not None  # noqa: S101 - a dry run asks nobody
        problems.finish()
        about: dict[str, Sequence[CorrectedCell]] = {CORRECTED_BEFORE: before.found}
        for code, places in sent.found.items():
            about[code] = [CorrectedCell(sheet, row, WHOLE_ROW, "", LEFT_OUT) for sheet, row in places]
        state = _state(result, fingerprint, options, problems, observer, about)
        lost = [
            messages.sentence("web-report-lost", {"name": Path(run.source).name, "run": run.id}, lang)
            for run in before.lost
        ]
        state = replace(state, notes=(*state.notes, *lost))
    task.result = result
    for code, cells in about.items():
        write_corrections(site.works.told_file(work, code), site.looks.of(work).sha256, cells)
    with site.works.editing(work.id) as edit:
        edit.set(check=state)
    site.rechecks.forget(work.id)
    site.rechecks.rows(site.works.get(work.id))  # the first page of the grid need not wait for the index


def _before(site: Site, work: Work) -> RowStates | None:
    """What became of the rows in the run whose rest this is; None if it is none, or unknown."""
    with Journal.open(site.journal) as journal, contextlib.suppress(UnknownRunError):
        return journal.row_states(work.rest_of) if work.rest_of else None
    return None


def _state(
    result: ReportResult,
    fingerprint: str,
    options: RunOptions,
    problems: ProblemWriter,
    observer: TaskObserver,
    about: Mapping[str, Sequence[CorrectedCell]],
) -> CheckState:
    """`about`: what earlier imports mean for rows, by what is to be said of them."""
    summary = result.summary
    told = {
        code: list(dict.fromkeys((cell.sheet, cell.row) for cell in cells)) for code, cells in about.items()
    }
    left_out = [one for one in result.reasons if one.status in (Status.SKIPPED, Status.DUPLICATE)]
    places = [place for some in told.values() for place in some[:_NAMED]]
    places += [place for one in left_out for place in one.examples]
    names = {name for field in FIELDS for name in observer.feeding.get(field, ())}
    whose = problems.names(places, [name for name in observer.header if name in names])

    def named(some: Iterable[Place]) -> tuple[NamedRow, ...]:
        return tuple(NamedRow(*place, whose.get(place, "")) for place in some)

    lang = options.lang
    notes = dict.fromkeys((*observer.plan_notes, *summary.notes))
    refused = (KindCount(REFUSED, "", Severity.WARNING, problems.refused),) if problems.refused else ()
    return CheckState(
        run=summary.run_id,
        fingerprint=fingerprint,
        rows=summary.rows,
        counts={status.value: rows for status, rows in summary.counts.items() if rows},
        kinds=tuple(
            KindCount(
                group.code, group.column, group.severity.value, group.rows, _example(group, lang), group.sent
            )
            for group in summary.issues
            if group.code != TAKEN  # said at the later rows
        )
        + refused,
        header=observer.header,
        reports=str(options.report_dir),
        corrections=Path(options.corrections).name if options.corrections else "",
        lang=lang,
        problem_rows=problems.rows,
        kept_rows=problems.kept,
        notes=tuple(note for note in notes if note not in observer.list_doubts),
        list_doubts=observer.list_doubts,
        feeding=observer.feeding,
        left_out=tuple(
            LeftOut(
                reason.status.value,
                reason_text(reason.code, reason.message, lang) or reason.code,
                reason.rows,
                named(sorted(reason.examples)),
                reason.code,
            )
            for reason in left_out
        ),
        told={code: ToldRows(len(some), named(some[:_NAMED])) for code, some in told.items() if some},
    )


def _example(group: IssueGroup, lang: str) -> str:
    """What is said of the first row, and how the cells of the next ones differ."""
    if not group.examples:
        return ""
    first = group.examples[0]
    others = dict.fromkeys(shortened(one.found) for one in group.examples if one.found)
    others.pop(shortened(first.found or ""), None)
    said = issue_text(first, lang=lang, offer=False).message
    also = (messages.sentence("web-also", {"cell": cell}, lang) for cell in others)
    return messages.join_clauses(lang, said, *also)


def stop_task(site: Site, owner: str, *, pause: bool = False) -> None:
    """Ask what is at work for a piece of work, or for a run, to stop in order, for good or for a pause."""
    task = site.tasks.of(owner)
    if task is not None and task.running:
        task.stopper.stop(InterruptedRun(PAUSED if pause else "web-stopped"))


def _stop(request: Request, form: Form) -> Response:
    site, owner = site_of(request), request.path_params["owner"]
    stop_task(site, owner, pause=form.get("do") == "pause")
    back = form.get("back", "/")
    return see_other(back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/")


def progress_facts(task: Task, lang: str, draw_part: str, done_url: str) -> dict[str, object]:
    """What a page needs to follow a task: the part to show, percent done, where to go at its end."""
    progress = task.progress
    percent = None
    if progress.expected:
        percent = min(round(100 * progress.settled / max(progress.expected, progress.settled, 1)), 100)
    return {
        "html": draw_part,
        "percent": percent,
        "running": task.running,
        "url": "" if task.running else done_url,
    }


def done_url(task: Task, fallback: str) -> str:
    """The page that shows what a task has come to."""
    return f"/runs/{task.result.summary.run_id}" if task.result and task.kind != "check" else fallback


def _facts(request: Request, task: Task) -> dict[str, object]:
    lang = language_of(request)
    part = draw(request, "progress.html", task=task)
    owner = task.owner
    steps = {kind: f"/w/{owner}/{kind}" for kind in ("check", "import", "fetch")}
    fallback = steps.get(task.kind, f"/runs/{owner}")
    url = done_url(task, fallback)
    if task.kind == "import" and task.result is not None:
        url += f"?w={owner}"
    if task.kind == "check" and not task.running:
        with contextlib.suppress(UsageError):  # deleted meanwhile
            site = site_of(request)
            url = steps["import"] if nothing_new(site, site.works.get(owner)) else url
    return progress_facts(task, lang, part, url)


async def _events(request: Request) -> Response:
    """The progress of a task as server-sent events, until it has ended or the server is about to."""
    site, owner = site_of(request), request.path_params["owner"]
    task = site.tasks.of(owner)
    if task is None:
        return Response(status_code=204)  # tells the browser not to come again

    async def stream() -> AsyncIterator[bytes]:
        last, quiet = "", 0.0
        while True:
            running = task.running
            facts = await run_in_threadpool(_facts, request, task)
            text = json.dumps(facts, ensure_ascii=False)
            if text != last or not running:
                kind = "progress" if running else "ended"
                yield f"event: {kind}\ndata: {text}\n\n".encode("utf-8", "replace")
                last, quiet = text, 0.0
            if not running or site.closing.is_set():
                return
            await asyncio.sleep(LOOK_SECONDS)
            quiet += LOOK_SECONDS
            if quiet >= HEARTBEAT_SECONDS:
                yield b": at work\n\n"
                quiet = 0.0

    return StreamingResponse(stream(), media_type="text/event-stream")


def _now(request: Request) -> Response:
    """The progress of a task as it is now, for browsers whose stream was cut."""
    task = site_of(request).tasks.of(request.path_params["owner"])
    if task is None:
        raise UsageError("web-no-page")
    return JSONResponse(_facts(request, task))


ROUTES = [
    ("GET", "/w/{work}/check", shown(_check)),
    ("POST", "/w/{work}/check", changing(_start_check)),
    ("GET", "/tasks/{owner}/events", _events),
    ("GET", "/tasks/{owner}/now", shown(_now)),
    ("POST", "/tasks/{owner}/stop", changing(_stop)),
]
