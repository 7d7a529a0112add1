"""Process one file of a job: start or resume its run, then put the file into the folder of its fate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from importer import messages
from importer.delivery import Stopping
from importer.errors import ImporterError, InputError, ListError, MappingError, ReportError, TripwireError
from importer.exit_codes import ExitCode
from importer.jobs import file_store, tripwires
from importer.jobs.config import Job
from importer.jobs.file_store import FileStore
from importer.jobs.log import JobLog, JobLogObserver
from importer.jobs.results import ROWS_LEFT, ROWS_STAY, UNFIT, FileResult, format_error
from importer.journal import Journal, RunKind, RunRecord, RunState
from importer.journal.job_history import FileContent, FileFate, FileRecord, JobHistory
from importer.models import Status
from importer.option_layers import options_from_json
from importer.options import RunOptions
from importer.pipeline.events import PlanReady, RunObserver
from importer.pipeline.plan import RunPlan, kept_options
from importer.pipeline.precheck import PrecheckResult
from importer.pipeline.retry import Rest, came_to_nothing, rest_of
from importer.pipeline.session import Session, retry_options
from importer.reports import ReportResult
from importer.reports.next_steps import profile_arguments

if TYPE_CHECKING:
    from importer.pipeline.events import Event

MOST_TRIES = 3
"""Rounds that may die while they process a file, before it is put away as failed."""
NOT_SENT, NOT_SENT_AGAIN = "job-rows-not-sent", "job-rows-not-sent-again"
"""Why a file lies in failed/ whose rows can be sent again."""
_DOUBTFUL = "job-rows-doubtful"
"""Why a file lies in failed/ whose rows only a person can send again."""


@dataclass
class FileProcessor:
    """Processes the files of a round, one after the other."""

    job: Job
    session: Session
    store: FileStore
    log: JobLog
    options: RunOptions
    checkpoint: Callable[[str], None]

    @property
    def journal(self) -> Journal:
        return self.session.journal

    @property
    def history(self) -> JobHistory:
        return self.journal.jobs

    def process(self, record: FileRecord) -> FileResult:
        """Process a file in working/. The result is OPEN if the next round has to continue.

        Raises errors that are not the file's: JournalError, ReportError, LockedError, SettingsError,
        ListError.
        """
        if record.tries >= MOST_TRIES:
            return self._failed(record, InputError("job-file-kills", file=record.name, tries=record.tries))
        self.history.count_try(record.number)
        self.checkpoint("tried")
        try:
            result = self._import(record)
        except ListError:
            self.history.clear_tries(record.number)
            raise
        except (InputError, MappingError) as error:
            return self._failed(record, error)
        except ImporterError:
            self.history.clear_tries(record.number)
            raise
        if result.fate is FileFate.OPEN:
            self.history.clear_tries(record.number)
        return result

    def _import(self, record: FileRecord) -> FileResult:
        """Resume or start the file's run, then put the file away."""
        run = newest_run(self.journal, record)
        if run is not None and run.state is RunState.FINISHED:
            # A retry that ended before its first request, or before it was on record, is still to be done.
            due = run.id != self.history.run_of(record) or (
                self.job.retry_failed and rest_of(self.journal, run).unsent > 0
            )
            return self._send_again(record, run) if due else self._judge(record, run)
        observer, gate = _FileObserver(self, record), _FileGate(self, record)
        if run is None:
            # A file that was held in a round that sends everything is still owed as a whole.
            full = self.options.full or (self.options.changed_only and self._is_owed(record))
            options = replace(self.options, full=full, report_dir=self._reports(record))
            run_result = self.session.start(record.place, options, gate=gate, observer=observer)
        else:
            # Whom the job's lists leave out by now, nothing sends.
            kept = kept_options(run)
            options = replace(kept, suppress=tuple(dict.fromkeys((*kept.suppress, *self.options.suppress))))
            # A retry is about the few rows that were left of a file which has been looked at.
            looked = None if run.kind is RunKind.RETRY else gate
            run_result = self.session.resume(run, options, gate=looked, observer=observer)
        if run_result is None:
            return self._not_started(record, observer)
        return self._after(record, run_result, observer, gate.tripped)

    def _is_owed(self, record: FileRecord) -> bool:
        """Return whether an earlier run of the file would have sent all of it."""
        return any(one.path == str(record.place) and sends_all(one) for one in self.journal.runs())

    def retry(self, failed: FileRecord) -> FileResult | None:
        """Send again what the runs of a file left undelivered; None if it is gone, or nothing is left.

        The file lies in working/ meanwhile, so that a round that dies is taken up as usual.
        """
        run = newest_run(self.journal, failed)
        if run is None or failed.target is None or not failed.target.exists():
            return None
        record = self.store.reopen(failed)
        return self._send_again(record, self.journal.run(run.id))  # its file has moved

    def _send_again(self, record: FileRecord, run: RunRecord) -> FileResult:
        """Send again what a finished run left undelivered. The file lies in working/."""
        times = len(self.journal.family(run))
        self.log.write("info", "file-retried", file=record.name, run=run.id, times=times)
        kept = retry_options(run)
        lists = tuple(dict.fromkeys((*kept.suppress, *self.options.suppress)))
        options = replace(kept, suppress=lists, report_dir=self._reports(record) / f"retry-{times}")
        observer = _FileObserver(self, record)
        try:
            run_result = self.session.retry(run, options, observer=observer)
        except ListError:
            raise
        except (InputError, MappingError) as error:
            return self._failed(record, error)
        if run_result is None:
            return self._judge(record, run)
        return self._after(record, run_result, observer)

    def _after(
        self,
        record: FileRecord,
        run_result: ReportResult,
        observer: _FileObserver,
        tripped: TripwireError | None = None,
    ) -> FileResult:
        """Put the file of a run away, if the run is over."""
        self.checkpoint("run-over")
        ended = self.journal.run(run_result.summary.run_id)
        for failure in run_result.failures:
            self.log.write("error", failure.code)
        if ended.state is RunState.FINISHED:
            result = self._judge(self.history.file(record.number), ended, tripped)
            return self._without_reports(result, run_result.failures)
        message = self._format(observer.reason or self.session.stopper.reason) or run_result.summary.stop
        return FileResult(
            record.name,
            FileFate.OPEN,
            record.place,
            ended.id,
            run_result.summary.rows,
            ended.counts,
            Path(ended.report_dir),
            ended.exit_code or ExitCode.AWAY,
            ended.stop,
            message,
        )

    def _not_started(self, record: FileRecord, observer: _FileObserver) -> FileResult:
        """Return the result of a file that was imported before, or is held already."""
        if observer.done is not None:
            return self._repeated(record, observer.done)
        held = observer.held
        assert held is not None and held.target is not None  # noqa: S101, PT018 - one of the two refused
        self.store.drop_copy(record)
        return FileResult(
            held.name,
            FileFate.HELD,
            held.target,
            held.run,
            held.rows,
            held.counts,
            self._reports(held),
            ExitCode.TRIPWIRE,
            "job-file-held",
            self._say("job-file-held", file=held.name),
        )

    def _without_reports(self, result: FileResult, failures: Sequence[ReportError]) -> FileResult:
        """Return the result of a run whose reports could not be written."""
        if not failures or result.code:
            return result
        missing = self._say("job-reports-missing", run=result.run)
        message = messages.join_sentences(self.options.lang, self._format(failures[0]), missing)
        return replace(result, exit_code=ExitCode.ROWS_LEFT, code="job-reports-missing", message=message)

    def _judge(self, record: FileRecord, run: RunRecord, tripped: TripwireError | None = None) -> FileResult:
        """Put the file of a finished run away."""
        file_store.share_reports(Path(run.report_dir), self.job.sharing)
        rows, rest = sum(run.counts.values()), rest_of(self.journal, run)
        code, found = self._complaint(record, run, rows, rest)
        fate, exit_code = (FileFate.FAILED, ExitCode.ROWS_LEFT) if code else (FileFate.DONE, ExitCode.DONE)
        if run.exit_code is ExitCode.TRIPWIRE:
            fate, exit_code, code = FileFate.HELD, ExitCode.TRIPWIRE, run.stop
        counts = self._with_unfit(run)
        put = self.store.put_away(record, fate, reason=code, run=run.id, counts=counts)
        message = ""
        folder = reports = self._reports(put)
        if run.kind is RunKind.RETRY:
            reports /= Path(run.report_dir).name
        unfit = sum(counts.get(status, 0) for status in UNFIT)
        if fate is FileFate.HELD:
            held = self._say("job-file-held", file=record.name)
            message = messages.join_sentences(self.options.lang, self._format(tripped), held)
        elif code:
            message = self._say(code, **found)
        elif unfit or rest.stay:
            all_rows = sum(self.journal.family(run)[0].counts.values())
            told = {ROWS_LEFT: (unfit, folder), ROWS_STAY: (rest.stay, reports)}
            code = ROWS_LEFT if unfit else ROWS_STAY
            message = messages.join_sentences(
                self.options.lang,
                *(
                    self._say(each, rows=number, all=all_rows, reports=place)
                    for each, (number, place) in told.items()
                    if number
                ),
            )
        return self._result(put, run.id, rows, reports, exit_code, code, message)

    def _with_unfit(self, run: RunRecord) -> dict[Status, int]:
        """Return what became of a run's rows and, of a retry, how many rows before it wait for a correction:
        it sends none of these."""
        counts = Counter(run.counts)
        for before in takewhile(lambda one: one.id != run.id, self.journal.family(run)):
            counts.update({status: before.counts.get(status, 0) for status in UNFIT})
        return dict(counts)

    def _complaint(
        self, record: FileRecord, run: RunRecord, rows: int, rest: Rest
    ) -> tuple[str, dict[str, object]]:
        """Return code and details of what is wrong with a finished run; an empty code if nothing is."""
        unfit = sum(run.counts.get(status, 0) for status in UNFIT)
        limit = self.job.tripwires.max_invalid
        if rest.unsent:
            times = sum(not came_to_nothing(one) for one in self.journal.family(run)) - 1
            code = NOT_SENT_AGAIN if times else NOT_SENT
            return code, {"rows": rest.unsent, "all": rows, "run": run.id, "times": times}
        if rest.doubtful:
            return _DOUBTFUL, {"rows": rest.doubtful, "all": rows, "run": run.id}
        rejected = run.counts.get(Status.REJECTED, 0)
        if rejected and limit is not None and not record.released and 100 * unfit > limit * rows:
            return "job-rows-refused", {"rows": rejected, "all": rows, "limit": f"{limit:g}"}
        return "", {}

    def _repeated(self, record: FileRecord, done: FileRecord) -> FileResult:
        if self.job.keep_source:
            self.store.drop_copy(record)
            self.log.write("info", "file-unchanged", file=record.name, run=done.run)
            return FileResult(record.name, FileFate.REPEATED, done.target or done.place, done.run)
        found = {"file": record.name, "run": done.run, "when": f"{done.taken:%Y-%m-%d %H:%M}"}
        put = self.store.put_away(record, FileFate.REPEATED, reason="job-file-repeated", run=done.run)
        message = self._say("job-file-repeated", **found)
        return self._result(put, done.run, 0, None, ExitCode.DONE, "job-file-repeated", message)

    def _failed(self, record: FileRecord, error: ImporterError) -> FileResult:
        run = self.history.run_of(record)
        put = self.store.put_away(record, FileFate.FAILED, reason=error.code, run=run)
        message = self._format(error).replace(str(record.place), str(put.target or put.place))
        return self._result(put, run, 0, None, error.exit_code, error.code, message)

    def held_already(self, record: FileRecord, plan: RunPlan) -> FileRecord | None:
        """Return the held copy of the same file, if there is one.

        A file that stays in place comes again every night, and one held copy of it is enough.
        """
        if not self.job.keep_source or record.released:
            return None
        held = self.history.find_file(self.job.name, _content(plan), FileFate.HELD)
        there = held is not None and held.target is not None and held.target.exists()
        return held if there else None

    def _result(
        self,
        put: FileRecord,
        run: str,
        rows: int,
        reports: Path | None,
        exit_code: ExitCode,
        code: str,
        message: str,
    ) -> FileResult:
        place = put.target or put.place
        return FileResult(put.name, put.fate, place, run, rows, put.counts, reports, exit_code, code, message)

    def _reports(self, record: FileRecord) -> Path:
        """Return the folder of the file's reports: the file's own, or one in the job's folder for reports."""
        directory = (
            record.target if record.fate is not FileFate.OPEN and record.target else record.place
        ).parent
        return directory if self.job.reports is None else self.job.reports / record.place.parent.name

    def _format(self, error: ImporterError | None) -> str:
        if error is None:
            return ""
        return format_error(error, self.options.lang)

    def _say(self, code: str, **found: object) -> str:
        whose = "".join(f" {word}" for word in profile_arguments(self.session.settings.profile.name))
        known = {"job": self.job.name, "profile": whose}
        return messages.full_text(code, {**known, **found}, self.options.lang)


