"""What a spreadsheet program does to the rejects: the CSV's phones break and that is noticed, the workbook's
survive."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from python_calamine import CalamineWorkbook

from importer import arrow
from importer.exit_codes import ExitCode
from importer.models import Chunk, Mode, Outcome, Status
from importer.reports import OWN_COLUMNS, ReportPlan, ReportSource, ReportWriter, RunInfo
from tests.support.programs import save_with_libreoffice

HEADER = ("Name", "Phone", "Id", "Note")
LINES = [
    ("Ann", "8613800000000", "000123", "=1+1"),
    ("Bö 张", "+5511987654321", "3-4", "'quoted"),
    ("  C  ", "0014255550177", "1E5", "a\nb; c,d"),
    ("-", "861380000000012345", "", "@here"),
]
FACTS = RunInfo(
    mode=Mode.UPDATE,
    dry_run=False,
    destination=None,
    mapping="headers",
    exit_code=ExitCode.ROWS_LEFT,
    started=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    seconds=1.0,
)
pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """rejects.csv and rejects.xlsx, each opened and saved by LibreOffice in its own format."""
    folder = tmp_path_factory.mktemp("rejects")
    plan = ReportPlan(folder, "run-1", ReportSource(Path("in.csv"), "in.csv", "csv", HEADER))
    cells = {name: arrow.array([line[place] for line in LINES]) for place, name in enumerate(HEADER)}
    with ReportWriter(plan) as reports:
        reports.add(Chunk("", arrow.frame(cells, np.arange(2, 2 + len(LINES)))), ())
        outcome = Outcome("", tuple(range(2, 2 + len(LINES))), Status.FAILED, 1, 8, "9001", "-1 system")
        reports.settle(outcome)
        reports.close(FACTS)
    out = tmp_path_factory.mktemp("saved")
    for name in ("rejects.csv", "rejects.xlsx"):
        save_with_libreoffice(folder / name, out)
    return out


def test_the_workbook_survives_whole(saved: Path) -> None:
    with CalamineWorkbook.from_path(saved / "rejects.xlsx") as book:
        header, *lines = book.get_sheet_by_index(0).to_python()
    assert header == [*OWN_COLUMNS, *HEADER]
    assert [tuple(line[len(OWN_COLUMNS) :]) for line in lines] == LINES
    assert [line[0] for line in lines] == ["2", "3", "4", "5"]


def test_the_csv_loses_digits_in_a_way_that_can_be_seen(saved: Path) -> None:
    with (saved / "rejects.csv").open(encoding="utf-8-sig", newline="") as stream:
        header, *lines = csv.reader(stream)
    phones = [line[header.index("Phone")] for line in lines]
    assert phones[3] != LINES[3][1]
    assert "E+" in phones[3]
    assert [line[header.index("_run")] for line in lines] == ["run-1"] * 4
