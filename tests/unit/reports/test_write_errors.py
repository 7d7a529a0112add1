"""A disk that refuses, a file that is open elsewhere: told, and nothing else is lost."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from importer import arrow
from importer.errors import ReportError
from importer.exit_codes import ExitCode
from importer.models import Chunk, Mode, Outcome, Status
from importer.reports import ReportPlan, ReportResult, ReportSource, ReportWriter, RunInfo
from importer.reports.files import own_files

FACTS = RunInfo(
    mode=Mode.UPDATE,
    dry_run=False,
    destination=None,
    mapping="headers",
    exit_code=ExitCode.DONE,
    started=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    seconds=2.5,
)
ROWS = 3_000


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file grows beyond so many bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def a_run(directory: Path, status: Status) -> ReportResult:
    plan = ReportPlan(
        directory, "run-1", ReportSource(Path("in.csv"), "in.csv", "csv", ("Name",)), excel_report=True
    )
    with ReportWriter(plan) as reports:
        for first in range(2, 2 + ROWS, 1000):
            cells = {"Name": arrow.array([f"{number:090d}" for number in range(1000)])}
            reports.add(Chunk("", arrow.frame(cells, np.arange(first, first + 1000))), ())
            reports.settle(Outcome("", tuple(range(first, first + 1000)), status))
        return reports.close(FACTS)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_costs_the_report_that_does_not_fit_and_no_other(tmp_path: Path) -> None:
    with full_disk(250_000):
        closed = a_run(tmp_path, Status.IMPORTED)
    assert [failure.code for failure in closed.failures] == ["report-not-written"]
    sentence = closed.failures[0].sentence()
    assert "results.csv" in sentence
    assert "too large" in sentence
    assert "importer report run-1" in closed.failures[0].hint()
    assert closed.summary.counts[Status.IMPORTED] == ROWS
    assert closed.summary.exit_code is ExitCode.ROWS_LEFT
    told = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert told["exit_code"] == 1
    assert any("results.csv could not be written" in note for note in told["notes"])
    assert {file.name for file in closed.files} > {
        "rejects.csv",
        "rejects.xlsx",
        "summary.json",
        "report.html",
    }
    assert not list(tmp_path.glob("*.part"))
    assert not (tmp_path / "results.csv").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_disk_without_any_room_still_ends_the_run_in_order(tmp_path: Path) -> None:
    plan = ReportPlan(
        tmp_path, "run-1", ReportSource(Path("in.csv"), "in.csv", "csv", ("Name",)), excel_report=True
    )
    with ReportWriter(plan) as reports, full_disk(1):
        cells = {"Name": arrow.array(["x" * 1000] * ROWS)}
        reports.add(Chunk("", arrow.frame(cells, np.arange(2, 2 + ROWS))), ())
        reports.settle(Outcome("", tuple(range(2, 2 + ROWS)), Status.FAILED))
        closed = reports.close(FACTS)
    assert len(closed.failures) == 6
    assert closed.summary.rows == ROWS
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_disk_that_is_full_from_the_start_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(ReportError) as caught, full_disk(1):
        a_run(tmp_path, Status.FAILED)
    assert "Nothing was sent" in caught.value.hint()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_another_program_holds_open_gets_a_second_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.replace

    def held(self: Path, target: Path) -> Path:
        if target.name == "results.csv":
            raise PermissionError(13, "held by another program")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", held)
    closed = a_run(tmp_path, Status.IMPORTED)
    assert not closed.failures
    assert [note.sentence() for note in closed.notes] == [
        "results.csv is open in another program or cannot be replaced, so this run's report is results-2.csv"
    ]
    assert (tmp_path / "results-2.csv").is_file()


def test_reports_are_known_by_all_their_names_and_nothing_else_is(tmp_path: Path) -> None:
    a_run(tmp_path, Status.IMPORTED)
    for name in ("my results.csv", "results-10.csv", "results-3.csv.bak"):
        (tmp_path / name).write_bytes((tmp_path / "results.csv").read_bytes())
    (tmp_path / "results.csv").rename(tmp_path / "results-2.csv")
    (tmp_path / "annotated.xlsx").rename(tmp_path / "annotated-9.xlsx")
    for name in ("results-4.csv", "rejects.xlsx.part", "rejects.xlsx.run-1.part", "notes.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "rejects-2.csv").mkdir()
    assert {path.name for path in own_files(tmp_path, "run-1")} == {
        *("results-2.csv", "annotated-9.xlsx", "rejects.xlsx.run-1.part"),
        *("rejects.csv", "rejects.xlsx", "report.html", "summary.json"),
    }
    assert [path.name for path in own_files(tmp_path, "run-2")] == ["rejects.csv"]
    assert own_files(tmp_path / "gone", "run-1") == []


def test_leaving_without_an_end_leaves_nothing(tmp_path: Path) -> None:
    plan = ReportPlan(tmp_path, "run-1", ReportSource(Path("in.csv"), "in.csv", "csv", ("Name",)))
    with pytest.raises(KeyboardInterrupt), ReportWriter(plan):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_reports_of_an_earlier_run_stay_until_the_new_ones_are_whole(tmp_path: Path) -> None:
    a_run(tmp_path, Status.IMPORTED)
    before = (tmp_path / "results.csv").read_bytes()
    plan = ReportPlan(tmp_path, "run-2", ReportSource(Path("in.csv"), "in.csv", "csv", ("Name",)))
    with ReportWriter(plan):
        assert (tmp_path / "results.csv").read_bytes() == before
    assert (tmp_path / "results.csv").read_bytes() == before


def a_second_run(directory: Path) -> ReportResult:
    source = ReportSource(Path("in.csv"), "in.csv", "csv", ("Name",))
    with ReportWriter(ReportPlan(directory, "run-2", source)) as reports:
        reports.add(Chunk("", arrow.frame({"Name": arrow.array(["x"])}, np.array([2]))), ())
        reports.settle(Outcome("", (2,), Status.IMPORTED))
        return reports.close(FACTS)


def save_again(path: Path, after: Path) -> None:
    """As a person does who corrects it a while after the run."""
    later = after.stat().st_mtime_ns + 10**10
    os.utime(path, ns=(later, later))


def test_workbooks_of_an_earlier_run_go_when_the_folder_is_used_again(tmp_path: Path) -> None:
    a_run(tmp_path, Status.IMPORTED)
    (tmp_path / "doubtful.xlsx").write_bytes((tmp_path / "annotated.xlsx").read_bytes())
    save_again(tmp_path / "summary.json", tmp_path / "doubtful.xlsx")
    assert not a_second_run(tmp_path).notes
    assert not {"annotated.xlsx", "doubtful.xlsx"} & {path.name for path in tmp_path.iterdir()}


def test_what_a_person_has_corrected_since_is_left_and_told(tmp_path: Path) -> None:
    a_run(tmp_path, Status.INVALID)
    for name in ("rejects.xlsx", "annotated.xlsx"):
        save_again(tmp_path / name, tmp_path / "summary.json")
    corrected = (tmp_path / "rejects.xlsx").read_bytes()
    told = [note.sentence() for note in a_second_run(tmp_path).notes]
    assert sorted(told) == [
        "annotated.xlsx in the report folder is from an earlier run; this run has none",
        "rejects.xlsx has been saved since the importer wrote it, so it was left as it is; "
        "this run's report is rejects-2.xlsx",
    ]
    assert (tmp_path / "rejects.xlsx").read_bytes() == corrected
    assert (tmp_path / "annotated.xlsx").exists()
