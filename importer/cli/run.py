"""`importer run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importer.cli import options as shared
from importer.cli.importing import import_files
from importer.cli.manner import take_manner
from importer.cli.running import profile_of, with_profile


@click.command("run", short_help="Import customers from files.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--mode",
    "--type",
    "mode",
    type=shared.ModeType(),
    help="What happens to a customer the CRM has already: replace (0), update (1, the default) or keep (2).",
)
@click.option("--dry-run", is_flag=True, help="Stop before the socket: everything but the sending.")
@shared.mapping_options
@shared.reading_options
@shared.checking_options
@shared.profile_option
@shared.sandbox_options
@shared.sending_options
@shared.report_options
@click.option("--yes", "-y", is_flag=True, help="Answer every question with yes.")
@shared.speaking_options
def command(
    files: tuple[str, ...], sandbox: bool, sandbox_store: Path | None, profile: str | None, **values: Any
) -> int:
    """Import customers from FILE… (- reads standard input); every row gets exactly one status.

    Several files are several runs, one after the other; the exit code is the worst.
    """
    chosen = profile_of(profile)
    options = with_profile(shared.run_options(values), values, chosen)
    return import_files(files, options, chosen, take_manner(values), sandbox=sandbox, store=sandbox_store)
