"""Set up runs: journal, connection, client, plan, gate, stop token, reports folder.

    with Session.open(SessionSettings(profile), observer=observer) as session:
        result = session.start("customers.xlsx", options)

The command line, jobs and the Python API call it. It knows nothing of terminals: events and
questions go to a `RunObserver`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from importer import contracts
from importer.config import Connection, Profile
from importer.credentials import require, resolve
from importer.dataclass import dataclass
from importer.errors import InputError, LockedError, MappingError, SettingsError, UsageError
from importer.journal import Journal, RunKind, RunRecord, RunState, Ticket
from importer.models import Destination
from importer.option_layers import options_from_json
from importer.options import RunOptions
from importer.pipeline import plan as plans
from importer.pipeline.events import MappingQuestion, PlanReady, RunObserver
from importer.pipeline.plan import RunPlan
from importer.pipeline.plan_questions import settled
from importer.pipeline.precheck import PrecheckGate, max_invalid_gate
from importer.pipeline.retry import lineage_of, retried_since, retry_lineage, rows_left
from importer.pipeline.run import Lineage, Run, SendTarget, StopToken
from importer.reports import ReportResult
from importer.sources.fetching import Fetching, check_named, take_in
from importer.sources.locations import FileGiven, FileName, LocalCopy
from importer.sources.spool import discard

if TYPE_CHECKING:
    from importer.sandbox import Sandbox


Guard = Callable[[StopToken], AbstractContextManager[None]]
"""Makes a context for each run, from the session's stop token. A program catches signals in it."""


def no_guard(stopper: StopToken) -> AbstractContextManager[None]:
    """Leave signals to the caller."""
    return contextlib.nullcontext()


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What is known before a file is opened."""

    profile: Profile = field(default_factory=Profile)
    connection: Connection | None = None
    """Where to send to and who signs; None: the environment and the profile decide."""
    sandbox: bool = False
    """Send to a sandbox that ends with the session."""
    sandbox_store: Path | None = None
    """Send to a sandbox that keeps its customers in this file."""
    journal: Path | str | None = None
    """None: the user's own journal."""
    job: str = ""
    """The job that the runs belong to."""
    waits: bool = True
    """Whether its runs wait for a lane that is taken; without, they are refused as with `--wait 0`."""
    lists_of: Callable[[RunRecord], Sequence[str]] = field(default=lambda record: ())
    """Which lists of people who must not be sent importer.toml names by now for the job and the profile of an
    earlier run."""
    on_page: bool = False
    """Whether the page in the browser carries the runs out: their reports name its buttons, no commands."""


