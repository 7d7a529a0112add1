"""`importer job`: run, list, check, status, install, uninstall."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from importer.cli import app
from importer.cli.output import echo, lang_option, language, print_json
from importer.config import ConfigFile, Profile, load_config
from importer.errors import ImporterError, JournalError, SettingsError, UsageError
from importer.exit_codes import ExitCode
from importer.messages import sentence
from importer.models import Note

if TYPE_CHECKING:
    from importer.jobs.config import Job
    from importer.jobs.runner import FilePreview
    from importer.jobs.status import JobStatus
    from importer.journal import Journal

F = TypeVar("F", bound=Callable[..., Any])
_CARRIED = ("NXLINK_STATE_DIR",)
"""Settings of this shell without which the scheduled job would look elsewhere; no secret is among them."""


class FoundJob(NamedTuple):
    """A job and what it needs."""

    job: Job
    profile: Profile
    file: ConfigFile


@click.group("job", short_help="Run and install scheduled imports.")
def job_command() -> None:
    """Imports that a scheduler starts: [job.NAME] tables of importer.toml.

    \b
    importer job check nightly                            what a round would do now
    importer job run nightly                              one round; cron calls this
    importer job install nightly --schedule "0 3 * * *"   into the crontab
    importer job status nightly --json                    for monitoring
    """


def _settings_options(function: F) -> F:
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


@job_command.command("run", short_help="Do one round: this is what cron calls.")
@click.argument("name")
@click.option("--release", metavar="FILE", help="Let a file through that a tripwire holds, and do no more.")
@click.option("--verbose", "-v", is_flag=True, help="Show the log on stderr, too.")
@_settings_options
@lang_option
def run(name: str, release: str | None, verbose: bool, settings: Path | None, env_file: Path | None) -> int:
    """Do one round of the job NAME: go on with what an earlier round left, then take what is ready.

    Prints nothing if all is well, so that cron mails only when something is wrong. Every file is validated
    as a whole before its first row is sent. Exit codes are those of `run`; 6 if a tripwire holds a file, 75
    if another round is at work.
    """
    from importer.cli.signals import stop_on_signals
    from importer.jobs.config import JobEnvironment
    from importer.jobs.log import open_log
    from importer.jobs.notify import announce_unstarted
    from importer.jobs.runner import Round
    from importer.journal import Journal
    from importer.journal.job_history import RoundResult

    app.startup_done()
    found = _find(name, settings, env_file)
    environment = JobEnvironment(lang=language())
    show = (lambda line: echo(line, err=True)) if verbose else None
    log = open_log(found.job, environment.clock, show)
    try:
        opened = Journal.open()
    except JournalError as error:
        report = announce_unstarted(found.job, log, environment, error)
        lost = False
    else:
        with opened as journal:
            current = Round(found.job, found.profile, journal, log, environment, release=release)
            with stop_on_signals(current.stopper):
                report = current.go()
            lost = bool(journal.losses)
    if not report.good and report.result is not RoundResult.OVERLAPPED:
        echo(report.text(), err=True, nl=False)
    for warning in report.warnings:
        echo(f"{name}: {warning}", err=True)
    # Tripwires look back, and so does a round that finishes an earlier one.
    return int(report.exit_code or (ExitCode.ROWS_LEFT if lost else ExitCode.DONE))


@job_command.command("list", short_help="Show all jobs with their last and next run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_settings_options
@lang_option
def list_jobs(as_json: bool, settings: Path | None, env_file: Path | None) -> int:
    """Show the jobs of importer.toml: where their files come in, how the last round ended, when the next is
    due."""
    from importer.jobs.config import load_job
    from importer.journal import Journal

    file = _file(settings)
    jobs = [load_job(file, name) for name in file.names("job")]
    with Journal.open() as journal:
        found = [(job, _status(job, journal)) for job in jobs]
    if as_json:
        print_json([json.loads(status.json()) for _, status in found])
        return 0
    from rich.table import Table

    from importer.cli.output import console

    table = Table("job", "source", "last round", "result", "next", "held", box=None, pad_edge=False)
    for job, status in found:
        last = status.last
        table.add_row(
            job.name,
            job.describe_source(),
            f"{last.started:%Y-%m-%d %H:%M}" if last else "–",
            str(last.result) if last else "–",
            f"{status.next:%Y-%m-%d %H:%M %Z}" if status.next else "–",
            str(len(status.held) or "–"),
        )
    console().print(table)
    return 0


@job_command.command("status", short_help="Say how a job is doing; the exit code suits Nagios.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_settings_options
@lang_option
def show_status(name: str, as_json: bool, settings: Path | None, env_file: Path | None) -> int:
    """Say when the job NAME last did well, how long ago that is, and what waits for somebody.

    Exit codes: 0 all is well · 1 a file is held, or none has come for long · 2 the last round failed, or
    none went well for too long · 3 it never ran, or cannot be looked at.
    """
    from importer.journal import Journal

    try:
        job = _find(name, settings, env_file).job
        with Journal.open() as journal:
            status = _status(job, journal)
    except ImporterError as error:
        echo(f"UNKNOWN - {name}: {error.sentence(language())}")
        return 3
    echo(status.json() if as_json else status.line())
    return int(status.health)


@job_command.command("check", short_help="Say what a round would do now; nothing is sent or moved.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_settings_options
@lang_option
def check(name: str, as_json: bool, settings: Path | None, env_file: Path | None) -> int:
    """Look at everything that a round of the job NAME would look at, tripwires included.

    Exit code 0 if a round would go well, else the one it would end with.
    """
    from importer.config import REQUIRED, require, resolve
    from importer.jobs.config import JobEnvironment
    from importer.jobs.runner import preview
    from importer.journal import Journal

    found = _find(name, settings, env_file)
    options = found.job.options_with(found.profile, language())
    resolved = resolve(found.profile, options.contract)
    connection = None if set(resolved.missing) & set(REQUIRED) else resolved.connection
    with Journal.open() as journal:
        files = preview(found.job, journal, connection, options, JobEnvironment(lang=language()))
    if as_json:
        print_json([_shown(file) for file in files])
    else:
        for file in files:
            rows = f"  {file.to_send} of {file.rows} rows, {file.invalid} invalid" if file.rows else ""
            echo(f"{file.fate:9} {file.path}{rows}")
            if file.message:
                echo(f"          {file.message}")
        if not files:
            echo(f"nothing in {found.job.describe_source()}")
    if connection is None:
        require(resolved)
    fates = {file.fate for file in files}
    return 6 if "hold" in fates else 3 if "fail" in fates else 0


@job_command.command("install", short_help="Write the job into the user's crontab.")
@click.argument("name")
@click.option("--schedule", "when", metavar="CRON", help='When it runs, as in a crontab: "0 3 * * *".')
@click.option("--print", "only_print", is_flag=True, help="Print the line instead of writing it.")
@_settings_options
@lang_option
def install(
    name: str, when: str | None, only_print: bool, settings: Path | None, env_file: Path | None
) -> int:
    """Write an entry for the job NAME into the user's crontab, in place of an earlier one; other lines stay
    as they are. The line has absolute paths and no secrets. On Windows the schtasks command is printed.
    """
    from importer.jobs import schedule
    from importer.jobs import schedule as crontab

    found = _find(name, settings, env_file)
    text = when or found.job.schedule
    if not text:
        raise UsageError("no-schedule", job=name)
    try:
        times = schedule.parse_schedule(text)
    except schedule.ScheduleFault as fault:
        raise UsageError("bad-schedule", reason=fault.why) from None
    zone = schedule.zone_name()
    entry = crontab.CrontabEntry(
        job=name,
        schedule=times,
        zone=zone,
        settings=_absolute(found.file),
        env_file=found.profile.env_file.absolute() if env_file and found.profile.env_file else None,
        environment={n: str(Path(os.environ[n]).absolute()) for n in _CARRIED if os.environ.get(n)},
    )
    if os.name == "nt":
        echo(sentence("job-windows-line", {"zone": zone}, language()), err=True)
        echo(entry.windows_line())
    elif only_print:
        echo("\n".join(entry.block()))
    else:
        crontab.install_crontab(entry)
        due = times.next(datetime.now().astimezone())
        shown = f"{due:%Y-%m-%d %H:%M %Z}" if due else "–"
        told = {"job": name, "schedule": times.text, "zone": zone, "next": shown}
        echo(sentence("job-installed", told, language()))
    return 0


@job_command.command("uninstall", short_help="Take the job out of the crontab.")
@click.argument("name")
@lang_option
def uninstall(name: str) -> int:
    """Take the entry of the job NAME out of the user's crontab; other lines stay as they are."""
    from importer.jobs import schedule
    from importer.jobs import schedule as crontab

    if os.name == "nt":
        echo(sentence("job-windows-line", {"zone": schedule.zone_name()}, language()), err=True)
        schedule.refuse_control_characters("NAME", name)
        echo(crontab.windows_removal(name))
        return 0
    crontab.uninstall_crontab(name)
    echo(sentence("job-uninstalled", {"job": name}, language()))
    return 0


