"""Mapping files at work in whole runs: filters, custom fields, the plat contract, templates."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from importer.config import Connection
from importer.contracts import load
from importer.exit_codes import ExitCode
from importer.mapping import template
from importer.sandbox import Sandbox
from tests.support.commands import Command, results
from tests.support.workbooks import header

NAMES = '[fields.first_name]\nfrom = "F"\n[fields.last_name]\nfrom = "L"\n'


def stored(box: Sandbox) -> list[dict[str, str]]:
    found = (
        {name: str(value) for name, value in one.fields.items() if value not in ("", None)}
        for one in box.customers()
    )
    return sorted(found, key=str)


def test_filtered_rows_are_skipped_and_the_report_says_why(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "m.toml").write_text(f'{NAMES}[[only]]\ncolumn = "Status"\nis = ["active"]\n', "utf-8")
    (work / "c.csv").write_text("F,L,Status\nAnn,Lee,active\nBo,Ek,unsubscribed\n", "utf-8")
    assert importer("run", "c.csv", "--mapping", "m.toml", "--report-dir", "out").code == ExitCode.DONE
    first, second = results(work / "out")
    assert (first["_status"], second["_status"]) == ("imported", "skipped")
    assert "Status" in second["_message"]
    assert len(stored(box)) == 1


def test_own_fields_are_found_by_their_display_name_and_packed(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "m.toml").write_text(
        f'{NAMES}[custom."membership no."]\nfrom = "Level"\n[custom."Points"]\n', "utf-8"
    )
    (work / "c.csv").write_text("F,L,Level,Points\nAnn,Lee,gold,007\nBo,Ek,,\nCy,Oh,,many\n", "utf-8")
    done = importer("run", "c.csv", "--mapping", "m.toml", "--report-dir", "out")
    assert done.code == ExitCode.ROWS_LEFT
    assert ["bad-custom-field:Points" in row["_issues"] for row in results(work / "out")] == [
        False,
        False,
        True,
    ]
    packed = [json.loads(one["customize_field"]) for one in stored(box) if "customize_field" in one]
    assert packed == [{"customize_1_14": "gold", "customize_2_15": 7}]


def test_plat_gets_full_names_digits_and_its_channels(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "c.csv").write_text(
        "姓,名,手机号码,Zalo,备注\n张,三,+86 138-1234-5678,84 912 345,x\nAnn,Lee,,,\n", "utf-8"
    )
    assert importer("run", "c.csv", "--contract", "plat").code == ExitCode.DONE
    assert stored(box) == [
        {"first_name": "Ann", "last_name": "Lee", "full_name": "Ann Lee"},
        {
            "full_name": "张三",
            "first_name": "张",
            "last_name": "三",
            "sms_phone": "8613812345678",
            "zalo": "84912345",
            "remark": "x",
        },
    ]


@pytest.mark.parametrize("contract", ["sea", "plat"])
def test_a_filled_template_imports_but_for_its_example_row(
    importer: Command, settings: Connection, box: Sandbox, work: Path, contract: str
) -> None:
    template.write(work / "t.xlsx", load(contract), lang="zh")
    book = openpyxl.load_workbook(work / "t.xlsx")
    sheet = book.active
    header = [str(cell.value) for cell in sheet[1]]
    person = {"姓 *": "张", "姓": "张", "名 *": "三", "名": "三", "性别": "女", "手机号码": "8613812345678"}
    sheet.append([person.get(name) for name in header])
    book.save(work / "t.xlsx")
    done = importer("run", "t.xlsx", "--contract", contract, "--report-dir", "out")
    assert done.code == ExitCode.DONE
    assert [row["_status"] for row in results(work / "out")] == ["skipped", "imported"]
    (one,) = stored(box)
    assert (one["first_name"], one["gender"], one["sms_phone"]) == ("张", "0", "8613812345678")


def test_sheets_that_lack_a_column_prove_the_others_dates(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    book = openpyxl.Workbook()
    book.active.title = "a"
    for row in (
        ("first_name", "last_name", "birthday"),
        ("Ann", "Lee", "5/7/1990"),
        ("Bo", "Ek", "25/12/1990"),
    ):
        book.active.append(row)
    other = book.create_sheet("b")
    other.append(("first_name", "last_name"))
    other.append(("Cy", "Oh"))
    book.save(work / "c.xlsx")
    assert importer("run", "c.xlsx", "--sheet", "all").code == ExitCode.DONE
    assert [one.get("birthday") for one in stored(box)] == ["1990-07-05", "1990-12-25", None]


def test_a_suggested_mapping_runs(importer: Command, settings: Connection, box: Sandbox, work: Path) -> None:
    (work / "c.csv").write_text("Nombre completo,Celular\nAna María Pérez,+52 55 1234 5678\n", "utf-8")
    assert importer("run", "c.csv").code == ExitCode.INPUT
    assert importer("mapping", "suggest", "c.csv", "-o", "m.toml").code == ExitCode.DONE
    assert importer("run", "c.csv", "--mapping", "m.toml").code == ExitCode.DONE
    assert stored(box) == [{"first_name": "Ana María", "last_name": "Pérez", "sms_phone": "525512345678"}]


@pytest.mark.parametrize("report", ["rejects.xlsx", "annotated.xlsx"])
def test_sheets_that_call_a_field_differently_are_one_run_and_come_back(
    importer: Command, settings: Connection, box: Sandbox, work: Path, report: str
) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "About"
    for title, phone, last in (("North", "Mobile", ""), ("South", "Phone", "Lee")):
        sheet = book.create_sheet(title)
        sheet.append(["First Name", "Last Name", phone])
        sheet.append([title, last, "8613800000001" if title == "North" else "8613800000002"])
    book.save(work / "in.xlsx")
    words = ("--sheet", "all", "--report-dir", "out", "--excel-report")
    assert importer("run", "in.xlsx", *words).code == ExitCode.ROWS_LEFT
    book = openpyxl.load_workbook(work / "out" / report)
    sheet = book["North"] if report == "annotated.xlsx" else book.worksheets[0]
    names = header(sheet)
    sheet.cell(2, names["Last Name"]).value = "Ek"
    book.save(work / "out" / report)
    assert importer("run", f"out/{report}", "--report-dir", "again").code == ExitCode.DONE
    assert {(one["first_name"], one["sms_phone"]) for one in stored(box)} == {
        ("North", "8613800000001"),
        ("South", "8613800000002"),
    }


READ = '[read]\nsheet = "Kunden"\nheader_row = 3\n'


def read_by_the_mapping(work: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(("first_name", "last_name"))
    book.active.append(("Not", "Me"))
    sheet = book.create_sheet("Kunden")
    for row in (("Liste",), ("F", "L"), ("F", "L"), ("Ann", "Lee"), ("", "Ek")):
        sheet.append(row)
    book.save(work / "c.xlsx")
    (work / "m.toml").write_text(READ + NAMES, "utf-8")


def test_a_mapping_says_how_the_file_is_read_and_options_go_first(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    read_by_the_mapping(work)
    assert importer("validate", "c.xlsx", "--mapping", "m.toml").code == ExitCode.ROWS_LEFT
    facts = importer("inspect", "c.xlsx", "--mapping", "m.toml", "--json").json
    assert (facts["sheet"], facts["header_row"]) == ("Kunden", 3)
    assert [column["field"] for column in facts["columns"]] == ["first_name", "last_name"]
    assert importer("mapping", "check", "m.toml", "c.xlsx").code == ExitCode.DONE
    assert importer("run", "c.xlsx", "--mapping", "m.toml", "--report-dir", "out").code == ExitCode.ROWS_LEFT
    assert [row["_row"] for row in results(work / "out")] == ["4", "5"]
    assert stored(box) == [{"first_name": "Ann", "last_name": "Lee"}]
    other = importer("validate", "c.xlsx", "--mapping", "m.toml", "--header-row", 2, "--report-dir", "other")
    assert other.code == ExitCode.ROWS_LEFT
    assert [row["_row"] for row in results(work / "other")] == ["3", "4", "5"]


def test_a_report_is_read_as_it_is_whatever_its_mapping_says(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    read_by_the_mapping(work)
    importer("run", "c.xlsx", "--mapping", "m.toml", "--report-dir", "out")
    book = openpyxl.load_workbook(work / "out" / "rejects.xlsx")
    columns = header(book.active)
    book.active.cell(2, columns["F"]).value = "Bo"
    book.save(work / "out" / "rejects.xlsx")
    assert importer("run", "out/rejects.xlsx", "--mapping", "m.toml").code == ExitCode.DONE
    assert {"first_name": "Bo", "last_name": "Ek"} in stored(box)


@pytest.mark.parametrize(
    ("read", "code"),
    [("header_row = 0", "mapping-bad-choice"), ("row = 3", "mapping-unknown-key")],
)
def test_a_mistake_in_how_to_read_is_told_with_its_line(
    importer: Command, work: Path, read: str, code: str
) -> None:
    (work / "m.toml").write_text(f"[read]\n{read}\n{NAMES}", "utf-8")
    done = importer("mapping", "check", "m.toml")
    assert done.code == ExitCode.INPUT
    assert "line 2" in done.err
    assert f"[{code}" in done.err
