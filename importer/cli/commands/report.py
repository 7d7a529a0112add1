"""`importer report`."""

from __future__ import annotations

import click

from importer.cli import options as shared
from importer.cli.helpers import open_session, show_result
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
    from importer.pipeline.plan import kept_options
    from importer.pipeline.session import SessionSettings

    with open_session(SessionSettings(), OutputOptions()) as session:
        record = session.journal.find(run_id)
        options = given.over(kept_options(record))
        result = session.redraw(record, options)
    show_result(result, OutputOptions(), mask=options.mask)
    return int(ExitCode.DONE)