@dataclass
class Session:
    """Carries out runs, one after the other, with one journal and one client. Not thread-safe.

    `start`, `resume`, `retry` and `redraw` raise ImporterError if there can be no run: InputError,
    MappingError, SettingsError, LockedError, ReportError, JournalError. How the server behaved raises
    nothing: the result has it.
    """

    settings: SessionSettings
    journal: Journal
    observer: RunObserver
    stopper: StopToken
    guard: Guard
    _stack: ExitStack
    _sandboxes: dict[Path | None, Sandbox] = field(default_factory=dict)
    _connections: dict[tuple[str | None, bool], Connection | None] = field(default_factory=dict)
    _targets: dict[tuple[Connection, str, int], SendTarget] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        settings: SessionSettings,
        *,
        observer: RunObserver | None = None,
        stopper: StopToken | None = None,
        journal: Journal | None = None,
        guard: Guard = no_guard,
    ) -> Iterator[Session]:
        """Open a session. `journal` is an open one, which the caller closes. Raises JournalError."""
        with ExitStack() as stack:
            book = journal or stack.enter_context(Journal.open(settings.journal))
            yield cls(settings, book, observer or RunObserver(), stopper or StopToken(), guard, stack)

    def start(
        self,
        file: FileGiven,
        options: RunOptions,
        *,
        name: str | None = None,
        gate: PrecheckGate | None = None,
        observer: RunObserver | None = None,
        run_id: str = "",
    ) -> ReportResult | None:
        """Import a file, or only check it (`options.dry_run`). None: the observer did not confirm.

        `file` is a path, an address, or a file that is open for reading. `name`: what its owner calls the
        file, if not by its path. `gate` judges the whole file before the first row is sent; without one
        `options.max_invalid` does. `observer` takes the place of the session's for this file.
        `run_id`: the id of the run, if it was drawn before.
        """
        observer = observer or self.observer
        store = self.settings.sandbox_store
        if store is not None:
            options = replace(options, sandbox_store=str(store.absolute()))
        if options.corrections is not None:
            options = replace(options, corrections=str(Path(options.corrections).absolute()))
        options = self.with_lists(options)
        # A mistyped name is told before anybody looks for credentials, or waits for a turn.
        found = check_named(file)
        name = name or found
        with ExitStack() as stack:
            ticket = None
            if not observer.interactive:
                ticket = stack.enter_context(self._ticket(self.destination(options), name, options))
            local = stack.enter_context(self._taken_in(file, observer))
            plan = stack.enter_context(self.planned(local, options, name=name, observer=observer))
            run = self._run(plan, Lineage(job=self.settings.job), gate or _gate_of(plan), observer)
            if not observer.confirm_start(plan, sends=run.sending is not None):
                return None
            if observer.interactive:
                ticket = stack.enter_context(self._ticket(plan.destination, name, options))
            run.ticket, run.id = ticket, run_id
            with self._stoppable(run):
                return run.start()

    def resume(
        self,
        record: RunRecord,
        options: RunOptions | None = None,
        *,
        gate: PrecheckGate | None = None,
        observer: RunObserver | None = None,
    ) -> ReportResult:
        """Continue a run. `options` are those of `kept_options`, or changed ones."""
        options = self.with_lists(options or plans.kept_options(record), record)
        observer = observer or self.observer
        with (
            self._ticket(record.destination, record.source, options) as ticket,
            self.planned_again(record, options, observer) as plan,
        ):
            lineage = lineage_of(plan, self.journal, record)
            if record.kind is not RunKind.RETRY:
                gate = gate or _gate_of(plan)
            run = self._run(plan, lineage, gate, observer)
            run.ticket = ticket
            with self._stoppable(run):
                return run.resume(record)

    def retry(
        self, record: RunRecord, options: RunOptions | None = None, *, observer: RunObserver | None = None
    ) -> ReportResult | None:
        """Send the rows that a run did not import, as a new run linked to it. None: there are none.

        With `options.rejected`, rows that the server rejected are among them. Raises UsageError
        `retry-dry-run`.
        """
        if record.dry_run:
            raise UsageError("retry-dry-run", run=record.id)
        options = self.with_lists(options or retry_options(record), record)
        observer = observer or self.observer
        if record.state is RunState.FINISHED and not rows_left(record, rejected=options.rejected):
            return None
        with (
            self._ticket(record.destination, record.source, options) as ticket,
            self.planned_again(record, options, observer) as plan,
        ):
            lineage = retry_lineage(plan, self.journal, record)
            run = self._run(plan, lineage, None, observer)
            run.ticket = ticket
            with self._stoppable(run):
                return run.start()

    def redraw(self, record: RunRecord, options: RunOptions | None = None) -> ReportResult:
        """Write the reports of a run again, to `options.report_dir`. Sends and records nothing."""
        options = options or plans.kept_options(record)
        if not record.dry_run:
            options = replace(options, suppress=())  # the journal knows whom the lists left out
        with contextlib.closing(plans.plan_from_record(record, options, None, self.journal)) as plan:
            lineage = lineage_of(plan, self.journal, record)
            run = Run(plan, self.journal, lineage=lineage, observer=self.observer)
            return run.redraw(record, options.report_dir or Path("reports") / record.id)

    def find_resumable(self, name: str | None, profile: str | None = None) -> RunRecord | None:
        """Return the run to resume; without a name the newest that can be, of `profile` if there is one.
        None: there is nothing to do.

        Raises UnknownRunError, UsageError `resume-dry-run` or `resume-retried`. A run that another process
        works on is returned, too; its lock refuses to resume it.
        """
        if name is None:
            open_ones = (run for run in self.journal.runs() if run.state.resumable and not run.dry_run)
            ordered = sorted(open_ones, key=lambda run: profile not in (None, run.profile))
            reachable = (run for run in ordered if self._reachable(run))
            return next((run for run in reachable if retried_since(self.journal, run) is None), None)
        record = self.journal.find(name)
        if record.dry_run:
            raise UsageError("resume-dry-run", run=record.id)
        if not record.state.resumable and record.state is not RunState.RUNNING:
            return None
        later = retried_since(self.journal, record)
        if later is not None:
            raise UsageError("resume-retried", run=record.id, retry=later.id)
        return record

    def with_lists(self, options: RunOptions, record: RunRecord | None = None) -> RunOptions:
        """Return the options with the lists of the profile, too, and those of the job and the profile of an
        earlier run, as they are now: whom they leave out nothing sends."""
        later = self.settings.lists_of(record) if record is not None else ()
        lists = (*self.settings.profile.given.options.suppress, *options.suppress, *later)
        return replace(options, suppress=tuple(dict.fromkeys(str(Path(file).absolute()) for file in lists)))

    @contextlib.contextmanager
    def planned(
        self,
        file: FileName,
        options: RunOptions,
        *,
        name: str | None = None,
        observer: RunObserver | None = None,
    ) -> Iterator[RunPlan]:
        """Yield the plan of a new run, with its file open. An address has to be fetched before.

        Asks the observer for the encoding if it is uncertain, for a mapping if none fits, and what the plan
        leaves open.
        """
        observer = observer or self.observer
        connection = self.connect(options)
        for questions_left in (2, 1, 0):
            try:
                plan = plans.make_plan(file, options, connection, self.journal, name=name)
                break
            except (InputError, MappingError) as error:
                known = plans.known_fields(connection) or ()
                question = MappingQuestion(file, options, error, known)
                answered = observer.answer(question) if questions_left else None
                if answered is None:
                    raise
                options = answered
        with contextlib.closing(plan):
            plan = settled(plan, file, observer, self.journal)
            observer.on_plan_ready(PlanReady(plan))
            yield plan

    def connect(self, options: RunOptions, store: Path | None = None) -> Connection | None:
        """Return where a run sends to; None for a dry run if tenant or application is unknown.

        `store` is the file of the sandbox to send to. Settings are read once a session, so a command that
        prints a secret runs once. Raises SettingsError.
        """
        settings = self.settings
        store = store or settings.sandbox_store
        if settings.connection is not None:
            return settings.connection
        if settings.sandbox or store is not None:
            contract = options.contract or settings.profile.contract or contracts.DEFAULT_CONTRACT
            connection = self._sandbox(store).connection
            return replace(connection, contract=contract, strict_binding=settings.profile.strict_binding)
        key = (options.contract, options.dry_run)
        if key not in self._connections:
            resolved = resolve(settings.profile, options.contract, sends=not options.dry_run)
            known = "tenant_id" in resolved.origins and "app_key" in resolved.origins
            if options.dry_run:
                self._connections[key] = resolved.connection if known else None
            else:
                self._connections[key] = require(resolved)
        return self._connections[key]

    def destination(self, options: RunOptions) -> Destination | None:
        """Where a new run with these options goes, as far as can be told before its file is opened."""
        connection = self.connect(options)
        if connection is None:
            return None
        contract = contracts.load(options.contract or connection.contract)
        return connection.destination(contract.endpoint.base_url)

    @contextlib.contextmanager
    def _ticket(
        self, destination: Destination | None, source: str, options: RunOptions
    ) -> Iterator[Ticket | None]:
        """A place in the lane, drawn before the file is read; None for a run that sends nothing.

        Raises LockedError `lane-busy` if the lane is not free and the run is not to wait.
        """
        if destination is None or options.dry_run:
            yield None
            return
        ticket = self.journal.lanes.draw(destination.lane, source)
        try:
            ahead = ticket.ahead() if options.wait == 0 or not self.settings.waits else ()
            if ahead:
                raise LockedError("lane-busy", **ahead[0].found())
            yield ticket
        finally:
            ticket.release()

    @contextlib.contextmanager
    def planned_again(
        self, record: RunRecord, options: RunOptions, observer: RunObserver
    ) -> Iterator[RunPlan]:
        """Yield the plan of a run of the journal, with its file open. Raises InputError, SettingsError."""
        connection = self.connect(options, self._store_of(record))
        with contextlib.closing(plans.plan_from_record(record, options, connection, self.journal)) as plan:
            observer.on_plan_ready(PlanReady(plan))
            yield plan

    @contextlib.contextmanager
    def _taken_in(self, file: FileGiven, observer: RunObserver) -> Iterator[FileName]:
        """Yield the file as one on this machine. A copy of it stays if a run has begun to read it."""

        def hear(event: Fetching) -> None:
            if self.stopper.reason is not None and not event.ended:
                raise self.stopper.reason
            observer.on_fetching(event)

        local = take_in(file, hear)
        try:
            yield local
        finally:
            if isinstance(local, LocalCopy) and str(local.path) not in {
                run.path for run in self.journal.runs()
            }:
                discard(local.path)

    def _run(self, plan: RunPlan, lineage: Lineage, gate: PrecheckGate | None, observer: RunObserver) -> Run:
        lineage = replace(lineage, profile=self.settings.profile.name)
        target = self._target(plan)
        return Run(plan, self.journal, target, lineage, gate, observer, on_page=self.settings.on_page)

    @contextlib.contextmanager
    def _stoppable(self, run: Run) -> Iterator[None]:
        """Let the session's stop token stop this run. What stops only this run stops no later one."""
        waiting = self.journal.patient(run.plan.options.patience, lambda: run.stopper.reason)
        with self.guard(self.stopper), self.stopper.child() as run.stopper, waiting:
            yield

    def _sandbox(self, store: Path | None) -> Sandbox:
        from importer.sandbox import Sandbox

        if store not in self._sandboxes:
            self._sandboxes[store] = self._stack.enter_context(Sandbox(store))
        return self._sandboxes[store]

    def _target(self, plan: RunPlan) -> SendTarget | None:
        """Return the client for this plan; None for a dry run. Runs to the same place share one client."""
        if plan.options.dry_run or plan.connection is None:
            return None
        from importer.api.client import Client  # a dry run does without

        key = (plan.connection, plan.contract.name, plan.options.concurrency)
        if key not in self._targets:
            client = self._stack.enter_context(Client(plan.connection, pool_size=plan.options.concurrency))
            sender = client.sender(plan.contract.endpoint)
            self._targets[key] = SendTarget(plan.connection, sender)
        return self._targets[key]

    def _store_of(self, record: RunRecord) -> Path | None:
        """Return the file of the sandbox that the run went to. Raises SettingsError `sandbox-gone`."""
        store = self.settings.sandbox_store or _kept_store(record)
        if store is None and self.settings.connection is None and _went_to_sandbox(record):
            raise SettingsError("sandbox-gone", run=record.id)
        return store

    def _reachable(self, record: RunRecord) -> bool:
        """Whether the destination of a run still exists: a sandbox without a file does not."""
        if self.settings.connection is not None:
            return True
        given = self.settings.sandbox_store is not None
        if _went_to_sandbox(record):
            return given or _kept_store(record) is not None
        return not given


def retry_options(record: RunRecord) -> RunOptions:
    """Return the options of a retry: those of its run, with a reports folder of its own."""
    return replace(plans.kept_options(record), report_dir=None, rejected=False)


def _gate_of(plan: RunPlan) -> PrecheckGate | None:
    limit = plan.options.max_invalid
    return None if limit is None else max_invalid_gate(limit)


def _went_to_sandbox(record: RunRecord) -> bool:
    return record.destination is not None and bool(record.destination.store)


def _kept_store(record: RunRecord) -> Path | None:
    """The file in which the run's sandbox keeps its customers, if it is still there."""
    store = options_from_json(record.settings).sandbox_store
    return Path(store) if store and Path(store).is_file() else None
