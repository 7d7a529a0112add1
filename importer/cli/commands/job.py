"""`importer job`: run, check, install, uninstall; list and status are in a module of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from importer.cli import app
from importer.cli.commands import job_status as job_status  # adds its commands to the group
from importer.cli.commands.job_group import (
    chosen_jobs,
    job_command,
    job_names_options,
    settings_file,
    settings_options,
)
from importer.cli.metrics import metrics_after
from importer.cli.output import echo, lang_option, language, padded, print_json
from importer.config import ConfigFile
from importer.credentials import REQUIRED, require, resolve
from importer.errors import ImporterError, UsageError
from importer.exit_codes import ExitCode, worst_exit_code
from importer.messages import join_clauses, sentence, value_word

if TYPE_CHECKING:
    from importer.credentials import ResolvedConnection
    from importer.jobs.config import Job
    from importer.jobs.preview import FilePreview
    from importer.jobs.results import RoundReport
    from importer.jobs.rounds import Rounds, RoundsReport
    from importer.jobs.selection import ChosenJob
    from importer.journal import Journal

_CARRIED = ("NXLINK_STATE_DIR", "NXLINK_JOURNAL")
"""Settings of this shell without which the scheduled job would look elsewhere; no secret is among them."""


@job_command.command("run", short_help="Do one round: this is what cron calls.")
@job_names_options
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    metavar="N",
    help="How many jobs are at work at a time.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Do the rounds on a Dask cluster: tcp://HOST:PORT, or local for processes of this machine.",
)
@click.option("--release", metavar="FILE", help="Let a file through that a tripwire holds, and do no more.")
@click.option("--verbose", "-v", is_flag=True, help="Show the log on stderr, too.")
@settings_options
@lang_option
def run(
    names: tuple[str, ...],
    every: bool,
    parallel: int,
    cluster: str | None,
    release: str | None,
    verbose: bool,
    settings: Path | None,
    env_file: Path | None,
) -> int:
    """Do one round of each job named: go on with what an earlier round left, then take what is ready.

    NAME may be a pattern ("eu-*"), a job for several profiles, or one of them (NAME@PROFILE). Prints nothing
    if all is well, so that cron mails only when something is wrong. Every file is validated as a whole before
    its first row is sent. Exit codes are those of `run`, of several jobs the worst; 6 if a tripwire holds a
    file, 75 if another round is at work.
    """
    from importer.cli.signals import stop_on_signals
    from importer.jobs.config import JobEnvironment
    from importer.jobs.rounds import Rounds
    from importer.jobs.selection import ChosenJob, UnusableJob, refuse_shadowed
    from importer.journal.job_history import RoundResult

    app.startup_done()
    found = chosen_jobs(names, every, settings, env_file)
    usable = refuse_shadowed([one for one in found if isinstance(one, ChosenJob)], env_file=env_file)
    unusable = [one for one in (*found, *usable) if isinstance(one, UnusableJob)]
    chosen = [one for one in usable if isinstance(one, ChosenJob)]
    if release is not None and cluster is not None:
        raise UsageError("release-on-cluster")
    if release is not None and len(found) != 1:
        raise UsageError("release-of-several", count=len(found))
    if len(found) == 1 and unusable:
        raise unusable[0].error
    show = (lambda line: echo(line, err=True)) if verbose else None
    rounds = Rounds(chosen, JobEnvironment(lang=language()), parallel, echo=show, release=release)
    file = settings_file(settings)
    with metrics_after(file), stop_on_signals(rounds.stopper):
        report = rounds.go() if cluster is None else _go_on_cluster(cluster, rounds, file, env_file)
    for one in unusable:
        echo(f"{one.name}: {one.error.full_text(language())}", err=True)
    for each in report.rounds:
        if not each.quiet and each.result is not RoundResult.OVERLAPPED:
            echo(each.text(), err=True, nl=False)
        for warning in each.warnings:
            echo(f"{each.job}: {warning}", err=True)
    for warning in report.warnings:
        echo(warning, err=True)
    code = worst_exit_code((report.exit_code, *(one.error.exit_code for one in unusable)))
    if len(found) > 1 and code is not ExitCode.DONE:
        _print_totals(report.rounds, [one.name for one in unusable])
    return int(code)


def _go_on_cluster(address: str, rounds: Rounds, file: ConfigFile, env_file: Path | None) -> RoundsReport:
    from importer.cluster.engine import check_address, connected
    from importer.cluster.rounds import RoundLedger, rounds_on

    ledger = RoundLedger(rounds)
    try:
        check_address(address)
        with connected(address, rounds.parallel) as client:
            report = rounds_on(client, rounds, file, env_file)
    except ImporterError as error:
        ledger.record_failure(error)
        raise
    ledger.record(report.rounds)
    return report


def _print_totals(rounds: Sequence[RoundReport], unusable: Sequence[str]) -> None:
    from importer.jobs.results import tell_results

    parts = [tell_results(rounds)] if rounds else []
    lang = language()
    if unusable:
        found = {"count": len(unusable), "jobs": ", ".join(unusable)}
        parts.append(sentence("job-not-begun", found, lang))
    told = {"count": len(rounds) + len(unusable), "results": join_clauses(lang, *parts)}
    echo(sentence("job-totals", told, lang), err=True)


@job_command.command("check", short_help="Say what a round would do now; nothing is sent or moved.")
@job_names_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options
@lang_option
def check(
    names: tuple[str, ...], every: bool, as_json: bool, settings: Path | None, env_file: Path | None
) -> int:
    """Look at everything that a round of each job named would look at, tripwires included.

    Exit code 0 if a round would go well, else the one it would end with, of several jobs the worst; 75 if a
    round is at work now.
    """
    from importer.jobs.selection import ChosenJob
    from importer.journal import Journal

    found = chosen_jobs(names, every, settings, env_file)
    codes, shown = [], []
    with Journal.open() as journal:
        for one in found:
            try:
                if not isinstance(one, ChosenJob):
                    raise one.error
                files, resolved = _preview(one, journal)
                codes.append(_code_of(files))
                if journal.job_running(one.name):
                    codes.append(ExitCode.LOCKED)
                    echo(sentence("job-at-work", {"job": one.name}, language()), err=True)
                shown += [{"job": one.name} | _shown(file) for file in files]
                if not as_json:
                    _print_preview(one.job, files, several=len(found) > 1)
                require(resolved)
            except ImporterError as error:
                if len(found) == 1:
                    if as_json:
                        print_json(shown)
                    raise
                codes.append(error.exit_code)
                echo(f"{one.name}: {error.full_text(language())}", err=True)
    if as_json:
        print_json(shown)
    return int(worst_exit_code(codes))


def _preview(one: ChosenJob, journal: Journal) -> tuple[tuple[FilePreview, ...], ResolvedConnection]:
    from importer.jobs.config import JobEnvironment
    from importer.jobs.preview import preview

    options = one.job.options_with(one.profile, language())
    resolved = resolve(one.profile, options.contract)
    connection = None if set(resolved.missing) & set(REQUIRED) else resolved.connection
    return preview(one.job, journal, connection, options, JobEnvironment(lang=language())), resolved


def _code_of(files: Sequence[FilePreview]) -> ExitCode:
    fates = {file.fate for file in files}
    return ExitCode.TRIPWIRE if "hold" in fates else ExitCode.INPUT if "fail" in fates else ExitCode.DONE


_ROWS_OF = {"resume": "job-check-open", "at-work": "job-check-open", "held": "job-check-held"}


def _print_preview(job: Job, files: Sequence[FilePreview], *, several: bool) -> None:
    if several:
        echo(f"{job.name}:")
    for file in files:
        found = {"send": file.to_send, "rows": file.rows, "invalid": file.invalid}
        code = _ROWS_OF.get(file.fate, "job-check-rows")
        rows = f"  {sentence(code, found, language())}" if file.rows else ""
        echo(f"{padded(value_word(file.fate, language()), 9)} {file.path}{rows}")
        if file.message:
            echo(f"          {file.message}")
    if not files:
        echo(sentence("job-check-nothing", {"place": job.describe_source()}, language()))


@job_command.command("install", short_help="Write jobs into the user's schedule.")
@job_names_options
@click.option("--schedule", "when", metavar="CRON", help='When it runs, as in a crontab: "0 3 * * *".')
@click.option("--print", "only_print", is_flag=True, help="Print the line instead of writing it.")
@settings_options
@lang_option
def install(
    names: tuple[str, ...],
    every: bool,
    when: str | None,
    only_print: bool,
    settings: Path | None,
    env_file: Path | None,
) -> int:
    """Write an entry for each job named into the user's crontab, in place of an earlier one; other lines stay
    as they are. A job for several profiles has one entry. The line has absolute paths and no secrets. On
    Windows the schtasks command is printed.
    """
    from importer.jobs.selection import ChosenJob

    file = settings_file(settings)
    found = chosen_jobs(names, every, settings, env_file)
    codes, done = [], set()
    for one in found:
        try:
            if not isinstance(one, ChosenJob):
                raise one.error
            job = one.job
            whole = every or job.table in names or any(n != job.name and "@" not in n for n in names)
            name = job.table if whole else job.name
            if name not in done:
                done.add(name)
                _install(name, when or job.schedule, _absolute(file), env_file, only_print=only_print)
        except ImporterError as error:
            if len(found) == 1:
                raise
            codes.append(error.exit_code)
            echo(f"{one.name}: {error.full_text(language())}", err=True)
    return int(worst_exit_code(codes))


def _install(name: str, text: str, settings: Path, env_file: Path | None, *, only_print: bool) -> None:
    from importer.jobs import schedule

    if not text:
        raise UsageError("no-schedule", job=name)
    try:
        times = schedule.parse_schedule(text)
    except schedule.ScheduleFault as fault:
        raise UsageError("bad-schedule", reason=fault.why) from None
    zone = schedule.zone_name()
    entry = schedule.CrontabEntry(
        job=name,
        schedule=times,
        zone=zone,
        settings=settings,
        env_file=env_file.absolute() if env_file else None,
        environment={name: _as_carried(value) for name in _CARRIED if (value := os.environ.get(name))},
    )
    if os.name == "nt":
        echo(sentence("job-windows-line", {"zone": zone}, language()), err=True)
        echo("\n".join([*schedule.windows_variables(entry.environment), entry.windows_line()]))
    elif only_print:
        echo("\n".join(entry.block()))
    else:
        schedule.install_crontab(entry)
        due = times.next(datetime.now().astimezone())
        shown = f"{due:%Y-%m-%d %H:%M %Z}" if due else "–"
        told = {"job": name, "schedule": times.text, "zone": zone, "next": shown}
        echo(sentence("job-installed", told, language()))


def _as_carried(value: str) -> str:
    """A folder or file as cron, which begins elsewhere, finds it; the address of a database as it is."""
    from importer.journal_place import is_address, shown_address

    if not is_address(value):
        return str(Path(value).expanduser().absolute())
    shown_address(value)  # refuses a password, which everybody could read there
    return value


@job_command.command("uninstall", short_help="Take the job out of the schedule.")
@click.argument("name")
@lang_option
def uninstall(name: str) -> int:
    """Take the entry of the job NAME out of the user's crontab; other lines stay as they are."""
    from importer.jobs import schedule

    if os.name == "nt":
        echo(sentence("job-windows-line", {"zone": schedule.zone_name()}, language()), err=True)
        schedule.refuse_control_characters("NAME", name)
        echo(schedule.windows_removal(name))
        return 0
    schedule.uninstall_crontab(name)
    echo(sentence("job-uninstalled", {"job": name}, language()))
    return 0


def _absolute(file: ConfigFile) -> Path:
    return (file.path or Path("importer.toml")).absolute()


def _shown(file: FilePreview) -> dict[str, object]:
    return {
        "path": str(file.path),
        "fate": file.fate,
        "rows": file.rows,
        "to_send": file.to_send,
        "invalid": file.invalid,
        "message": file.message or None,
    }
