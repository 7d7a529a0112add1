"""Tell what a round of a job would do with each file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from importer.config import Connection
from importer.errors import ImporterError, InputError, MappingError
from importer.jobs import inbox, tripwires
from importer.jobs.config import Job, JobEnvironment
from importer.jobs.process_file import newest_run, rows_open
from importer.jobs.remote_inbox import remote_source
from importer.jobs.results import format_error
from importer.journal import Journal, RunState
from importer.journal.job_history import FileContent, FileFate, FileRecord
from importer.models import Status
from importer.options import RunOptions
from importer.pipeline import plan as plans
from importer.pipeline.changed_rows import changed_rows
from importer.pipeline.flow import RunContext
from importer.pipeline.plan import kept_options
from importer.pipeline.precheck import precheck
from importer.sources.locations import LocalCopy


@dataclass(frozen=True, slots=True)
class FilePreview:
    """What would become of one file."""

    path: Path
    fate: str
    """import, resume, hold, fail, repeated, wait, held; at-work: the round that is under way has it."""
    rows: int = 0
    to_send: int = 0
    invalid: int = 0
    message: str = ""


def preview(
    job: Job,
    journal: Journal,
    connection: Connection | None,
    options: RunOptions,
    environment: JobEnvironment,
) -> tuple[FilePreview, ...]:
    """Return what a round would do with each file. `connection` is None if credentials are missing.

    Raises InputError if the folder cannot be read.
    """
    history = journal.jobs
    at_work = journal.job_running(job.name)
    files = [
        FilePreview(one.place, "at-work", *rows_open(journal, one))
        if at_work
        else _preview_begun(one, journal, options)
        for one in history.open_files(job.name)
    ]
    files += [
        FilePreview(record.target, "held", record.rows)
        for record in history.with_fate(job.name, FileFate.HELD)
        if record.target is not None and record.target.exists()
    ]
    remote = remote_source(job, journal.path)
    seen = inbox.list_inbox(job, lambda: environment.clock().timestamp(), environment.sleep, remote)
    for found in seen.ready:
        if remote is None:
            files.append(_preview_file(job, found.path, journal, connection, options))
            continue
        with remote.borrowed(found) as copy:
            known = LocalCopy(copy, remote.shown(found))
            one = _preview_file(job, known, journal, connection, options)
            files.append(replace(one, path=found.path))
    files += [FilePreview(found.path, "wait") for found in seen.waiting]
    return tuple(files)


def _preview_begun(record: FileRecord, journal: Journal, options: RunOptions) -> FilePreview:
    """Return that a file is taken up again, if it can be opened. Raises SettingsError where a round would."""
    run = newest_run(journal, record)
    if record.place.exists() and (run is None or run.state is not RunState.FINISHED):
        kept = options if run is None else kept_options(run)
        try:
            plans.make_plan(record.place, replace(kept, dry_run=True), None, journal).close()
        except (InputError, MappingError) as error:
            return FilePreview(record.place, "fail", message=format_error(error, options.lang))
    return FilePreview(record.place, "resume", *rows_open(journal, record))


def _preview_file(
    job: Job, file: Path | LocalCopy, journal: Journal, connection: Connection | None, options: RunOptions
) -> FilePreview:
    path, lang = Path(file), options.lang
    try:
        plan = plans.make_plan(file, replace(options, dry_run=connection is None), connection, journal)
    except (InputError, MappingError) as error:
        return FilePreview(path, "fail", message=format_error(error, lang))
    try:
        key = plan.destination.key if plan.destination else ""
        content = FileContent(plan.source.sha256, plan.mapping.digest, key)
        if journal.jobs.find_file(job.name, content, FileFate.DONE):
            return FilePreview(path, "repeated")
        found = precheck(plan, RunContext(changes=changed_rows(plan, journal)), lambda rows: None)
        past = journal.jobs.with_fate(job.name, FileFate.DONE, tripwires.COMPARED_FILES)
        tripped: ImporterError | None = tripwires.check_tripwires(found, past, job.tripwires)
        fate, message = ("hold", format_error(tripped, lang)) if tripped else ("import", "")
        return FilePreview(path, fate, found.rows, found.to_send, found.counts[Status.INVALID], message)
    except InputError as error:
        return FilePreview(path, "fail", message=format_error(error, lang))
    finally:
        plan.close()
