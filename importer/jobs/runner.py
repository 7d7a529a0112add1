"""Run one round of a job: finish earlier files, take new ones, notify, prune."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile

from importer.config import Profile
from importer.errors import (
    FaultError,
    ImporterError,
    InputError,
    LockedError,
    ReportError,
    UnreachableError,
)
from importer.exit_codes import ExitCode, worst_exit_code
from importer.jobs import inbox
from importer.jobs.config import Job, JobEnvironment
from importer.jobs.file_store import FOLDERS, FileStore, legible
from importer.jobs.log import JobLog
from importer.jobs.notify import announce_round
from importer.jobs.process_file import NOT_SENT, NOT_SENT_AGAIN, FileProcessor, sends_all
from importer.jobs.remote_inbox import RemoteSource, remote_source
from importer.jobs.results import FileResult, RoundReport, format_error, shown_counts
from importer.journal import Journal
from importer.journal.job_history import FileFate, FileRecord, RoundResult
from importer.journal.locks import FileLock, Lock, LockHolder
from importer.options import RunOptions
from importer.pipeline.run import StopToken
from importer.pipeline.session import Session, SessionSettings
from importer.pipeline.suppression_lists import read_list
from importer.private_files import make_private_folder
from importer.reasons import reason_of
from importer.sources.spool import prune_copies

_PRUNABLE = (FileFate.DONE, FileFate.REPEATED, FileFate.FAILED)
"""Files that are held or open are never pruned. The history keeps what was imported for ever."""


def prune_job(job: Job, journal: Journal, now: datetime, log: JobLog) -> None:
    """Delete what ended more than `job.keep` seconds ago. Does nothing if `job.keep` is None."""
    if job.keep is None:
        return
    before = now - timedelta(seconds=job.keep)
    files = 0
    for fate in _PRUNABLE:
        for record in journal.jobs.with_fate(job.name, fate):
            if record.settled is not None and record.settled < before:
                files += _remove_directory(job, record)
    runs = journal.prune(journal.jobs.old_runs(job.name, before))
    rounds = journal.jobs.forget_rounds(job.name, before)
    prune_copies({record.path for record in journal.runs()})
    if files or runs or rounds:
        log.write("info", "pruned", files=files, runs=runs, rounds=rounds)


def _remove_directory(job: Job, record: FileRecord) -> bool:
    """Remove the folder of a file, and its reports if they lie elsewhere. Returns whether it did.

    Only folders that this job has made are removed.
    """
    assert record.target is not None  # noqa: S101 - settled
    directory = record.target.parent
    if directory.parent != job.folder / FOLDERS[record.fate]:
        return False
    with contextlib.suppress(OSError):
        if job.reports is not None:
            shutil.rmtree(job.reports / record.place.parent.name, ignore_errors=True)
        shutil.rmtree(directory)
        return True
    return False


_TO_THE_END = (RoundResult.GOOD, RoundResult.HELD, RoundResult.FAILED)

LOCK_NAME = ".importer.lock"
"""A file in the job's folder. It keeps two jobs, or two users, from taking files from one inbox at a time."""


