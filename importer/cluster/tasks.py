"""What a worker does: one round of one job, safe to be done again.

A worker that dies takes nothing with it. The engine gives its task to another one, whose round takes up what
the journal says was left. Credentials never travel: a worker reads its own settings and environment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from importer import __version__
from importer.config import load_config, name_config
from importer.errors import FaultError, ImporterError, SettingsError, TerminatedRun
from importer.jobs.config import JobEnvironment, NoticeSettings
from importer.jobs.log import open_log
from importer.jobs.notify import has_changed
from importer.jobs.rounds import RoundOutcome, failed_round
from importer.jobs.runner import Round
from importer.jobs.selection import choose_job
from importer.journal import Journal
from importer.journal.job_history import RoundResult
from importer.journal.place import journal_place, shown_place
from importer.pipeline.run import StopToken

_LOOK_EVERY = 1.0
"""Seconds after which a worker looks whether the whole round is to stop."""


@dataclass(frozen=True, slots=True)
class RoundTask:
    """One round of one job, as it travels to a worker. No secret is in it."""

    job: str
    settings: str
    """importer.toml, absolute; it has to lie there on the worker, too."""
    journal: str
    """Where the client's journal is, as it is shown."""
    lang: str = "en"
    env_file: str = ""
    quiet: bool = False
    """The client tells of it, together with others."""
    beats: bool = True
    """The job's heartbeat is its own."""
    version: str = __version__


def carry_out(
    task: RoundTask, is_stopped: Callable[[], bool] = lambda: False, worker: str = ""
) -> RoundOutcome:
    """Do the round of a task, and return what came of it."""
    environment = JobEnvironment(lang=task.lang)
    name_config(Path(task.settings))
    try:
        _refuse_others(task)
        env_file = Path(task.env_file) if task.env_file else None
        chosen = choose_job(load_config(Path(task.settings)), task.job, env_file=env_file)
        job = chosen.job
        if task.quiet:
            job = replace(job, notices=NoticeSettings(), heartbeat=job.heartbeat if task.beats else "")
        log = open_log(job, environment.clock)
        stopper = StopToken()
        with Journal.open() as journal, _watched(stopper, is_stopped):
            current = Round(job, chosen.profile, journal, log, environment, stopper)
            report = current.go()
            told = report.result is not RoundResult.OVERLAPPED and has_changed(report, current.before)
            return RoundOutcome(report, told, bool(journal.losses), worker)
    except ImporterError as error:
        return RoundOutcome(failed_round(task.job, environment, error), worker=worker)
    except Exception as error:
        fault = FaultError("job-fault", kind=type(error).__name__, job=task.job)
        return RoundOutcome(failed_round(task.job, environment, fault), worker=worker)


def _refuse_others(task: RoundTask) -> None:
    """Refuse to work beside another version, or with another journal. Raises SettingsError."""
    if task.version != __version__:
        raise SettingsError("cluster-other-version", here=__version__, there=task.version)
    found = shown_place(journal_place())
    if found != task.journal:
        raise SettingsError("cluster-other-journal", here=found, there=task.journal)


@contextmanager
def _watched(stopper: StopToken, is_stopped: Callable[[], bool]) -> Iterator[None]:
    """Stop the round in order when the whole is to stop."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY):
            if is_stopped():
                stopper.stop(TerminatedRun("terminated"))
                return

    threading.Thread(target=look, name="stop", daemon=True).start()
    try:
        yield
    finally:
        over.set()
