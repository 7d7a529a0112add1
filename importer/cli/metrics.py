"""Write the metrics file of importer.toml after whatever sends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from importer.cli import output
from importer.config import ConfigFile
from importer.errors import ImporterError
from importer.messages import sentence


@contextlib.contextmanager
def metrics_after(file: ConfigFile) -> Iterator[None]:
    """Write `metrics_file`, if importer.toml names one, when the block ends, however it ends."""
    try:
        yield
    finally:
        if file.metrics_file is not None:
            update_metrics(file, file.metrics_file)


def update_metrics(file: ConfigFile, path: Path) -> bool:
    """Write the metrics of all jobs and runs. What fails is a warning; return whether nothing did."""
    from importer.jobs.metrics import write_metrics
    from importer.jobs.selection import choose_jobs
    from importer.jobs.status import look_at_jobs
    from importer.journal import Journal

    now = datetime.now().astimezone()
    try:
        with Journal.open() as journal:
            jobs = look_at_jobs(choose_jobs(file, every=True), journal, now, output.language())
            write_metrics(path, jobs, journal, now)
    except (OSError, ImporterError) as error:
        reason = error.sentence(output.language()) if isinstance(error, ImporterError) else error.strerror
        found = {"path": path, "reason": reason or "–"}
        output.tell(
            "warning", sentence("metrics-not-written", found, output.language()), code="metrics-not-written"
        )
        return False
    return True
