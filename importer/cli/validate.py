"""`importer validate`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from importer.cli import options as shared
from importer.cli.importing import import_files
from importer.cli.manner import take_manner
from importer.cli.running import profile_of, with_profile


@click.command("validate", short_help="Check files without sending anything: the same as run --dry-run.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@shared.mapping_options
@shared.reading_options
@shared.checking_options
@shared.profile_option
@shared.report_options
@shared.speaking_options
def command(files: tuple[str, ...], profile: str | None, **values: Any) -> int:
    """Check FILE… on the real path, up to the socket: needs no credentials, sends nothing.

    What it calls valid, `importer run` sends unchanged.
    """
    chosen = profile_of(profile)
    options = replace(with_profile(shared.run_options(values), values, chosen), dry_run=True)
    return import_files(files, options, chosen, take_manner(values))
