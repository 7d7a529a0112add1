"""Show files on a cluster: how far all of them are, and in the end what became of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from importer.cli.output import (
    OutputOptions,
    confirm,
    console,
    echo,
    heading,
    language,
    print_error,
    print_json_line,
)
from importer.cli.signals import stop_on_signals
from importer.errors import UsageError
from importer.exit_codes import ExitCode
from importer.messages import sentence
from importer.models import Mode, Status
from importer.pipeline.stop_token import StopToken
from importer.reports import wording

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from importer.cluster.files import FileOutcome, FilesReport, FileTask
    from importer.config import ConfigFile
    from importer.options import RunOptions
    from importer.sources.locations import DatabaseQuery

_SHOWN = 8
"""Files at work that a terminal shows at a time."""
_EVERY = 10.0
"""Seconds between two JSON lines of progress."""


def import_on_cluster(
    address: str,
    workers: int,
    files: Sequence[str | DatabaseQuery],
    folders: Sequence[Path | None],
    options: RunOptions,
    config: ConfigFile,
    profile: str | None,
    output: OutputOptions,
) -> int:
    """Import files on the cluster at an address, and print what became of them. Return the exit code."""
    from importer.cluster.engine import check_address, connected
    from importer.cluster.files import file_tasks, import_files

    confirmed = _confirmed(options, output)
    if confirmed is None:
        return int(ExitCode.ROWS_LEFT)
    tasks = file_tasks(files, folders, options, config, profile, confirmed=confirmed)
    check_address(address)
    stopper = StopToken()
    with stop_on_signals(stopper), connected(address, min(workers, len(tasks))) as client:
        view = FilesView(tasks, output)
        try:
            report = import_files(
                client,
                tasks,
                lambda: stopper.reason,
                ended=view.ended,
                moved=view.moved,
                deserted=view.deserted,
            )
        finally:
            view.close()
    if stopper.reason is not None:
        print_error(stopper.reason)
    _print_failures(report, output)
    if not output.quiet:
        _print_summary(report)
    return int(report.exit_code if stopper.reason is None else stopper.reason.exit_code)


def _confirmed(options: RunOptions, output: OutputOptions) -> bool | None:
    """Return whether a person has agreed to mode replace, if it is asked for; None if they said no."""
    if options.mode is not Mode.REPLACE or options.dry_run:
        return output.yes
    if output.yes:
        return True
    if not output.can_ask:
        raise UsageError("replace-needs-yes")
    if confirm(sentence("ask-replace", {}, language())):
        return True
    echo(sentence("answered-no", {}, language()), err=True)
    return None


class FilesView:
    """One view of all files: lines that follow on a terminal, a line for each that ends, or JSON lines."""

    def __init__(self, tasks: Sequence[FileTask], output: OutputOptions) -> None:
        self._names = [task.title for task in tasks]
        self._output = output
        self._lock = threading.Lock()
        self._at_work: dict[int, Mapping[str, Any]] = {}
        self._checked: dict[int, Mapping[str, Any]] = {}
        self._ended: dict[int, FileOutcome] = {}
        self._told = time.monotonic()
        terminal = console(stderr=True)
        self._live = None
        if terminal.is_terminal and not output.quiet and not output.log_json:
            from rich.live import Live

            self._live = Live(self, console=terminal, transient=True, refresh_per_second=4)
            self._live.start()

    def moved(self, told: Mapping[str, Any]) -> None:
        """Take what a worker tells of a file."""
        place = int(told["place"])
        with self._lock:
            if place in self._ended:
                return
            if "checked" not in told:
                self._at_work[place] = told
                self._checked.pop(place, None)
            elif place not in self._at_work:
                self._checked[place] = told
            now = time.monotonic()
            if not self._output.log_json or now - self._told < _EVERY:
                return
            self._told = now
            found = {"files": len(self._names), "ended": len(self._ended), "counts": self._counts()}
        print_json_line("progress", found)

    def ended(self, place: int, outcome: FileOutcome) -> None:
        """Take the outcome of a file."""
        with self._lock:
            self._ended[place] = outcome
            self._at_work.pop(place, None)
            self._checked.pop(place, None)
            done = len(self._ended)
        if self._output.log_json:
            print_json_line("ended", _shown(outcome) | {"done": done, "files": len(self._names)})
        elif not self._output.quiet and self._live is None:
            echo(f"{done}/{len(self._names)} {outcome.name}: {_told(outcome)}", err=True)

    def deserted(self, address: str, seconds: float) -> None:
        """Say that the cluster has no worker, and for how long one is waited for."""
        found = {"address": address, "minutes": max(1, round(seconds / 60))}
        if self._output.log_json:
            print_json_line("deserted", found)
        elif not self._output.quiet:
            echo(sentence("cluster-waits-for-workers", found, language()), err=True)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()

    def _counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        parts = [outcome.counts for outcome in self._ended.values()]
        for counts in (*parts, *(told["counts"] for told in self._at_work.values())):
            for status, count in counts.items():
                found[str(status)] = found.get(str(status), 0) + count
        return found

    def __rich_console__(self, terminal: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        lang = language()
        with self._lock:
            counts, done = self._counts(), len(self._ended)
            at_work, checked = sorted(self._at_work.items()), sorted(self._checked.items())
        found = {"done": done, "files": len(self._names), "counts": _counted(counts, lang) or "–"}
        yield Text(sentence("cluster-progress", found, lang))
        for place, told in at_work[:_SHOWN]:
            state = _counted(told["counts"], lang) or wording.rows(told["rows"], lang)
            yield Text(f"  {self._names[place]}: {state}", "dim")
        for place, told in checked[:_SHOWN]:
            rows = {"file": self._names[place], "rows": wording.rows(told["checked"], lang)}
            yield Text(f"  {sentence('cluster-checked', rows, lang)}", "dim")


def _shown(outcome: FileOutcome) -> dict[str, object]:
    counts = {str(status): count for status, count in outcome.counts.items()}
    return {
        "file": outcome.name,
        "run": outcome.run or None,
        "exit_code": int(outcome.exit_code),
        "rows": outcome.rows,
        "counts": counts,
        "code": outcome.code or None,
        "message": outcome.message or None,
        "reports": outcome.report_dir or None,
        "worker": outcome.worker or None,
    }


def _counted(counts: Mapping[Any, int], lang: str) -> str:
    parts = (
        f"{wording.status(Status(status), lang)} {wording.number(n, lang)}"
        for status, n in counts.items()
        if n
    )
    return ", ".join(parts)


def _told(outcome: FileOutcome) -> str:
    lang = language()
    if not outcome.begun:
        return sentence("cluster-not-begun", {}, lang)
    parts = [_counted(outcome.counts, lang), outcome.message if outcome.exit_code else ""]
    return "; ".join(part for part in parts if part) or wording.rows(outcome.rows, lang)


def _print_failures(report: FilesReport, output: OutputOptions) -> None:
    """Print on stderr what kept a file from being imported, once for all files that it kept."""
    lang = language()
    said: dict[tuple[str, str], list[str]] = {}
    for one in report.outcomes:
        if one.message and one.begun and one.exit_code is not ExitCode.DONE:
            said.setdefault((one.message, one.hint), []).append(one.name)
    for (message, hint), names in said.items():
        if output.log_json:
            print_json_line("error", {"files": ", ".join(names), "message": message, "hint": hint or None})
            continue
        echo(f"{', '.join(names)}: {message}", label=sentence("error-label", {}, lang), err=True)
        if hint:
            echo(f"  {hint}", err=True)


def _print_summary(report: FilesReport) -> None:
    from rich.table import Table

    lang = language()
    done = sum(one.exit_code is ExitCode.DONE for one in report.outcomes)
    found = {"files": len(report.outcomes), "done": done, "counts": _counted(report.counts, lang) or "–"}
    terminal = console()
    terminal.print(sentence("cluster-summary", found, lang))
    titles = ("file", "exit code", "rows", "result", "reports")
    table = Table(*map(heading, titles), box=None, pad_edge=False)
    for one in report.outcomes:
        result = _counted(one.counts, lang) or (
            one.code if one.begun else sentence("cluster-not-begun", {}, lang)
        )
        code = str(int(one.exit_code)) if one.begun else "–"
        table.add_row(one.name, code, wording.number(one.rows, lang), result, one.report_dir)
    terminal.print(table)
