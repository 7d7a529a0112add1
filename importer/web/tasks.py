"""Carry out checks and imports in threads of their own, and tell how far they are.

A task belongs to a piece of work, or to a run that is resumed or retried. It goes on whoever looks at it: a
page that is opened again shows it. One task at a time for each piece of work.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from importer.delivery import events as delivery
from importer.errors import FaultError, ImporterError, TerminatedRun, UsageError
from importer.escaping import single_line
from importer.pipeline.events import PlanReady, Progress, RowsChecked, RunObserver, RunStarted
from importer.pipeline.plan import RunPlan
from importer.pipeline.run import StopToken
from importer.reports import ReportResult

log = logging.getLogger(__name__)
RATE_SECONDS = 5.0
"""The rate that is shown is that of the last seconds."""
CLOSE_SECONDS = 75.0
"""How long the end of the server waits for requests in flight: a little longer than an answer may take."""


@dataclass(slots=True)
class TaskProgress:
    """How far a task is. Written by its threads, read by whoever looks: each value is replaced whole."""

    run: str = ""
    expected: int | None = None
    rows: int = 0
    settled: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    retries: int = 0
    note: str = ""
    """The code of the message that says what is going on besides; `found` fills it."""
    found: Mapping[str, object] = field(default_factory=dict)
    rate: float = 0.0
    """Rows a second."""


class TaskObserver(RunObserver):
    """Follows one run for the page."""

    def __init__(
        self,
        progress: TaskProgress,
        *,
        look: Callable[[RunPlan, RowsChecked], None] | None = None,
        confirm: Callable[[RunPlan], bool] | None = None,
        begun: Callable[[str], None] | None = None,
    ) -> None:
        """`look` sees the rows as they are checked. `confirm` says whether a run that sends may start, and
        `begun` gets its id before the first request."""
        self._progress = progress
        self._look = look
        self._confirm = confirm
        self._begun = begun
        self._moments: deque[tuple[float, int]] = deque()
        self.plan_notes: tuple[str, ...] = ()
        self.list_doubts: tuple[str, ...] = ()
        self.header: tuple[str, ...] = ()
        self.feeding: dict[str, tuple[str, ...]] = {}
        """The columns that feed each field of the API."""
        self._plan: RunPlan | None = None

    def on_plan_ready(self, event: PlanReady) -> None:
        from importer.arrow import release_unused_memory

        release_unused_memory()

    def on_run_started(self, event: RunStarted) -> None:
        plan = self._plan = event.plan
        self.plan_notes = tuple(note.sentence(plan.options.lang, on_page=True) for note in plan.notes)
        self.list_doubts = tuple(note.sentence(plan.options.lang, on_page=True) for note in plan.list_doubts)
        self.header, self.feeding = plan.header, dict(plan.mapper.columns)
        self._progress.run = event.record.id
        self._progress.expected = plan.source.estimated_rows
        if self._begun is not None:
            self._begun(event.record.id)

    def on_rows_checked(self, event: RowsChecked) -> None:
        if self._look is not None and self._plan is not None:
            self._look(self._plan, event)

    def on_progress(self, event: Progress) -> None:
        tally, moment = event.tally, time.monotonic()
        progress, settled = self._progress, event.tally.settled
        progress.rows, progress.settled = tally.rows, settled
        progress.counts = {status.value: rows for status, rows in tally.counts.items() if rows}
        self._moments.append((moment, settled))
        while len(self._moments) > 2 and moment - self._moments[0][0] > RATE_SECONDS:
            self._moments.popleft()
        first, before = self._moments[0]
        progress.rate = (settled - before) / (moment - first) if moment > first else 0.0

    def on_attempted(self, event: delivery.Attempted) -> None:
        self._progress.requests += 1
        self._progress.retries += event.again

    def on_retrying(self, event: delivery.Retrying) -> None:
        self._say("web-now-retrying")

    def on_isolating(self, event: delivery.Isolating) -> None:
        self._say("web-now-isolating")

    def on_slowed_down(self, event: delivery.SlowedDown) -> None:
        self._say("web-now-slower")

    def on_paused(self, event: delivery.Paused) -> None:
        self._say("web-now-away")

    def on_batch_finished(self, event: delivery.BatchFinished) -> None:
        self._say("")

    def on_waiting_for_turn(self, event: delivery.WaitingForTurn) -> None:
        self._say("web-now-waiting-for-turn", run=event.user.run or event.user.source)

    def on_turn_taken(self, event: delivery.TurnTaken) -> None:
        self._say("")

    def on_waiting_for_late(self, event: delivery.WaitingForLate) -> None:
        self._say("web-now-waiting-for-late", seconds=round(event.seconds))

    def on_late_over(self, event: delivery.LateOver) -> None:
        self._say("")

    def on_stopping(self, event: delivery.Stopping) -> None:
        self._say("web-now-stopping", batches=event.waiting_for)

    def confirm_start(self, plan: RunPlan, *, sends: bool) -> bool:
        return self._confirm is None or not sends or self._confirm(plan)

    def _say(self, code: str, **found: object) -> None:
        self._progress.found, self._progress.note = found, code


@dataclass(slots=True)
class Task:
    """One check or import that is at work, or has ended since the server was started."""

    owner: str
    """The piece of work, or the run, that it belongs to."""
    kind: str
    """check, import, resume, retry or release."""
    progress: TaskProgress = field(default_factory=TaskProgress)
    stopper: StopToken = field(default_factory=StopToken)
    result: ReportResult | None = None
    error: ImporterError | None = None
    text: str = ""
    """What a round of a job said at its end."""
    running: bool = True
    began: float = field(default_factory=time.monotonic)
    thread: threading.Thread | None = None


class TaskBoard:
    """All tasks of this server."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._lock = threading.Lock()
        self._closing = False

    def start(self, owner: str, kind: str, work: Callable[[Task], None]) -> Task:
        """Begin a task in a thread of its own.

        A task that is at work for the same owner is returned instead: two clicks are one run. Raises
        UsageError `web-closing` when the server is about to end.
        """
        with self._lock:
            if self._closing:
                raise UsageError("web-closing")
            present = self._tasks.get(owner)
            if present is not None and present.running:
                return present
            task = Task(owner, kind)
            self._tasks[owner] = task
            task.thread = threading.Thread(target=_carry_out, args=(task, work), daemon=True)
            task.thread.start()
            return task

    def of(self, owner: str) -> Task | None:
        """The last task of a piece of work or of a run; None if there was none since the server started."""
        with self._lock:
            return self._tasks.get(owner)

    def running(self) -> list[Task]:
        """The tasks at work."""
        with self._lock:
            return [task for task in self._tasks.values() if task.running]

    def close(self) -> None:
        """Stop what is at work, in order, and wait for it: what was sent gets its answer into the journal."""
        with self._lock:
            self._closing = True
        for task in self.running():
            task.stopper.stop(TerminatedRun("web-server-ended"))
        until = time.monotonic() + CLOSE_SECONDS
        for task in self.running():
            if task.thread is not None:
                task.thread.join(max(until - time.monotonic(), 0))


def report_fault(where: str, error: Exception) -> None:
    """Log a fault of ours: its kind alone, since its text may quote a customer, unless that is asked for."""
    shown = error if os.environ.get("NXLINK_TRACEBACK") else None
    log.error("the page failed at %s: %s", single_line(where), type(error).__name__, exc_info=shown)


def _carry_out(task: Task, work: Callable[[Task], None]) -> None:
    try:
        work(task)
    except ImporterError as error:
        task.error = error
    except Exception as error:  # the boundary of the thread: a fault of ours, told as one
        report_fault(f"web-{task.kind}", error)
        task.error = FaultError("importer-failed", kind=type(error).__name__)
    finally:
        task.running = False
