"""Files on a cluster: one file is a task, the files of a lane are a chain.

The client draws the name of each run, so a task that is done again finds what the worker before has left, and
goes on with it. Credentials never travel.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from importer import __version__
from importer.cluster.engine import Distribution, destination_of, refuse_other_lane, settings_of
from importer.cluster.worker import WorkerSide
from importer.config import ConfigFile
from importer.errors import (
    FaultError,
    ImporterError,
    InputError,
    LockedError,
    SourceAwayError,
    UnknownRunError,
    UsageError,
)
from importer.exit_codes import ExitCode, worst_exit_code
from importer.journal import Journal, RunRecord, RunState, new_run_id
from importer.journal.opening import opened_patiently
from importer.journal_place import journal_place, shown_place
from importer.models import Mode, Status
from importer.options import RunOptions
from importer.pipeline.events import Progress, RunObserver
from importer.pipeline.flow import RunContext
from importer.pipeline.plan import RunPlan, kept_options
from importer.pipeline.precheck import precheck
from importer.pipeline.run import TURN_WAIT, StopToken
from importer.pipeline.session import Session, SessionSettings
from importer.reports import ReportResult
from importer.sources.locations import DatabaseQuery, locate

_TELL_EVERY = 1.0
"""Seconds between two words of a worker on how far it is."""


@dataclass(frozen=True, slots=True)
class FileTask:
    """One file, as it travels to a worker. No secret is in it."""

    place: int
    """Its place among all files."""
    file: str | DatabaseQuery
    run: str
    """The id of its run."""
    options: RunOptions
    journal: str
    profile: str | None = None
    settings: str = ""
    """importer.toml, absolute, which has to lie there on the worker, too; empty if the client has none."""
    folder: str = ""
    """The client's working directory."""
    found_in: str = ""
    """The same, if that file was found there."""
    lane: str = ""
    """Where the client would send; empty for a dry run that goes nowhere."""
    confirmed: bool = False
    """Whether a person has agreed to mode replace."""
    version: str = __version__

    @property
    def title(self) -> str:
        location = locate(self.file) if isinstance(self.file, str) else None
        return location.name if location else Path(str(self.file)).name


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What came of one file."""

    name: str
    exit_code: ExitCode
    rows: int = 0
    counts: Mapping[Status, int] = field(default_factory=dict)
    run: str = ""
    report_dir: str = ""
    code: str = ""
    """Why it did not end well, for programs and in words."""
    message: str = ""
    hint: str = ""
    begun: bool = True
    stops_lane: bool = False
    """Whether the next file would end like this one."""
    busy: bool = False
    """Another process is still at it, or sends to its lane."""
    worker: str = ""


class WorkerObserver(RunObserver):
    """Tells the client how far a file is, and agrees to what a person agreed to."""

    def __init__(self, task: FileTask, side: WorkerSide) -> None:
        self._task = task
        self._side = side
        self._told = float("-inf")

    def on_progress(self, event: Progress) -> None:
        now = time.monotonic()
        if now - self._told < _TELL_EVERY:
            return
        self._told = now
        tally = event.tally
        counts = {str(status): count for status, count in tally.counts.items() if count}
        self._side.tell({"place": self._task.place, "rows": tally.rows, "counts": counts})

    def confirm_start(self, plan: RunPlan, *, sends: bool) -> bool:
        if sends and plan.mode is Mode.REPLACE and not self._task.confirmed:
            raise UsageError("replace-needs-yes")
        return True


# On a worker


def carry_out(task: FileTask, side: WorkerSide | None = None) -> FileOutcome:
    """Import a file, or go on with its run, and return what came of it."""
    side = side or WorkerSide()

    def work(session: Session) -> FileOutcome:
        before = _earlier(session.journal, task.run)
        if before is not None and before.state is RunState.FINISHED:
            return _from_record(task, before, side)
        observer = WorkerObserver(task, side)
        if before is None:
            result = session.start(task.file, task.options, observer=observer, run_id=task.run)
        elif before.dry_run:
            result = session.start(task.file, task.options, observer=observer)
        else:
            kept = replace(kept_options(before), suppress=task.options.suppress)
            result = session.resume(before, kept, observer=observer)
        if result is None:
            raise UsageError("answered-no")
        return _from_result(task, result, side)

    found: FileOutcome = _attempted(task, side, work)
    return found


def check(task: FileTask, side: WorkerSide | None = None) -> FileOutcome | None:
    """Look at a whole file while an earlier one of its lane is at work: nothing is sent or recorded.

    Return its outcome if it cannot be imported, else None.
    """
    side = side or WorkerSide()

    def work(session: Session) -> None:
        if _earlier(session.journal, task.run) is not None:
            return
        options = replace(task.options, dry_run=True)
        with session.planned(str(task.file), options) as plan:
            found = precheck(plan, RunContext(), lambda rows: _break_off(session.stopper))
        side.tell({"place": task.place, "checked": found.rows, "invalid": found.counts[Status.INVALID]})

    if isinstance(task.file, DatabaseQuery) or locate(task.file) is not None:
        return None  # it would be fetched twice
    found: FileOutcome | None = _attempted(task, side, work)
    return found if found is not None and found.exit_code is ExitCode.INPUT else None


def _attempted(task: FileTask, side: WorkerSide, work: Callable[[Session], Any]) -> Any:
    """Do something with a file in a session of its own. What goes wrong is the outcome."""
    try:
        profile = settings_of(task).profile(task.profile).anchored(Path(task.folder))
        settings = SessionSettings(profile, waits=False)
        stopper = StopToken()
        with (
            side.watched(stopper),
            opened_patiently(Journal.open, task.options.patience, lambda: stopper.reason) as journal,
            Session.open(settings, stopper=stopper, journal=journal) as session,
        ):
            refuse_other_lane(task, session.destination(task.options))
            return work(session)
    except ImporterError as error:
        if error.code == "no-file":
            error = InputError("cluster-no-file", name=task.file, worker=side.name or "–")
        return failed(task, error, side.name)
    except Exception as error:
        return failed(task, FaultError("importer-failed", kind=type(error).__name__), side.name)


def _break_off(stopper: StopToken) -> None:
    if stopper.reason is not None:
        raise stopper.reason


def _earlier(journal: Journal, run: str) -> RunRecord | None:
    try:
        return journal.run(run)
    except UnknownRunError:
        return None


def _from_result(task: FileTask, result: ReportResult, side: WorkerSide) -> FileOutcome:
    summary = result.summary
    code = ExitCode(summary.exit_code)
    return FileOutcome(
        task.title,
        code,
        summary.rows,
        {status: count for status, count in summary.counts.items() if count},
        summary.run_id,
        summary.report_dir,
        message=summary.stop or " ".join(one.sentence(task.options.lang) for one in result.failures),
        stops_lane=code.resumable,
        worker=side.name,
    )


def _from_record(task: FileTask, record: RunRecord, side: WorkerSide) -> FileOutcome:
    """The outcome of a run that an earlier try of the task has brought to its end."""
    code = record.exit_code if record.exit_code is not None else ExitCode.ROWS_LEFT
    counts = {status: count for status, count in record.counts.items() if count}
    return FileOutcome(
        task.title,
        code,
        sum(counts.values()),
        counts,
        record.id,
        record.report_dir,
        code=record.stop,
        stops_lane=code.resumable,
        worker=side.name,
    )


def failed(task: FileTask, error: ImporterError, worker: str = "", *, begun: bool = True) -> FileOutcome:
    """Return the outcome of a file that could not be imported."""
    lang = task.options.lang
    return FileOutcome(
        task.title,
        error.exit_code,
        code=error.code,
        message=error.sentence(lang),
        hint=error.hint(lang),
        begun=begun,
        stops_lane=error.exit_code.resumable and not isinstance(error, SourceAwayError),
        busy=isinstance(error, LockedError),
        worker=worker,
    )


# On the client


@dataclass(frozen=True)
class FilesReport:
    """What came of all files, in their order."""

    outcomes: tuple[FileOutcome, ...]

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all."""
        return worst_exit_code(one.exit_code for one in self.outcomes)

    @property
    def counts(self) -> Mapping[Status, int]:
        """Rows by status, of all files."""
        found: dict[Status, int] = {}
        for one in self.outcomes:
            for status, count in one.counts.items():
                found[status] = found.get(status, 0) + count
        return found


