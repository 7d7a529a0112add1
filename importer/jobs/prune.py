"""What is older than the job's own rule goes: finished runs, rounds, put-away files with their reports."""

from __future__ import annotations

import contextlib
import shutil
from datetime import datetime, timedelta

from importer.jobs.intake import FOLDERS
from importer.jobs.job import Job
from importer.jobs.log import JobLog
from importer.journal import Journal
from importer.journal.job_history import FileFate, FileRecord

_PRUNED = (FileFate.DONE, FileFate.REPEATED, FileFate.FAILED)
"""Never what is held or at work. What was imported is remembered for ever, without its files."""


def prune(job: Job, journal: Journal, now: datetime, log: JobLog) -> None:
    """Forgets what ended longer ago than `job.keep` seconds; without such a rule nothing."""
    if job.keep is None:
        return
    before = now - timedelta(seconds=job.keep)
    files = 0
    for fate in _PRUNED:
        for record in journal.jobs.with_fate(job.name, fate):
            if record.settled is not None and record.settled < before:
                files += _remove(job, record)
    runs = journal.forget(journal.jobs.old_runs(job.name, before))
    rounds = journal.jobs.forget_rounds(job.name, before)
    if files or runs or rounds:
        log.write("info", "pruned", files=files, runs=runs, rounds=rounds)


def _remove(job: Job, record: FileRecord) -> bool:
    """Removes a file's folder, and its reports where they lie elsewhere; only what this job has put there."""
    assert record.target is not None  # noqa: S101 - settled
    room = record.target.parent
    if room.parent != job.folder / FOLDERS[record.fate]:
        return False
    with contextlib.suppress(OSError):
        if job.reports is not None:
            shutil.rmtree(job.reports / record.place.parent.name, ignore_errors=True)
        shutil.rmtree(room)
        return True
    return False
