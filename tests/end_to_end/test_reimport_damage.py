"""A row that was refused for how it was read is not imported just because a report brings it back."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from importer.config import Connection
from importer.sandbox import Sandbox
from tests.support.commands import Command, results
from tests.support.workbooks import header

HEADER = "First Name,Last Name,SMS Phone,Address,Email\n"
DAMAGED = {
    "extra-cells": "Bob,Two,8613812345671,Main St, 5,b@x.com\n",
    "unclosed-quote": 'Bob,Two,8613812345671,"Main St,b@x.com\n',
}


@pytest.fixture(params=[["run"], ["validate"]], ids=["run", "validate"])
def first(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = request.param
    return found


@pytest.mark.parametrize("report", ["rejects.csv", "rejects.xlsx", "results.csv"])
@pytest.mark.parametrize("code", DAMAGED)
def test_a_damaged_row_that_comes_back_unchanged_is_refused_again(
    importer: Command,
    settings: Connection,
    box: Sandbox,
    work: Path,
    first: list[str],
    code: str,
    report: str,
) -> None:
    (work / "a.csv").write_text(HEADER + DAMAGED[code])
    assert importer(*first, "a.csv", "--report-dir", "out").code == 1
    assert f"{code}:" in results(work / "out")[0]["_issues"]
    for number, file in enumerate([f"out/{report}", "again-1/rejects.xlsx"], 1):
        assert importer("run", file, "--report-dir", f"again-{number}").code == 1
        assert "not-corrected:" in results(work / f"again-{number}")[0]["_issues"]
    assert not box.customers()


@pytest.mark.parametrize("code", DAMAGED)
def test_once_corrected_it_is_imported(
    importer: Command, settings: Connection, box: Sandbox, work: Path, first: list[str], code: str
) -> None:
    (work / "a.csv").write_text(HEADER + DAMAGED[code])
    importer(*first, "a.csv", "--report-dir", "out")
    book = openpyxl.load_workbook(work / "out" / "rejects.xlsx")
    sheet = book.active
    column = header(sheet)
    sheet.cell(2, column["Address"]).value = "Main St, 5"
    sheet.cell(2, column["Email"]).value = "b@x.com"
    book.save(work / "mended.xlsx")
    assert importer("run", "mended.xlsx", "--report-dir", "again").code == 0
    (customer,) = box.customers()
    assert (customer.fields["address"], customer.fields["email"]) == ("Main St, 5", "b@x.com")


def test_bytes_that_are_no_text_stay_refused(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "a.csv").write_bytes(
        HEADER.encode() + "Zoë,Ü,8613812345670,,\n".encode() * 3 + b"B\xe9a,N,8613812345671,,\n"
    )
    importer("run", "a.csv", "--encoding", "utf-8", "--report-dir", "out")
    assert importer("run", "out/rejects.xlsx", "--report-dir", "again").code == 1
    assert [row["_issues"] for row in results(work / "again")] == ["garbled-text:First Name; not-corrected:"]


def test_an_error_that_a_spreadsheet_program_wrote_is_no_phone(importer: Command, work: Path) -> None:
    (work / "a.csv").write_text(HEADER + "Bob,Two,#REF!,#5 Main St,\n")
    assert importer("validate", "a.csv", "--report-dir", "out").code == 1
    assert "cell-error:SMS Phone" in results(work / "out")[0]["_issues"]
    assert "Address" not in results(work / "out")[0]["_issues"]


def test_an_issue_stands_at_the_column_that_the_value_came_from(importer: Command, work: Path) -> None:
    (work / "m.toml").write_text(
        '[fields.first_name]\nfrom = "First Name"\n[fields.last_name]\nfrom = "Last Name"\n'
        '[fields.sms_phone]\nfrom = ["SMS Phone", "Address"]\n'
    )
    (work / "a.csv").write_text(HEADER + "Bob,Two,,1.38E+12,\nAna,Li,1.39E+12,,\n")
    importer("validate", "a.csv", "--mapping", "m.toml", "--report-dir", "out")
    assert [row["_issues"].split("; ")[0] for row in results(work / "out")] == [
        "lossy-number:Address",
        "lossy-number:SMS Phone",
    ]


def test_a_run_that_never_started_is_nothing_to_resume(
    importer: Command, settings: Connection, work: Path
) -> None:
    (work / "a.csv").write_text(HEADER + "Bob,Two,8613812345671,,\n")
    (work / "taken").write_text("a file")
    assert importer("run", "a.csv", "--report-dir", "taken/out").code == 1
    done = importer("resume")
    assert (done.code, "nothing to resume" in done.out) == (0, True)


def test_zeros_that_a_spreadsheet_program_took_off_a_phone_are_missed(
    importer: Command, settings: Connection, box: Sandbox, work: Path, first: list[str]
) -> None:
    (work / "a.csv").write_text(HEADER + "Bob,,008613812345671,,\nAna,Li,008613812345672,,\n")
    assert importer(*first, "a.csv", "--report-dir", "out").code == 1
    text = (work / "out" / "rejects.csv").read_text("utf-8-sig").replace("Bob,,", "Bob,Two,")
    (work / "damaged.csv").write_text(text.replace("008613812345671", "8613812345671"), "utf-8-sig")
    assert importer("run", "damaged.csv", "--report-dir", "again").code == 1
    (row,) = results(work / "again")
    assert row["_issues"] == "lossy-number:SMS Phone"
    assert "008613812345671" in row["_message"]
    (work / "whole.csv").write_text(text, "utf-8-sig")
    assert importer("run", "whole.csv").code == 0