def file_tasks(
    files: Sequence[str | DatabaseQuery],
    folders: Sequence[Path | None],
    options: RunOptions,
    config: ConfigFile,
    profile_name: str | None,
    *,
    confirmed: bool = False,
) -> list[FileTask]:
    """Return the tasks of files. `folders`: where the reports of each go; None for reports/RUN here.

    Raises SettingsError `missing-credentials` if nobody says where to send to; UsageError `cluster-stdin`.
    """
    profile = config.profile(profile_name)
    there = destination_of(profile, options, complete=not options.dry_run)
    now = datetime.now().astimezone()
    tasks = []
    suppress = (*profile.given.options.suppress, *options.suppress)
    options = replace(options, suppress=tuple(dict.fromkeys(map(_absolute, suppress))))
    options = replace(options, mapping=_absolute(options.mapping) if options.mapping else None)
    if options.corrections:
        options = replace(options, corrections=_absolute(options.corrections))
    for place, (file, folder) in enumerate(zip(files, folders, strict=True)):
        if file == "-":
            raise UsageError("cluster-stdin")
        run = new_run_id(now)
        elsewhere = isinstance(file, DatabaseQuery) or locate(file) is not None
        tasks.append(
            FileTask(
                place,
                file if elsewhere else str(Path(str(file)).absolute()),
                run,
                replace(options, report_dir=(folder or Path("reports") / run).absolute()),
                shown_place(journal_place()),
                profile_name,
                str(config.path.absolute()) if config.path else "",
                str(Path.cwd()),
                str(config.found_in) if config.found_in else "",
                there.lane if there else "",
                confirmed,
            )
        )
    return tasks


