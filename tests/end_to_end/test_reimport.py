"""The loop: run, open a report, correct it, run that file. No flags, no thinking, and every row is in."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from importer.config import Connection
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary
from tests.support.programs import save_with_libreoffice
from tests.support.workbooks import header

HEADER = ["First Name", "Last Name", "WhatsApp", "Email", "Birthday", "Address", "Remark"]
GOOD = [
    ["Ann", "García", "8613800000001", "ann@example.com", "1990-05-07", "1 Road, Town", "'quoted"],
    ["李", "小明", "8613800000002", "li@example.com", "1991-01-01", "北京", "=1+1"],
    ["Bob", "Row", "8613800000003", "bob@example.com", "1988-12-25", "Somewhere", "- fragile"],
    ["Cy", "Bern", "8613800000004", "cy@example.com", "2000-02-29", "3 Lane", "+1 more"],
    ["Dé", "Zoë", "8613800000005", "de@example.com", "1970-01-01", "4 Hill", "line\nbreak"],
]
FIELDS = ("first_name", "last_name", "whats_app_phone", "email", "birthday", "address", "remark")
WANTED = {frozenset(zip(FIELDS, line, strict=True)) for line in GOOD}
SPOILT = {(0, 4): "31/02/1990", (2, 1): "", (3, 5): "x" * 101}
"""(line, column): what is wrong there at first."""


def spoilt_lines() -> list[list[str]]:
    lines = [list(line) for line in GOOD]
    for (line, column), text in SPOILT.items():
        lines[line][column] = text
    return lines


def write(path: Path, lines: list[list[str]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *lines])
        return path
    book = openpyxl.Workbook()
    notes = book.active
    notes.title = "People"
    notes.append(HEADER)
    for line in lines:
        notes.append(line)
    for row in notes.iter_rows():
        for cell in row:
            cell.data_type = "s" if cell.value else "n"
    notes["A1"].fill = PatternFill("solid", start_color="FF00AA00")
    book.save(path)
    return path


def mend_workbook(path: Path) -> None:
    """Correct each spoilt cell by the row number in `_row`, as a person would."""
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    names = header(sheet)
    for row in range(2, sheet.max_row + 1):
        line = int(str(sheet.cell(row, names["_row"]).value)) - 2
        mend_row(sheet, row, line, names)
    book.save(path)


def mend_row(sheet: Worksheet, row: int, line: int, names: dict[str, int]) -> None:
    for spoilt, column in SPOILT:
        if spoilt == line:
            sheet.cell(row, names[HEADER[column]]).value = GOOD[line][column]


def mend_csv(path: Path) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    names = {name: place for place, name in enumerate(lines[0])}
    for line in lines[1:]:
        for spoilt, column in SPOILT:
            if spoilt == int(line[names["_row"]]) - 2:
                line[names[HEADER[column]]] = GOOD[spoilt][column]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


def content(box: Sandbox) -> set[frozenset[tuple[str, str]]]:
    """What the CRM has, as customers without the order and what it made up itself."""
    return {frozenset((name, str(customer.fields[name])) for name in FIELDS) for customer in box.customers()}


@pytest.mark.parametrize("source", ["in.csv", "in.xlsx"])
@pytest.mark.parametrize("report", ["rejects.csv", "rejects.xlsx", "annotated.xlsx"])
def test_the_loop_ends_with_every_row_in(
    importer: Command, settings: Connection, box: Sandbox, work: Path, source: str, report: str
) -> None:
    write(work / source, spoilt_lines())
    first = importer("run", source, "--report-dir", "out", "--mode", "keep", "--excel-report")
    assert first.code == 1
    mend = mend_csv if report.endswith("csv") else mend_workbook
    mend(work / "out" / report)
    before = len(box.requests)
    assert importer("run", f"out/{report}", "--report-dir", "again").code == 0
    assert len(box.requests) == before + 1
    assert content(box) == WANTED
    assert len(box.customers()) == len(GOOD)
    assert summary(work / "again")["mode"] == "keep"
    lines = results(work / "again")
    skipped = sum(line["_status"] == "skipped" for line in lines)
    assert skipped == (len(GOOD) - len(SPOILT) if report == "annotated.xlsx" else 0)
    assert [line["Remark"] for line in lines if line["Remark"].startswith("''")] in ([], ["''quoted"])


@pytest.mark.extras
@pytest.mark.parametrize(("source", "report"), [("in.csv", "rejects.xlsx"), ("in.xlsx", "annotated.xlsx")])
def test_the_loop_survives_libreoffice_before_and_after_the_correction(
    importer: Command, settings: Connection, box: Sandbox, work: Path, source: str, report: str
) -> None:
    write(work / source, spoilt_lines())
    importer("run", source, "--report-dir", "out", "--excel-report")
    saved = save_with_libreoffice(work / "out" / report, work)
    mend_workbook(saved)
    twice = save_with_libreoffice(saved, work / "out")
    assert importer("run", twice, "--report-dir", "again").code == 0
    assert content(box) == WANTED
    assert len(box.customers()) == len(GOOD)


@pytest.mark.extras
def test_phones_that_a_spreadsheet_program_broke_in_the_csv_are_noticed(
    importer: Command, settings: Connection, work: Path
) -> None:
    lines = [["A", "", f"861380000000{number:06d}", "", "", "", ""] for number in range(5)]
    write(work / "in.csv", lines)
    importer("run", "in.csv", "--report-dir", "out")
    saved = save_with_libreoffice(work / "out" / "rejects.csv", work)
    importer("validate", saved, "--report-dir", "again")
    again = results(work / "again")
    damaged = [line for line, cells in zip(again, lines, strict=True) if line["WhatsApp"] != cells[2]]
    assert len(damaged) == 5
    assert all("lossy-number:WhatsApp" in line["_issues"] for line in damaged)


def test_a_sheet_that_was_named_is_found_again_without_a_flag(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write(work / "in.xlsx", spoilt_lines())
    book = openpyxl.load_workbook(work / "in.xlsx")
    first = book.create_sheet("First", 0)
    first.append(HEADER)
    first.append(["X", "Y", "8613800000099", "x@example.com", "1990-01-01", "", ""])
    book.save(work / "in.xlsx")
    importer("run", "in.xlsx", "--sheet", "People", "--report-dir", "out", "--excel-report")
    book = openpyxl.load_workbook(work / "out" / "annotated.xlsx")
    names = header(book["People"])
    for row in range(2, 7):
        mend_row(book["People"], row, row - 2, names)
    book.save(work / "out" / "annotated.xlsx")
    assert importer("run", "out/annotated.xlsx", "--report-dir", "again").code == 0
    assert content(box) == WANTED


def test_all_sheets_of_a_run_over_all_are_read_again_without_a_flag(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    lines = spoilt_lines()
    write(work / "in.xlsx", lines[:2])
    book = openpyxl.load_workbook(work / "in.xlsx")
    more = book.create_sheet("More")
    more.append(["all of them"])
    more.append([])
    for line in (HEADER, *lines[2:]):
        more.append(line)
    for cell in more["G"]:
        cell.data_type = "s" if cell.value else "n"
    book.save(work / "in.xlsx")
    importer("run", "in.xlsx", "--sheet", "all", "--report-dir", "out", "--excel-report")
    book = openpyxl.load_workbook(work / "out" / "annotated.xlsx")
    assert book.sheetnames == ["People", "More", "Import summary"]
    for sheet, head, first, count in (("People", 1, 0, 2), ("More", 3, 2, 3)):
        names = header(book[sheet], head)
        for row in range(head + 1, head + 1 + count):
            mend_row(book[sheet], row, first + row - head - 1, names)
    book.save(work / "out" / "annotated.xlsx")
    assert importer("run", "out/annotated.xlsx", "--report-dir", "again").code == 0
    assert content(box) == WANTED
    statuses = [line["_status"] for line in results(work / "again")]
    assert statuses.count("skipped") == len(GOOD) - len(SPOILT)


def test_the_command_to_copy_means_the_same_as_the_one_that_was_typed(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write(work / "my list.csv", GOOD)
    words = ("--dry-run", "--mode", "keep", "--strict", "--delimiter", ",")
    done = importer("run", "my list.csv", *words)
    assert done.code == 0
    (line,) = [line.strip() for line in done.out.splitlines() if "importer run" in line]
    assert line == "importer run 'my list.csv' --delimiter , --mode keep --strict"
    assert importer(*shlex.split(line)[1:]).code == 0
    assert content(box) == WANTED
