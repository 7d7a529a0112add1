"""`importer run` and `importer validate`: the same path, with and without the socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from importer.cli import parameters as shared
from importer.cli.metrics import metrics_after
from importer.cli.output import OutputOptions, print_error
from importer.config import load_config
from importer.errors import ImporterError, SourceAwayError, UsageError
from importer.exit_codes import ExitCode
from importer.option_layers import GivenOptions, layered
from importer.option_types import OptionGroup
from importer.options import RunOptions
from importer.readers.prefetch import prefetch_workbook
from importer.sources.locations import DatabaseQuery


@click.command("run", short_help="Import customers from files.")
@click.argument("files", nargs=-1, metavar="FILE…")
@shared.run_options(OptionGroup.DRY_RUN)
@shared.import_options
@shared.cluster_options
def run_command(
    files: tuple[str, ...],
    sandbox: bool,
    sandbox_store: Path | None,
    profile: str | None,
    given: GivenOptions,
    output: OutputOptions,
    cluster: str | None,
    parallel: int,
) -> int:
    """Import customers from FILE…; every row gets exactly one status.

    FILE is a path, - for standard input, or an address such as https://…; --database and --query take its
    place.

    Several files are several runs, one after the other; the exit code is the worst.
    """
    if cluster is not None:
        return _on_cluster(cluster, parallel, files, profile, given, output, sandbox=sandbox or sandbox_store)
    return _import_files(files, profile, given, output, sandbox=sandbox, store=sandbox_store)


@click.command("validate", short_help="Check files without sending anything: the same as run --dry-run.")
@click.argument("files", nargs=-1, metavar="FILE…")
@shared.import_options
@shared.cluster_options
def validate_command(
    files: tuple[str, ...],
    sandbox: bool,
    sandbox_store: Path | None,
    profile: str | None,
    given: GivenOptions,
    output: OutputOptions,
    cluster: str | None,
    parallel: int,
) -> int:
    """Check FILE… on the real path, up to the socket: needs no credentials, sends nothing.

    What it calls valid, `importer run` sends unchanged.
    """
    given = given.joined(GivenOptions.read({"dry_run": True}))
    if cluster is not None:
        return _on_cluster(cluster, parallel, files, profile, given, output, sandbox=sandbox or sandbox_store)
    return _import_files(files, profile, given, output, sandbox=sandbox, store=sandbox_store)


def _import_files(
    files: Sequence[str],
    profile_name: str | None,
    given: GivenOptions,
    output: OutputOptions,
    *,
    sandbox: bool = False,
    store: Path | None = None,
) -> int:
    """Run file after file; returns the worst exit code. A file that cannot be read stops no other."""
    config = load_config()
    profile = config.profile(profile_name)
    options = layered(RunOptions(), profile.given, given)
    named: list[str | DatabaseQuery] = [*files, *_query(options, files)]
    worst = 0
    # The first file is read while the heavy libraries are imported.
    with prefetch_workbook(str(named[0]), options.sheet, options.limit):
        from importer.cli.terminal import open_session, show_result
        from importer.pipeline.session import SessionSettings

        settings = SessionSettings(profile, sandbox=sandbox, sandbox_store=store)
        with metrics_after(config), open_session(settings, output) as session:
            for file, directory in zip(named, _directories(named, options.report_dir), strict=True):
                try:
                    result = session.start(file, replace(options, report_dir=directory))
                    code = show_result(result, output, mask=options.mask)
                except ImporterError as error:
                    print_error(error)
                    code = int(error.exit_code)
                    if isinstance(error, SourceAwayError):
                        worst = max(worst, code)
                        continue  # other files come from elsewhere
                worst = max(worst, code)
                # The next file would be stopped too, or the user has ended the run.
                if ExitCode(code).resumable:
                    break
    return worst


def _on_cluster(
    address: str,
    workers: int,
    files: Sequence[str],
    profile: str | None,
    given: GivenOptions,
    output: OutputOptions,
    *,
    sandbox: object,
) -> int:
    """Hand the files to a cluster; returns the worst exit code. Raises UsageError `cluster-sandbox`."""
    from importer.cli.cluster import import_on_cluster

    if sandbox:
        raise UsageError("cluster-sandbox")
    config = load_config()
    options = layered(RunOptions(), config.profile(profile).given, given)
    named: list[str | DatabaseQuery] = [*files, *_query(options, files)]
    folders = _directories(named, options.report_dir)
    with metrics_after(config):
        return import_on_cluster(address, workers, named, folders, options, config, profile, output)


def _query(options: RunOptions, files: Sequence[str]) -> Sequence[DatabaseQuery]:
    """Return the query that takes the place of a file, if there is one. Raises UsageError."""
    if options.query is None and options.database is None:
        if not files:
            raise UsageError("no-file-named")
        return ()
    if files or not options.query or not options.database:
        raise UsageError("query-needs-database")
    return (DatabaseQuery(options.database, options.query),)


def _directories(files: Sequence[str | DatabaseQuery], directory: Path | None) -> list[Path | None]:
    """Return the reports folder of each file: the one named, or for several files one below it each."""
    if directory is None or len(files) == 1:
        return [directory] * len(files)
    from importer.sources.locations import locate
    from importer.sources.spool import plain_name

    found: list[Path | None] = []
    for file in files:
        location = locate(str(file))
        name = Path(plain_name(location.name) if location else str(file)).stem or "stdin"
        path, number = directory / name, 2
        while path in found:
            path, number = directory / f"{name}-{number}", number + 1
        found.append(path)
    return found
