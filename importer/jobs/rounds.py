"""Run one round of each of several jobs, side by side, and tell of all of them."""

from __future__ import annotations

import os
import queue
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from importer.errors import FaultError, ImporterError, JournalError
from importer.exit_codes import ExitCode, worst_exit_code
from importer.jobs.config import Job, JobEnvironment, NoticeSettings
from importer.jobs.log import open_log
from importer.jobs.notify import announce_unstarted, has_changed, heartbeat, notice_wanted, send_notice
from importer.jobs.results import GroupReport, RoundReport, failed_round
from importer.jobs.runner import Round
from importer.jobs.selection import ChosenJob
from importer.journal import Journal
from importer.journal.job_history import RoundResult
from importer.journal.opening import opened_patiently
from importer.pipeline.run import StopToken

_LOOK_EVERY: Final = 0.5
"""Seconds after which the waiting main thread wakes up, so that signals are heard on every system."""


@dataclass(frozen=True, slots=True)
class RoundsReport:
    """Rounds of several jobs that have ended, in the order in which the jobs were given."""

    rounds: tuple[RoundReport, ...]
    warnings: tuple[str, ...] = ()
    """Notices that told of several jobs, and failed."""
    lost: bool = False
    """Whether the journal has lost something that nobody has acknowledged."""

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all. Tripwires look back, so a loss of the journal counts."""
        worst = worst_exit_code(one.exit_code for one in self.rounds)
        return worst or (ExitCode.ROWS_LEFT if self.lost else ExitCode.DONE)


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """What came of one round that was carried out elsewhere. One that went wrong is no exception."""

    report: RoundReport
    changed: bool = False
    """Whether it ended otherwise than the round before."""
    lost: bool = False
    """Whether the journal has lost something."""
    worker: str = ""
    """Who did it."""


@dataclass
class Rounds:
    """One round of each job; `parallel` of them side by side. Each has a journal and a session of its own.

    What goes wrong in one round, a fault of the importer included, stops no other one. `echo` gets the lines
    of all logs, `release` is as in `Round`.
    """

    chosen: Sequence[ChosenJob]
    environment: JobEnvironment
    parallel: int = 1
    stopper: StopToken = field(default_factory=StopToken)
    echo: Callable[[str], None] | None = None
    release: str | None = None
    elsewhere: Callable[[Sequence[ChosenJob]], Sequence[RoundOutcome]] | None = None
    """Carries the rounds out in the place of this process."""
    _lost: bool = field(default=False, init=False)
    _changed: set[str] = field(default_factory=set, init=False)
    """The jobs whose rounds ended otherwise than the ones before."""

    def go(self) -> RoundsReport:
        """Do the rounds. Errors are in the reports."""
        told_together = _told_together(self.chosen)
        jobs = [_without_notices(one, told_together) for one in self.chosen]
        reports = self._reports(jobs)
        warnings: list[str] = []
        for table, settings in told_together.items():
            members = [one.name for one in self.chosen if one.job.table == table]
            group = GroupReport(table, tuple(report for report in reports if report.job in members))
            warnings += self._tell(settings, group)
        return RoundsReport(tuple(reports), tuple(warnings), self._lost)

    def _reports(self, jobs: Sequence[ChosenJob]) -> list[RoundReport]:
        if self.elsewhere is not None:
            outcomes = self.elsewhere(jobs)
            self._lost = any(one.lost for one in outcomes)
            self._changed = {one.report.job for one in outcomes if one.changed}
            return [one.report for one in outcomes]
        if len(jobs) == 1:
            return [self._round(jobs[0], self.stopper)]
        return self._side_by_side(jobs)

    def _side_by_side(self, jobs: Sequence[ChosenJob]) -> list[RoundReport]:
        """Do the rounds in threads that a second Ctrl-C does not wait for."""
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        ended: queue.SimpleQueue[tuple[int, RoundReport]] = queue.SimpleQueue()
        tokens = [StopToken() for _ in jobs]

        def stop_all(reason: ImporterError) -> None:
            for token in tokens:
                token.stop(reason)

        self.stopper.listen(stop_all)
        for place in range(len(jobs)):
            waiting.put(place)

        def work() -> None:
            while True:
                try:
                    place = waiting.get_nowait()
                except queue.Empty:
                    return
                ended.put((place, self._round(jobs[place], tokens[place])))

        for _ in range(min(self.parallel, len(jobs))):
            threading.Thread(target=work, name="round", daemon=True).start()
        found: dict[int, RoundReport] = {}
        while len(found) < len(jobs):
            try:
                place, report = ended.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                continue
            found[place] = report
        return [found[place] for place in range(len(jobs))]

    def _round(self, one: ChosenJob, stopper: StopToken) -> RoundReport:
        job, environment = one.job, self.environment
        log = open_log(job, environment.clock, self._echo(job))
        patience = job.options_with(one.profile, environment.lang).patience
        try:
            journal = opened_patiently(Journal.open, patience, lambda: stopper.reason)
        except JournalError as error:
            return announce_unstarted(job, log, environment, error)
        with journal:
            self._lost = self._lost or bool(journal.losses)
            current = Round(job, one.profile, journal, log, environment, stopper, self.release)
            try:
                report = current.go()
            except Exception as error:
                if len(self.chosen) == 1:
                    raise
                if os.environ.get("NXLINK_TRACEBACK"):
                    traceback.print_exc()
                fault = FaultError("job-fault", kind=type(error).__name__, job=job.name)
                return failed_round(job.name, environment, fault)
            if report.result is not RoundResult.OVERLAPPED and has_changed(report, current.before):
                self._changed.add(job.name)
            return report

    def _echo(self, job: Job) -> Callable[[str], None] | None:
        echo = self.echo
        if echo is None or len(self.chosen) == 1:
            return echo
        return lambda line: echo(f"{job.name}: {line}")

    def _tell(self, settings: Job, group: GroupReport) -> list[str]:
        """Tell of the jobs of one table together. Returns what failed."""
        sleep, failures = self.environment.sleep, list[str]()
        changed = any(one.job in self._changed for one in group.rounds)
        if notice_wanted(settings.notices, group, changed=changed):
            failures += send_notice(settings.notices, group, sleep)
        if group.good:
            ended = max(one.ended for one in group.rounds)
            failure = heartbeat(settings, ended.isoformat(timespec="seconds") + "\n", sleep)
            failures += [f"heartbeat: {failure}"] if failure else []
        return [f"{group.job}: {failure}" for failure in failures]


def _told_together(chosen: Sequence[ChosenJob]) -> dict[str, Job]:
    """Return the tables of which several jobs were chosen, with the notices and heartbeat that they share.

    A heartbeat that names the profile is each job's own.
    """
    tables: dict[str, list[Job]] = {}
    for one in chosen:
        tables.setdefault(one.job.table, []).append(one.job)
    shared = {}
    for table, jobs in tables.items():
        if len(jobs) > 1:
            beats = {job.heartbeat for job in jobs}
            shared[table] = replace(jobs[0], heartbeat=beats.pop() if len(beats) == 1 else "")
    return shared


def _without_notices(one: ChosenJob, told_together: dict[str, Job]) -> ChosenJob:
    """Return the job without what is told of it together with others."""
    shared = told_together.get(one.job.table)
    if shared is None:
        return one
    own = "" if shared.heartbeat else one.job.heartbeat
    return replace(one, job=replace(one.job, notices=NoticeSettings(), heartbeat=own))
