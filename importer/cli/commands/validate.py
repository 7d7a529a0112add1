"""`importer validate`."""

from __future__ import annotations

from pathlib import Path

import click

from importer.cli import options as shared
from importer.cli.helpers import import_files
from importer.cli.output import OutputOptions
from importer.options import GivenOptions


@click.command("validate", short_help="Check files without sending anything: the same as run --dry-run.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@shared.import_options
def command(
    files: tuple[str, ...],
    sandbox: bool,
    sandbox_store: Path | None,
    profile: str | None,
    given: GivenOptions,
    output: OutputOptions,
) -> int:
    """Check FILE… on the real path, up to the socket: needs no credentials, sends nothing.

    What it calls valid, `importer run` sends unchanged.
    """
    given = given.joined(GivenOptions.read({"dry_run": True}))
    return import_files(files, profile, given, output, sandbox=sandbox, store=sandbox_store)
