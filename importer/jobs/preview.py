"""Say what a round would do now, without doing it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from importer.config import Connection
from importer.errors import ImporterError, InputError, MappingError
from importer.jobs import gates, inbox
from importer.jobs.config import Job
from importer.jobs.environment import JobEnvironment
from importer.jobs.results import format_error
from importer.journal import Journal
from importer.journal.job_history import FileContent, FileFate
from importer.models import Status
from importer.options import RunOptions
from importer.pipeline import plan as plans
from importer.pipeline.flow import RunContext
from importer.pipeline.precheck import precheck


@dataclass(frozen=True, slots=True)
class FilePreview:
    """What would become of one file."""

    path: Path
    fate: str
    """import, resume, hold, fail, repeated, wait, held."""
    rows: int = 0
    to_send: int = 0
    invalid: int = 0
    message: str = ""


def preview(
    job: Job, journal: Journal, connection: Connection | None, options: RunOptions, around: JobEnvironment
) -> tuple[FilePreview, ...]:
    """Every file a round would look at. `connection` None: credentials are missing. Raises InputError if the
    folder cannot be read."""
    history = journal.jobs
    files = [FilePreview(record.place, "resume", record.rows) for record in history.open_files(job.name)]
    files += [
        FilePreview(record.target, "held", record.rows)
        for record in history.with_fate(job.name, FileFate.HELD)
        if record.target is not None and record.target.exists()
    ]
    seen = inbox.list_inbox(job, lambda: around.clock().timestamp(), around.sleep)
    files += [_preview_file(job, found.path, journal, connection, options) for found in seen.ready]
    files += [FilePreview(found.path, "wait") for found in seen.waiting]
    return tuple(files)


def _preview_file(
    job: Job, path: Path, journal: Journal, connection: Connection | None, options: RunOptions
) -> FilePreview:
    lang = options.lang
    try:
        plan = plans.make_plan(path, replace(options, dry_run=connection is None), connection, journal)
    except (InputError, MappingError) as error:
        return FilePreview(path, "fail", message=format_error(error, lang))
    try:
        key = plan.destination.key if plan.destination else ""
        content = FileContent(plan.source.sha256, plan.mapping.digest, key)
        if journal.jobs.find_file(job.name, content, FileFate.DONE):
            return FilePreview(path, "repeated")
        found = precheck(plan, RunContext(), lambda rows: None)
        past = journal.jobs.with_fate(job.name, FileFate.DONE, gates.COMPARED_FILES)
        tripped: ImporterError | None = gates.check_tripwires(found, past, job.tripwires)
        fate, message = ("hold", format_error(tripped, lang)) if tripped else ("import", "")
        return FilePreview(path, fate, found.rows, found.to_send, found.counts[Status.INVALID], message)
    except InputError as error:
        return FilePreview(path, "fail", message=format_error(error, lang))
    finally:
        plan.close()
