"""Carry out one run: locks, journal, precheck where one is asked for, flow, reports, exit code."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from importer.api import READ_TIMEOUT
from importer.batching import BodyTemplate
from importer.config import Connection
from importer.dataclass import dataclass
from importer.delivery import Policy, Sender
from importer.errors import ImporterError, InputError, TripwireError
from importer.exit_codes import ExitCode, run_exit_code
from importer.journal import Journal, RunJournal, RunKind, RunRecord, RunState, Ticket, new_run_id
from importer.models import Mode, Note, Status
from importer.option_layers import options_to_json
from importer.option_types import Keep
from importer.options import RunOptions
from importer.pipeline.changed_rows import change_notes, changed_rows
from importer.pipeline.events import Prechecking, Progress, RequestMeter, RunEnded, RunObserver, RunStarted
from importer.pipeline.flow import BatchSink, Flow, HeldRows, NullSink, RowScope, RunContext
from importer.pipeline.newer_rows import NewerRows
from importer.pipeline.overtaken_rows import OvertakenRows
from importer.pipeline.plan import RunPlan, needs_canary
from importer.pipeline.precheck import PrecheckGate, precheck
from importer.pipeline.row_history import PriorImports, ResumeState, prior_notes, resume_notes, unknown_notes
from importer.pipeline.run_reports import report_plan, stop_reason
from importer.pipeline.stop_token import StopToken as StopToken
from importer.reports import ReportResult, ReportWriter, RunInfo, Tally
from importer.reports.files import own_files
from importer.reports.next_steps import run_arguments
from importer.reports.run_info import SuppressionUse, uses_from_json, uses_to_json

if TYPE_CHECKING:
    from importer.delivery import Delivery, DeliveryEvent
    from importer.pipeline.before_images import BeforeImages


POLITE_RATE = 10.0
"""Requests a second to the real API, whose limits are not documented."""
TURN_WAIT = 3600.0
"""Seconds for which a run waits while another one sends to the same lane."""


@dataclass(frozen=True, slots=True)
class SendTarget:
    """What a run needs to send: who signs, and who posts."""

    connection: Connection
    sender: Sender


def settle_time(options: RunOptions) -> float:
    """Seconds for which a request without an answer may still be carried out."""
    return READ_TIMEOUT if options.settle is None else options.settle


def delivery_policy(options: RunOptions, connection: Connection) -> Policy:
    """Return the policy of the delivery. Without `options.rate` it is POLITE_RATE, unbounded to loopback."""
    from importer.config import is_loopback

    rate: float | None = options.rate
    if rate is None:
        host = urlsplit(connection.base_url or "").hostname or ""
        rate = None if is_loopback(host) else POLITE_RATE
    return Policy(
        concurrency=options.concurrency,
        rate=rate or None,
        attempts=options.attempts,
        patience=options.patience,
        settle=settle_time(options),
        turn_wait=TURN_WAIT if options.wait is None else options.wait,
        resend_unknown=options.resend_unknown,
    )


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a run comes from: a job, or an earlier run that it resumes or retries."""

    kind: RunKind = RunKind.RUN
    parent: str = ""
    job: str = ""
    scope: RowScope | None = None
    held: HeldRows | None = None
    rows: int | None = None
    """The number of rows in `scope`, if it is known."""
    reports: Path = Path("reports")
    """The folder in which the run makes its reports folder, if the options name none."""
    profile: str = ""
    """The profile that it is begun with."""