@dataclass
class Round:
    """One round of one job. `release` names a held file, which then is the only one to be imported."""

    job: Job
    profile: Profile
    journal: Journal
    log: JobLog
    environment: JobEnvironment = field(default_factory=JobEnvironment)
    stopper: StopToken = field(default_factory=StopToken)
    release: str | None = None
    before: RoundResult | None = field(default=None, init=False)
    """How the round before ended, once this one is at work."""

    def go(self) -> RoundReport:
        """Do the round. Errors are in the report.

        Only a fault of the importer itself is raised, after the notices about it.
        """
        started = self.environment.clock()
        with ExitStack() as stack:
            try:
                self._lock(stack, self.journal.job_lock(self.job.name), "job-locked")
                number = self.journal.jobs.begin_round(self.job.name, started)
                self.before = self._before()
            except LockedError as error:
                return self._overlapped(started, error)
            except ImporterError as error:
                return self._close(None, self._stopped(started, [], error))
            self.log.write("info", "round-started", job=self.job.name, round=number)
            for loss in self.journal.losses:
                says = loss.sentence(self._options().lang)
                self.log.write("warning", loss.code, job=self.job.name, says=says)
            self.environment.checkpoint("round-begun")
            try:
                report = self._work(started, number)
            except Exception as error:
                fault = FaultError("job-fault", kind=type(error).__name__, job=self.job.name)
                self._close(number, self._stopped(started, [], fault))
                raise
            return self._close(number, report)

    def _work(self, started: datetime, number: int) -> RoundReport:
        files: list[FileResult] = []
        try:
            with ExitStack() as stack:
                for result in self._files(stack, number):
                    files.append(result)
                    self._log_file(result)
                    if result.fate is FileFate.OPEN:
                        return self._left_open(started, files, result)
            if self.stopper.reason is not None:
                raise self.stopper.reason
        except LockedError as error:
            report = self._stopped(started, files, error)
            return replace(report, result=RoundResult.OVERLAPPED)
        except ImporterError as error:
            return self._stopped(started, files, error)
        except OSError as error:
            reason = reason_of(error)
            disk = DiskError("job-disk", path=error.filename or self.job.folder, reason=reason)
            return self._stopped(started, files, disk)
        return self._finished(started, files)

    def _files(self, stack: ExitStack, number: int) -> Iterator[FileResult]:
        remote = remote_source(self.job, self.journal.path)
        if remote is not None:
            stack.callback(remote.close)
        environment = self.environment
        store = FileStore(self.job, self.journal.jobs, environment.clock, environment.checkpoint, remote)
        if remote is not None:
            make_private_folder(self.job.folder)
            self._lock(stack, FileLock(self.job.folder / LOCK_NAME), "job-folder-locked")
        store.prepare()
        if remote is None:
            self._lock(stack, FileLock(self.job.folder / LOCK_NAME), "job-folder-locked")
        options = self._full_or_changed(self._options())
        settings = SessionSettings(self.profile, self.environment.connection, job=self.job.name)
        session = stack.enter_context(Session.open(settings, journal=self.journal, stopper=self.stopper))
        # Missing credentials, or a list that cannot be read, stop the round before a file is taken.
        session.connect(options)
        for file in session.with_lists(options).suppress:
            read_list(file, None, options.encoding)
        stack.enter_context(_time_limit(self.job.time_limit, self.stopper))
        importing = FileProcessor(self.job, session, store, self.log, options, self.environment.checkpoint)
        for record in (*self.journal.jobs.open_files(self.job.name), *store.unknown_files(number)):
            left = self._take_up(store, record)
            if left is not None:
                yield importing.process(left)
        if self.job.retry_failed and self.release is None:
            yield from self._retried(importing)
        if self.release is not None:
            record = store.release(store.held(self.release))
            self.log.write("info", "file-released", file=record.name)
            yield importing.process(record)
            return
        for found in self._ready(remote):
            if self.stopper.reason is not None:
                return
            try:
                taken = store.take(found, number)
            except InputError as error:
                yield self._not_taken(found, error)
                continue
            if taken is not None:
                self.log.write("info", "file-taken", file=taken.name, size=found.size)
                yield importing.process(taken)

    def _retried(self, importing: FileProcessor) -> Iterator[FileResult]:
        """Send again what earlier rounds could not deliver, the oldest file first."""
        for record in reversed(self.journal.jobs.with_fate(self.job.name, FileFate.FAILED)):
            if record.reason in (NOT_SENT, NOT_SENT_AGAIN) and self.stopper.reason is None:
                result = importing.retry(record)
                if result is not None:
                    yield result

    def _take_up(self, store: FileStore, record: FileRecord) -> FileRecord | None:
        left = store.take_up(record)
        if left is not None:
            self.log.write("info", "file-taken-up", file=left.name, tries=left.tries)
        return left

    def _not_taken(self, found: inbox.InboxFile, error: InputError) -> FileResult:
        """Return the result of a file that could not be taken. It stays where it is, for the next round."""
        message = format_error(error, self._options().lang)
        return FileResult(
            legible(found.path.name),
            FileFate.FAILED,
            found.path,
            exit_code=error.exit_code,
            code=error.code,
            message=message,
        )

    def _ready(self, remote: RemoteSource | None) -> tuple[inbox.InboxFile, ...]:
        found = inbox.list_inbox(
            self.job, lambda: self.environment.clock().timestamp(), self.environment.sleep, remote
        )
        for waiting in found.waiting:
            self.log.write("info", "file-not-ready", file=legible(waiting.path.name), size=waiting.size)
        return found.ready

    def _full_or_changed(self, options: RunOptions) -> RunOptions:
        """Return the options of this round: of changed rows only, it sends all from time to time."""
        every = self.job.full_every
        if not options.changed_only or every is None:
            return options
        since, history = self.environment.clock() - timedelta(seconds=every), self.journal.jobs
        recent = takewhile(lambda one: one.started > since, history.rounds(self.job.name))
        # A round that broke off has not sent everything, whatever became of its first file.
        whole = {one.number for one in recent if one.result in _TO_THE_END}
        runs = {file.run for file in history.files(self.job.name) if file.round in whole}
        done = (run for run in self.journal.runs() if run.id in runs and sends_all(run))
        return replace(options, full=next(done, None) is None)

    def _options(self) -> RunOptions:
        return self.job.options_with(self.profile, self.environment.lang)

    def _lock(self, stack: ExitStack, lock: Lock, code: str) -> None:
        lock.acquire(LockHolder.current(self.job.name, self.environment.clock()), code)
        stack.callback(lock.release)

    # How a round ends

    def _finished(self, started: datetime, files: list[FileResult]) -> RoundReport:
        result, worst = RoundResult.GOOD, None
        for file in files:
            if file.fate is FileFate.FAILED or (file.fate is FileFate.DONE and file.exit_code):
                result, worst = RoundResult.FAILED, file
            elif file.fate is FileFate.HELD and result is RoundResult.GOOD:
                result, worst = RoundResult.HELD, file
        exit_code = worst_exit_code(file.exit_code for file in files)
        code, message = (worst.code, worst.message) if worst else ("", "")
        return self._report(started, files, result, exit_code, (code, message))

    def _left_open(self, started: datetime, files: list[FileResult], left: FileResult) -> RoundReport:
        return self._report(started, files, RoundResult.STOPPED, left.exit_code, (left.code, left.message))

    def _stopped(self, started: datetime, files: list[FileResult], error: ImporterError) -> RoundReport:
        message = format_error(error, self._options().lang)
        # The file stays where it is: once there is a folder, or space, the next round goes on.
        exit_code = ExitCode.AWAY if isinstance(error, ReportError) else error.exit_code
        return self._report(started, files, RoundResult.STOPPED, exit_code, (error.code, message))

    def _report(
        self,
        started: datetime,
        files: list[FileResult],
        result: RoundResult,
        exit_code: ExitCode,
        why: tuple[str, str],
    ) -> RoundReport:
        now = self.environment.clock()
        lang = self.environment.lang
        return RoundReport(self.job.name, started, now, result, exit_code, tuple(files), *why, lang=lang)

    def _overlapped(self, started: datetime, error: LockedError) -> RoundReport:
        self.journal.jobs.note_overlap(self.job.name, started, error.code)
        message = format_error(error, self._options().lang)
        self.log.write("warning", "round-overlapped", job=self.job.name, says=message)
        return self._report(started, [], RoundResult.OVERLAPPED, ExitCode.LOCKED, (error.code, message))

    def _close(self, number: int | None, report: RoundReport) -> RoundReport:
        self.environment.checkpoint("round-over")
        warnings = []
        try:
            if number is not None:
                history, ended = self.journal.jobs, report.ended
                history.end_round(number, ended, report.result, report.exit_code, report.code)
            if report.good:
                prune_job(self.job, self.journal, report.ended, self.log)
        except ImporterError as error:
            warnings.append(format_error(error, self._options().lang))
        return announce_round(
            self.job, self.log, self.environment, replace(report, warnings=tuple(warnings)), self.before
        )

    def _before(self) -> RoundResult | None:
        kept = (RoundResult.GOOD, RoundResult.HELD, RoundResult.FAILED, RoundResult.STOPPED)
        last = self.journal.jobs.last_round(self.job.name, *kept, RoundResult.INTERRUPTED)
        return last.result if last else None

    def _log_file(self, result: FileResult) -> None:
        self.log.write(
            "error" if result.exit_code else "info",
            "file-left-open" if result.fate is FileFate.OPEN else "file-put-away",
            file=result.name,
            fate=str(result.fate) or "open",
            place=str(result.place),
            run=result.run,
            code=result.code,
            counts=shown_counts(result.counts),
        )


class DiskError(ImporterError):
    """A file system refuses. The journal knows what was sent, and the next round goes on."""

    exit_code = ExitCode.AWAY


class TimeLimitError(UnreachableError):
    """The round took longer than its job allows. `resume`, or the next round, goes on."""


@contextlib.contextmanager
def _time_limit(seconds: float | None, stopper: StopToken) -> Iterator[None]:
    if seconds is None:
        yield
        return
    limit = TimeLimitError("job-time-limit", seconds=f"{seconds:g}")
    timer = threading.Timer(seconds, stopper.stop, [limit])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
