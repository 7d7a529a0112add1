"""`importer resume`, `retry` and `report`: the commands that start from an earlier run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from importer import messages
from importer.cli import parameters as shared
from importer.cli.metrics import metrics_after
from importer.cli.output import OutputOptions, echo, lang_option, language
from importer.config import load_config
from importer.errors import HistoryLostError
from importer.exit_codes import ExitCode
from importer.option_layers import GivenOptions, layered
from importer.option_types import OptionGroup

if TYPE_CHECKING:
    from importer.config import ConfigFile, Profile
    from importer.journal.records import RunRecord
    from importer.pipeline.session import Session


@click.command("resume", short_help="Go on with an interrupted run.")
@click.argument("run_id", metavar="[RUN]", required=False)
@shared.run_options("suppress")
@shared.profile_option
@shared.sandbox_store_option
@shared.sending_options
@shared.speaking_options
def resume_command(
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
    from importer.cli.terminal import open_session, show_result
    from importer.jobs.selection import lists_in_force
    from importer.pipeline.plan import kept_options
    from importer.pipeline.session import SessionSettings

    config = load_config()
    chosen = config.profile(profile)
    settings = SessionSettings(chosen, sandbox_store=sandbox_store, lists_of=partial(lists_in_force, config))
    with metrics_after(config), open_session(settings, output) as session:
        record = session.find_resumable(run_id, profile)
        if record is None and run_id is None and session.journal.losses:
            raise HistoryLostError("nothing-left-to-resume")
        if record is None:
            echo(messages.sentence("nothing-to-resume", {}, language()))
            return int(ExitCode.DONE)
        chosen = _use_profile_of(record, session, config, profile)
        options = layered(kept_options(record), chosen.given, given)
        return show_result(session.resume(record, options), output, mask=options.mask)


def _use_profile_of(record: RunRecord, session: Session, config: ConfigFile, named: str | None) -> Profile:
    """Let the session use the profile that a run was begun with if no other is named, and return it.

    Where it leads elsewhere by now, the session refuses: the run's destination is compared.
    """
    if named is None and record.profile in config.names("profile"):
        session.settings = replace(session.settings, profile=config.profile(record.profile))
    return session.settings.profile


@click.command("retry", short_help="Send again the rows of a run that were not imported.")
@click.argument("run_id", metavar="RUN")
@shared.run_options(OptionGroup.RETRY, "suppress")
@shared.profile_option
@shared.sandbox_store_option
@shared.sending_options
@shared.speaking_options
def retry_command(
    run_id: str, profile: str | None, sandbox_store: Path | None, given: GivenOptions, output: OutputOptions
) -> int:
    """Send what RUN left: its failed, unknown and not_sent rows, as a new run linked to it.

    A row whose customer a later row has brought in since is held back, and said so. Invalid rows are mended
    in rejects.xlsx and imported with `importer run`.
    """
    from importer.cli.terminal import open_session, show_result
    from importer.jobs.selection import lists_in_force
    from importer.pipeline.session import SessionSettings, retry_options

    config = load_config()
    chosen = config.profile(profile)
    settings = SessionSettings(chosen, sandbox_store=sandbox_store, lists_of=partial(lists_in_force, config))
    with metrics_after(config), open_session(settings, output) as session:
        record = session.journal.find(run_id)
        chosen = _use_profile_of(record, session, config, profile)
        options = layered(retry_options(record), chosen.given, given)
        result = session.retry(record, options)
        if result is None:
            echo(messages.sentence("nothing-to-retry", {"run": record.id}, language()))
            return int(ExitCode.DONE if record.all_done else ExitCode.ROWS_LEFT)
        return show_result(result, output, mask=options.mask)


@click.command("report", short_help="Draw the reports of a run again.")
@click.argument("run_id", metavar="RUN")
@shared.report_options
@lang_option
def report_command(run_id: str, given: GivenOptions) -> int:
    """Draw the reports of RUN again, from its file and the journal; nothing is sent.

    They go where they went, or into --report-dir.
    """
    from importer.cli.terminal import open_session, show_result
    from importer.pipeline.plan import kept_options
    from importer.pipeline.session import SessionSettings

    with open_session(SessionSettings(), OutputOptions()) as session:
        record = session.journal.find(run_id)
        options = given.over(kept_options(record))
        result = session.redraw(record, options)
    show_result(result, OutputOptions(), mask=options.mask)
    return int(ExitCode.ROWS_LEFT if result.failures else ExitCode.DONE)
