"""Rounds of jobs on a cluster: one round of one job is a task.

Credentials never travel: a worker reads its own settings and environment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from importer import __version__
from importer.cluster.engine import Distribution, destination_of, refuse_other_lane, settings_of
from importer.cluster.worker import WorkerSide
from importer.config import ConfigFile
from importer.errors import FaultError, ImporterError, LockedError, SettingsError
from importer.jobs.config import JobEnvironment, NoticeSettings
from importer.jobs.log import open_log
from importer.jobs.notify import has_changed
from importer.jobs.results import RoundReport, failed_round
from importer.jobs.rounds import RoundOutcome, Rounds, RoundsReport
from importer.jobs.runner import Round
from importer.jobs.selection import ChosenJob, choose_job
from importer.journal import Journal
from importer.journal.job_history import RoundResult
from importer.journal.locks import LockHolder
from importer.journal.opening import opened_patiently
from importer.journal_place import journal_place, shown_place
from importer.messages import sentence
from importer.pipeline.run import StopToken

_JOURNAL_SECONDS = 10.0
"""For how long a journal that is away is waited for, to note that rounds were not done."""
_BUSY_SECONDS = 300.0
"""For how long a round is tried again that another process is still at."""


@dataclass(frozen=True, slots=True)
class RoundTask:
    """One round of one job, as it travels to a worker. No secret is in it."""

    job: str
    settings: str
    """importer.toml, absolute; it has to lie there on the worker, too."""
    journal: str
    """Where the client's journal is, as it is shown."""
    found_in: str = ""
    """The client's working directory, if importer.toml was found there and nobody named it."""
    lane: str = ""
    """Where the client would send; empty if it does not know."""
    lang: str = "en"
    env_file: str = ""
    quiet: bool = False
    """The client tells of it, together with others."""
    beats: bool = True
    """The job's heartbeat is its own."""
    version: str = __version__

    @property
    def title(self) -> str:
        return self.job


def carry_out(task: RoundTask, side: WorkerSide | None = None) -> RoundOutcome:
    """Do the round of a task, and return what came of it."""
    side = side or WorkerSide()
    environment = JobEnvironment(lang=task.lang)
    try:
        env_file = Path(task.env_file) if task.env_file else None
        chosen = choose_job(settings_of(task), task.job, env_file=env_file)
        job = chosen.job
        options = job.options_with(chosen.profile, task.lang)
        refuse_other_lane(task, destination_of(chosen.profile, options))
        if task.quiet:
            job = replace(job, notices=NoticeSettings(), heartbeat=job.heartbeat if task.beats else "")
        log = open_log(job, environment.clock)
        stopper = StopToken()
        with (
            side.watched(stopper),
            opened_patiently(Journal.open, options.patience, lambda: stopper.reason) as journal,
        ):
            current = Round(job, chosen.profile, journal, log, environment, stopper)
            report = current.go()
            told = report.result is not RoundResult.OVERLAPPED and has_changed(report, current.before)
            return RoundOutcome(report, told, bool(journal.losses), side.name)
    except ImporterError as error:
        return RoundOutcome(failed_round(task.job, environment, error), worker=side.name)
    except Exception as error:
        fault = FaultError("job-fault", kind=type(error).__name__, job=task.job)
        return RoundOutcome(failed_round(task.job, environment, fault), worker=side.name)


class RoundLedger:
    """Records in the journal the rounds of which no worker recorded anything: `job status` looks there.

    A worker that uses another journal, or lacks something, leaves no trace of its round in this one.
    """

    def __init__(self, rounds: Rounds) -> None:
        """Look which rounds the journal knows before any is handed out."""
        self._rounds, self._before = rounds, dict[str, int]()
        with contextlib.suppress(ImporterError), self._journal() as journal:
            self._before = {one.name: _last_round(journal, one.name) for one in rounds.chosen}

    def record(self, reports: Sequence[RoundReport]) -> None:
        """Record the rounds that ended without a new entry. A job at which somebody works keeps its own."""
        with contextlib.suppress(ImporterError), self._journal() as journal:
            for report in reports:
                if report.good or report.result is RoundResult.OVERLAPPED or report.job not in self._before:
                    continue
                with contextlib.suppress(LockedError):
                    self._record(journal, report)

    def record_failure(self, error: ImporterError) -> None:
        """Record that no round could be done."""
        environment = self._rounds.environment
        self.record([failed_round(one.name, environment, error) for one in self._rounds.chosen])

    def _record(self, journal: Journal, report: RoundReport) -> None:
        lock = journal.job_lock(report.job)
        lock.acquire(LockHolder.current(report.job, report.started), "job-locked")
        try:
            if _last_round(journal, report.job) == self._before[report.job]:
                number = journal.jobs.begin_round(report.job, report.started)
                journal.jobs.end_round(number, report.ended, report.result, report.exit_code, report.code)
        finally:
            lock.release()

    def _journal(self) -> contextlib.AbstractContextManager[Journal]:
        return opened_patiently(Journal.open, _JOURNAL_SECONDS, lambda: self._rounds.stopper.reason)


def _last_round(journal: Journal, job: str) -> int:
    return next((one.number for one in journal.jobs.rounds(job, 1)), 0)


def _lane(chosen: ChosenJob, lang: str) -> str:
    """Where the client would send for a job; empty where its credentials are known to workers alone."""
    try:
        there = destination_of(chosen.profile, chosen.job.options_with(chosen.profile, lang))
    except SettingsError:
        return ""
    return there.lane if there else ""


def rounds_on(client: Any, rounds: Rounds, config: ConfigFile, env_file: Path | None) -> RoundsReport:
    """Do the rounds of jobs on the cluster, and return what came of them. `config`: importer.toml."""
    environment, journal = rounds.environment, shown_place(journal_place())

    def elsewhere(jobs: Sequence[ChosenJob]) -> Sequence[RoundOutcome]:
        tasks = [
            RoundTask(
                one.name,
                str(config.path.absolute()) if config.path else "",
                journal,
                str(config.found_in) if config.found_in else "",
                _lane(one, environment.lang),
                environment.lang,
                str(env_file.absolute()) if env_file else "",
                quiet=one.job.notices == NoticeSettings(),
                beats=bool(one.job.heartbeat),
            )
            for one in jobs
        ]
        done: list[None] = []

        def ended(place: int, outcome: RoundOutcome) -> None:
            done.append(None)
            if rounds.echo is not None:
                report = outcome.report
                rounds.echo(f"{len(done)}/{len(tasks)} {report.job}: {report.result} ({outcome.worker})")

        def deserted(address: str, seconds: float) -> None:
            if rounds.echo is not None:
                found = {"address": address, "minutes": max(1, round(seconds / 60))}
                rounds.echo(sentence("cluster-waits-for-workers", found, environment.lang))

        work = Distribution(
            client,
            carry_out,
            lost=lambda task, why, begun: RoundOutcome(failed_round(task.job, environment, why)),
            is_busy=lambda outcome: outcome.report.result is RoundResult.OVERLAPPED,
            busy_seconds=_BUSY_SECONDS,
            stop_reason=lambda: rounds.stopper.reason,
            ended=ended,
            deserted=deserted,
        )
        return [outcome for lane in work.go([[task] for task in tasks]) for outcome in lane]

    rounds.elsewhere = elsewhere
    return rounds.go()
