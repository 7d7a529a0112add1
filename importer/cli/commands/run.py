"""`importer run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importer.cli import options as shared
from importer.cli.helpers import import_files


@click.command("run", short_help="Import customers from files.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--dry-run", is_flag=True, help="Stop before the socket: everything but the sending.")
@shared.import_options
def command(
    files: tuple[str, ...], sandbox: bool, sandbox_store: Path | None, profile: str | None, **values: Any
) -> int:
    """Import customers from FILE… (- reads standard input); every row gets exactly one status.

    Several files are several runs, one after the other; the exit code is the worst.
    """
    return import_files(files, profile, values, sandbox=sandbox, store=sandbox_store)
