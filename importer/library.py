"""The Python API: what the command line does, for programs.

from importer import RunOptions, Status, import_file, validate_file

summary = validate_file("customers.xlsx")
if not summary.counts[Status.INVALID]:
    summary = import_file("customers.xlsx", options=RunOptions(mapping="hubspot"))
print(summary.rows, summary.counts, summary.report_dir)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from importer.config import Connection, Profile, load_config
from importer.errors import UsageError
from importer.models import RunSummary
from importer.option_layers import layered
from importer.options import RunOptions
from importer.pipeline.events import EventCallback, RunObserver, as_observer
from importer.pipeline.run import StopToken
from importer.pipeline.session import Session, SessionSettings
from importer.sources.locations import FileGiven

if TYPE_CHECKING:
    import pandas as pd

    from importer.sources.tables import ArrowStream


def import_file(
    file: FileGiven,
    *,
    options: RunOptions | None = None,
    profile: str | None = None,
    connection: Connection | None = None,
    journal: Path | None = None,
    observer: RunObserver | EventCallback | None = None,
    stopper: StopToken | None = None,
) -> RunSummary:
    """Import one file. Returns how many rows ended how; results.csv has each row.

    `file`: a path, an address such as https://…, or a file that is open for reading.
    `connection`: where to send to and who signs; without it the environment and importer.toml decide.
    `profile` names a [profile.NAME] of it; without `options`, those of the profile count. `journal`: its
    SQLite file, else the user's. `observer`, a `RunObserver` or a function of one argument, gets every event
    of the run. `stopper.stop(reason)`, from any thread, ends it in order.

    Raises ImporterError (with `code` and `exit_code`) where there can be no run: the file or its mapping
    cannot be read, an option is wrong, settings are missing, another run holds the lock. How the server
    behaved is no exception: see `counts`, `exit_code` and `stop` of the summary.
    """
    from importer.config_schema import check_options

    options = check_options(options) if options is not None else None
    # A profile that is named has lists of people who must not be sent, whoever signs.
    chosen = Profile() if connection is not None and profile is None else load_config().profile(profile)
    settings = SessionSettings(chosen, connection, journal=journal)
    with Session.open(settings, observer=as_observer(observer), stopper=stopper) as session:
        result = session.start(file, options or _options(chosen, profile))
        if result is None:
            raise UsageError("not-confirmed")
        return result.summary


def import_table(
    table: pd.DataFrame | ArrowStream,
    *,
    name: str = "table",
    options: RunOptions | None = None,
    profile: str | None = None,
    connection: Connection | None = None,
    journal: Path | None = None,
    observer: RunObserver | EventCallback | None = None,
    stopper: StopToken | None = None,
) -> RunSummary:
    """Import a table in memory as `import_file` does a file; `RunOptions(dry_run=True)` only checks it.

    `table`: a pandas DataFrame, an Arrow table, or one of a library that speaks Arrow. Its columns have the
    names of the header, its rows are numbered from 1. `name` stands for it in reports. A private copy is
    kept, from which the run can be resumed. Raises what `import_file` raises.
    """
    from importer.sources.tables import keep_table

    kept = keep_table(table, name)
    return import_file(
        kept,
        options=options,
        profile=profile,
        connection=connection,
        journal=journal,
        observer=observer,
        stopper=stopper,
    )


def validate_file(
    file: FileGiven,
    *,
    options: RunOptions | None = None,
    profile: str | None = None,
    journal: Path | None = None,
    observer: RunObserver | EventCallback | None = None,
) -> RunSummary:
    """Check one file without sending anything; no credentials are needed.

    A row that is counted as valid is sent unchanged by `import_file` with the same options. Raises what
    `import_file` raises.
    """
    options = replace(options or _options(load_config().profile(profile), profile), dry_run=True)
    return import_file(file, options=options, profile=profile, journal=journal, observer=observer)


def _options(chosen: Profile, name: str | None) -> RunOptions:
    """Return the options of a profile, if it was named; else the defaults."""
    return layered(RunOptions(), chosen.given) if name is not None else RunOptions()
