"""Step 7 and what came before: results of runs with their files, the history of runs, and jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from importer.config import FILE_NAME
from importer.errors import SettingsError, UsageError
from importer.jobs.config import JobEnvironment
from importer.jobs.log import open_log
from importer.jobs.runner import Round
from importer.jobs.selection import ChosenJob, choose_jobs
from importer.jobs.status import JobStatus, job_status
from importer.journal import Journal, RunRecord, RunState
from importer.messages import LANGUAGES, sentence
from importer.models import Severity, Status
from importer.pipeline.people import TAKEN
from importer.pipeline.retry import retried_since
from importer.pipeline.retry import rows_left as rows_to_retry
from importer.pipeline.session import Session, retry_options
from importer.private_files import open_plain_file
from importer.reports.files import REJECTS_CSV, REJECTS_XLSX, REPORT_HTML, SUMMARY_JSON, own_files
from importer.reports.tally import ANSWERED
from importer.web.earlier import overwrites_of, rests, rows_left, work_of
from importer.web.guard import REPORT_POLICY
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
    told,
)
from importer.web.problems import LOSING
from importer.web.running import PAUSED
from importer.web.tasks import Task, TaskObserver
from importer.web.works import KindCount

PAGE_RUNS = 50
_LARGEST_SUMMARY = 1 << 24
_REJECTS = Path(REJECTS_CSV).stem
_FOR_PROGRAMS = (".json", ".csv")
_TO_CORRECT = (Status.INVALID, Status.REJECTED)
_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class RunFile:
    """One report of a run that lies on disk."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """Rows that the CRM did not take, with what it said of them."""

    status: str
    code: str
    message: str
    rows: int


@dataclass(frozen=True, slots=True)
class RunWords:
    """What a run's own summary says: why it ended early, what the CRM answered, what is worth knowing."""

    stop: str = ""
    doubtful: tuple[KindCount, ...] = ()
    """What was sent though it is doubtful."""
    lost: tuple[KindCount, ...] = ()
    """Cells of which a part was not sent."""
    answers: tuple[RunAnswer, ...] = ()
    notes: tuple[str, ...] = ()


def _words(run: RunRecord, *, named: bool) -> RunWords:
    """What the summary.json of a run says; nothing if it is gone, or none of ours. `named`: who was
    overwritten is said elsewhere."""
    path = next((path for path in _report_paths(run) if path.name == SUMMARY_JSON), None)
    if path is None:
        return RunWords()
    try:
        with open_plain_file(path) as file:
            table = json.loads(file.read(_LARGEST_SUMMARY))
        answers = tuple(
            RunAnswer(Status(one["status"]).value, str(one["code"]), str(one["message"]), int(one["rows"]))
            for one in table["reasons"]
            if Status(one["status"]) in ANSWERED
        )
        counted = [
            KindCount(
                str(one["code"]),
                str(one["column"] or ""),
                str(one["severity"]),
                int(one.get("sent", one["rows"])),
            )
            for one in table["issues"]
            if not (named and one["code"] == TAKEN)
        ]
        doubtful = tuple(one for one in counted if one.severity == Severity.WARNING and one.rows)
        lost = tuple(one for one in counted if one.code in LOSING and one.rows)
        usual = {sentence("changed-rows-full", {}, lang) for lang in LANGUAGES}
        notes = tuple(note for note in map(str, table["notes"]) if note not in usual)
        return RunWords(str(table["stop"] or ""), doubtful, lost, answers, notes)
    except (OSError, ValueError, KeyError, TypeError):
        return RunWords()


