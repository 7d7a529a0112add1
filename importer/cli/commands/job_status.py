"""`importer job list`, `status` and `acknowledge`: how jobs are doing, for people and for monitoring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from importer.cli.commands.job_group import (
    chosen_jobs,
    job_command,
    job_names_options,
    settings_file,
    settings_options,
)
from importer.cli.metrics import update_metrics
from importer.cli.output import echo, heading, lang_option, language, print_json
from importer.errors import ImporterError, UsageError
from importer.messages import sentence, value_word

if TYPE_CHECKING:
    from importer.jobs.status import JobStatus, UnknownStatus


@job_command.command("list", short_help="Show all jobs with their last and next run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options
@lang_option
def list_jobs(as_json: bool, settings: Path | None, env_file: Path | None) -> int:
    """Show the jobs of importer.toml: where their files come in, how the last round ended, when the next is
    due."""
    from rich.table import Table

    from importer.cli.output import console
    from importer.jobs.status import JobStatus

    found = _look((), True, settings, None)
    if as_json:
        print_json([status.content() for status in found])
        return 0
    titles = ("job", "source", "last round", "result", "next", "held", "failed")
    table = Table(*map(heading, titles), box=None, pad_edge=False)
    for status in found:
        if not isinstance(status, JobStatus):
            table.add_row(status.job, "–", "–", status.error.code, "–", "–", "–")
            continue
        last = status.last
        table.add_row(
            status.job,
            status.source,
            f"{last.started:%Y-%m-%d %H:%M}" if last else "–",
            value_word(last.result, language()) if last else "–",
            f"{status.next:%Y-%m-%d %H:%M %Z}" if status.next else "–",
            str(len(status.held) or "–"),
            str(len(status.failed) or "–"),
        )
    terminal = console()
    if not terminal.is_terminal:
        terminal.width = 200  # no window to fit into: another program reads it
    terminal.print(table)
    for status in found:
        if not isinstance(status, JobStatus):
            echo(status.said(), err=True)
    return 0


@job_command.command("status", short_help="Say how jobs are doing; the exit code suits Nagios.")
@job_names_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write all jobs and the newest runs as a Prometheus textfile.",
)
@settings_options
@lang_option
def show_status(
    names: tuple[str, ...],
    every: bool,
    as_json: bool,
    metrics: Path | None,
    settings: Path | None,
    env_file: Path | None,
) -> int:
    """Say when each job named last did well, how long ago that is, and what waits for somebody.

    Exit codes, of several jobs the worst: 0 all is well · 1 a file is held, or none has come for long · 2 the
    last round failed, a file lies in failed/, or no round went well for too long · 3 it never ran, or cannot
    be looked at. Held and failed files count until `job acknowledge` takes note of them, or they are gone.
    """
    if metrics is not None and not update_metrics(settings_file(settings), metrics):
        return 3
    from importer.jobs.status import CheckStatus, JobStatus, StatusOfAll

    try:
        found = _look(names, every, settings, env_file)
    except ImporterError as error:
        echo(f"UNKNOWN - {' '.join(names) or '--all'}: {error.sentence(language())}")
        return int(CheckStatus.UNKNOWN)
    if len(found) == 1 and not every:
        (one,) = found
        if not isinstance(one, JobStatus):
            echo(one.said())
        else:
            echo(one.json() if as_json else one.line())
        return int(one.health)
    status = StatusOfAll(found)
    echo(status.json() if as_json else "\n".join(status.lines()))
    return int(status.health)


@job_command.command("acknowledge", short_help="Take note of files in failed/ and held/.")
@click.argument("name")
@click.argument("files", metavar="[FILE…]", nargs=-1)
@settings_options
@lang_option
def acknowledge(name: str, files: tuple[str, ...], settings: Path | None, env_file: Path | None) -> int:
    """Take note of what lies in failed/ and held/ of the job NAME: all of it, or the files named.

    Until then, or until it is gone, `job status` is not OK. The files stay where they are.
    """
    from importer.jobs.file_store import is_called
    from importer.jobs.selection import UnusableJob
    from importer.journal import Journal

    found = chosen_jobs((name,), False, settings, env_file)
    for one in found:
        if isinstance(one, UnusableJob):
            raise one.error
    now = datetime.now().astimezone()
    with Journal.open() as journal:
        for one in found:
            lying = journal.jobs.lying(one.name)
            for file in files:
                if not any(is_called(record, file) for record in lying):
                    known = ", ".join(record.name for record in lying) or "–"
                    raise UsageError("job-no-such-file-lies", job=one.name, file=file, known=known)
            waiting = [record for record in lying if record.acknowledged is None]
            if files:
                waiting = [one for one in waiting if any(is_called(one, file) for file in files)]
            for record in waiting:
                journal.jobs.acknowledge(record.number, now)
                told = {
                    "file": record.name,
                    "fate": value_word(record.fate, language()),
                    "reason": record.reason or "–",
                }
                echo(sentence("job-acknowledged", told | {"place": record.target}, language()))
            if not waiting:
                echo(sentence("job-nothing-to-acknowledge", {"job": one.name}, language()))
    return 0


def _look(
    names: Sequence[str], every: bool, settings: Path | None, env_file: Path | None
) -> tuple[JobStatus | UnknownStatus, ...]:
    """Return how the jobs are doing. Raises UsageError, SettingsError, JournalError."""
    from importer.jobs.status import look_at_jobs
    from importer.journal import Journal

    chosen = chosen_jobs(names, every, settings, env_file)
    with Journal.open() as journal:
        return look_at_jobs(chosen, journal, datetime.now().astimezone(), language())