@dataclass
class _FileGate:
    """Checks the tripwires before the first row is sent, and records what the file was like."""

    processor: FileProcessor
    record: FileRecord
    tripped: TripwireError | None = None

    def __call__(self, plan: RunPlan, found: PrecheckResult) -> None:
        history, job = self.processor.history, self.processor.job
        history.profile(self.record.number, _content(plan), found.header, found.rows, found.filled)
        self.processor.checkpoint("looked-ahead")
        if self.record.released:
            return
        past = history.with_fate(job.name, FileFate.DONE, tripwires.COMPARED_FILES)
        self.tripped = tripwires.check_tripwires(found, past, job.tripwires)
        if self.tripped is not None:
            raise self.tripped


@dataclass
class _FileObserver(RunObserver):
    """Logs the run of a file, and refuses to start one for a file that is done or held already."""

    processor: FileProcessor
    record: FileRecord
    done: FileRecord | None = None
    """The same file, imported before."""
    held: FileRecord | None = None
    """The same file, held already."""
    reason: ImporterError | None = None
    """Why the run stopped."""

    def on_event(self, event: object) -> None:
        cast("Event", event).notify(JobLogObserver(self.processor.log))
        self.processor.checkpoint(type(event).__name__)

    def on_stopping(self, event: Stopping) -> None:
        self.reason = event.reason
        self.on_event(event)

    def on_plan_ready(self, event: PlanReady) -> None:
        """Log nothing: if the file is not started, its result says why."""

    def confirm_start(self, plan: RunPlan, *, sends: bool) -> bool:
        processor = self.processor
        self.done = processor.history.find_file(processor.job.name, _content(plan), FileFate.DONE)
        self.held = processor.held_already(self.record, plan)
        return self.done is None and self.held is None


