"""`importer resume`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from importer import messages
from importer.cli import options as shared
from importer.cli.helpers import (
    carry_out,
    find_run,
    profile_of,
    sandbox_store_of,
    sandbox_to_reopen,
)
from importer.cli.output import OutputOptions, language
from importer.errors import UsageError
from importer.models import ExitCode
from importer.options import GivenOptions, layered

if TYPE_CHECKING:
    from importer.journal import Journal, RunRecord


@click.command("resume", short_help="Go on with an interrupted run.")
@click.argument("run_id", metavar="[RUN]", required=False)
@shared.profile_option
@shared.sandbox_store_option
@shared.sending_options
@shared.speaking_options
def command(
    run_id: str | None,
    profile: str | None,
    sandbox_store: Path | None,
    given: GivenOptions,
    output: OutputOptions,
) -> int:
    """Go on with RUN, or with the newest interrupted run.

    File, mapping and mode are those it was started with. Rows that are in stay as they are; rows whose
    request had no known answer are sent again. The reports go where they went.
    """
    from importer.journal import Journal
    from importer.pipeline import plan as plans
    from importer.pipeline.precheck import max_invalid_gate
    from importer.pipeline.retry import lineage_of, retried_since
    from importer.pipeline.run import Run
    from importer.pipeline.session import open_connection, open_target

    chosen = profile_of(profile)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open())
        record = _which(journal, run_id, sandbox=sandbox_store is not None)
        if record is None:
            click.echo(messages.sentence("nothing-to-resume", {}, language()))
            return int(ExitCode.DONE)
        later = retried_since(journal, record)
        if later is not None:
            raise UsageError("resume-retried", run=record.id, retry=later.id)
        options = layered(plans.kept_options(record), chosen.given, given)
        connection = stack.enter_context(
            open_connection(chosen, options, store=sandbox_to_reopen(record, sandbox_store))
        )
        plan = plans.plan_from_record(record, options, connection, journal)
        stack.callback(plan.close)
        run = Run(plan, journal, lineage=lineage_of(plan, journal, record))
        if options.max_invalid is not None:
            run.gate = max_invalid_gate(options.max_invalid)
        if connection is not None:
            run.sending = stack.enter_context(open_target(connection, plan.options))
        return carry_out(run, output, lambda ready: ready.resume(record))


def _which(journal: Journal, run_id: str | None, *, sandbox: bool) -> RunRecord | None:
    """The run to go on with; None if there is nothing to do. A run that is at work is refused by its lock."""
    from importer.journal import RunState
    from importer.pipeline.retry import retried_since

    if run_id is None:
        runs = (record for record in journal.runs() if record.state.resumable and not record.dry_run)
        # What went to a sandbox that is gone cannot go on.
        open_ones = (record for record in runs if _can_go_on(record, sandbox=sandbox))
        return next((record for record in open_ones if retried_since(journal, record) is None), None)
    record = find_run(journal, run_id)
    if record.dry_run:
        raise UsageError("resume-dry-run", run=record.id)
    return record if record.state.resumable or record.state is RunState.RUNNING else None


def _can_go_on(record: RunRecord, *, sandbox: bool) -> bool:
    if record.destination is not None and record.destination.store:
        return sandbox or sandbox_store_of(record) is not None
    return not sandbox