def _find(name: str, settings: Path | None, env_file: Path | None) -> FoundJob:
    from importer.jobs.config import load_job

    file = _file(settings)
    job = load_job(file, name)
    profile = file.profile(job.profile)
    base = _absolute(file).parent
    if env_file is not None:
        profile = replace(profile, env_file=env_file)
    elif profile.env_file is not None:
        profile = replace(profile, env_file=base / profile.env_file.expanduser())
    return FoundJob(job, profile, file)


def _file(settings: Path | None) -> ConfigFile:
    if settings is not None and not settings.is_file():
        raise SettingsError("bad-settings", file=settings, place="-", reason=Note("reason-no-file"))
    return load_config(settings)


def _absolute(file: ConfigFile) -> Path:
    return (file.path or Path("importer.toml")).absolute()


def _status(job: Job, journal: Journal) -> JobStatus:
    from importer.jobs import schedule as crontab
    from importer.jobs.status import job_status

    when = job.schedule or (crontab.installed_schedule(job.name) if os.name == "posix" else "")
    return job_status(job, journal, datetime.now().astimezone(), when)


def _shown(file: FilePreview) -> dict[str, object]:
    return {
        "path": str(file.path),
        "fate": file.fate,
        "rows": file.rows,
        "to_send": file.to_send,
        "invalid": file.invalid,
        "message": file.message or None,
    }
