"""What a spreadsheet program does to the rejects: the CSV's phones break and that is noticed, the workbook's
survive."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from importer import arrow
from importer.exit_codes import ExitCode
from importer.models import Chunk, Mode, Outcome, Status
from importer.reports import ReportPlan, ReportSource, ReportWriter, RunInfo
from importer.reports.csv import escape, quote
from importer.reports.xlsx import XLSX_OWN_COLUMNS
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
    assert header == [*HEADER, *XLSX_OWN_COLUMNS]
    assert [tuple(line[: len(HEADER)]) for line in lines] == LINES
    assert [line[header.index("_row")] for line in lines] == ["2", "3", "4", "5"]


def test_the_csv_loses_digits_in_a_way_that_can_be_seen(saved: Path) -> None:
    with (saved / "rejects.csv").open(encoding="utf-8-sig", newline="") as stream:
        header, *lines = csv.reader(stream)
    phones = [line[header.index("Phone")] for line in lines]
    assert phones[3] != LINES[3][1]
    assert "E+" in phones[3]
    assert [line[header.index("_run")] for line in lines] == ["run-1"] * 4


FORMULAS = (
    *("=1+1", "==1+1", " =1+1", "\0=1+1", " \0=1+1", "\t=1", "\n=1", "\r=1"),
    *("＝1+1", "＋1", "－1", "＠SUM(1)", "+1-1"),
)
SETTINGS = {
    "default": "",
    "everything evaluated": ",,0,false,true,false,false,false,-1,true",
    "trimmed, zh-CN": ",,2052,false,true,false,false,true,-1,true",
}
"""Options of LibreOffice's CSV import: language, and the switches that make most of a cell."""


@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS.keys())
def test_no_cell_of_a_csv_report_becomes_a_formula(tmp_path: Path, options: str) -> None:
    for name, dress in (("raw", str), ("dressed", escape)):
        lines = "".join(f"{quote(dress(cell))}\n" for cell in FORMULAS)
        (tmp_path / f"{name}.csv").write_bytes(lines.encode("utf-8-sig"))
    found = {}
    for name in ("raw", "dressed"):
        saved = save_with_libreoffice(tmp_path / f"{name}.csv", tmp_path, ".xlsx", options)
        rows = load_workbook(saved).active.iter_rows()
        found[name] = [FORMULAS[place] for place, (cell,) in enumerate(rows) if cell.data_type == "f"]
    assert found["dressed"] == []
    assert {"=1+1", "\0=1+1"} <= set(found["raw"])
    assert (" =1+1" in found["raw"]) == ("true,-1" in options)
