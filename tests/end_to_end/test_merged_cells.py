"""Merged cells: what they hold belongs to each row that they cover, except contacts, and is told."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest

from importer.config import Connection
from importer.readers import ReadOptions, open_source
from importer.sandbox import Sandbox
from tests.support.commands import Command, results
from tests.support.workbooks import Spans, header, write_table

HEADER = ("First Name", "Last Name", "Mobile", "E-mail", "Address", "Class")
WORKBOOKS = (".xlsx", ".xls", ".ods")
FAMILY = [
    HEADER,
    ("Ann", "Lee", "+8613800000001", "lee@x.example", "Long Street 1", "A"),
    ("Bo", "", "+8613800000002", "", "", "A"),
    ("Cy", "", "", "", "", "A"),
    ("Di", "Wu", "+8613800000004", "wu@x.example", "", "A"),
]
FAMILY_SPANS: Spans = [(2, 2, 4), (4, 2, 4), (5, 2, 4)]


def told(reports: Path) -> dict[str, list[str]]:
    """The issues of each row that has some."""
    return {row["_row"]: row["_issues"].split("; ") for row in results(reports) if row["_issues"]}


@pytest.mark.parametrize("ending", WORKBOOKS)
def test_a_second_child_gets_what_the_familys_merged_cells_say(
    importer: Command, settings: Connection, box: Sandbox, work: Path, ending: str
) -> None:
    write_table(work / f"c{ending}", FAMILY, FAMILY_SPANS)
    importer("run", f"c{ending}", "--report-dir", "out")
    stored = {str(one.fields["first_name"]): one.fields for one in box.customers()}
    found = {name: (one["last_name"], one.get("address"), one.get("email")) for name, one in stored.items()}
    assert found == {
        "Ann": ("Lee", "Long Street 1", "lee@x.example"),
        "Bo": ("Lee", "Long Street 1", None),
        "Cy": ("Lee", "Long Street 1", None),
        "Di": ("Wu", None, "wu@x.example"),
    }
    family = ["merged-cell:Last Name", "merged-contact:E-mail", "merged-cell:Address"]
    assert told(work / "out") == {"3": family, "4": [*family, "no-contact:"]}


@pytest.mark.parametrize("ending", WORKBOOKS)
def test_a_row_whose_name_is_merged_is_no_customer_of_its_own(
    importer: Command, settings: Connection, box: Sandbox, work: Path, ending: str
) -> None:
    rows = [
        (*HEADER, "Order"),
        ("Ann", "Lee", "+8613800000001", "", "", "", "tea"),
        ("", "", "", "", "", "", "milk"),
        ("", "", "+8613800000009", "", "", "", "rice"),
        ("Di", "Wu", "+8613800000004", "", "", "", "tea"),
    ]
    write_table(work / f"c{ending}", rows, [(1, 2, 4), (2, 2, 4), (3, 2, 3)])
    importer("run", f"c{ending}", "--report-dir", "out")
    assert [one.fields["first_name"] for one in box.customers()] == ["Ann", "Di"]
    found = {row["_row"]: (row["_status"], row["_issues"]) for row in results(work / "out")}
    assert found["3"] == ("skipped", "")
    assert found["4"] == ("invalid", "continued-name:First Name; continued-name:Last Name")


@pytest.mark.parametrize("ending", WORKBOOKS)
def test_a_total_beside_a_merged_class_stays_a_total(work: Path, ending: str) -> None:
    rows = [
        ("Class", "Name", "Mobile"),
        ("A", "Ann Lee", "13800000001"),
        ("", "Bo Lee", "13800000002"),
        ("", "小计", "2人"),
    ]
    write_table(work / f"c{ending}", rows, [(1, 2, 4)])
    with open_source(work / f"c{ending}", ReadOptions(is_mapped=lambda _: True)) as source:
        (chunk,) = source.chunks()
    assert [(skip.code, skip.rows.tolist()) for skip in chunk.skips] == [("footer-row", [4])]
    assert chunk.frame["Class"].tolist() == ["A", "A", ""]
    assert [(issue.code, issue.row, issue.other_row) for issue in chunk.issues] == [("merged-cell", 3, 2)]


@pytest.mark.parametrize("ending", WORKBOOKS)
def test_merged_cells_go_on_in_the_next_chunk_and_end_with_the_sheet(work: Path, ending: str) -> None:
    rows = [("Class", "Name"), *(("A" if at == 0 else "", f"P{at}") for at in range(7)), ("B", "Q")]
    write_table(work / f"c{ending}", rows, [(1, 2, 8), (2, 9, 900)])
    options = ReadOptions(is_mapped=lambda _: True, chunk_rows=3)
    with open_source(work / f"c{ending}", options) as source:
        chunks = list(source.chunks())
    assert [cell for chunk in chunks for cell in chunk.frame["Class"]] == [*"AAAAAAA", "B"]
    assert [issue.row for chunk in chunks for issue in chunk.issues] == [3, 4, 5, 6, 7, 8]


def test_cells_that_a_merged_one_hides_are_kept_and_told(work: Path) -> None:
    book = openpyxl.Workbook()
    for row in [("Class", "Name"), ("A", "Ann"), ("A", "Bo"), ("B", "Cy")]:
        book.active.append(row)
    book.save(work / "open.xlsx")
    with zipfile.ZipFile(work / "open.xlsx") as before, zipfile.ZipFile(work / "c.xlsx", "w") as after:
        for name in before.namelist():
            merged = b'</sheetData><mergeCells count="1"><mergeCell ref="A2:A4"/></mergeCells>'
            after.writestr(name, before.read(name).replace(b"</sheetData>", merged))
    with open_source(work / "c.xlsx", ReadOptions(is_mapped=lambda _: True)) as source:
        (chunk,) = source.chunks()
    assert chunk.frame["Class"].tolist() == ["A", "A", "B"]
    found = [(issue.code, issue.row, issue.found, issue.expected) for issue in chunk.issues]
    assert found == [("merged-over", 4, "B", "A")]


@pytest.mark.parametrize("ending", WORKBOOKS)
def test_a_corrected_reject_keeps_what_the_merged_cell_said(
    importer: Command, settings: Connection, box: Sandbox, work: Path, ending: str
) -> None:
    rows = [
        (*row, day) for row, day in zip(FAMILY, ("Birthday", "2015-01-02", "31/02/2016", "", ""), strict=True)
    ]
    write_table(work / f"c{ending}", rows, FAMILY_SPANS)
    importer("run", f"c{ending}", "--report-dir", "out")
    book = openpyxl.load_workbook(work / "out" / "rejects.xlsx")
    sheet = book.active
    sheet.cell(2, header(sheet)["Birthday"]).value = "2016-02-28"
    book.save(work / "out" / "rejects.xlsx")
    importer("run", "out/rejects.xlsx", "--report-dir", "again")
    stored = {str(one.fields["first_name"]): one.fields for one in box.customers()}
    assert set(stored) == {"Ann", "Bo", "Cy", "Di"}
    assert (stored["Bo"]["last_name"], stored["Bo"]["address"]) == ("Lee", "Long Street 1")
    assert not stored["Bo"].get("email")
