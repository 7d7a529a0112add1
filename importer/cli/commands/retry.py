"""`importer retry`."""

from __future__ import annotations

from pathlib import Path

import click

from importer import messages
from importer.cli import options as shared
from importer.cli.helpers import open_session, show_result
from importer.cli.output import OutputOptions, language
from importer.config import load_config
from importer.models import ExitCode
from importer.option_types import OptionGroup
from importer.options import GivenOptions, layered


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
    from importer.pipeline.session import SessionSettings, retry_options

    chosen = load_config().profile(profile)
    with open_session(SessionSettings(chosen, sandbox_store=sandbox_store), output) as session:
        record = session.journal.find(run_id)
        options = layered(retry_options(record), chosen.given, given)
        result = session.retry(record, options)
        if result is None:
            click.echo(messages.sentence("nothing-to-retry", {"run": record.id}, language()))
            return int(ExitCode.DONE if record.all_done else ExitCode.ROWS_LEFT)
        return show_result(result, output, mask=options.mask)
