"""Rounds of jobs on a cluster: one round of one job is a task.

Credentials never travel: a worker reads its own settings and environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from importer import __version__
from importer.cluster.engine import Distribution, destination_of, refuse_other_lane, settings_of
from importer.cluster.worker import WorkerSide
from importer.config import ConfigFile
from importer.errors import FaultError, ImporterError, SettingsError
from importer.jobs.config import JobEnvironment, NoticeSettings
from importer.jobs.log import open_log
from importer.jobs.notify import has_changed
from importer.jobs.results import failed_round
from importer.jobs.rounds import RoundOutcome, Rounds, RoundsReport
from importer.jobs.runner import Round
from importer.jobs.selection import ChosenJob, choose_job
from importer.journal import Journal
from importer.journal.job_history import RoundResult
from importer.journal.opening import opened_patiently
from importer.journal_place import journal_place, shown_place
from importer.messages import sentence
from importer.pipeline.run import StopToken

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
