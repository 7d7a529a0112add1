"""Files in, one run each: what `run` and `validate` do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from importer.cli import tell
from importer.cli.manner import Manner, take_manner
from importer.cli.options import run_options
from importer.cli.proposing import ask_for_mapping
from importer.cli.running import ask_before_sending, carry_out, profile_of, with_profile
from importer.config import Connection
from importer.errors import ImporterError, InputError, MappingError
from importer.messages import sentence
from importer.models import ExitCode
from importer.options import RunOptions
from importer.readers.prefetch import prefetch_workbook

_BAD_ENOUGH = (ExitCode.REFUSED, ExitCode.AWAY, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
"""After these the files that follow would fare no better, or were not asked for any more."""


def import_files(
    files: Sequence[str],
    profile_name: str | None,
    values: dict[str, Any],
    *,
    sandbox: bool = False,
    store: Path | None = None,
) -> int:
    """Runs file after file; returns the worst exit code. A file that cannot be read stops no other.

    `values`: what the command line gave for `options.import_options`.
    """
    profile = profile_of(profile_name)
    options = with_profile(run_options(values), values, profile)
    options = replace(options, sandbox_store=str(store.absolute()) if store else None)
    manner = take_manner(values)
    worst = 0
    with ExitStack() as stack:
        # Before the heavy imports, which only the first file has to wait for.
        stack.enter_context(prefetch_workbook(files[0], options.sheet))
        from importer.pipeline.sending import connected

        connection = stack.enter_context(connected(profile, options, sandbox=sandbox, store=store))
        for file, directory in zip(files, _directories(files, options.report_dir), strict=True):
            try:
                code = _import(file, replace(options, report_dir=directory), connection, manner)
            except ImporterError as error:
                tell(error)
                code = int(error.exit_code)
            worst = max(worst, code)
            if code in _BAD_ENOUGH:
                break
    return worst


def _import(file: str, options: RunOptions, connection: Connection | None, manner: Manner) -> int:
    from importer.journal import Journal
    from importer.pipeline import plan as plans
    from importer.pipeline.examine import too_many_invalid
    from importer.pipeline.run import Run
    from importer.pipeline.sending import sending

    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open())
        try:
            plan = plans.make(file, options, connection, journal)
        except (InputError, MappingError) as error:
            if not manner.can_ask or file == "-":
                raise
            options = ask_for_mapping(file, options, error)
            plan = plans.make(file, options, connection, journal)
        stack.callback(plan.close)
        run = Run(plan, journal)
        if connection is not None and not options.dry_run:
            run.sending = stack.enter_context(sending(connection, plan.options))
        if options.max_invalid is not None:
            run.gate = too_many_invalid(options.max_invalid)
        if not ask_before_sending(run, manner):
            click.echo(sentence("answered-no", {}, options.lang), err=True)
            return int(ExitCode.ROWS_LEFT)
        return carry_out(run, manner, Run.start)


def _directories(files: Sequence[str], directory: Path | None) -> list[Path | None]:
    """Where each file's reports go: straight into the folder that was named, or, with several files, into
    one below it for each."""
    if directory is None or len(files) == 1:
        return [directory] * len(files)
    found: list[Path | None] = []
    for file in files:
        name = Path(file).stem or "stdin"
        path, number = directory / name, 2
        while path in found:
            path, number = directory / f"{name}-{number}", number + 1
        found.append(path)
    return found
