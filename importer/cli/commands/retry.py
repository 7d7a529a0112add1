"""`importer retry`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from importer import messages
from importer.cli import options as shared
from importer.cli.helpers import carry_out, find_run, profile_of, sandbox_to_reopen
from importer.cli.output import OutputOptions, language
from importer.errors import UsageError
from importer.models import ExitCode, Status
from importer.option_types import OptionGroup
from importer.options import GivenOptions, layered

if TYPE_CHECKING:
    from importer.journal import RunRecord


@click.command("retry", short_help="Send again the rows of a run that were not imported.")
@click.argument("run_id", metavar="RUN")
@shared.run_options(OptionGroup.RETRY)
@shared.profile_option
@shared.sandbox_store_option
@shared.sending_options
@shared.speaking_options
def command(
    run_id: str, profile: str | None, sandbox_store: Path | None, given: GivenOptions, output: OutputOptions
) -> int:
    """Send what RUN left: its failed, unknown and not_sent rows, as a new run linked to it.

    A row whose customer a later row has brought in since is held back, and said so. Invalid rows are mended
    in rejects.xlsx and imported with `importer run`.
    """
    from importer.journal import Journal, RunState
    from importer.pipeline import plan as plans
    from importer.pipeline.retry import retry_lineage
    from importer.pipeline.run import Run
    from importer.pipeline.session import open_connection, open_target

    chosen = profile_of(profile)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open())
        record = find_run(journal, run_id)
        if record.dry_run:
            raise UsageError("retry-dry-run", run=record.id)
        left = _left(record, rejected=given.options.rejected)
        if record.state is RunState.FINISHED and not left:
            click.echo(messages.sentence("nothing-to-retry", {"run": record.id}, language()))
            return int(ExitCode.DONE if _all_done(record) else ExitCode.ROWS_LEFT)
        options = replace(plans.kept_options(record), report_dir=None, rejected=False)
        options = layered(options, chosen.given, given)
        connection = stack.enter_context(
            open_connection(chosen, options, store=sandbox_to_reopen(record, sandbox_store))
        )
        plan = plans.plan_from_record(record, options, connection, journal)
        stack.callback(plan.close)
        run = Run(
            plan, journal, lineage=replace(retry_lineage(plan, journal, record), reports=_beside(record))
        )
        if connection is not None:
            run.sending = stack.enter_context(open_target(connection, plan.options))
        return carry_out(run, output, Run.start)


def _left(record: RunRecord, *, rejected: bool) -> int:
    """How many rows of a finished run a retry would take."""
    statuses = [Status.FAILED, Status.UNKNOWN, Status.NOT_SENT, *([Status.REJECTED] if rejected else [])]
    return sum(record.counts.get(status, 0) for status in statuses)


def _all_done(record: RunRecord) -> bool:
    return all(status.done for status, count in record.counts.items() if count)


def _beside(record: RunRecord) -> Path:
    """Where the reports of the retried run lie; the folders of a job are the job's own."""
    folder = Path(record.report_dir).parent
    return folder if record.report_dir and not record.job and folder.is_dir() else Path("reports")
