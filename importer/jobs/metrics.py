"""Write a Prometheus textfile: how jobs are doing, and what became of the newest run of each tenant.

The format is that of the node exporter's textfile collector (prometheus.io, “Exposition formats”). All are
gauges: a journal that forgets old runs would make a counter go back. Names of jobs, profiles and tenants are
in it, no customer's data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from importer.exit_codes import ExitCode
from importer.jobs.status import JobStatus, UnknownStatus
from importer.journal import Journal, RunState
from importer.journal.job_history import FileFate
from importer.journal.run_totals import RunTotals
from importer.models import Status
from importer.private_files import leave_foreign, replace_private_file

READABLE = 0o644
"""The node exporter reads it as another user."""
_HELP = {
    "nxlink_job_health": "How a job is doing: 0 ok, 1 warning, 2 critical, 3 unknown",
    "nxlink_job_last_round_timestamp_seconds": "When the last round of a job began",
    "nxlink_job_last_good_round_timestamp_seconds": "When the last good round of a job ended",
    "nxlink_job_files": "Files of a job that wait for somebody, by state",
    "nxlink_run_rows": "Rows of the newest run, by status",
    "nxlink_run_requests": "Requests of the newest run",
    "nxlink_run_retries": "Attempts beyond the first of the requests of the newest run",
    "nxlink_run_seconds": "How long the newest run took",
    "nxlink_run_exit_code": "How the newest run ended",
    "nxlink_run_open": "1 if the newest run is at work, or waits to be resumed",
    "nxlink_run_timestamp_seconds": "When the newest run began",
    "nxlink_last_success_timestamp_seconds": "When a run last ended with nothing left to do",
    "nxlink_metrics_timestamp_seconds": "When this file was written",
}
_BEGIN = re.compile(b"# HELP nxlink_")
_Sample = tuple[str, Mapping[str, str], float]


def write_metrics(
    path: Path, jobs: Sequence[JobStatus | UnknownStatus], journal: Journal, now: datetime
) -> None:
    """Write the file whole. Raises OSError, JournalError; FileExistsError for a file of somebody else."""
    leave_foreign(path, _BEGIN, 14, "metrics file")
    samples = [*_of_jobs(jobs, journal), *_of_runs(journal.newest_of_each())]
    samples.append(("nxlink_metrics_timestamp_seconds", {}, now.timestamp()))
    replace_private_file(path, format_metrics(samples).encode(), READABLE)


def format_metrics(samples: Iterable[_Sample]) -> str:
    """Return samples in the text format, those of one name together."""
    by_name: dict[str, list[str]] = {}
    for name, labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        by_name.setdefault(name, []).append(
            f"{name}{{{inside}}} {value:.15g}" if inside else f"{name} {value:.15g}"
        )
    lines: list[str] = []
    for name, written in by_name.items():
        lines += [f"# HELP {name} {_HELP[name]}.", f"# TYPE {name} gauge", *written]
    return "\n".join(lines) + "\n"


def _of_jobs(jobs: Sequence[JobStatus | UnknownStatus], journal: Journal) -> Iterator[_Sample]:
    for one in jobs:
        labels = {"job": one.job}
        yield "nxlink_job_health", labels, one.health
        if not isinstance(one, JobStatus):
            continue
        if one.last is not None:
            yield "nxlink_job_last_round_timestamp_seconds", labels, one.last.started.timestamp()
        if one.good is not None and one.good.ended is not None:
            yield "nxlink_job_last_good_round_timestamp_seconds", labels, one.good.ended.timestamp()
        failed = journal.jobs.with_fate(one.job, FileFate.FAILED)
        there = sum(record.target is not None and record.target.exists() for record in failed)
        for state, files in (("held", len(one.held)), ("failed", there), ("open", len(one.open))):
            yield "nxlink_job_files", labels | {"state": state}, files


def _of_runs(runs: Iterable[RunTotals]) -> Iterator[_Sample]:
    for one in runs:
        record, there = one.record, one.record.destination
        if there is None:
            continue
        labels = {
            "job": record.job,
            "profile": record.profile,
            "tenant": there.tenant_id,
            "app": there.app_key,
            "host": "sandbox" if there.store else there.host.partition("://")[2],
        }
        for status in Status:
            yield "nxlink_run_rows", labels | {"status": status.value}, record.counts.get(status, 0)
        yield "nxlink_run_requests", labels, one.requests
        yield "nxlink_run_retries", labels, max(one.attempts - one.requests, 0)
        if record.started is not None:
            yield "nxlink_run_timestamp_seconds", labels, record.started.timestamp()
            if record.finished is not None:
                yield "nxlink_run_seconds", labels, (record.finished - record.started).total_seconds()
        if record.exit_code is not None:
            yield "nxlink_run_exit_code", labels, record.exit_code
        done = record.state is RunState.FINISHED or record.exit_code is ExitCode.DONE
        yield "nxlink_run_open", labels, 0 if done else 1
        if one.last_success is not None:
            yield "nxlink_last_success_timestamp_seconds", labels, one.last_success.timestamp()


def _escaped(text: str) -> str:
    """Escape a label's value as the format wants it."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
