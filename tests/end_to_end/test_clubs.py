"""Lists of clubs: titles of groups between the rows, “as above” in addresses, dates for house numbers."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import openpyxl
import pytest

from importer.config import Connection
from importer.exit_codes import ExitCode
from importer.sandbox import Sandbox
from tests.support.commands import Command, results
from tests.support.workbooks import write_table

HEADER = ("No.", "First Name", "Last Name", "Mobile", "Street", "Nr", "City")
TABLE = [
    HEADER,
    ("SKRZATY 2019/2020 – trener Piotr Lis, pon. 16:30",),
    ("1", "Ann", "Lee", "+8613800000001", "Zielona", "5", "Łódź"),
    ("2", "Bo", "Lee", "〃", "〃", "j.w.", "-//-"),
    ("3", "Cy", "Fu", "+8613800000003", '"', "同上", "idem"),
    ("Starsi",),
    ("1", "Di", "Wu", "+8613800000004", "〃", "7", "Kutno"),
]


def fields(box: Sandbox, name: str) -> list[object]:
    return [one.fields.get(name) for one in box.customers()]


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".xls", ".ods"])
def test_titles_are_skipped_and_as_above_is_read_in_addresses(
    importer: Command, settings: Connection, box: Sandbox, work: Path, ending: str
) -> None:
    write_table(work / f"c{ending}", TABLE)
    done = importer("run", f"c{ending}", "--report-dir", "out")
    assert done.code == ExitCode.DONE, done.out
    rows = results(work / "out")
    assert [row["_code"] for row in rows] == ["title-row", "", "", "", "title-row", ""]
    assert fields(box, "first_name") == ["Ann", "Bo", "Cy", "Di"]
    assert fields(box, "address") == [
        "Zielona 5 Łódź",
        "Zielona 5 Łódź",
        "Zielona 5 Łódź",
        "Zielona 7 Kutno",
    ]
    assert fields(box, "sms_phone") == ["8613800000001", None, "8613800000003", "8613800000004"]
    told = {pair.split(":")[0] for pair in rows[2]["_issues"].split("; ")}
    assert told == {"ditto", "ditto-filled", "no-contact"}


def test_titles_that_are_merged_over_columns_are_skipped_whatever_they_say(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    book = openpyxl.Workbook()
    for row in (
        ("First Name", "Last Name", "E-mail", "Remark"),
        ("Gruppe Rot",),
        ("Ann", "Lee", "a@x.example"),
        ("Anna",),
    ):
        book.active.append(row)
    book.active.merge_cells("A2:D2")
    book.save(work / "c.xlsx")
    importer("run", "c.xlsx", "--report-dir", "out")
    title, ann, anna = results(work / "out")
    assert (title["_status"], title["_code"]) == ("skipped", "title-row")
    assert ann["_status"] == "imported"
    assert anna["_status"] == "invalid"  # a name alone may be a person


def test_a_row_with_a_phone_and_a_number_alone_are_no_titles(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    alone = ("12", "tel.: 0171 2345678 90", "tel.: 729 303 204", "Anna: 729303204")
    rows = [TABLE[0], TABLE[2], *((text,) for text in alone), ("", "2019: Jo"), TABLE[4]]
    write_table(work / "c.csv", rows)
    importer("run", "c.csv", "--report-dir", "out")
    assert all(row["_code"] != "title-row" for row in results(work / "out"))


def test_a_date_in_an_address_is_told(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    book = openpyxl.Workbook()
    book.active.append(("First Name", "Last Name", "E-mail", "Street", "Nr", "City"))
    book.active.append(("Ann", "Lee", "a@x.example; ", "Zachodnia", dt.datetime(2026, 4, 12), "Łódź"))
    book.active.append(("Bo", "Ek", "b@x.example", "Nowa", "12/4", "Łódź"))
    book.save(work / "c.xlsx")
    done = importer("run", "c.xlsx", "--report-dir", "out")
    assert [row["_issues"] for row in results(work / "out")] == ["date-in-address:Nr", ""]
    assert "house number" in done.out
    assert fields(box, "email") == ["a@x.example", "b@x.example"]
