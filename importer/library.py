"""The Python API: what the command line does, for programs.

from importer import RunOptions, Status, import_file, validate_file

summary = validate_file("customers.xlsx")
if not summary.counts[Status.INVALID]:
    summary = import_file("customers.xlsx", options=RunOptions(mapping="hubspot"))
print(summary.rows, summary.counts, summary.report_dir)
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from importer.config import Connection, load_config
from importer.journal import Journal
from importer.models import RunSummary
from importer.options import RunOptions
from importer.pipeline import plan as plans
from importer.pipeline.events import Observer, ignore_event
from importer.pipeline.precheck import max_invalid_gate
from importer.pipeline.run import Run, StopToken
from importer.pipeline.session import open_connection, open_target


def import_file(
    file: str | Path,
    *,
    options: RunOptions | None = None,
    connection: Connection | None = None,
    journal: Path | None = None,
    observer: Observer = ignore_event,
    stopper: StopToken | None = None,
) -> RunSummary:
    """Imports one file and returns what became of its rows, counted; each row stands in results.csv.

    `connection`: where to send to and who signs; without it the environment and importer.toml's default
    profile decide. `journal`: its SQLite file, else the user's. `observer` gets every event of the run.
    `stopper.stop(reason)`, from any thread, ends it in order.

    Raises ImporterError (with `code` and `exit_code`) where there can be no run: the file or its mapping
    cannot be read, settings are missing, another run holds the lock. How the server behaved is no exception:
    see `counts`, `exit_code` and `stop` of the summary.
    """
    options = options or RunOptions()
    with ExitStack() as stack:
        if connection is None:
            connection = stack.enter_context(open_connection(load_config().profile(None), options))
        book = stack.enter_context(Journal.open(journal))
        plan = plans.make_plan(file, options, connection, book)
        stack.callback(plan.close)
        run = Run(plan, book, observer=observer, stopper=stopper or StopToken())
        if connection is not None and not options.dry_run:
            run.sending = stack.enter_context(open_target(connection, plan.options))
        if options.max_invalid is not None:
            run.gate = max_invalid_gate(options.max_invalid)
        return run.start().summary


def validate_file(
    file: str | Path,
    *,
    options: RunOptions | None = None,
    journal: Path | None = None,
    observer: Observer = ignore_event,
) -> RunSummary:
    """The same without the socket: needs no credentials. A row it counts as valid is sent unchanged by
    `import_file` with the same options. Raises as `import_file` does."""
    options = replace(options or RunOptions(), dry_run=True)
    return import_file(file, options=options, journal=journal, observer=observer)