def _absolute(name: str | Path) -> str:
    """A path that is there, absolute; a name, as of a mapping that comes along, as it is."""
    path = Path(name).expanduser()
    return str(path.absolute()) if path.exists() else str(name)


def import_files(
    client: Any,
    tasks: Sequence[FileTask],
    stop_reason: Callable[[], ImporterError | None],
    *,
    ended: Callable[[int, FileOutcome], None],
    moved: Callable[[Mapping[str, Any]], None],
    deserted: Callable[[str, float], None],
) -> FilesReport:
    """Import files on the cluster: one after the other, or all side by side if nothing is sent."""
    dry = all(task.options.dry_run for task in tasks)
    wait = tasks[0].options.wait
    work = Distribution(
        client,
        carry_out,
        lost=lambda task, why, begun: failed(task, why, begun=begun),
        is_busy=lambda outcome: outcome.busy,
        busy_seconds=TURN_WAIT if wait is None else wait,
        stop_reason=stop_reason,
        ended=ended,
        ends_lane=_why_lane_ends,
        check=check,
        moved=moved,
        deserted=deserted,
    )
    lanes = [[task] for task in tasks] if dry else [list(tasks)]
    return FilesReport(tuple(outcome for lane in work.go(lanes) for outcome in lane))


class LaneStopped(ImporterError):  # noqa: N818 - the file is not at fault
    """A file was not begun, since the one before it stopped for a reason that goes for all: with its code."""

    exit_code = ExitCode.AWAY


def _why_lane_ends(outcome: FileOutcome) -> ImporterError | None:
    if not outcome.stops_lane:
        return None
    error = LaneStopped("cluster-lane-stopped", file=outcome.name)
    error.exit_code = outcome.exit_code  # type: ignore[misc]
    return error
