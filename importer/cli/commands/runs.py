"""`importer runs`, `runs show`, `runs prune`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from importer.cli.help import LocalGroup
from importer.cli.output import confirm, console, echo, heading, labelled, lang_option, language, print_json
from importer.exit_codes import ExitCode
from importer.messages import sentence, value_word, word_of
from importer.models import Status

if TYPE_CHECKING:
    from importer.journal import Journal, RunRecord


_AGE = re.compile(r"([0-9]{1,5})([hdw])")


class AgeType(click.ParamType[timedelta]):
    """An age such as 90d, 12h or 8w."""

    name = "AGE"
    _units = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}  # noqa: RUF012

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = _AGE.fullmatch(str(value).strip().lower())
        if found is None:
            self.fail(f"{value!r} is no age like 90d, 12h or 8w", param, ctx)
        return int(found[1]) * self._units[found[2]]


class SinceType(click.ParamType[datetime]):
    """A day such as 2026-11-20, a moment, or an age such as 7d before now."""

    name = "SINCE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        try:
            return datetime.fromisoformat(text).astimezone()
        except ValueError:
            pass
        if not _AGE.fullmatch(text.lower()):
            self.fail(f"{value!r} is neither a day like 2026-11-20 nor an age like 7d or 12h", param, ctx)
        return datetime.now().astimezone() - AgeType().convert(text, param, ctx)


_STATES = ("running", "finished", "stopped", "interrupted")


@click.group("runs", cls=LocalGroup, short_help="Show past runs.", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The newest N.")
@click.option("--tenant", metavar="ID", default="", help="Only runs to this tenant.")
@click.option("--profile", metavar="NAME", default="", help="Only runs of this profile; may be a pattern.")
@click.option("--job", metavar="NAME", default="", help="Only runs of this job; may be a pattern.")
@click.option("--since", type=SinceType(), help="Only runs begun since: 7d, 12h, 2026-11-20.")
@click.option("--status", type=click.Choice(_STATES), help="Only runs that stand so.")
@lang_option
@click.pass_context
def runs_command(
    ctx: click.Context,
    as_json: bool,
    limit: int,
    tenant: str,
    profile: str,
    job: str,
    since: datetime | None,
    status: str | None,
) -> int:
    """List past imports: when, which file, where to, whose, mode, counts, how long, how it ended."""
    if ctx.invoked_subcommand is not None:
        return int(ExitCode.DONE)
    from importer.journal import Journal, RunFilter, RunState

    states = frozenset({RunState(status)} if status else ())
    wanted = RunFilter(tenant, profile, job, since, states)
    with Journal.open() as journal:
        found = journal.runs(limit, None if wanted == RunFilter() else wanted)
        records = tuple(_with_counts(journal, record) for record in found)
        code = _code_of(journal)
    if as_json:
        print_json([_as_json(record) for record in records])
    else:
        _print_table(records, "no-runs" if wanted == RunFilter() else "no-such-runs")
    return code


@runs_command.command("show", short_help="Show one run.")
@click.argument("run_id", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@lang_option
def show(run_id: str, as_json: bool) -> int:
    """Show everything the journal has of RUN; the beginning of its name is enough."""
    from importer.journal import Journal

    with Journal.open() as journal:
        record = journal.find(run_id)
        found = _as_json(_with_counts(journal, record))
        children = [child.id for child in journal.children(record.id)]
        losses = [loss.sentence() for loss in journal.losses]
    if as_json:
        print_json(found | {"children": children, "journal_losses": losses})
        return int(ExitCode.DONE)
    if children:
        found["children"] = ", ".join(children)
    known = ((name, _shown(name, value)) for name, value in found.items() if value not in (None, "", {}))
    for line in labelled(known, 16):
        echo(line)
    return int(ExitCode.DONE)


_WORDED = {"kind": "value-of", "state": "value-of", "mode": "mode"}
"""What of a run is a word of ours, not a name or a number, and the group of the word."""


def _shown(name: str, value: object) -> object:
    from importer.reports import wording

    lang = language()
    if isinstance(value, dict):
        counted = (f"{wording.status(Status(key), lang)} {count:,}" for key, count in value.items())
        return wording.word("summary-and", lang).join(counted)
    if isinstance(value, bool):
        return sentence("yes" if value else "no", {}, lang)
    return word_of(_WORDED[name], str(value), lang) if name in _WORDED else value


@runs_command.command("prune", short_help="Forget old runs and delete their reports.")
@click.option("--older-than", type=AgeType(), required=True, help="How old, e.g. 90d.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@lang_option
def prune(older_than: timedelta, yes: bool) -> int:
    """Delete the journal's entries, the reports and the copies of fetched files of runs older than AGE: all
    may hold customers' data.

    Only files that the importer itself wrote are deleted; a folder goes when nothing else is left in it. Runs
    at work, and runs that can still be resumed, stay.
    """
    from importer.journal import Journal
    from importer.sources.spool import prune_copies

    before = datetime.now().astimezone() - older_than
    with Journal.open() as journal:
        old = journal.prunable(before)
        code = _code_of(journal)
        if not old:
            prune_copies({record.path for record in journal.runs()}, (), older_than.total_seconds())
            echo(sentence("nothing-to-prune", {}, language()))
            return code
        if not yes:
            confirm(sentence("ask-prune", {"runs": len(old)}, language()), abort=True)
        count = journal.prune([record.id for record in old])
        left = journal.runs()
        kept = {record.id for record in left}
        gone = [record for record in old if record.id not in kept]
        reports = sum(_delete_reports(record) for record in gone if record.report_dir)
        read, forgotten = ({record.path for record in runs} for runs in (left, gone))
        prune_copies(read, forgotten, older_than.total_seconds())
    if gone:
        echo(sentence("pruned", {"runs": count, "reports": reports}, language()))
    if len(gone) < len(old):
        echo(sentence("pruned-not-all", {"runs": len(old) - len(gone)}, language()))
    return code


@runs_command.command("acknowledge", short_help="Stop telling that the journal has lost runs.")
@lang_option
def acknowledge() -> int:
    """Say that you know what the journal has lost.

    Until then every command tells it on stderr, and those that depend on what is lost end with exit code 1.
    """
    from importer.journal import Journal

    with Journal.open() as journal:
        known = journal.acknowledge_losses()
    for loss in known:
        echo(sentence("losses-acknowledged", {"said": loss.sentence(language())}, language()))
    if not known:
        echo(sentence("no-losses", {}, language()))
    return int(ExitCode.DONE)


def _code_of(journal: Journal) -> int:
    """The exit code of a command that shows all runs: some are missing where the journal has lost any."""
    return int(ExitCode.ROWS_LEFT if journal.losses else ExitCode.DONE)


def _with_counts(journal: Journal, record: RunRecord) -> RunRecord:
    """The record with the rows that the journal knows so far, if the run has not counted them itself."""
    if record.counts or record.state == "finished":
        return record
    return replace(record, counts=journal.row_states(record.id).counts())


def _delete_reports(record: RunRecord) -> int:
    """Delete the reports of one run. Returns 1 if there were any, else 0."""
    from importer.reports.files import own_files

    folder = Path(record.report_dir)
    found = own_files(folder, record.id)
    for path in found:
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        shutil.rmtree(folder)
    return int(bool(found))


def _as_json(record: RunRecord) -> dict[str, Any]:
    there = record.destination
    return {
        "id": record.id,
        "kind": record.kind.value,
        "state": record.state.value,
        "exit_code": None if record.exit_code is None else int(record.exit_code),
        "stop": record.stop,
        "source": record.source,
        "path": record.path,
        "sha256": record.sha256,
        "size": record.size,
        "mode": record.mode.label,
        "dry_run": record.dry_run,
        "contract": record.contract,
        "mapping": record.mapping_name,
        "host": there.host if there else None,
        "tenant_id": there.tenant_id if there else None,
        "app_key": there.app_key if there else None,
        "sandbox": bool(there and there.store),
        "started": record.started.isoformat(timespec="seconds") if record.started else None,
        "finished": record.finished.isoformat(timespec="seconds") if record.finished else None,
        "seconds": _seconds(record),
        "rows": sum(record.counts.values()),
        "counts": {status.value: count for status, count in record.counts.items() if count},
        "resumes": record.resumes,
        "parent": record.parent,
        "job": record.job,
        "profile": record.profile,
        "machine": record.machine,
        "report_dir": record.report_dir,
    }


def _seconds(record: RunRecord) -> float | None:
    if record.started is None or record.finished is None:
        return None
    return round((record.finished - record.started).total_seconds(), 3)


def _print_table(records: tuple[RunRecord, ...], nothing: str) -> None:
    """`nothing`: the code of what is said if there are none."""
    if not records:
        echo(sentence(nothing, {}, language()))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [name for name, cell in _WHOSE.items() if any(cell(record) for record in records)]
    for name in ("run", "started", "file", *shown, "mode"):
        table.add_column(heading(name), overflow="ellipsis", no_wrap=True)
    for name in ("rows", "left", "seconds"):
        table.add_column(heading(name), justify="right", no_wrap=True)
    table.add_column(heading("ended"), overflow="ellipsis", no_wrap=True)
    for record in records:
        done = sum(count for status, count in record.counts.items() if status.done)
        rows = sum(record.counts.values())
        seconds = _seconds(record)
        table.add_row(
            record.id,
            record.started.strftime("%Y-%m-%d %H:%M") if record.started else "",
            Path(record.source).name,
            *(_WHOSE[name](record) for name in shown),
            _mode(record),
            f"{rows:,}",
            f"{rows - done:,}",
            "" if seconds is None else f"{seconds:,.1f}",
            _ended(record),
        )
    terminal = console()
    if not terminal.is_terminal:
        terminal.width = 200  # no window to fit into: another program reads it
    terminal.print(table)


def _mode(record: RunRecord) -> str:
    if record.dry_run:
        return value_word("dry run", language())
    return word_of("mode", record.mode.label, language())


def _to(record: RunRecord) -> str:
    """Tenant and host, or that it was a sandbox."""
    there = record.destination
    if there is None:
        return ""
    host = value_word("sandbox", language()) if there.store else there.host.partition("://")[2]
    return f"{there.tenant_id} {host}"


_WHOSE: dict[str, Callable[[RunRecord], str]] = {
    "to": _to,
    "profile": lambda record: record.profile,
    "job": lambda record: record.job,
}
"""Columns of the table that are left out where they are empty for every run."""


def _ended(record: RunRecord) -> str:
    text = value_word(record.state.value, language())
    if record.counts.get(Status.NOT_SENT) and not record.stop:
        text = sentence("runs-rows-not-sent", {"state": text}, language())
    return f"{text} ({record.stop})" if record.stop else text
