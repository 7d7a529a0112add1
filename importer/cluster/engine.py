"""Hand rounds to Dask: workers on this machine, or a scheduler that is there already."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from importer.cluster.tasks import RoundTask, carry_out
from importer.config import is_loopback
from importer.errors import ImporterError, SettingsError, UnreachableError
from importer.jobs.config import JobEnvironment, NoticeSettings
from importer.jobs.rounds import RoundOutcome, Rounds, RoundsReport, failed_round
from importer.jobs.selection import ChosenJob
from importer.journal.job_history import RoundResult
from importer.journal.place import journal_place, shown_place

LOCAL = "local"
"""The name of a cluster that begins and ends with the command."""
_LOOK_EVERY = 0.5
_BUSY_WAIT = 5.0
"""Seconds after which a round is tried again that another process was still at."""
_BUSY_TRIES = 60
_CONNECT_SECONDS = 20
_SETTINGS = {
    # A round waits for its turn, its server, its database: nobody is to take it away meanwhile.
    "distributed.scheduler.work-stealing": False,
    # A task may see several workers die: it is safe to be done again.
    "distributed.scheduler.allowed-failures": 10,
    "distributed.worker.daemon": False,
    "distributed.admin.log-length": 0,
}


def check_address(address: str) -> None:
    """Refuse a cluster on other machines for a journal that only this one has.

    Raises SettingsError `bad-cluster` or `cluster-needs-journal`.
    """
    if address == LOCAL:
        return
    parts = urlsplit(address)
    if parts.scheme not in ("tcp", "tls") or not parts.hostname:
        raise SettingsError("bad-cluster", found=address)
    place = journal_place()
    if isinstance(place, Path) and not is_loopback(parts.hostname):
        raise SettingsError("cluster-needs-journal", journal=place)


@contextlib.contextmanager
def connected(address: str, workers: int) -> Iterator[Any]:
    """Yield a Dask client: of `workers` processes on this machine, or of the scheduler at an address.

    Raises SettingsError `cluster-engine-missing`, UnreachableError `cluster-away`.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise SettingsError("cluster-engine-missing", reason=str(error)) from error
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        there: Any = address
        if address == LOCAL:
            there = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    host="127.0.0.1",
                    silence_logs=50,
                )
            )
        try:
            client = stack.enter_context(Client(there, timeout=_CONNECT_SECONDS, set_as_default=False))
        except (OSError, TimeoutError) as error:
            raise UnreachableError("cluster-away", address=address, reason=type(error).__name__) from error
        yield client


def rounds_on(client: Any, rounds: Rounds, settings: Path, env_file: Path | None) -> RoundsReport:
    """Do the rounds of jobs on the cluster, and return what came of them. `settings`: importer.toml."""
    lang, journal = rounds.environment.lang, shown_place(journal_place())

    def elsewhere(jobs: Sequence[ChosenJob]) -> Sequence[RoundOutcome]:
        tasks = [
            RoundTask(
                one.name,
                str(settings.absolute()),
                journal,
                lang,
                str(env_file.absolute()) if env_file else "",
                quiet=one.job.notices == NoticeSettings(),
                beats=bool(one.job.heartbeat),
            )
            for one in jobs
        ]
        return do_rounds(client, tasks, rounds.environment, lambda: rounds.stopper.reason, rounds.echo)

    rounds.elsewhere = elsewhere
    return rounds.go()


def do_rounds(
    client: Any,
    tasks: Sequence[RoundTask],
    environment: JobEnvironment,
    stop_reason: Callable[[], ImporterError | None],
    echo: Callable[[str], None] | None = None,
) -> list[RoundOutcome]:
    """Do all rounds on the cluster's workers, and return what came of each, in the order of the tasks.

    A round that another process is still at, such as one of a worker that was only thought dead, is tried
    again later. When `stop_reason` gives one, rounds at work end in order, and the others are not begun.
    """
    from distributed import Event

    group = secrets.token_hex(4)
    stop = Event(f"nxlink-stop-{group}", client=client)
    found: dict[int, RoundOutcome] = {}
    at_work = {place: _submit(client, task, group, place, 0) for place, task in enumerate(tasks)}
    tries = dict.fromkeys(range(len(tasks)), 0)
    later: dict[int, float] = {}
    stopped = False
    while len(found) < len(tasks):
        reason = stop_reason()
        if reason is not None and not stopped:
            stopped = True
            stop.set()
            for place, future in at_work.items():
                if place not in found and not _is_running(client, future):
                    future.cancel()
        for place, future in list(at_work.items()):
            if not future.done():
                continue
            del at_work[place]
            outcome = _outcome(future, tasks[place], environment, reason)
            if outcome.report.result is RoundResult.OVERLAPPED and tries[place] < _BUSY_TRIES and not stopped:
                tries[place] += 1
                later[place] = time.monotonic() + _BUSY_WAIT
            else:
                found[place] = outcome
                if echo is not None:
                    report = outcome.report
                    echo(f"{len(found)}/{len(tasks)} {report.job}: {report.result} ({outcome.worker})")
        for place, due in list(later.items()):
            if stopped or time.monotonic() >= due:
                del later[place]
                at_work[place] = _submit(client, tasks[place], group, place, tries[place])
        time.sleep(_LOOK_EVERY / 10 if len(found) + len(later) < len(tasks) else 0)
    return [found[place] for place in range(len(tasks))]


def _submit(client: Any, task: RoundTask, group: str, place: int, again: int) -> Any:
    """Hand in a task under a key of its own, so that no two are taken for the same."""
    key = f"round-{task.job}-{group}-{place}-{again}"
    return client.submit(_on_worker, task, group, key=key, pure=False, retries=0)


def _on_worker(task: RoundTask, group: str) -> RoundOutcome:
    """Do a round inside a worker."""
    from distributed import Event, get_client, get_worker

    worker = get_worker()
    stop = Event(f"nxlink-stop-{group}", client=get_client())

    def is_stopped() -> bool:
        # A scheduler that is gone stops nothing: the file at work is brought to its end.
        with contextlib.suppress(Exception):
            return bool(stop.is_set())
        return False

    return carry_out(task, is_stopped, f"{worker.name}@{os.uname().nodename if hasattr(os, 'uname') else ''}")


def _outcome(
    future: Any, task: RoundTask, environment: JobEnvironment, reason: ImporterError | None
) -> RoundOutcome:
    """Return what came of a task; if nothing did, why: it was cancelled, or died with too many workers."""
    try:
        outcome: RoundOutcome = future.result()
    except Exception as error:
        why = reason or UnreachableError("cluster-task-lost", job=task.job, reason=type(error).__name__)
        return RoundOutcome(failed_round(task.job, environment, why))
    return outcome


def _is_running(client: Any, future: Any) -> bool:
    """Whether a worker is at work on a task."""
    with contextlib.suppress(Exception):
        return any(future.key in keys for keys in client.processing().values())
    return True
