"""annotated.xlsx: the person's workbook with the bad cells explained."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import CalamineWorkbook

from importer import arrow
from importer.exit_codes import ExitCode
from importer.models import Chunk, Issue, Mode, Outcome, Severity, Status
from importer.reports import OWN_COLUMNS, ReportPlan, ReportResult, ReportSource, ReportWriter, RunInfo

FACTS = RunInfo(
    mode=Mode.UPDATE,
    dry_run=False,
    destination=None,
    mapping="headers",
    exit_code=ExitCode.ROWS_LEFT,
    started=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    seconds=2.5,
)
HEADER = ("Name", "Birthday", "Name (2)", "column D")
ISSUES = (
    Issue("bad-date", Severity.ERROR, 4, "People", column="Birthday", field="birthday", found="1990-13-05"),
    Issue("too-long", Severity.ERROR, 6, "People", column="Name (2)", field="last_name", limit=3, length=4),
    Issue("bad-email", Severity.WARNING, 6, "People", column="column D", field="email", found="x"),
    Issue("no-contact", Severity.WARNING, 6, "People"),
    Issue("bad-email", Severity.NOTE, 4, "People", column="column D", field="email", found="a@x.com"),
)


def a_workbook(path: Path) -> Path:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "People"
    sheet["A1"] = "Our customers"
    for column, text in zip("ABC", ("Name", "Birthday", "Name"), strict=True):
        sheet[f"{column}3"] = text
    filled = {4: ("Ann", "1990-13-05", "Li", "a@x.com"), 6: ("=1+1", "1990-01-01", "Long", "x")}
    for row, values in filled.items():
        for column, value in zip("ABCD", values, strict=True):
            sheet[f"{column}{row}"] = value
    sheet["A6"].data_type = "s"
    sheet["A4"].fill = PatternFill("solid", start_color="FF00FF00")
    sheet["B4"].comment = Comment("from the boss", "boss")
    sheet.column_dimensions["A"].width = 33
    other = book.create_sheet("Other")
    other["A1"] = 5
    chart = BarChart()
    chart.add_data(Reference(other, min_col=1, min_row=1))
    other.add_chart(chart)
    book.save(path)
    return path


def a_report(
    directory: Path, path: Path, kind: str = "xlsx", header_row: int | None = 3, sheet: str = "People"
) -> ReportResult:
    origin = ReportSource(path, path.name, kind, HEADER, header_row=header_row)
    cells = {name: arrow.array([f"{place}", f"={place}"]) for place, name in enumerate(HEADER)}
    frame = arrow.frame(cells, np.array([4, 6]))
    issues = [replace(issue, sheet=sheet) for issue in ISSUES]
    with ReportWriter(ReportPlan(directory, "run-1", origin, excel_report=True)) as reports:
        reports.add(Chunk(sheet, frame), issues)
        reports.settle(Outcome(sheet, (6, 4), Status.INVALID))
        return reports.close(FACTS)


def own_values(sheet: Worksheet, row: int, first: int) -> dict[str, object]:
    return {name: sheet.cell(row, first + place).value for place, name in enumerate(OWN_COLUMNS)}


def test_the_persons_own_workbook_keeps_its_sheets_and_looks(tmp_path: Path) -> None:
    a_report(tmp_path, a_workbook(tmp_path / "in.xlsx"))
    book = load_workbook(tmp_path / "annotated.xlsx")
    assert book.sheetnames == ["People", "Other", "Import summary"]
    sheet = book["People"]
    assert sheet["A1"].value == "Our customers"
    assert sheet["A4"].fill.start_color.rgb == "FF00FF00"
    assert sheet.column_dimensions["A"].width == 33
    assert (sheet["A6"].value, sheet["A6"].data_type) == ("=1+1", "s")


def test_bad_cells_are_coloured_and_explained_and_keep_their_own_comment(tmp_path: Path) -> None:
    a_report(tmp_path, a_workbook(tmp_path / "in.xlsx"))
    sheet = load_workbook(tmp_path / "annotated.xlsx")["People"]
    assert sheet["B4"].fill.fill_type == sheet["C6"].fill.fill_type == sheet["D6"].fill.fill_type == "solid"
    assert sheet["D4"].fill.fill_type == "solid"
    assert len({sheet[cell].fill.start_color.rgb for cell in ("B4", "D6", "D4")}) == 3
    text = sheet["B4"].comment.text
    assert text.startswith("from the boss")
    assert "not a valid date" in text
    assert "1990-05-13" in text
    assert sheet["A6"].comment is None


def test_the_importers_columns_stand_behind_the_last_filled_one(tmp_path: Path) -> None:
    a_report(tmp_path, a_workbook(tmp_path / "in.xlsx"))
    sheet = load_workbook(tmp_path / "annotated.xlsx")["People"]
    assert [sheet.cell(3, 5 + place).value for place in range(len(OWN_COLUMNS))] == list(OWN_COLUMNS)
    assert own_values(sheet, 4, 5)["_status"] == "invalid"
    assert own_values(sheet, 6, 5)["_row"] == "6"
    assert own_values(sheet, 6, 5)["_issues"] == "too-long:Name (2); bad-email:column D; no-contact:"
    assert sheet["E4"].number_format == "@"
    assert sheet["E5"].value is None


def test_merged_cells_beside_the_table_swallow_none_of_the_importers_columns(tmp_path: Path) -> None:
    path = a_workbook(tmp_path / "in.xlsx")
    book = load_workbook(path)
    book["People"].merge_cells("A1:Z1")
    book["People"].merge_cells("F3:G4")
    book.save(path)
    a_report(tmp_path, path)
    sheet = load_workbook(tmp_path / "annotated.xlsx")["People"]
    assert [sheet.cell(3, 8 + place).value for place in range(len(OWN_COLUMNS))] == list(OWN_COLUMNS)
    assert own_values(sheet, 4, 8)["_status"] == "invalid"


def test_the_imported_sheet_is_the_first_so_that_it_is_read_again(tmp_path: Path) -> None:
    path = a_workbook(tmp_path / "in.xlsx")
    book = load_workbook(path)
    book.move_sheet("Other", -1)
    book.save(path)
    a_report(tmp_path, path)
    annotated = load_workbook(tmp_path / "annotated.xlsx")
    assert annotated.sheetnames == ["People", "Other", "Import summary"]
    assert annotated.active.title == "People"


def test_annotating_an_annotated_workbook_uses_its_columns_again(tmp_path: Path) -> None:
    a_report(tmp_path, a_workbook(tmp_path / "in.xlsx"))
    a_report(tmp_path / "again", tmp_path / "annotated.xlsx")
    book = load_workbook(tmp_path / "again" / "annotated.xlsx")
    heads = [cell.value for cell in book["People"][3] if cell.value]
    assert heads == ["Name", "Birthday", "Name", *OWN_COLUMNS]
    assert book.sheetnames == ["People", "Other", "Import summary", "Import summary 2"]


def test_what_a_copy_cannot_carry_over_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openpyxl.reader.excel.find_images", lambda *_: ([], []))
    closed = a_report(tmp_path, a_workbook(tmp_path / "in.xlsx"))
    assert [note.sentence() for note in closed.notes] == [
        "annotated.xlsx is a copy of your workbook without these parts: charts, drawings"
    ]


@pytest.mark.parametrize(
    ("name", "kind", "header_row"), [("in.csv", "csv", 1), ("in.xlsx", "xlsx", None), ("bad.xlsx", "xlsx", 1)]
)
def test_other_inputs_become_a_plain_workbook_of_text(
    tmp_path: Path, name: str, kind: str, header_row: int | None
) -> None:
    path = tmp_path / name
    path.write_bytes(b"no workbook")
    if name == "in.xlsx":
        a_workbook(path)
    closed = a_report(tmp_path, path, kind, header_row, sheet="")
    assert not closed.failures
    book = load_workbook(tmp_path / "annotated.xlsx")
    assert book.sheetnames == ["rows", "Import summary"]
    sheet = book["rows"]
    assert [cell.value for cell in sheet[1]] == [*HEADER, *OWN_COLUMNS]
    assert {cell.number_format for row in sheet["A2:N3"] for cell in row} == {"@"}
    assert sheet["B2"].fill.fill_type == "solid"
    assert "not a valid date" in sheet["B2"].comment.text
    assert sheet["D3"].fill.start_color.rgb != sheet["B2"].fill.start_color.rgb
    with CalamineWorkbook.from_path(tmp_path / "annotated.xlsx") as cells:
        assert cells.get_sheet_by_index(0).to_python()[2][:5] == ["=0", "=1", "=2", "=3", "6"]


def test_too_many_rows_are_told_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.reports.annotations.WORKBOOK_ROWS", 1)
    closed = a_report(tmp_path, a_workbook(tmp_path / "in.xlsx"))
    assert [note.code for note in closed.notes] == ["annotated-too-many"]
    assert "use rejects.xlsx" in closed.notes[0].sentence()
    assert not (tmp_path / "annotated.xlsx").exists()
