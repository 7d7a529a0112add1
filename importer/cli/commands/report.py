"""`importer report`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from importer.cli import options as shared
from importer.cli.helpers import find_run
from importer.cli.output import OutputOptions, lang_option
from importer.models import ExitCode
from importer.options import GivenOptions


@click.command("report", short_help="Draw the reports of a run again.")
@click.argument("run_id", metavar="RUN")
@shared.report_options
@lang_option
def command(run_id: str, given: GivenOptions) -> int:
    """Draw the reports of RUN again, from its file and the journal; nothing is sent.

    They go where they went, or into --report-dir.
    """
    from importer.cli.output import language
    from importer.cli.progress import ProgressReporter
    from importer.journal import Journal
    from importer.pipeline import plan as plans
    from importer.pipeline.retry import lineage_of
    from importer.pipeline.run import Run

    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open())
        record = find_run(journal, run_id)
        options = given.over(plans.kept_options(record))
        plan = plans.plan_from_record(record, options, None, journal)
        stack.callback(plan.close)
        run = Run(plan, journal, lineage=lineage_of(plan, journal, record))
        closed = run.redraw(record, options.report_dir or Path("reports") / record.id)
    ProgressReporter(OutputOptions(), language()).show_summary(closed)
    return int(ExitCode.DONE)
