"""`importer resume`."""

from __future__ import annotations

from pathlib import Path

import click

from importer import messages
from importer.cli import options as shared
from importer.cli.helpers import open_session, show_result
from importer.cli.output import OutputOptions, language
from importer.config import load_config
from importer.models import ExitCode
from importer.options import GivenOptions, layered


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
    from importer.pipeline.plan import kept_options
    from importer.pipeline.session import SessionSettings

    chosen = load_config().profile(profile)
    with open_session(SessionSettings(chosen, sandbox_store=sandbox_store), output) as session:
        record = session.find_resumable(run_id)
        if record is None:
            click.echo(messages.sentence("nothing-to-resume", {}, language()))
            return int(ExitCode.DONE)
        options = layered(kept_options(record), chosen.given, given)
        return show_result(session.resume(record, options), output, mask=options.mask)
