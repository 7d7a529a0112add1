"""`importer retry`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importer import messages
from importer.cli import options as shared
from importer.cli.helpers import open_session, show_result, with_profile
from importer.cli.output import language, output_options
from importer.config import load_config
from importer.models import ExitCode


@click.command("retry", short_help="Send again the rows of a run that were not imported.")
@click.argument("run_id", metavar="RUN")
@click.option("--rejected", is_flag=True, default=None, help="Also the rows that the server rejected.")
@shared.profile_option
@shared.sandbox_store_option
@shared.sending_options
@shared.speaking_options
def command(run_id: str, profile: str | None, sandbox_store: Path | None, **values: Any) -> int:
    """Send what RUN left: its failed, unknown and not_sent rows, as a new run linked to it.

    A row whose customer a later row has brought in since is held back, and said so. Invalid rows are mended
    in rejects.xlsx and imported with `importer run`.
    """
    from importer.pipeline.session import SessionSettings, retry_options

    chosen, output = load_config().profile(profile), output_options(values)
    with open_session(SessionSettings(chosen, sandbox_store=sandbox_store), output) as session:
        record = session.journal.find(run_id)
        options = with_profile(shared.run_options(values, retry_options(record)), values, chosen)
        result = session.retry(record, options)
        if result is None:
            click.echo(messages.sentence("nothing-to-retry", {"run": record.id}, language()))
            return int(ExitCode.DONE if record.all_done else ExitCode.ROWS_LEFT)
        return show_result(result, output, mask=options.mask)
