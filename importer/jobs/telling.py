"""The end of a round, as the log, the notices and the heartbeat get it."""

from __future__ import annotations

from dataclasses import replace

from importer.errors import ImporterError
from importer.jobs import notices
from importer.jobs.importing import told
from importer.jobs.job import Job
from importer.jobs.log import JobLog
from importer.jobs.results import RoundReport
from importer.jobs.surroundings import Surroundings
from importer.journal.job_history import RoundResult


def unstarted(job: Job, log: JobLog, around: Surroundings, error: ImporterError) -> RoundReport:
    """A round that could not begin, since the journal cannot be opened: told like any other."""
    now, says = around.clock(), told(error, around.lang)
    report = RoundReport(job.name, now, now, RoundResult.STOPPED, error.exit_code, (), error.code, says)
    return tell(job, log, around, report, None)


def tell(
    job: Job, log: JobLog, around: Surroundings, report: RoundReport, before: RoundResult | None
) -> RoundReport:
    """Tells whoever wants to know. What did not work is added to the report's warnings."""
    warnings = list(report.warnings)
    log.write(
        "info" if report.good else "error",
        "round-ended",
        result=str(report.result),
        exit_code=int(report.exit_code),
        code=report.code,
        files=len(report.files),
    )
    if notices.wanted(job.notices, report, before):
        warnings += notices.send(job.notices, report, around.sleep)
    if report.good:
        beat = notices.beat(job, report.ended.isoformat(timespec="seconds") + "\n", around.sleep)
        warnings += [f"heartbeat: {beat}"] if beat else []
    for warning in warnings:
        log.write("warning", "not-told", what=warning)
    if log.failure:
        warnings.append(f"log: {log.path}: {log.failure}")
    return replace(report, warnings=tuple(warnings))
