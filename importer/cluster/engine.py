"""Hand tasks to Dask: workers on this machine, or a scheduler that is there already.

A task is safe to be done again. A worker that dies takes nothing with it: the engine gives its task to
another one, which takes up what the journal says was left. What goes wrong is an outcome, no exception.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from importer import contracts
from importer.cluster.worker import INTERRUPT, PROGRESS, STOP, NotBegun, OtherVersion, WorkerSide, work
from importer.config import ConfigFile, Profile, is_loopback, load_config, name_config
from importer.credentials import REQUIRED, require, resolve
from importer.errors import ImporterError, InterruptedRun, SettingsError, TerminatedRun, UnreachableError
from importer.journal_place import journal_place, shown_place
from importer.models import Destination
from importer.options import RunOptions

LOCAL = "local"
"""The name of a cluster that begins and ends with the command."""
_LOOK_EVERY = 0.2
_BUSY_WAIT = 5.0
"""Seconds after which a task is tried again that another process was still at."""
_CONNECT_SECONDS = 20
_COUNT_EVERY = 2.0
"""Seconds after which the workers are counted again."""
_PATIENCE = 300.0
"""Seconds for which a cluster without any worker is waited for."""
_TOLD_AFTER = 10.0
"""Seconds without any worker after which it is said that one is waited for."""
_SETTINGS = {
    # A task waits for its turn, its server, its database: nobody is to take it away meanwhile.
    "distributed.scheduler.work-stealing": False,
    # A task may see several workers die: it is safe to be done again.
    "distributed.scheduler.allowed-failures": 10,
    "distributed.worker.daemon": False,
    "distributed.admin.log-length": 0,
}


# What a task is


class ClusterTask(Protocol):
    """What travels to a worker. No secret is in it."""

    @property
    def title(self) -> str:
        """What the engine's dashboard shows."""

    @property
    def journal(self) -> str:
        """Where the client's journal is, as it is shown."""

    @property
    def settings(self) -> str:
        """The client's importer.toml, absolute, which has to lie there on the worker, too; empty for none."""

    @property
    def found_in(self) -> str:
        """The client's working directory, if that file was found there and nobody named it."""

    @property
    def lane(self) -> str:
        """Where the client would send; empty if it does not know, or for a dry run that goes nowhere."""

    @property
    def version(self) -> str:
        """The client's version of the importer."""


T = TypeVar("T", bound=ClusterTask)
O = TypeVar("O")  # noqa: E741 - an outcome


def settings_of(task: ClusterTask) -> ConfigFile:
    """Let all of a task come from the client's importer.toml, if it has one, and return it.

    Raises SettingsError `cluster-other-journal` if it is not the client's journal that is used here.
    """
    found_in = Path(task.found_in) if task.found_in else None
    name_config(Path(task.settings) if task.settings else None, found_in)
    found = shown_place(journal_place())
    if found != task.journal:
        raise SettingsError("cluster-other-journal", here=found, there=task.journal)
    return load_config()


def destination_of(profile: Profile, options: RunOptions, *, complete: bool = False) -> Destination | None:
    """Return where a run would send from here; None if tenant, application or server are not known here.

    Raises SettingsError; with `complete`, `missing-credentials` in the place of None.
    """
    resolved = resolve(profile, options.contract, sends=False)
    names = tuple(name for name in REQUIRED if not name.startswith("access"))
    if set(resolved.missing) & set(names) and not complete:
        return None
    connection = require(resolved, names)
    contract = contracts.load(options.contract or connection.contract)
    return connection.destination(contract.endpoint.base_url)


def refuse_other_lane(task: ClusterTask, here: Destination | None) -> None:
    """Refuse to send elsewhere than the client would: the environment here may say so.

    Raises SettingsError `cluster-other-lane`.
    """
    if task.lane and here is not None and here.lane != task.lane:
        raise SettingsError("cluster-other-lane", here=here.tenant_id, host=here.host)


# The engine


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
    _silence()
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        there: Any = address
        if address == LOCAL:
            there = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    # Else they would take a port that others want, on every address of the machine.
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address="127.0.0.1:0",
                    silence_logs=50,
                )
            )
        try:
            client = stack.enter_context(Client(there, timeout=_CONNECT_SECONDS, set_as_default=False))
        except (OSError, TimeoutError) as error:
            raise UnreachableError("cluster-away", address=address, reason=type(error).__name__) from error
        try:
            client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except TimeoutError as error:
            raise UnreachableError("cluster-no-workers", address=address) from error
        yield client


