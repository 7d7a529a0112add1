"""What several commands share: profile, questions, signals, finding a run, opening a table, importing
files.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from importer.cli import app
from importer.cli.output import OutputOptions, console, language, print_error
from importer.config import Connection, Profile, load_config
from importer.errors import (
    ImporterError,
    InputError,
    InterruptedRun,
    MappingError,
    SettingsError,
    TerminatedRun,
    UnknownRunError,
    UsageError,
)
from importer.messages import sentence
from importer.models import ExitCode, Mode
from importer.options import GivenOptions, RunOptions, layered, options_from_json
from importer.readers.prefetch import prefetch_workbook

if TYPE_CHECKING:
    from importer.journal import Journal, RunRecord
    from importer.mapping import MappingFile, Proposal
    from importer.pipeline.run import Run, StopToken
    from importer.readers import Source
    from importer.reports import ReportResult


def profile_of(name: str | None) -> Profile:
    """[profile.NAME] of importer.toml. Raises SettingsError."""
    return load_config().profile(name)


def ask_before_sending(run: Run, manner: OutputOptions) -> bool:
    """Asks what a person should be asked. False: they said no. Raises UsageError `replace-needs-yes`."""
    plan = run.plan
    if run.sending is None:
        return True
    if plan.mode is Mode.REPLACE and not manner.yes:
        if not manner.can_ask:
            raise UsageError("replace-needs-yes")
        if not click.confirm(_message("ask-replace"), err=True):
            return False
    if plan.before is not None:
        when = plan.before.started.strftime("%Y-%m-%d %H:%M") if plan.before.started else "?"
        sentence = _message("file-imported-before", run=plan.before.id, when=when)
        if manner.can_ask:
            return click.confirm(f"{sentence} {_message('ask-again')}", err=True)
        if not manner.quiet:
            click.echo(sentence, err=True)
    return True


@contextlib.contextmanager
def signals(stopper: StopToken) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the run in order; a second one ends it at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stopper.reason is not None:
            raise KeyboardInterrupt
        reason: ImporterError = InterruptedRun("interrupted")
        if number == signal.SIGTERM:
            reason = TerminatedRun("terminated")
        stopper.stop(reason)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def carry_out(run: Run, manner: OutputOptions, go: Callable[[Run], ReportResult]) -> int:
    """Runs with progress on stderr and prints the summary. Returns the exit code."""
    from importer.arrow import release_unused_memory
    from importer.cli.progress import reporting_progress  # rich
    from importer.pipeline.events import as_observer

    release_unused_memory()
    app.startup_done()
    with reporting_progress(manner, language()) as watcher, signals(run.stopper):
        run.observer = as_observer(watcher.see)
        closed = go(run)
    try:
        watcher.show_summary(closed)
    except BrokenPipeError:
        raise
    except OSError as error:
        # The run is over and its reports are written: that nobody could be told is no reason to fail.
        click.echo(_message("summary-not-printed", reason=error.strerror or error), err=True)
    return int(closed.summary.exit_code)


def _message(code: str, **found: object) -> str:
    from importer import messages

    return messages.sentence(code, found, language())


def find_run(journal: Journal, name: str) -> RunRecord:
    """The run of that name, or the only one whose name begins so. Raises UnknownRunError `unknown-run` or
    `several-runs`."""
    try:
        return journal.run(name)
    except UnknownRunError:
        found = [record for record in journal.runs() if record.id.startswith(name)]
        if len(found) > 1:
            raise UnknownRunError("several-runs", run=name, count=len(found), newest=found[0].id) from None
        if not found:
            raise
        return found[0]


def sandbox_store_of(record: RunRecord) -> Path | None:
    """The file of the sandbox that the run went to, if it was to be kept and is still there."""
    found = options_from_json(record.settings).sandbox_store
    return Path(found) if found and Path(found).is_file() else None


def sandbox_to_reopen(record: RunRecord, given: Path | None) -> Path | None:
    """The file of the sandbox that has to serve again, or None if the run went to the API itself. `given`:
    what the user says. Raises SettingsError `sandbox-gone`."""
    store = given or sandbox_store_of(record)
    if store is None and record.destination is not None and record.destination.store:
        raise SettingsError("sandbox-gone", run=record.id)
    return store


def open_table(file: str, options: RunOptions, found: MappingFile | None = None) -> Source:
    """Return the source, open as the options say how files are read. Raises InputError.

    The header is the row that names customers' fields or columns of the mapping, else the first row like one.
    """
    from importer.mapping import is_known_name
    from importer.mapping.headers import normalize
    from importer.readers import ReadOptions, open_source
    from importer.reports import OWN_COLUMNS, reimport

    names = frozenset(normalize(name) for name in found.columns()) if found else frozenset()

    def is_named(name: str) -> bool:
        return normalize(name) in names

    def is_known(name: str) -> bool:
        return name in OWN_COLUMNS or is_known_name(name) or is_named(name)

    header_row: Any = options.header_row
    reading = ReadOptions(
        sheet=options.sheet,
        header_row=header_row,
        encoding=options.encoding,
        delimiter=options.delimiter,
        known=is_known,
        named=is_named,
        any_table=True,
        optional=reimport.is_summary_sheet,
    )
    return open_source(file, reading)


_ANSWERED_BY_PROPOSAL = ("mapping-none-fits", "mapping-two-columns", "no-header", "no-header-in-sheet")
"""Errors to which a proposal is an answer."""


def ask_for_mapping(file: str, options: RunOptions, error: ImporterError) -> RunOptions:
    """The options with the proposed mapping, once the person has agreed; it is kept beside the work as
    NAME.mapping.toml. Raises the error again where there is nothing to propose, or the answer is no."""
    if error.code not in _ANSWERED_BY_PROPOSAL or options.mapping:
        raise error
    from importer import contracts, mapping
    from importer.errors import MappingError as NoFit
    from importer.mapping import suggest_toml
    from importer.readers.inspection import sample_frame

    contract = contracts.load(options.contract or "sea")
    with open_table(file, options) as source:
        samples, sheets = sample_frame(source), tuple(source.sheet_headers.values())
        proposals = mapping.propose(source.header, samples, contract, sheets=sheets)
        text = suggest_toml.mapping_text(source.header, samples, contract, lang=language(), sheets=sheets)
        try:
            mapping.bind(mapping.load_text(text), source.header, contract, sheets=sheets)
        except NoFit:
            raise error from None
    _show_proposals(proposals)
    target = Path(f"{Path(file).stem or 'stdin'}.mapping.toml")
    if target.exists() or not click.confirm(sentence("ask-proposal", {"file": target}, language()), err=True):
        raise error
    target.write_text(text, "utf-8")
    return replace(options, mapping=str(target))


def _show_proposals(proposals: Sequence[Proposal]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("column", "goes to", "sure", "reason"):
        table.add_column(title, overflow="fold")
    for one in proposals:
        goes_to = (one.field or "") if one.taken else "–"
        table.add_row(one.column, goes_to, f"{one.confidence:.0%}", one.why.sentence(language()))
    console(stderr=True).print(table)


_STOP_AFTER = (ExitCode.REFUSED, ExitCode.AWAY, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
"""After these the files that follow would fare no better, or were not asked for any more."""


def import_files(
    files: Sequence[str],
    profile_name: str | None,
    given: GivenOptions,
    output: OutputOptions,
    *,
    sandbox: bool = False,
    store: Path | None = None,
) -> int:
    """Runs file after file; returns the worst exit code. A file that cannot be read stops no other."""
    profile = profile_of(profile_name)
    options = layered(RunOptions(), profile.given, given)
    options = replace(options, sandbox_store=str(store.absolute()) if store else None)
    manner = replace(output, mask=options.mask)
    worst = 0
    with ExitStack() as stack:
        # Before the heavy imports, which only the first file has to wait for.
        stack.enter_context(prefetch_workbook(files[0], options.sheet))
        from importer.pipeline.session import open_connection

        connection = stack.enter_context(open_connection(profile, options, sandbox=sandbox, store=store))
        for file, directory in zip(files, _directories(files, options.report_dir), strict=True):
            try:
                code = _import_file(file, replace(options, report_dir=directory), connection, manner)
            except ImporterError as error:
                print_error(error)
                code = int(error.exit_code)
            worst = max(worst, code)
            if code in _STOP_AFTER:
                break
    return worst


def _import_file(file: str, options: RunOptions, connection: Connection | None, manner: OutputOptions) -> int:
    from importer.journal import Journal
    from importer.pipeline import plan as plans
    from importer.pipeline.precheck import max_invalid_gate
    from importer.pipeline.run import Run
    from importer.pipeline.session import open_target

    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open())
        try:
            plan = plans.make_plan(file, options, connection, journal)
        except (InputError, MappingError) as error:
            if not manner.can_ask or file == "-":
                raise
            options = ask_for_mapping(file, options, error)
            plan = plans.make_plan(file, options, connection, journal)
        stack.callback(plan.close)
        run = Run(plan, journal)
        if connection is not None and not options.dry_run:
            run.sending = stack.enter_context(open_target(connection, plan.options))
        if options.max_invalid is not None:
            run.gate = max_invalid_gate(options.max_invalid)
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
