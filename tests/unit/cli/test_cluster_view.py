"""What a terminal shows while files are on a cluster."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from importer.cli.cluster import FilesView
from importer.cli.output import OutputOptions
from importer.cluster.files import FileOutcome, FileTask
from importer.exit_codes import ExitCode
from importer.models import Status
from importer.options import RunOptions


@pytest.fixture
def view() -> FilesView:
    tasks = [FileTask(place, f"/data/{place}.csv", "", RunOptions(), "/journal.db") for place in range(3)]
    return FilesView(tasks, OutputOptions(quiet=True))


def shown(view: FilesView) -> list[str]:
    terminal = Console(file=StringIO(), width=100)
    with terminal.capture() as capture:
        terminal.print(view)
    return [line.strip() for line in capture.get().splitlines()]


def test_a_file_is_shown_once_checked_ahead_then_at_work_then_among_the_totals(view: FilesView) -> None:
    assert shown(view) == ["0 of 3 files; –"]
    view.moved({"place": 0, "rows": 600, "counts": {}})
    view.moved({"place": 1, "checked": 700, "invalid": 0})
    assert shown(view) == ["0 of 3 files; –", "0.csv: 600 rows", "1.csv: checked, 700 rows"]
    view.ended(0, FileOutcome("0.csv", ExitCode.DONE, 600, {Status.IMPORTED: 600}))
    view.moved({"place": 1, "rows": 700, "counts": {"imported": 100}})
    # Words of an earlier look may come late.
    view.moved({"place": 1, "checked": 700, "invalid": 0})
    view.moved({"place": 0, "rows": 600, "counts": {"imported": 500}})
    assert shown(view) == ["1 of 3 files; imported 700", "1.csv: imported 100"]
