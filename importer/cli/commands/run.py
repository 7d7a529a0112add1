"""`importer run` and `importer validate`: the same path, with and without the socket."""

from __future__ import annotations

from pathlib import Path

import click

from importer.cli import options as shared
from importer.cli.helpers import import_files
from importer.cli.output import OutputOptions
from importer.option_types import OptionGroup
from importer.options import GivenOptions


@click.command("run", short_help="Import customers from files.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@shared.run_options(OptionGroup.DRY_RUN)
@shared.import_options
def run_command(
    files: tuple[str, ...],
    sandbox: bool,
    sandbox_store: Path | None,
    profile: str | None,
    given: GivenOptions,
    output: OutputOptions,
) -> int:
    """Import customers from FILE… (- reads standard input); every row gets exactly one status.

    Several files are several runs, one after the other; the exit code is the worst.
    """
    return import_files(files, profile, given, output, sandbox=sandbox, store=sandbox_store)


@click.command("validate", short_help="Check files without sending anything: the same as run --dry-run.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@shared.import_options
def validate_command(
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
