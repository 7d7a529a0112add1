"""Tell how a job is doing: for people, for monitoring, and as a Nagios plugin."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum

from importer.errors import ImporterError
from importer.escaping import single_line, to_json
from importer.jobs import schedule
from importer.jobs.config import Job
from importer.jobs.results import UNFIT, shown_counts
from importer.jobs.selection import ChosenJob, UnusableJob
from importer.journal import Journal
from importer.journal.job_history import FileFate, FileRecord, JobHistory, RoundRecord, RoundResult
from importer.messages import sentence, value_word


class CheckStatus(IntEnum):
    """Exit codes as Nagios plugins use them."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_IMPORTED = 100
"""How many of the last imported files are looked at for rows that wait for a correction."""
_NAMED = 3
"""How many files a line names."""
_BAD = (RoundResult.FAILED, RoundResult.STOPPED, RoundResult.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job at one moment. Lags are seconds."""

    job: str
    health: CheckStatus
    why: tuple[str, ...]
    last: RoundRecord | None
    """The last round; overlapped ones left out."""
    good: RoundRecord | None
    lag: float | None
    """Since the end of the last good round."""
    imported: FileRecord | None
    """The last file that was imported."""
    quiet: float | None
    """Seconds since it was imported."""
    held: tuple[FileRecord, ...]
    failed: tuple[FileRecord, ...]
    """What lies in failed/. Held and failed files make the job look bad until somebody acknowledges them."""
    left: tuple[FileRecord, ...]
    """Files of the last round that imported any, of which rows wait for a correction."""
    open: tuple[FileRecord, ...]
    next: datetime | None
    source: str = ""
    """Where its files come in."""
    lang: str = "en"

    def said(self) -> str:
        """Return how the job is doing, without figures."""
        told = "; ".join(filter(None, (*(self.why or (self._all_well(),)), self._now(), self._left())))
        told = single_line(told).replace("|", "¦")  # | begins the figures
        return f"{self.health.name} - {self.job}: {told}"

    def line(self) -> str:
        """One line, as Nagios plugins print it."""
        lag = "U" if self.lag is None else f"{self.lag:.0f}s"
        quiet = "U" if self.quiet is None else f"{self.quiet:.0f}s"
        perf = f"lag={lag} quiet={quiet} rows={0 if self.imported is None else self.imported.rows}"
        return f"{self.said()} | {perf} held={len(self.held)} failed={len(self.failed)}"

    def _left(self) -> str:
        rows = sum(map(rows_to_correct, self.left))
        names = ", ".join(record.name for record in self.left)
        return sentence("job-left", {"rows": rows, "names": names}, self.lang) if rows else ""

    def _now(self) -> str:
        if self.last is None or self.last.result is not RoundResult.RUNNING:
            return ""
        return sentence("job-running-since", {"when": f"{self.last.started:%Y-%m-%d %H:%M}"}, self.lang)

    def _all_well(self) -> str:
        if not self.good or not self.good.ended:
            return sentence("job-no-good-round", {}, self.lang)
        return sentence("job-last-good-round", {"when": f"{self.good.ended:%Y-%m-%d %H:%M}"}, self.lang)

    def json(self) -> str:
        """One object; counts and names, no customer's data."""
        return to_json(self.content(), indent=2)

    def content(self) -> dict[str, object]:
        """Return what `json` says."""
        return {
            "version": 1,
            "job": self.job,
            "health": self.health.name.lower(),
            "why": list(self.why),
            "last_round": _round(self.last),
            "last_good_round": _round(self.good),
            "lag_seconds": None if self.lag is None else round(self.lag),
            "last_import": _file(self.imported),
            "quiet_seconds": None if self.quiet is None else round(self.quiet),
            "rows_left": sum(map(rows_to_correct, self.left)),
            "held": [_file(record) for record in self.held],
            "failed": [_file(record) for record in self.failed],
            "open": [_file(record) for record in self.open],
            "next_run": self.next.isoformat() if self.next else None,
        }


@dataclass(frozen=True, slots=True)
class UnknownStatus:
    """A job that cannot be looked at."""

    job: str
    error: ImporterError
    lang: str = "en"
    health: CheckStatus = CheckStatus.UNKNOWN

    def said(self) -> str:
        """Return why nobody knows how the job is doing."""
        told = single_line(self.error.sentence(self.lang)).replace("|", "¦")
        return f"{self.health.name} - {self.job}: {told}"

    def content(self) -> dict[str, object]:
        """Return the same as an object, in the form of a job's status."""
        return {
            "version": 1,
            "job": self.job,
            "health": self.health.name.lower(),
            "why": [self.error.sentence(self.lang)],
            "code": self.error.code,
        }


_BY_WEIGHT = (CheckStatus.OK, CheckStatus.WARNING, CheckStatus.UNKNOWN, CheckStatus.CRITICAL)


@dataclass(frozen=True, slots=True)
class StatusOfAll:
    """Several jobs at one moment; the worst of them counts."""

    jobs: tuple[JobStatus | UnknownStatus, ...]

    @property
    def health(self) -> CheckStatus:
        return max((one.health for one in self.jobs), key=_BY_WEIGHT.index, default=CheckStatus.OK)

    def lines(self) -> list[str]:
        """Return a line for all with the figures, as Nagios plugins print it, and one for each job."""
        parts, figures = [], []
        for health in reversed(_BY_WEIGHT):
            names = [one.job for one in self.jobs if one.health is health]
            if names:
                named = "" if health is CheckStatus.OK else f" ({', '.join(names)})"
                parts.append(f"{len(names)} {health.name.lower()}{named}")
            figures.append(f"{health.name.lower()}={len(names)}")
        held = sum(len(one.held) for one in self.jobs if isinstance(one, JobStatus))
        first = f"{self.health.name} - {', '.join(parts) or 'no jobs'} | {' '.join(figures)} held={held}"
        ordered = sorted(self.jobs, key=lambda one: -_BY_WEIGHT.index(one.health))
        return [first, *(one.said() for one in ordered)]

    def json(self) -> str:
        """One object with one for each job; counts and names, no customer's data."""
        jobs = [one.content() for one in self.jobs]
        return to_json({"version": 1, "health": self.health.name.lower(), "jobs": jobs}, indent=2)


def look_at_jobs(
    chosen: Sequence[ChosenJob | UnusableJob], journal: Journal, now: datetime, lang: str
) -> tuple[JobStatus | UnknownStatus, ...]:
    """Find out how jobs are doing, those with mistakes in their settings among them."""
    unscheduled = any(isinstance(one, ChosenJob) and not one.job.schedule for one in chosen)
    installed = schedule.installed_schedules() if unscheduled and os.name == "posix" else {}
    found: list[JobStatus | UnknownStatus] = []
    for one in chosen:
        if isinstance(one, ChosenJob):
            when = installed.get(one.name) or installed.get(one.job.table, "")
            found.append(job_status(one.job, journal, now, when, lang))
        else:
            found.append(UnknownStatus(one.name, one.error, lang))
    return tuple(found)


def job_status(job: Job, journal: Journal, now: datetime, when: str = "", lang: str = "en") -> JobStatus:
    """Find out how the job is doing. `when`: the schedule it is installed with, if its table names none."""
    history = journal.jobs
    last = history.last_round(job.name, *(result for result in RoundResult if result != "overlapped"))
    if last is not None and last.result is RoundResult.RUNNING and not journal.job_running(job.name):
        last = replace(last, result=RoundResult.INTERRUPTED)
    good = history.last_round(job.name, RoundResult.GOOD)
    lying = history.lying(job.name)
    held, failed = (
        tuple(record for record in lying if record.fate is fate) for fate in (FileFate.HELD, FileFate.FAILED)
    )
    newest = history.with_fate(job.name, FileFate.DONE, _IMPORTED)
    imported = newest[0] if newest else None
    left = tuple(one for one in newest if one.round == newest[0].round and rows_to_correct(one))
    lag = _since(good.ended if good else None, now)
    quiet = _since(imported.settled if imported else None, now)
    times = schedule.parse_schedule(job.schedule or when) if job.schedule or when else None
    health, why = CheckStatus.OK, []
    if last is None and not journal.losses:
        health, why = CheckStatus.UNKNOWN, [sentence("job-never-ran", {}, lang)]
    if last is not None and last.result in _BAD and not _taken_note_of(last, history):
        health = CheckStatus.CRITICAL
        result = value_word(last.result, lang)
        why.append(sentence("job-last-round", {"result": result, "reason": last.reason or "?"}, lang))
    if journal.losses:
        health = CheckStatus.CRITICAL
        why += [loss.sentence(lang) for loss in journal.losses]
    if _late(job, good or last, lag, times, now):
        health = CheckStatus.CRITICAL
        code = "job-no-good-round" if lag is None else "job-no-good-round-for"
        why.append(sentence(code, {"time": _long(lag or 0)}, lang))
    for waiting, word, level in (
        (failed, "failed", CheckStatus.CRITICAL),
        (held, "held", CheckStatus.WARNING),
    ):
        unseen = [record.name for record in waiting if record.acknowledged is None]
        if unseen:
            health = max(health, level)
            names = ", ".join(unseen[:_NAMED]) + ", …" * (len(unseen) > _NAMED)
            told = {"count": len(unseen), "what": value_word(word, lang), "names": names}
            why.append(sentence("job-waiting", told, lang))
    if job.max_quiet is not None and quiet is not None and quiet > job.max_quiet:
        health = max(health, CheckStatus.WARNING)
        why.append(sentence("job-no-file-for", {"time": _long(quiet)}, lang))
    return JobStatus(
        job=job.name,
        health=health,
        why=tuple(why),
        last=last,
        good=good,
        lag=lag,
        imported=imported,
        quiet=quiet,
        held=held,
        failed=failed,
        left=left,
        open=history.open_files(job.name),
        next=times.next(now) if times else None,
        source=job.describe_source(),
        lang=lang,
    )


def rows_to_correct(record: FileRecord) -> int:
    """Return how many rows of a file that was imported wait for a correction."""
    return sum(record.counts.get(status, 0) for status in UNFIT)


def _taken_note_of(last: RoundRecord, history: JobHistory) -> bool:
    """Whether somebody acknowledged or removed every file that made a round fail."""
    files = history.with_fate(last.job, FileFate.FAILED)
    # A file of an earlier round, too, whose rows this one sent again.
    mine = [one for one in files if one.round == last.number or (one.settled and one.settled >= last.started)]
    seen = all(one.acknowledged or not (one.target and one.target.exists()) for one in mine)
    return last.result is RoundResult.FAILED and bool(mine) and seen


def _late(
    job: Job,
    reference: RoundRecord | None,
    lag: float | None,
    times: schedule.Schedule | None,
    now: datetime,
) -> bool:
    """Beyond `max_lag`, or, without one, if two scheduled times passed since the last good round."""
    if reference is None:
        return False
    if job.max_lag is not None:
        return (lag if lag is not None else (now - reference.started).total_seconds()) > job.max_lag
    if times is None:
        return False
    first = times.next(reference.ended or reference.started)
    second = times.next(first) if first else None
    return second is not None and now > second


def _since(moment: datetime | None, now: datetime) -> float | None:
    """Seconds since a moment; 0 if the clock was set back since."""
    return None if moment is None else max((now - moment).total_seconds(), 0.0)


def _long(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _round(record: RoundRecord | None) -> dict[str, object] | None:
    if record is None:
        return None
    return {
        "started": record.started.isoformat(timespec="seconds"),
        "ended": record.ended.isoformat(timespec="seconds") if record.ended else None,
        "result": str(record.result),
        "exit_code": None if record.exit_code is None else int(record.exit_code),
        "code": record.reason or None,
    }


def _file(record: FileRecord | None) -> dict[str, object] | None:
    if record is None:
        return None
    place = record.target if record.settled and record.target else record.place
    return {
        "file": record.name,
        "path": str(place),
        "fate": str(record.fate) or "open",
        "acknowledged": record.acknowledged.isoformat(timespec="seconds") if record.acknowledged else None,
        "code": record.reason or None,
        "run": record.run or None,
        "rows": record.rows,
        "counts": shown_counts(record.counts),
        "taken": record.taken.isoformat(timespec="seconds"),
    }