def _runs(request: Request) -> Response:
    """The history, the newest first, by tenant, job, day and outcome."""
    site = site_of(request)
    given = {name: request.query_params.get(name, "") for name in ("tenant", "job", "day", "outcome")}
    checks = request.query_params.get("checks") == "1"
    number = page_number(request)
    with Journal.open(site.journal) as journal:
        records = [_with_counts(journal, run) for run in journal.runs()]
    tenants = sorted({run.destination.tenant_id for run in records if run.destination})
    jobs = sorted({run.job for run in records if run.job})
    found = [run for run in records if (checks or not run.dry_run) and _fits(run, given)]
    pages = max(-(-len(found) // PAGE_RUNS), 1)
    number = min(number, pages)
    some = found[(number - 1) * PAGE_RUNS : number * PAGE_RUNS]
    with Journal.open(site.journal) as journal:
        about = rests(site)
        left = {run.id: rows_left(site, journal, run, about) for run in some}
    return page(
        request,
        "runs.html",
        runs=some,
        given=given,
        checks=checks,
        tenants=tenants,
        jobs=jobs,
        number=number,
        pages=pages,
        found=len(found),
        query=urlencode({**given, "checks": "1" if checks else ""}),
        outcomes=("done", "rows-left", "open"),
        left=left,
        file_name=_file_name,
    )


def _fits(run: RunRecord, given: dict[str, str]) -> bool:
    there, begun = run.destination, run.started.astimezone() if run.started else None
    if given["tenant"] and (there is None or there.tenant_id != given["tenant"]):
        return False
    if given["job"] and run.job != given["job"]:
        return False
    if given["day"] and (begun is None or f"{begun:%Y-%m-%d}" != given["day"]):
        return False
    outcome = "open" if run.state is not RunState.FINISHED else "done" if run.all_done else "rows-left"
    return not given["outcome"] or given["outcome"] == outcome


def _file_name(run: RunRecord) -> str:
    return Path(run.source).name


def _with_counts(journal: Journal, run: RunRecord) -> RunRecord:
    """The run with the rows that its journal has: of one that was killed, or is at work elsewhere, it is all
    that is known."""
    if run.counts or run.state is RunState.FINISHED:
        return run
    return replace(run, counts=journal.row_states(run.id).counts())


def _run(request: Request) -> Response:
    """What a run has come to, its files, and what can be done next."""
    site, lang = site_of(request), language_of(request)
    with Journal.open(site.journal) as journal:
        run = journal.find(request.path_params["run"])
        run = _with_counts(journal, run)
        later = retried_since(journal, run) if not run.dry_run else None
        children = [child for child in journal.children(run.id) if not child.dry_run]
        left = rows_left(site, journal, run, rests(site))
        overwritten = overwrites_of(site, journal, run)
    task = site.tasks.of(run.id)
    work_id = request.query_params.get("w", "")
    work = None
    if work_id:
        try:
            work = site.works.get(work_id)
        except UsageError:
            work_id = ""
        else:
            owner = site.tasks.of(work_id)
            if owner is not None and owner.running and owner.progress.run == run.id:
                return see_other(f"/w/{work_id}/import")
    files = _files(run)
    names = {file.name for file in files}
    if not any(rows and not status.done for status, rows in run.counts.items()):
        files = [file for file in files if not file.name.startswith(_REJECTS)]  # without rows
    at_work = task is not None and task.running
    running = at_work or run.state is RunState.RUNNING
    correct = any(run.counts.get(status) for status in _TO_CORRECT) and bool(
        names & {REJECTS_XLSX, REJECTS_CSV}
    )
    return page(
        request,
        "run.html",
        run=run,
        work=work,
        step="import" if work else "",
        task=task if task is not None and task.running else None,
        error=told(request, task.error) if task is not None and not task.running and task.error else None,
        running=running,
        files=sorted(files, key=lambda file: Path(file.name).suffix in _FOR_PROGRAMS),
        words=_words(run, named=bool(overwritten)),
        paused=not running and run.state.resumable and run.stop == PAUSED,
        report=REPORT_HTML in names,
        correct=correct and not running and bool(left),
        left=left,
        overwritten=overwritten,
        linked=_linked(site, run),
        resume=not running and run.state.resumable and not run.dry_run and later is None,
        retry=not running
        and not run.dry_run
        and run.state is RunState.FINISHED
        and bool(rows_to_retry(run, rejected=False))
        and later is None,
        later=later,
        children=children,
        total=sum(run.counts.values()),
        seconds=(run.finished - run.started).total_seconds() if run.finished and run.started else None,
        file_name=_file_name(run),
        shares=_shares(run),
        lang_code=lang,
    )


def _linked(site: Site, run: RunRecord) -> str:
    """The piece of work whose grid shows the rows of a run; empty if there is none any more."""
    work = work_of(site, run)
    return work.id if work and work.check and work.run == run.id else ""


def _shares(run: RunRecord) -> list[tuple[str, int, float]]:
    total = sum(run.counts.values())
    return [(status.value, rows, 100 * rows / total) for status, rows in run.counts.items() if rows]


def _report_paths(run: RunRecord) -> list[Path]:
    """The reports of a run that are complete."""
    found = own_files(Path(run.report_dir), run.id) if run.report_dir else []
    return [path for path in found if not path.name.endswith(".part")]


def _files(run: RunRecord) -> list[RunFile]:
    return [RunFile(path.name, path.stat().st_size) for path in _report_paths(run)]


def _file(request: Request) -> Response:
    """One report of a run: only what the importer itself wrote for it has a name here."""
    site = site_of(request)
    with Journal.open(site.journal) as journal:
        run = journal.find(request.path_params["run"])
    wanted = request.path_params["name"]
    path = next((path for path in _report_paths(run) if path.name == wanted), None)
    if path is None or path.suffix not in _TYPES:
        raise UsageError("web-no-page")
    headers = {}
    if path.suffix == ".html":
        headers["content-security-policy"] = REPORT_POLICY
    else:
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(path.name, safe='')}"
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers)