def _silence() -> None:
    """Let the engine's own words stay away from the terminal: what goes wrong is told as an outcome."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


@dataclass
class Distribution(Generic[T, O]):
    """Hands tasks out: lanes go side by side, the tasks of a lane one after the other.

    Nothing waits for a lane inside a worker: a task that finds it taken says that it is busy, and is handed
    out again later. When `stop_reason` gives a reason, what is at work ends in order, and no more is begun.
    """

    client: Any
    carry_out: Callable[[T, WorkerSide], O]
    """A function of a module, which workers find by its name."""
    lost: Callable[[T, ImporterError, bool], O]
    """The outcome of a task that nobody knows; the last says whether it was begun, or tried in vain."""
    is_busy: Callable[[O], bool]
    busy_seconds: float
    """For how long a task is handed out again."""
    stop_reason: Callable[[], ImporterError | None]
    ended: Callable[[int, O], None] = lambda place, outcome: None
    """Gets each outcome as it comes, with the place of its task."""
    ends_lane: Callable[[O], ImporterError | None] = lambda outcome: None
    """Returns why nothing more of a lane is begun after an outcome."""
    check: Callable[[T, WorkerSide], O | None] | None = None
    """Looks at a task while an earlier one of its lane is at work. Its outcome, if it has one, stands."""
    ahead: int = 2
    """How many tasks of a lane are looked at ahead, by workers that have nothing else to do."""
    moved: Callable[[dict[str, Any]], None] = lambda told: None
    """Gets what workers tell of their progress."""
    deserted: Callable[[str, float], None] = lambda address, seconds: None
    """Gets the scheduler's address and for how many seconds a worker is waited for, each time the last worker
    has been gone for a while."""
    _found: dict[int, O] = field(default_factory=dict)
    _at_work: dict[int, Any] = field(default_factory=dict)
    _checks: dict[int, Any] = field(default_factory=dict)
    _again: dict[int, tuple[float, float]] = field(default_factory=dict)
    """For a busy task when it is handed out again, and since when it has been."""
    _workers: tuple[float, int] = (float("-inf"), 0)
    """When they were last counted, and how many tasks they do at a time."""
    _seen: float = field(default_factory=time.monotonic)
    """When there was a worker last."""
    _told_deserted: bool = False
    _woken: threading.Event = field(default_factory=threading.Event)
    """Set when a task is over: a worker has nothing to do until the next one is handed in."""

    def go(self, lanes: Sequence[Sequence[T]]) -> list[list[O]]:
        """Do all tasks, and return what came of each."""
        from distributed import Event

        self._group = secrets.token_hex(4)
        stop = Event(STOP + self._group, client=self.client)
        self._tasks = [task for lane in lanes for task in lane]
        places = iter(range(len(self._tasks)))
        waiting = [[next(places) for _ in lane] for lane in lanes]
        self.client.subscribe_topic(PROGRESS + self._group, lambda event: self.moved(event[1]))
        reason: ImporterError | None = None
        try:
            while len(self._found) < len(self._tasks):
                if reason is None and (reason := self.stop_reason()) is not None:
                    if isinstance(reason, InterruptedRun):
                        Event(INTERRUPT + self._group, client=self.client).set()
                    stop.set()
                    self._give_up()
                if self._is_deserted():
                    self._abandon(waiting)
                    break
                for lane in waiting:
                    self._step(lane, reason)
                for lane in waiting:
                    self._look_ahead(lane)
                self._woken.wait(_LOOK_EVERY)
                self._woken.clear()
        finally:
            with contextlib.suppress(Exception):
                self.client.unsubscribe_topic(PROGRESS + self._group)
        places = iter(range(len(self._tasks)))
        return [[self._found[next(places)] for _ in lane] for lane in lanes]

    def _step(self, lane: list[int], reason: ImporterError | None) -> None:
        """Do for a lane what can be done now. `reason`: nothing more is begun."""
        if not lane:
            return
        place = lane[0]
        future = self._at_work.get(place)
        if future is None:
            self._begin(lane, reason)
        elif future.done():
            del self._at_work[place]
            outcome = self._outcome(place, future, reason)
            now = time.monotonic()
            since = self._again.get(place, (now, now))[1]
            if self.is_busy(outcome) and now - since < self.busy_seconds and reason is None:
                self._again[place] = (now + _BUSY_WAIT, since)
            else:
                self._settle(lane, outcome)

    def _begin(self, lane: list[int], reason: ImporterError | None) -> None:
        place = lane[0]
        if reason is not None:
            self._settle(lane, self.lost(self._tasks[place], reason, False))
            return
        if time.monotonic() < self._again.get(place, (0.0, 0.0))[0] or self._spare() <= 0:
            return
        known = self._checked(place)
        if known is not None:
            self._settle(lane, known)
            return
        self._at_work[place] = self._submit(place, self.carry_out)

    def _look_ahead(self, lane: list[int]) -> None:
        if self.check is None or not lane or lane[0] not in self._at_work:
            return
        for later in lane[1 : self.ahead + 1]:
            if later not in self._checks and self._spare() > 0:
                self._checks[later] = self._submit(later, self.check, ahead=True)

    def _is_deserted(self) -> bool:
        """Whether there has been no worker for long: nobody would end what is waited for."""
        self._count()
        alone = time.monotonic() - self._seen
        if alone > _TOLD_AFTER and not self._told_deserted:
            self.deserted(self._address, _PATIENCE - alone)
        self._told_deserted = alone > _TOLD_AFTER
        return alone > _PATIENCE

    def _abandon(self, waiting: list[list[int]]) -> None:
        why = UnreachableError("cluster-no-workers", address=self._address)
        first = {lane[0] for lane in waiting if lane}
        for lane in waiting:
            while lane:
                place = lane.pop(0)
                self._found[place] = self.lost(self._tasks[place], why, place in first)
                self.ended(place, self._found[place])

    @property
    def _address(self) -> str:
        return str(self.client.scheduler.address)

    def _count(self) -> None:
        now = time.monotonic()
        if now - self._workers[0] > _COUNT_EVERY:
            workers = 0
            with contextlib.suppress(Exception):
                workers = sum(self.client.nthreads().values())
            self._workers = now, workers
        if self._workers[1]:
            self._seen = now

    def _spare(self) -> int:
        """Return how many more tasks the workers can begin at once.

        What is handed in beyond that would wait for one worker, whoever is free sooner.
        """
        self._count()
        looking = sum(not future.done() for future in self._checks.values())
        return self._workers[1] - len(self._at_work) - looking

    def _checked(self, place: int) -> O | None:
        """Return what a look ahead has settled; a look that is not over is not waited for."""
        future = self._checks.pop(place, None)
        if future is None or not future.done() or future.status != "finished":
            if future is not None:
                future.cancel()
            return None
        found = future.result()
        if isinstance(found, OtherVersion | NotBegun):
            return None
        outcome: O | None = found
        return outcome

    def _settle(self, lane: list[int], outcome: O) -> None:
        place = lane.pop(0)
        self._found[place] = outcome
        self.ended(place, outcome)
        why = self.ends_lane(outcome)
        while why is not None and lane:
            place = lane.pop(0)
            if (check := self._checks.pop(place, None)) is not None:
                check.cancel()
            self._found[place] = self.lost(self._tasks[place], why, False)
            self.ended(place, self._found[place])

    def _submit(
        self, place: int, carry_out: Callable[[T, WorkerSide], O | None], *, ahead: bool = False
    ) -> Any:
        """Hand in a task under a key of its own, so that no two are taken for the same."""
        task = self._tasks[place]
        kind = "check" if ahead else "import"
        key = f"{kind} {task.title}-{self._group}-{place}-{secrets.token_hex(3)}"
        function = f"{carry_out.__module__}:{carry_out.__name__}"
        handed = task.version, function, pickle.dumps(task), self._group
        future = self.client.submit(work, *handed, key=key, pure=False, retries=0)
        future.add_done_callback(lambda _: self._woken.set())
        return future

    def _outcome(self, place: int, future: Any, reason: ImporterError | None) -> O:
        """Return what came of a task; if nothing did, why: taken back, or dead with too many workers."""
        task = self._tasks[place]
        try:
            found = future.result()
        except ImportError as error:  # what the task consists of is not there
            return self.lost(task, SettingsError("cluster-worker-lacks", reason=str(error)), True)
        except Exception as error:
            if future.cancelled() and reason is not None:
                return self.lost(task, reason, False)
            lost = UnreachableError("cluster-task-lost", job=task.title, reason=type(error).__name__)
            return self.lost(task, lost, True)
        if isinstance(found, OtherVersion):
            other = SettingsError("cluster-other-version", here=found.here, there=task.version)
            return self.lost(task, other, True)
        if isinstance(found, NotBegun):
            return self.lost(task, reason or TerminatedRun("terminated"), False)
        outcome: O = found
        return outcome

    def _give_up(self) -> None:
        """Take back what no worker has come to. What is begun or over stays: its outcome counts.

        A task that is taken back cannot have begun meanwhile: the scheduler had not handed it out when all
        was stopped, and a worker that gets it looks at that first.
        """
        for future in self._checks.values():
            future.cancel()
        self._checks.clear()
        try:
            handed = {key for keys in self.client.processing().values() for key in keys}
            # Asked after it: what ends in between is found here, though the client may not have heard of it.
            there = self.client.who_has(list(self._at_work.values()))
        except Exception:
            return  # nobody knows what is begun: all of it is waited for
        handed |= {key for key, workers in there.items() if workers}
        for future in self._at_work.values():
            if future.key not in handed:
                future.cancel()
