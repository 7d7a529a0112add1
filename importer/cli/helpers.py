"""Share between commands: a session at the terminal, signals, the summary, importing files."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from importer.cli.output import OutputOptions, console, language, print_error
from importer.config import load_config
from importer.errors import ImporterError, InterruptedRun, TerminatedRun
from importer.messages import sentence
from importer.models import ExitCode
from importer.options import GivenOptions, RunOptions, layered
from importer.readers.prefetch import prefetch_workbook

if TYPE_CHECKING:
    from importer.pipeline.run import StopToken
    from importer.pipeline.session import Session, SessionSettings
    from importer.reports import ReportResult


@contextlib.contextmanager
def stop_on_signals(stopper: StopToken) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the run in order, and a second one at once. Main thread only."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stopper.reason is not None:
            raise KeyboardInterrupt
        terminated = number == signal.SIGTERM
        reason: ImporterError = TerminatedRun("terminated") if terminated else InterruptedRun("interrupted")
        stopper.stop(reason)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def open_session(settings: SessionSettings, output: OutputOptions) -> Iterator[Session]:
    """Open a session that shows progress on stderr and asks the person at the terminal."""
    from importer.cli.terminal import TerminalObserver
    from importer.pipeline.session import Session

    observer = TerminalObserver(output, language())

    @contextlib.contextmanager
    def guard(stopper: StopToken) -> Iterator[None]:
        with contextlib.closing(observer), stop_on_signals(stopper):
            yield

    with Session.open(settings, observer=observer, guard=guard) as session:
        yield session


def show_result(result: ReportResult | None, output: OutputOptions, *, mask: bool) -> int:
    """Print a run's summary on stdout. Returns the exit code. None: the person did not confirm the run."""
    if result is None:
        click.echo(sentence("answered-no", {}, language()), err=True)
        return int(ExitCode.ROWS_LEFT)
    from importer.cli import summary

    try:
        for failure in result.failures:
            print_error(failure)
        if not output.quiet:
            summary.show(console(), result, language(), mask=mask)
    except BrokenPipeError:
        raise
    except OSError as error:
        # The run is over and its reports are written. A summary that cannot be printed is no reason to fail.
        found = {"reason": error.strerror or error}
        click.echo(sentence("summary-not-printed", found, language()), err=True)
    return int(result.summary.exit_code)


def import_files(
    files: Sequence[str],
    profile_name: str | None,
    given: GivenOptions,
    output: OutputOptions,
    *,
    sandbox: bool = False,
    store: Path | None = None,
) -> int:
    """Run file after file; returns the worst exit code. A file that cannot be read stops no other."""
    profile = load_config().profile(profile_name)
    options = layered(RunOptions(), profile.given, given)
    worst = 0
    # The first file is read while the heavy libraries are imported.
    with prefetch_workbook(files[0], options.sheet):
        from importer.pipeline.session import SessionSettings

        settings = SessionSettings(profile, sandbox=sandbox, sandbox_store=store)
        with open_session(settings, output) as session:
            for file, directory in zip(files, _directories(files, options.report_dir), strict=True):
                try:
                    result = session.start(file, replace(options, report_dir=directory))
                    code = show_result(result, output, mask=options.mask)
                except ImporterError as error:
                    print_error(error)
                    code = int(error.exit_code)
                worst = max(worst, code)
                # The next file would be stopped too, or the user has ended the run.
                if ExitCode(code).resumable:
                    break
    return worst


def _directories(files: Sequence[str], directory: Path | None) -> list[Path | None]:
    """Return the reports folder of each file: the one named, or for several files one below it each."""
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