@dataclass
class Run:
    """One run, with everything it needs.

    `start`, `resume` and `redraw` raise LockedError, ReportError, InputError, JournalError and
    ConservationError. What the server did raises nothing: it is in the summary.
    """

    plan: RunPlan
    journal: Journal
    sending: SendTarget | None = None
    """None for a dry run."""
    lineage: Lineage = field(default_factory=Lineage)
    gate: PrecheckGate | None = None
    """Judges the whole file before anything is sent."""
    observer: RunObserver = field(default_factory=RunObserver)
    stopper: StopToken = field(default_factory=StopToken)
    ticket: Ticket | None = None
    """Its place in the lane, if it has one already."""
    id: str = ""
    """Its id, if it was drawn before."""
    on_page: bool = False
    """Whether the page in the browser carries it out: its reports name buttons instead of commands."""

    def start(self) -> ReportResult:
        """Begin a new run."""
        run_id = self.id or new_run_id(datetime.now().astimezone())
        directory = Path(self.plan.options.report_dir or self.lineage.reports / run_id)
        record = self._record(run_id, directory)
        with self.journal.start(record, self.ticket, self._expected_rows()) as run_journal:
            memory = self._memory(run_id, journal=run_journal)
            try:
                return self._go(run_journal, directory, memory)
            except ImporterError as error:
                if not run_journal.has_requests:
                    # Nothing was sent, so there is nothing to resume.
                    run_journal.finish(RunState.FINISHED, error.exit_code, {}, error.code)
                raise

    def resume(self, record: RunRecord) -> ReportResult:
        """Continue a run that ended early. The reports go to its folder."""
        with self.journal.reopen(record.id, self.ticket, self._expected_rows()) as run_journal:
            replay = ResumeState(run_journal.row_states(), self.plan.options.resend_unknown)
            last = run_journal.next_ordinal - 1
            memory = self._memory(record.id, replay=replay, journal=run_journal, last_ordinal=last)
            return self._go(run_journal, Path(record.report_dir), memory)

    def redraw(self, record: RunRecord, directory: Path) -> ReportResult:
        """Write the reports of a past run again, from its file and the journal, without the people who were
        cleared from them. Sends and records nothing."""
        from importer.pipeline.clearing import clear_again, cleared_rows

        cleared = cleared_rows(own_files(Path(record.report_dir), record.id) if record.report_dir else ())
        replay = None if record.dry_run else ResumeState(self.journal.row_states(record.id), send=False)
        memory = self._memory(record.id, replay=replay)
        with ReportWriter(report_plan(self.plan, record.id, directory)) as reports:
            sink = NullSink(Status.VALID if record.dry_run else Status.NOT_SENT)
            flow = Flow(self.plan, reports, sink, memory, self._pulse(reports.tally), self._broken_off)
            flow.run()
            started = record.started or datetime.now().astimezone()
            ended = record.finished or started
            run_info = RunInfo(
                mode=record.mode,
                dry_run=record.dry_run,
                destination=record.destination,
                mapping=record.mapping_name,
                exit_code=record.exit_code or run_exit_code(None, done=reports.tally.done),
                started=started,
                seconds=(ended - started).total_seconds(),
                notes=self._notes(reports.tally, flow, ended),
                settings=self.plan.settings,
                arguments=run_arguments(self.plan.options, record.profile),
                parent=record.parent,
                suppression=self._suppression(reports.tally) or uses_from_json(record.suppression),
            )
            result = reports.close(run_info)
        return clear_again(result, cleared)

    def _record(self, run_id: str, directory: Path) -> RunRecord:
        source, plan = self.plan.source, self.plan
        reimport = bool(plan.again or plan.rest_of) and self.lineage.kind is RunKind.RUN
        return RunRecord(
            id=run_id,
            source=source.name,
            path=str(source.given_path.absolute()),
            sha256=source.sha256,
            size=source.size,
            mode=plan.mode,
            contract=plan.contract.name,
            mapping=plan.mapping.dump(),
            mapping_name=plan.mapping.name,
            mapping_digest=plan.mapping.digest,
            destination=plan.destination,
            read_options=options_to_json(plan.options, Keep.READING),
            settings=options_to_json(plan.options, Keep.SETTINGS),
            dry_run=self.sending is None,
            report_dir=str(directory.absolute()),
            kind=RunKind.REIMPORT if reimport else self.lineage.kind,
            parent=self.lineage.parent or (plan.reported.id if reimport and plan.reported else ""),
            job=self.lineage.job,
            profile=self.lineage.profile,
        )

    def _memory(
        self,
        run_id: str,
        *,
        replay: ResumeState | None = None,
        journal: RunJournal | None = None,
        last_ordinal: int = 0,
    ) -> RunContext:
        lineage, prior = self.lineage, self._prior(run_id)
        return RunContext(
            prior=prior,
            replay=replay,
            journal=journal,
            dry=self.sending is None,
            scope=lineage.scope,
            last_ordinal=last_ordinal,
            held=lineage.held,
            newer=self._newer(journal, resumed=replay is not None),
            overtaken=self._overtaken(prior),
            changes=changed_rows(self.plan, self.journal),
            canary=self.sending is not None and needs_canary(self.plan, self.journal),
        )

    def _newer(self, journal: RunJournal | None, *, resumed: bool) -> NewerRows | None:
        """Return what holds back older rows. None: no row is older than the run, or all are to be sent."""
        plan, retry = self.plan, self.lineage.kind is RunKind.RETRY
        older = resumed or plan.again or plan.rest_of or retry
        if journal is None or journal.contacts is None or not older or plan.options.overwrite_newer:
            return None
        return NewerRows(journal.contacts, plan.contract, plan.mode, plan.options.lang)

    def _overtaken(self, prior: PriorImports | None) -> OvertakenRows | None:
        options = self.plan.options
        if prior is None or options.overwrite_newer or self.plan.mode is Mode.KEEP:
            return None
        return OvertakenRows(prior, options.lang, self.plan.mapper, named=not options.mask)

    def _prior(self, run_id: str) -> PriorImports | None:
        """Return what the journal knows of the rows of a report, or of a rest; None for any other file.

        A dry run without credentials takes the destination of the run that the report names. So it skips the
        rows that a real run would skip.
        """
        if not self.plan.again and not self.plan.rest_of:
            return None
        there = self.plan.destination or (self.plan.reported.destination if self.plan.reported else None)
        return PriorImports(self.journal, there.key if there else None, run_id)

    def _go(self, run_journal: RunJournal, directory: Path, memory: RunContext) -> ReportResult:
        started, clock = datetime.now().astimezone(), time.perf_counter()
        meter = RequestMeter()
        with ExitStack() as stack:
            planned = report_plan(self.plan, run_journal.id, directory, on_page=self.on_page)
            reports = stack.enter_context(ReportWriter(planned))
            # A resumed run is validated ahead only if it ended before its first request.
            held = None if memory.last_ordinal else self._look_ahead(memory)
            self.observer.on_run_started(RunStarted(run_journal.record, self.plan))
            delivery = None if held else self._delivery(stack, run_journal, meter, canary=memory.canary)
            if memory.newer is not None and delivery is not None:
                memory.newer.wait_for_turn = delivery.wait_for_turn
            if memory.changes is not None and delivery is not None:
                memory.changes.wait_for_turn = delivery.wait_for_turn
            before = self._keep_before(memory, delivery, directory)
            sink: BatchSink = delivery or _null_sink(held)
            pulse = self._pulse(reports.tally)
            flow = Flow(self.plan, reports, sink, memory, pulse, self._broken_off, self.observer)
            flow.run()
            stop = held or self.stopper.reason
            if delivery is not None:
                stop = delivery.stopped or stop
            code = run_exit_code(stop, done=reports.tally.done)
            run_info = RunInfo(
                mode=self.plan.mode,
                dry_run=self.sending is None,
                destination=self.plan.destination,
                mapping=self.plan.mapping.name,
                exit_code=code,
                started=started,
                seconds=time.perf_counter() - clock,
                requests=meter.requests,
                retries=meter.retries,
                stop=stop_reason(stop, code, self.plan.options.lang, on_page=self.on_page),
                notes=(
                    *self._notes(reports.tally, flow, datetime.now()),
                    *resume_notes(memory.replay),
                    *(before.notes() if before else ()),
                    *change_notes(memory.changes, self.plan.options, lost=bool(self.journal.losses)),
                    *self.plan.source.notes_at_end(started.timestamp()),
                    *meter.notes(),
                ),
                settings=self.plan.settings,
                arguments=run_arguments(self.plan.options, self.lineage.profile),
                phases=flow.phases.as_pairs(),
                timeline=meter.steps(),
                parent=run_journal.record.parent,
                suppression=self._suppression(reports.tally),
            )
            result = reports.close(run_info)
        ended_early = stop is not None and not isinstance(stop, TripwireError) and code is not ExitCode.DONE
        state = RunState.STOPPED if ended_early else RunState.FINISHED
        run_journal.keep_mapping(self.plan.mapper.proven_mapping().dump())
        run_journal.keep_lists(uses_to_json(run_info.suppression))
        stopped = stop.code if stop else ""
        record = run_journal.finish(state, result.summary.exit_code, result.summary.counts, stopped)
        self.observer.on_run_ended(RunEnded(record, result))
        return result

    def _expected_rows(self) -> int | None:
        """Estimate how many rows the run has; None if it cannot be told."""
        if self.lineage.scope is not None:
            return self.lineage.rows
        rows, limit = self.plan.source.estimated_rows, self.plan.options.limit
        return rows if limit is None else min(rows or limit, limit)

    def _look_ahead(self, memory: RunContext) -> TripwireError | None:
        if self.gate is None:
            return None
        # Without the journal, since the flow records the same rows afterwards.
        ahead = replace(memory, journal=None, changes=changed_rows(self.plan, self.journal))
        found = precheck(self.plan, ahead, self._looked)
        try:
            self.gate(self.plan, found)
        except TripwireError as error:
            return error
        return None

    def _delivery(
        self, stack: ExitStack, run_journal: RunJournal, meter: RequestMeter, *, canary: bool
    ) -> Delivery | None:
        """Open the delivery; None for a dry run."""
        if self.sending is None:
            return None
        from importer.delivery import Delivery, TurnTaken  # a dry run does without

        options, connection = self.plan.options, self.sending.connection
        body_builder = BodyTemplate(
            self.plan.mode, connection.tenant_id, connection.app_key, connection.strict_binding
        )
        policy = replace(delivery_policy(options, connection), canary=canary)
        observer = self.observer

        def notify(event: DeliveryEvent) -> None:
            if self.plan.suppression is not None and isinstance(event, TurnTaken):
                self.plan.suppression.check()
            event.notify(meter)
            event.notify(observer)

        rate = self.journal.rate(connection.rate_key, run_journal.id)
        delivery = Delivery(self.sending.sender, body_builder, run_journal, policy, notify=notify, rate=rate)
        stack.enter_context(delivery)
        self.stopper.listen(delivery.stop)
        return delivery

    def _keep_before(
        self, memory: RunContext, delivery: Delivery | None, directory: Path
    ) -> BeforeImages | None:
        """Keep what the CRM has of the customers that the run is about to change, if that is wanted.

        Of a run that is taken up again only if it has sent nothing yet: what it sent is changed already.
        """
        if delivery is None or memory.last_ordinal or not self.plan.options.keep_before:
            return None
        from importer.pipeline.before_images import keep_before

        delivery.wait_for_turn()
        quiet = replace(memory, journal=None, changes=changed_rows(self.plan, self.journal))
        rate = delivery.policy.rate
        return keep_before(self.plan, quiet, directory, rate, self.observer.on_queries_ahead, self._break_off)

    def _pulse(self, tally: Tally) -> Callable[[], None]:
        progress = Progress(tally)

        def pulse() -> None:
            if self.sending is None:
                self._break_off()
            self.observer.on_progress(progress)

        return pulse

    def _broken_off(self, error: InputError) -> None:
        """Take the error of a file that changed, or could not be read to its end."""
        if self.sending is None:
            raise error
        self.stopper.stop(error)

    def _looked(self, rows: int) -> None:
        self._break_off()
        self.observer.on_prechecking(Prechecking(rows))

    def _break_off(self) -> None:
        """Raise the reason to stop, if there is one. Only for times when no request is in flight."""
        if self.stopper.reason is not None:
            raise self.stopper.reason

    def _suppression(self, tally: Tally) -> tuple[SuppressionUse, ...]:
        suppression = self.plan.suppression
        return suppression.used(tally.reason_groups()) if suppression else ()

    def _notes(self, tally: Tally, flow: Flow, ended: datetime) -> tuple[Note, ...]:
        # The reports list these columns with their counts.
        notes = [note for note in self.plan.notes if note.code != "columns-left-out"]
        notes[:0] = self.journal.losses
        notes += prior_notes(flow.memory.prior, tally.reason_groups())
        notes += self.plan.list_doubts
        notes += unknown_notes(tally.counts[Status.UNKNOWN], ended, settle_time(self.plan.options))
        return (*notes, *(() if self.plan.options.mask else flow.shared.notes()))


def _null_sink(held: TripwireError | None) -> NullSink:
    return NullSink(Status.NOT_SENT, held.code) if held else NullSink(Status.VALID)
