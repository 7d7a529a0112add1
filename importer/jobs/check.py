"""What a round would do now, without doing it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from importer.config import Connection
from importer.errors import ImporterError, InputError, MappingError
from importer.jobs import inbox, tripwires
from importer.jobs.importing import told
from importer.jobs.job import Job
from importer.jobs.surroundings import Surroundings
from importer.journal import Journal
from importer.journal.job_history import FileContent, FileFate
from importer.models import Status
from importer.options import RunOptions
from importer.pipeline import plan as plans
from importer.pipeline.examine import examine
from importer.pipeline.flow import Memory


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of one file."""

    path: Path
    fate: str
    """import, resume, hold, fail, repeated, wait, held."""
    rows: int = 0
    to_send: int = 0
    invalid: int = 0
    says: str = ""


def foresee(
    job: Job, journal: Journal, connection: Connection | None, options: RunOptions, around: Surroundings
) -> tuple[Foreseen, ...]:
    """Every file a round would look at. `connection` None: credentials are missing. Raises InputError if the
    folder cannot be read."""
    history = journal.jobs
    files = [Foreseen(record.place, "resume", record.rows) for record in history.open_files(job.name)]
    files += [
        Foreseen(record.target, "held", record.rows)
        for record in history.with_fate(job.name, FileFate.HELD)
        if record.target is not None and record.target.exists()
    ]
    seen = inbox.look(job, lambda: around.clock().timestamp(), around.sleep)
    files += [_foresee(job, found.path, journal, connection, options) for found in seen.ready]
    files += [Foreseen(found.path, "wait") for found in seen.waiting]
    return tuple(files)


def _foresee(
    job: Job, path: Path, journal: Journal, connection: Connection | None, options: RunOptions
) -> Foreseen:
    lang = options.lang
    try:
        plan = plans.make(path, replace(options, dry_run=connection is None), connection, journal)
    except (InputError, MappingError) as error:
        return Foreseen(path, "fail", says=told(error, lang))
    try:
        key = plan.destination.key if plan.destination else ""
        content = FileContent(plan.source.sha256, plan.mapping.digest, key)
        if journal.jobs.known(job.name, content, FileFate.DONE):
            return Foreseen(path, "repeated")
        found = examine(plan, Memory(), lambda rows: None)
        past = journal.jobs.with_fate(job.name, FileFate.DONE, tripwires.PAST)
        tripped: ImporterError | None = tripwires.judge(found, past, job.tripwires)
        fate, says = ("hold", told(tripped, lang)) if tripped else ("import", "")
        return Foreseen(path, fate, found.rows, found.to_send, found.counts[Status.INVALID], says)
    except InputError as error:
        return Foreseen(path, "fail", says=told(error, lang))
    finally:
        plan.close()
