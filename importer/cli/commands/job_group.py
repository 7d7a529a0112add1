"""The group of `importer job`, and what its commands share: which jobs, by whose settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from importer.cli.help import LocalGroup
from importer.config import ConfigFile, load_config, name_config
from importer.errors import SettingsError, UsageError
from importer.models import Note

if TYPE_CHECKING:
    from importer.jobs.selection import ChosenJob, UnusableJob

F = TypeVar("F", bound=Callable[..., Any])


@click.group("job", cls=LocalGroup, short_help="Run and install scheduled imports.")
def job_command() -> None:
    """Imports that a scheduler starts: [job.NAME] tables of importer.toml.

    \b
    importer job check nightly                            what a round would do now
    importer job run nightly                              one round; cron calls this
    importer job install nightly --schedule "0 3 * * *"   into the crontab
    importer job status nightly --json                    for monitoring
    importer job run --all                                one round of each job
    """


def settings_options(function: F) -> F:
    """Add the options that say where settings and credentials are."""
    for option in (
        click.option(
            "--settings",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="The importer.toml with the job (default: in the working directory, or the user's).",
        ),
        click.option(
            "--env-file",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Credentials from lines NXLINK_…=value; nobody else may be able to read it.",
        ),
    ):
        function = option(function)
    return function


def job_names_options(function: F) -> F:
    """Add the arguments that say which jobs a command is about."""
    function = click.option("--all", "every", is_flag=True, help="All jobs of importer.toml.")(function)
    return click.argument("names", metavar="[NAME…]", nargs=-1)(function)


def chosen_jobs(
    names: Sequence[str], every: bool, settings: Path | None, env_file: Path | None
) -> tuple[ChosenJob | UnusableJob, ...]:
    """Return the jobs that a command is about. Raises UsageError `no-job-named` or `names-and-all`."""
    from importer.jobs.selection import choose_jobs

    file = settings_file(settings)
    if names and every:
        raise UsageError("names-and-all")
    if not names and not every:
        raise UsageError("no-job-named", known=", ".join(file.names("job")) or "–")
    return choose_jobs(file, names, every=every, env_file=env_file)


def settings_file(settings: Path | None) -> ConfigFile:
    """Return the importer.toml that is named, or found. Raises SettingsError."""
    if settings is not None and not settings.is_file():
        raise SettingsError("bad-settings", file=settings, place="-", reason=Note("reason-no-file"))
    name_config(settings)
    return load_config()