def newest_run(journal: Journal, record: FileRecord) -> RunRecord | None:
    """Return the newest run of a file that came to something; None: the file is still to be imported.

    Of a retry that came to nothing the run before it tells what is left: the file is not imported anew.
    """
    run_id = journal.jobs.run_of(record)
    run = journal.run(run_id) if run_id else None
    while run is not None and came_to_nothing(run):
        run = journal.run(run.parent) if run.kind is RunKind.RETRY else None
    return run


def rows_open(journal: Journal, record: FileRecord) -> tuple[int, int, int]:
    """Return the rows of a file that was begun, how many of them are still open, and how many are invalid so
    far. Of the open ones not all need to go: they may be invalid, or left out."""
    run = newest_run(journal, record)
    if run is None:
        return record.rows, record.rows, 0
    states = journal.row_states(run.id)
    if run.state is RunState.FINISHED:
        left = rest_of(journal, run).unsent
    elif run.kind is RunKind.RETRY:
        left = rest_of(journal, journal.run(run.parent)).unsent - states.settled_rows
    else:
        left = record.rows - states.settled_rows
    return record.rows, max(left, 0), states.counts().get(Status.INVALID, 0)


def sends_all(run: RunRecord) -> bool:
    """Return whether a run sends all rows, though its job sends changed ones only."""
    return options_from_json(run.settings).full


def _content(plan: RunPlan) -> FileContent:
    return FileContent(
        plan.source.sha256, plan.mapping.digest, plan.destination.key if plan.destination else ""
    )