def _resume(request: Request, form: Form) -> Response:
    site, run_id, lang = site_of(request), request.path_params["run"], language_of(request)
    run = _find(site, run_id)
    site.tasks.start(run.id, "resume", lambda task: _go_on(site, run.id, lang, task, retry=False))
    return see_other(f"/runs/{run.id}")


def _retry(request: Request, form: Form) -> Response:
    site, run_id, lang = site_of(request), request.path_params["run"], language_of(request)
    run = _find(site, run_id)
    site.tasks.start(run.id, "retry", lambda task: _go_on(site, run.id, lang, task, retry=True))
    return see_other(f"/runs/{run.id}")


def _find(site: Site, run_id: str) -> RunRecord:
    with Journal.open(site.journal) as journal:
        return journal.find(run_id)


def _go_on(site: Site, run_id: str, lang: str, task: Task, *, retry: bool) -> None:
    """Resume or retry a run."""
    observer = TaskObserver(task.progress)
    settings = site.settings_of_run(_find(site, run_id))
    with Session.open(settings, observer=observer, stopper=task.stopper) as session:
        if retry:
            record = session.journal.run(run_id)
            options = replace(retry_options(record), lang=lang)
            task.result = session.retry(record, options)
        else:
            found = session.find_resumable(run_id)
            task.result = session.resume(found) if found is not None else None
    site.note_result(task.result)


@dataclass(frozen=True, slots=True)
class JobView:
    """A job of importer.toml and how it is doing, or why that cannot be told."""

    name: str
    source: str = ""
    status: JobStatus | None = None
    error: dict[str, str] | None = None


def _jobs(request: Request) -> Response:
    """The jobs of importer.toml: how they are doing, and the files that their tripwires hold."""
    site = site_of(request)
    views = []
    moment = datetime.now().astimezone()
    with Journal.open(site.journal) as journal:
        for one in choose_jobs(site.config, every=True):
            if isinstance(one, ChosenJob):
                status = job_status(one.job, journal, moment)
                views.append(JobView(one.name, one.job.describe_source(), status))
            else:
                views.append(JobView(one.name, error=told(request, one.error)))
    tasks = {view.name: site.tasks.of(f"job-{view.name}") for view in views}
    return page(request, "jobs.html", jobs=views, tasks=tasks, config=str(site.config.path or FILE_NAME))


def _release(request: Request, form: Form) -> Response:
    """Let a held file through, as `importer job run NAME --release FILE` does."""
    site, name, lang = site_of(request), request.path_params["job"], language_of(request)
    chosen = choose_jobs(site.config, [name])
    if len(chosen) != 1 or name != chosen[0].name:
        raise UsageError("web-no-page")
    (one,) = chosen
    if not isinstance(one, ChosenJob):
        raise UsageError("web-no-page") if one.error.code == "unknown-job" else one.error
    wanted = form.get("file", "")
    site.tasks.start(f"job-{name}", "release", lambda task: _round(site, one, wanted, lang, task))
    return see_other("/jobs")


def _round(site: Site, one: ChosenJob, wanted: str, lang: str, task: Task) -> None:
    environment = JobEnvironment(lang=lang)
    if site.sandbox is not None:
        raise SettingsError("web-jobs-in-sandbox")
    with Journal.open(site.journal) as journal:
        log = open_log(one.job, environment.clock)
        current = Round(one.job, one.profile, journal, log, environment, task.stopper, release=wanted)
        task.text = current.go().text()


ROUTES = [
    ("GET", "/runs", shown(_runs)),
    ("GET", "/runs/{run}", shown(_run)),
    ("GET", "/runs/{run}/files/{name}", shown(_file)),
    ("POST", "/runs/{run}/resume", changing(_resume)),
    ("POST", "/runs/{run}/retry", changing(_retry)),
    ("GET", "/jobs", shown(_jobs)),
    ("POST", "/jobs/{job}/release", changing(_release)),
]
