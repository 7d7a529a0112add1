"""Rows that are in already: a corrected cell is sent as an update, a ruined one is told and not sent."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest

from importer.config import Connection
from importer.exit_codes import ExitCode
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary
from tests.support.programs import save_with_libreoffice
from tests.support.workbooks import header

LINES = [
    ["First Name", "Last Name", "WhatsApp", "Email", "Address"],
    ["Ann", "Ames", "8613800000001", "ann@example.com", "1 Road"],
    ["Bo", "Berg", "8613800000002", "bo@example.com", "2 Road"],
    ["Cy", "", "8613800000003", "cy@example.com", "3 Road"],
    ["Di", "Dorn", "8613800000004", "di@example.com", "4 Road"],
]


@pytest.fixture
def annotated(importer: Command, settings: Connection, work: Path) -> Path:
    """annotated.xlsx of a run that imported rows 2, 3 and 5; row 4 is invalid."""
    book = openpyxl.Workbook()
    for line in LINES:
        book.active.append(line)
    book.save(work / "c.xlsx")
    assert importer("run", "c.xlsx", "--excel-report", "--report-dir", "first").code == ExitCode.ROWS_LEFT
    return work / "first" / "annotated.xlsx"


def change(path: Path, cells: dict[tuple[int, str], str]) -> None:
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    names = header(sheet)
    for row in range(2, sheet.max_row + 1):
        for (line, column), value in cells.items():
            if str(sheet.cell(row, names["_row"]).value) == str(line):
                sheet.cell(row, names[column]).value = value
    book.save(path)


def fates(folder: Path) -> dict[str, tuple[str, str]]:
    return {row["_row"]: (row["_status"], row["_code"]) for row in results(folder)}


def addresses(box: Sandbox) -> dict[object, object]:
    return {one.fields["first_name"]: one.fields.get("address") for one in box.customers()}


def test_a_changed_cell_of_a_row_that_is_in_is_sent_and_listed_and_the_others_are_not(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    change(annotated, {(3, "Address"): "22 Road", (4, "Last Name"): "Cole"})
    done = importer("run", annotated, "--report-dir", "again")
    assert done.code == ExitCode.DONE
    assert fates(work / "again") == {
        "2": ("skipped", "imported-before"),
        "3": ("imported", ""),
        "4": ("imported", ""),
        "5": ("skipped", "imported-before"),
    }
    assert addresses(box) == {"Ann": "1 Road", "Bo": "22 Road", "Cy": "3 Road", "Di": "4 Road"}
    assert "correction-sent" in done.out
    assert [one["_issues"] for one in results(work / "again")] == ["", "correction-sent:", "", ""]
    assert len(box.customers()) == 4


def test_a_workbook_that_came_back_unchanged_sends_nothing(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    sent = len(box.requests)
    importer("run", annotated, "--report-dir", "again")
    assert len(box.requests) == sent
    assert [fate for fate, _ in fates(work / "again").values()] == [
        "skipped", "skipped", "invalid", "skipped"
    ]  # fmt: skip


def test_a_cell_that_only_looks_otherwise_is_no_correction(
    importer: Command, annotated: Path, box: Sandbox
) -> None:
    sent = len(box.requests)
    change(annotated, {(2, "WhatsApp"): "+86 138-0000-0001", (3, "Address"): "  2 Road "})
    importer("run", annotated)
    assert len(box.requests) == sent


@pytest.mark.parametrize("ruined", ["8.6138E+12", "86138"])
def test_a_phone_that_a_spreadsheet_program_ruined_is_told_and_not_sent(
    importer: Command, annotated: Path, box: Sandbox, work: Path, ruined: str
) -> None:
    sent = len(box.requests)
    change(annotated, {(2, "WhatsApp"): ruined, (4, "Last Name"): ""})
    importer("run", annotated, "--report-dir", "again")
    assert fates(work / "again")["2"] == ("skipped", "correction-unreadable")
    assert len(box.requests) == sent
    told = next(row for row in results(work / "again") if row["_row"] == "2")
    assert ":WhatsApp" in told["_issues"]


def test_a_corrected_phone_is_sent(importer: Command, annotated: Path, box: Sandbox, work: Path) -> None:
    change(annotated, {(2, "WhatsApp"): "8613800000009"})
    importer("run", annotated, "--report-dir", "again")
    assert fates(work / "again")["2"] == ("imported", "")
    phones = {one.fields["first_name"]: one.fields["whats_app_phone"] for one in box.customers()}
    assert phones["Ann"] == "8613800000009"


def test_what_a_later_run_brought_in_is_overwritten_only_on_request(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    (work / "newer.csv").write_text(
        "First Name,Last Name,WhatsApp,Email,Address\nBo,Berg,8613800000002,bo@example.com,newest\n", "utf-8"
    )
    importer("run", "newer.csv")
    change(annotated, {(3, "Address"): "22 Road"})
    importer("run", annotated, "--report-dir", "again")
    assert fates(work / "again")["3"] == ("not_sent", "newer-import")
    assert addresses(box)["Bo"] == "newest"
    importer("run", annotated, "--overwrite-newer", "--report-dir", "last")
    assert fates(work / "last")["3"][0] == "imported"
    assert addresses(box)["Bo"] == "22 Road"


def test_a_correction_that_was_sent_is_not_sent_again(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    change(annotated, {(3, "Address"): "22 Road"})
    importer("run", annotated)
    sent = len(box.requests)
    importer("run", annotated, "--report-dir", "again")
    assert fates(work / "again")["3"] == ("skipped", "imported-before")
    assert len(box.requests) == sent


def test_mode_keep_sends_no_correction_and_says_so(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    change(annotated, {(3, "Address"): "22 Road"})
    importer("run", annotated, "--mode", "keep", "--report-dir", "again")
    assert fates(work / "again")["3"] == ("skipped", "correction-kept")
    assert addresses(box)["Bo"] == "2 Road"


def test_a_dry_run_says_what_the_run_will_do(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    change(annotated, {(3, "Address"): "22 Road"})
    importer("validate", annotated, "--report-dir", "dry")
    assert fates(work / "dry")["3"][0] == "valid"
    assert fates(work / "dry")["2"] == ("skipped", "imported-before")


def test_the_rows_of_a_run_of_an_earlier_version_are_left_alone_and_that_is_said(
    importer: Command, annotated: Path, box: Sandbox, work: Path, own_surroundings: Path
) -> None:
    import sqlite3

    with sqlite3.connect(own_surroundings / "journal.db") as journal:
        journal.execute("DELETE FROM sent_rows")
    journal.close()
    change(annotated, {(3, "Address"): "22 Road"})
    sent = len(box.requests)
    importer("run", annotated, "--report-dir", "again")
    assert len(box.requests) == sent
    notes = " ".join(summary(work / "again")["notes"])
    assert "the values that an earlier run sent for 3 rows are not known" in notes


def test_a_workbook_whose_rows_were_sorted_and_deleted_is_compared_row_by_row(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    change(annotated, {(5, "Address"): "44 Road"})
    book = openpyxl.load_workbook(annotated)
    sheet = book.worksheets[0]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    for place, line in enumerate([rows[0], rows[4], rows[1]], 1):
        for column, value in enumerate(line, 1):
            sheet.cell(place, column).value = value
    sheet.delete_rows(4, 10)
    book.save(annotated)
    importer("run", annotated, "--report-dir", "again")
    assert addresses(box)["Di"] == "44 Road"
    assert addresses(box)["Ann"] == "1 Road"
    assert sorted(fate for fate, _ in fates(work / "again").values()) == ["imported", "skipped"]


def test_a_table_saved_as_csv_is_compared_too(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    change(annotated, {(3, "Address"): "22 Road"})
    sheet = openpyxl.load_workbook(annotated).worksheets[0]
    with (work / "saved.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([cell.value or "" for cell in row] for row in sheet.iter_rows())
    importer("run", "saved.csv", "--report-dir", "again")
    assert addresses(box)["Bo"] == "22 Road"
    assert fates(work / "again")["2"] == ("skipped", "imported-before")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_rows_of_the_rejects_are_as_tall_as_their_messages(
    importer: Command, settings: Connection, work: Path, lang: str
) -> None:
    (work / "c.csv").write_text(
        "First Name,Last Name,WhatsApp,Birthday\nAnn,,8.6138E+12,31/02/1990\nBo,,+8613800000002,\n", "utf-8"
    )
    importer("run", "c.csv", "--lang", lang, "--report-dir", "out")
    sheet = openpyxl.load_workbook(work / "out" / "rejects.xlsx").worksheets[0]
    heights = [sheet.row_dimensions[row].height or 15 for row in (2, 3)]
    texts = [str(sheet.cell(row, header(sheet)["_message"]).value) for row in (2, 3)]
    for height, text in zip(heights, texts, strict=True):
        columns = sum(2 if ord(character) > 0x2E80 else 1 for character in text)
        assert height / 15 >= columns / 90
    assert heights[0] > heights[1] >= 15


ASIDE = [
    ["First Name", "Last Name", "WhatsApp", "Email", "Address"],
    ["Ann", "Ames", "8613800000001", "ann@example.com", "1 Road"],
    ["Bo", "Berg", "8613800000002", "bo@example.com", "2 Road"],
    ["TOTAL: 2", "customers", "", "", ""],
    ["# checked by Di", "", "", "", ""],
]


@pytest.mark.parametrize("report", ["annotated.xlsx", "results.csv"])
def test_rows_that_hold_no_customer_stay_skipped_when_a_report_comes_back(
    importer: Command, settings: Connection, box: Sandbox, work: Path, report: str
) -> None:
    with (work / "c.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(ASIDE)
    assert importer("run", "c.csv", "--excel-report", "--report-dir", "first").code == ExitCode.DONE
    first = fates(work / "first")
    assert {row: first[row] for row in ("4", "5")} == {
        "4": ("skipped", "footer-row"),
        "5": ("skipped", "comment-row"),
    }
    assert importer("run", f"first/{report}", "--report-dir", "again").code == ExitCode.DONE
    assert {row: fates(work / "again")[row] for row in ("4", "5")} == {row: first[row] for row in ("4", "5")}
    assert set(addresses(box)) == {"Ann", "Bo"}


def test_a_row_that_was_taken_for_a_total_is_sent_once_it_has_a_contact(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    with (work / "c.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(ASIDE)
    importer("run", "c.csv", "--excel-report", "--report-dir", "first")
    change(work / "first" / "annotated.xlsx", {(4, "First Name"): "Total", (4, "Email"): "total@example.com"})
    importer("run", "first/annotated.xlsx", "--report-dir", "again")
    assert fates(work / "again")["4"][0] == "imported"
    assert set(addresses(box)) == {"Ann", "Bo", "Total"}


def test_an_older_report_does_not_undo_what_another_one_has_corrected(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    old = work / "old.xlsx"
    old.write_bytes(annotated.read_bytes())
    change(annotated, {(3, "Address"): "22 Road"})
    change(work / "first" / "rejects.xlsx", {(4, "Last Name"): "Cole", (4, "Address"): "33 Road"})
    assert importer("run", annotated, "--report-dir", "a").code == ExitCode.ROWS_LEFT
    assert importer("run", work / "first" / "rejects.xlsx", "--report-dir", "b").code == ExitCode.DONE
    sent = len(box.requests)
    importer("run", old, "--report-dir", "again")
    assert len(box.requests) == sent
    assert fates(work / "again") == {
        "2": ("skipped", "imported-before"),
        "3": ("not_sent", "newer-import"),
        "4": ("skipped", "correction-unreadable"),
        "5": ("skipped", "imported-before"),
    }
    told = {row["_row"]: row["_message"] for row in results(work / "again")}
    assert str(summary(work / "a")["run"]) in told["3"]
    change(old, {(4, "Last Name"): "Kohl"})
    importer("run", old, "--report-dir", "kohl")
    assert fates(work / "kohl")["4"] == ("not_sent", "newer-import")
    assert addresses(box) == {"Ann": "1 Road", "Bo": "22 Road", "Cy": "33 Road", "Di": "4 Road"}
    assert importer("run", old, "--overwrite-newer").code == ExitCode.DONE
    assert addresses(box) == {"Ann": "1 Road", "Bo": "2 Road", "Cy": "3 Road", "Di": "4 Road"}


def test_what_a_report_of_a_report_brought_in_counts_for_the_first_report(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    rejects = work / "first" / "rejects.xlsx"
    change(rejects, {(4, "Address"): "33 Road"})
    assert importer("run", rejects, "--report-dir", "a").code == ExitCode.ROWS_LEFT
    second = work / "a" / "rejects.xlsx"
    (row,) = results(work / "a")
    change(second, {(int(row["_row"]), "Last Name"): "Cole"})
    assert importer("run", second, "--report-dir", "b").code == ExitCode.DONE
    change(annotated, {(4, "Last Name"): "Cole"})
    importer("run", annotated, "--report-dir", "again")
    assert fates(work / "again")["4"] == ("not_sent", "newer-import")
    assert addresses(box)["Cy"] == "33 Road"


@pytest.mark.parametrize("mode", ["replace", "update"])
@pytest.mark.parametrize("email", ["ann@example.com", ""])
def test_a_corrected_row_does_not_overtake_a_later_row_of_its_file(
    importer: Command, settings: Connection, box: Sandbox, work: Path, mode: str, email: str
) -> None:
    (work / "c.csv").write_text(
        "First Name,Last Name,WhatsApp,Email,Address,Birthday\n"
        "Ann,Ames,8613800000001,ann@example.com,Old Road,31/02/1990\n"
        f"Ann,Ames,8613800000001,{email},New Road,1990-02-28\n"
        "Bo,Berg,8613800000002,,2 Road,1990-02-30\n",
        "utf-8",
    )
    first = importer("run", "c.csv", "--mode", mode, "--yes", "--report-dir", "first")
    assert first.code == ExitCode.ROWS_LEFT
    rejects = work / "first" / "rejects.xlsx"
    change(rejects, {(2, "Birthday"): "1990-02-28", (4, "Birthday"): "1990-02-28"})
    assert importer("run", rejects, "--yes", "--dry-run", "--report-dir", "dry").code == ExitCode.ROWS_LEFT
    assert importer("run", rejects, "--yes", "--report-dir", "again").code == ExitCode.ROWS_LEFT
    for folder in ("dry", "again"):
        (held, other) = results(work / folder)
        assert (held["_status"], held["_code"]) == ("not_sent", "newer-import")
        assert "row 3" in held["_message"]
        assert str(summary(work / "first")["run"]) in held["_message"]
        assert other["_status"] == ("valid" if folder == "dry" else "imported")
    assert addresses(box) == {"Ann": "New Road", "Bo": "2 Road"}
    assert importer("run", rejects, "--yes", "--overwrite-newer").code == ExitCode.DONE
    assert addresses(box)["Ann"] == "Old Road"


def test_rows_of_the_other_sheets_of_the_workbook_count_too(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    book = openpyxl.Workbook()
    head = ("First Name", "Last Name", "WhatsApp", "Address", "Birthday")
    sheets = {
        "First": [("Ann", "Ames", "8613800000001", "1 Road", "31/02/1990"), ("Bo", "Berg", "8613800000002")],
        "Second": [
            ("Al", "Ames", "8613800000001", "2 Road"),
            ("Bea", "Berg", "8613800000002", "", "31/02/1990"),
        ],
    }
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in (head, *rows):
            sheet.append(row)
    del book["Sheet"]
    book.save(work / "c.xlsx")
    importer("run", "c.xlsx", "--sheet", "all", "--report-dir", "first")
    assert set(addresses(box)) == {"Al", "Bo"}
    rejects = work / "first" / "rejects.xlsx"
    change(rejects, {(2, "Birthday"): "1990-02-28", (3, "Birthday"): "1990-02-28"})
    importer("run", rejects, "--report-dir", "again")
    ann, bea = results(work / "again")
    assert (ann["_status"], ann["_code"]) == ("not_sent", "newer-import")
    assert "row 2 on the sheet “Second”" in ann["_message"]
    assert (bea["_status"], bea["_code"], bea["_issues"]) == ("not_sent", "newer-import", "same-contact:")
    assert "Bea Berg would take the place of Bo Berg" in bea["_message"]
    assert "row 3 on the sheet “First”" in bea["_message"]
    assert set(addresses(box)) == {"Al", "Bo"}


def test_an_earlier_row_of_the_file_does_not_hold_a_corrected_one(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "c.csv").write_text(
        "First Name,Last Name,WhatsApp,Address,Birthday\n"
        "Ann,Ames,8613800000001,Old Road,1990-02-28\n"
        "Ann,Ames,8613800000001,New Road,31/02/1990\n",
        "utf-8",
    )
    importer("run", "c.csv", "--report-dir", "first")
    change(work / "first" / "rejects.xlsx", {(3, "Birthday"): "1990-02-28"})
    assert importer("run", work / "first" / "rejects.xlsx").code == ExitCode.DONE
    assert addresses(box) == {"Ann": "New Road"}


def test_a_corrected_row_does_not_overtake_a_later_row_that_shares_one_contact(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    """A family with one phone: the daughter is in, her father's row comes back corrected."""
    (work / "c.csv").write_text(
        "First Name,Last Name,WhatsApp,Email,Birthday\n"
        "Lucas,Barbosa,5511970091009,lucas@example.com,31/02/1990\n"
        "Patricia,Barbosa,5511970091009,patricia@example.com,1990-02-28\n",
        "utf-8",
    )
    importer("run", "c.csv", "--report-dir", "first")
    rejects = work / "first" / "rejects.xlsx"
    change(rejects, {(2, "Birthday"): "1990-02-28"})
    for folder, more in (("dry", ["--dry-run"]), ("again", [])):
        assert importer("run", rejects, "--report-dir", folder, *more).code == ExitCode.ROWS_LEFT
        (held,) = results(work / folder)
        assert (held["_status"], held["_code"]) == ("not_sent", "newer-import")
        assert "row 3" in held["_message"]
        assert str(summary(work / "first")["run"]) in held["_message"]
    assert set(addresses(box)) == {"Patricia"}
    change(rejects, {(2, "WhatsApp"): ""})
    assert importer("run", rejects).code == ExitCode.DONE
    assert set(addresses(box)) == {"Patricia", "Lucas"}


def test_a_cell_that_was_emptied_is_told_where_the_crm_keeps_its_value(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    change(annotated, {(3, "Address"): "", (4, "Last Name"): "Cole", (5, "Last Name"): "Dell"})
    assert importer("run", annotated, "--report-dir", "again").code == ExitCode.DONE
    told = {row["_row"]: row["_issues"] for row in results(work / "again")}
    assert told["3"] == "correction-emptied:Address; correction-sent:"
    assert told["5"] == "correction-sent:"
    assert addresses(box)["Bo"] == "2 Road"


def test_a_cell_that_was_emptied_empties_the_field_where_mode_or_mapping_say_so(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    change(annotated, {(3, "Address"): "", (4, "Last Name"): "Cole"})
    importer("run", annotated, "--mode", "replace", "--yes", "--report-dir", "again")
    assert "correction-emptied" not in next(
        row["_issues"] for row in results(work / "again") if row["_row"] == "3"
    )
    assert not addresses(box)["Bo"]
    change(annotated, {(5, "Address"): ""})
    importer("run", annotated)
    assert addresses(box)["Di"] == "4 Road"
    names = {"first_name": "First Name", "last_name": "Last Name", "whats_app_phone": "WhatsApp"}
    lines = [f'[fields.{field}]\nfrom = "{column}"' for field, column in names.items()]
    lines += ['[fields.email]\nfrom = "Email"', '[fields.address]\nfrom = "Address"\nempty = "send"']
    (work / "m.toml").write_text("\n".join(lines), "utf-8")
    importer("run", annotated, "--mapping", "m.toml", "--overwrite-newer", "--report-dir", "last")
    assert not addresses(box)["Di"]


def test_a_row_whose_contacts_are_all_others_now_may_be_a_second_customer_and_that_is_told(
    importer: Command, annotated: Path, box: Sandbox, work: Path
) -> None:
    change(annotated, {(3, "WhatsApp"): "8613800000099", (3, "Email"): "bob@example.com"})
    change(annotated, {(2, "WhatsApp"): "8613800000098", (4, "Last Name"): "Cole"})
    importer("run", annotated, "--report-dir", "again")
    told = {row["_row"]: row["_issues"] for row in results(work / "again")}
    assert told["2"] == "correction-sent:"
    assert told["3"] == "correction-new-contact:; correction-sent:"
    assert len(box.customers()) == 5


@pytest.mark.parametrize("column", ["WhatsApp", "Last Name"])
def test_a_row_that_went_in_without_contact_is_told_to_become_a_second_customer(
    importer: Command, settings: Connection, box: Sandbox, work: Path, column: str
) -> None:
    (work / "c.csv").write_text("First Name,Last Name,WhatsApp,Email\nDi,Dorn,,\n", "utf-8")
    importer("run", "c.csv", "--report-dir", "first")
    doubtful = work / "first" / "doubtful.xlsx"
    change(doubtful, {(2, column): "8613800000004"})
    assert importer("run", doubtful, "--report-dir", "again").code == ExitCode.DONE
    (row,) = results(work / "again")
    assert "correction-new-contact:" in row["_issues"]
    assert "imported without phone and e-mail" in (work / "again" / "report.html").read_text("utf-8")
    assert len(box.customers()) == 2


def test_doubtful_values_of_rows_that_are_in_are_corrected_in_a_workbook_of_their_own(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "c.csv").write_text(
        "First Name,Last Name,WhatsApp,Email\n"
        "Ann,Ames,8613800000001,ann@example\n"
        "Bo,Berg,8613800000002,bo@example.com\n"
        "Cy,,8613800000003,cy@example\n"
        "Di,Dorn,,\n",
        "utf-8",
    )
    first = importer("run", "c.csv", "--report-dir", "first")
    doubtful = work / "first" / "doubtful.xlsx"
    assert f"importer run {Path('first') / 'doubtful.xlsx'}" in first.out
    sheet = openpyxl.load_workbook(doubtful).worksheets[0]
    names = header(sheet)
    assert [sheet.cell(row, names["_row"]).value for row in range(2, sheet.max_row + 1)] == ["2", "5"]
    bad, fine = sheet.cell(2, names["Email"]), sheet.cell(2, names["WhatsApp"])
    assert bad.fill.fgColor.rgb != fine.fill.fgColor.rgb
    assert bad.comment is not None
    assert "ann@example" in bad.comment.text
    assert "ann@example" in str(sheet.cell(2, names["_message"]).value)
    sent = len(box.requests)
    assert importer("run", doubtful, "--report-dir", "same").code == ExitCode.DONE
    assert len(box.requests) == sent
    change(doubtful, {(2, "Email"): "ann@example.com"})
    assert importer("run", doubtful, "--report-dir", "again").code == ExitCode.DONE
    emails = {one.fields["first_name"]: one.fields.get("email") for one in box.customers()}
    assert emails["Ann"] == "ann@example.com"
    assert not (work / "again" / "doubtful.xlsx").exists()


def test_a_dry_run_and_a_run_without_doubts_write_no_such_workbook(
    importer: Command, settings: Connection, work: Path
) -> None:
    (work / "c.csv").write_text("First Name,Last Name,Email\nAnn,Ames,ann@example\n", "utf-8")
    importer("validate", "c.csv", "--report-dir", "dry")
    (work / "d.csv").write_text("First Name,Last Name,Email\nAnn,Ames,ann@example.com\n", "utf-8")
    importer("run", "d.csv", "--report-dir", "fine")
    for folder in ("dry", "fine"):
        assert not (work / folder / "doubtful.xlsx").exists()


FAMILY = (
    "First Name,Last Name,WhatsApp,Email,Birthday\n"
    "Lena,Lind,8613800000001,,2012-01-05\n"
    "Ole,Lind,,,2014-01-05\n"
    "Uma,Urban,8613800000007,,2014-02-05\n"
)


@pytest.mark.parametrize("more", [[], ["--duplicates", "error"], ["--duplicates", "skip"], ["--strict"]])
def test_a_contact_that_is_typed_in_never_goes_over_the_row_that_has_it_unasked(
    importer: Command, settings: Connection, box: Sandbox, work: Path, more: list[str]
) -> None:
    """A child without a phone gets that of its sister, which is in."""
    (work / "c.csv").write_text(FAMILY, "utf-8")
    importer("run", "c.csv", "--report-dir", "first")
    doubtful = work / "first" / "doubtful.xlsx"
    change(doubtful, {(3, "WhatsApp"): "8613800000001"})
    assert (
        importer("run", doubtful, "--report-dir", "again", *more).code == ExitCode.ROWS_LEFT or "skip" in more
    )
    (row,) = results(work / "again")
    status = {"error": "invalid", "skip": "duplicate", "--strict": "invalid"}.get(
        (more or [""])[-1], "not_sent"
    )
    assert row["_status"] == status
    if "--strict" not in more:
        assert "same-contact" in row["_issues"]
        assert "row 2" in row["_message"]
    if not more:
        assert row["_code"] == "newer-import"
        assert str(summary(work / "first")["run"]) in row["_message"]
    assert set(addresses(box)) == {"Lena", "Ole", "Uma"}
    importer("run", doubtful, "--overwrite-newer", "--report-dir", "asked")
    assert set(addresses(box)) == {"Ole", "Uma"}
    (row,) = results(work / "asked")
    assert "same-contact" in row["_issues"]


def test_a_first_contact_may_make_a_second_customer_and_that_is_told(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "c.csv").write_text(FAMILY, "utf-8")
    importer("run", "c.csv", "--report-dir", "first")
    change(work / "first" / "doubtful.xlsx", {(3, "WhatsApp"): "8613800000004"})
    done = importer("run", "first/doubtful.xlsx", "--report-dir", "again")
    (row,) = results(work / "again")
    assert row["_issues"] == "correction-new-contact:; correction-sent:"
    assert "second customer" in done.out
    assert len(box.customers()) == 4


def one_phone(importer: Command, work: Path, *more: str) -> None:
    """Import two people with one phone, of whom only the second comes in, and correct the first in r1."""
    head = "First Name,Last Name,WhatsApp,Birthday\n"
    rows = ("Ann,Ames,8613800000001,31/02/2012\n", "Bo,Berg,8613800000001,2014-02-05\n", *more)
    (work / "c.csv").write_text(head + "".join(rows), "utf-8")
    importer("run", "c.csv", "--report-dir", "r1")
    change(work / "r1" / "rejects.xlsx", {(2, "Birthday"): "2012-02-05"})


def test_a_row_that_was_held_back_is_held_again_when_the_report_of_that_run_comes_back(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    one_phone(importer, work, "Cy,Cole,8613800000003,31/02/2012\n")
    for number in (2, 3, 4):
        report = work / f"r{number - 1}" / "rejects.xlsx"
        assert importer("run", report, "--report-dir", f"r{number}").code == ExitCode.ROWS_LEFT
        held = next(row for row in results(work / f"r{number}") if row["First Name"] == "Ann")
        assert (held["_status"], held["_code"]) == ("not_sent", "newer-import")
        assert "row 3" in held["_message"]
        assert str(summary(work / "r1")["run"]) in held["_message"]
    assert set(addresses(box)) == {"Bo"}
    rejects = work / "r4" / "rejects.xlsx"
    importer("run", rejects, "--overwrite-newer", "--report-dir", "asked")
    assert set(addresses(box)) == {"Ann"}


def test_a_row_that_a_dry_run_held_back_is_held_when_the_rejects_of_the_dry_run_come_back(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    one_phone(importer, work)
    importer("run", "r1/rejects.xlsx", "--dry-run", "--report-dir", "dry")
    assert importer("run", "dry/rejects.xlsx", "--report-dir", "r2").code == ExitCode.ROWS_LEFT
    assert [row["_code"] for row in results(work / "r2")] == ["newer-import"]
    assert set(addresses(box)) == {"Bo"}


def test_a_held_row_goes_once_it_does_not_share_the_contact_any_more(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    one_phone(importer, work)
    importer("run", "r1/rejects.xlsx", "--report-dir", "r2")
    change(work / "r2" / "rejects.xlsx", {(2, "WhatsApp"): "8613800000008"})
    assert importer("run", "r2/rejects.xlsx").code == ExitCode.DONE
    assert set(addresses(box)) == {"Ann", "Bo"}


def test_a_corrected_row_tells_which_earlier_row_of_its_file_it_goes_over(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "c.csv").write_text(
        "First Name,Last Name,WhatsApp,Birthday\n"
        "Bo,Berg,8613800000001,2014-02-05\n"
        "Ann,Ames,8613800000001,31/02/2012\n",
        "utf-8",
    )
    importer("run", "c.csv", "--report-dir", "first")
    change(work / "first" / "rejects.xlsx", {(3, "Birthday"): "2012-02-05"})
    options = {
        "invalid": ("--duplicates", "error"),
        "duplicate": ("--duplicates", "skip"),
        "not_sent": (),
        "imported": ("--overwrite-newer",),
    }
    for status, more in options.items():
        done = importer("run", "first/rejects.xlsx", *more, "--report-dir", status)
        (row,) = results(work / status)
        assert row["_status"] == status
        assert "same-contact" in row["_issues"]
        assert "row 2" in row["_message"] + done.out
        assert set(addresses(box)) == ({"Ann"} if status == "imported" else {"Bo"})


def test_under_strict_a_correction_beside_a_doubtful_value_is_invalid_and_not_skipped(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "c.csv").write_text(
        "First Name,Last Name,WhatsApp,Email,Birthday\nAnn,Ames,8613800000001,ann@example,2012-02-05\n",
        "utf-8",
    )
    importer("run", "c.csv", "--report-dir", "first")
    change(work / "first" / "doubtful.xlsx", {(2, "Birthday"): "2012-02-06"})
    done = importer("run", "first/doubtful.xlsx", "--strict", "--report-dir", "again")
    assert done.code == ExitCode.ROWS_LEFT
    (row,) = results(work / "again")
    assert row["_status"] == "invalid"
    assert "bad-email" in row["_issues"]
    assert "ann@example" in row["_message"]


def rearrange(path: Path, *, keep: set[str], column: str = "") -> None:
    """Sort the rows the other way round, delete those that are not kept, and add a column in front."""
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    place = header(sheet)["_row"] - 1
    names, *rows = ([cell.value for cell in row] for row in sheet.iter_rows())
    rows = [row for row in reversed(rows) if str(row[place]) in keep]
    sheet.delete_rows(1, sheet.max_row)
    for row in ([column, *names], *([f"seen {number}", *row] for number, row in enumerate(rows))):
        sheet.append(row if column else row[1:])
    book.save(path)


@pytest.mark.extras
@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
@pytest.mark.parametrize("column", ["", "Checked by me"])
def test_a_report_that_libreoffice_saved_sorted_and_cut_brings_in_the_right_rows(
    importer: Command, annotated: Path, box: Sandbox, work: Path, suffix: str, column: str
) -> None:
    change(annotated, {(3, "Address"): "22 Road", (4, "Last Name"): "Cole"})
    rearrange(annotated, keep={"3", "4", "5"}, column=column)
    saved = save_with_libreoffice(annotated, work, suffix)
    assert importer("run", saved, "--report-dir", "again").code == ExitCode.DONE
    assert fates(work / "again") == {
        "2": ("skipped", "imported-before"),
        "3": ("imported", ""),
        "4": ("imported", ""),
    }
    assert addresses(box) == {"Ann": "1 Road", "Bo": "22 Road", "Cy": "3 Road", "Di": "4 Road"}
    assert len(box.customers()) == 4


@pytest.mark.extras
@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_rejects_that_libreoffice_saved_bring_in_what_was_corrected_and_say_what_was_not(
    importer: Command, settings: Connection, box: Sandbox, work: Path, suffix: str
) -> None:
    (work / "c.csv").write_text(
        "First Name,Last Name,WhatsApp,Birthday\n"
        "Ann,,8613800000001,1990-02-28\n"
        "Bo,Berg,8613800000002,31/02/1990\n"
        "Cy,Cole,8.6138E+12,1990-02-28\n",
        "utf-8",
    )
    importer("run", "c.csv", "--report-dir", "first")
    rejects = work / "first" / "rejects.xlsx"
    change(rejects, {(2, "Last Name"): "Ames", (3, "Birthday"): "1990-02-28"})
    rearrange(rejects, keep={"2", "3", "4"}, column="Checked by me")
    saved = save_with_libreoffice(rejects, work, suffix)
    assert importer("run", saved, "--report-dir", "again").code == ExitCode.ROWS_LEFT
    told = {row["First Name"]: (row["_status"], row["_issues"]) for row in results(work / "again")}
    assert told["Ann"][0] == told["Bo"][0] == "imported"
    assert told["Cy"] == ("invalid", "lossy-number:WhatsApp")
    assert {one.fields["whats_app_phone"] for one in box.customers()} == {"8613800000001", "8613800000002"}


@pytest.mark.extras
@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_a_file_of_ones_own_that_was_corrected_and_saved_by_libreoffice_goes_in_whole(
    importer: Command, annotated: Path, box: Sandbox, work: Path, suffix: str
) -> None:
    book = openpyxl.load_workbook(work / "c.xlsx")
    book.active["B4"] = "Cole"
    book.active["E3"] = "22 Road"
    book.save(work / "mine.xlsx")
    saved = save_with_libreoffice(work / "mine.xlsx", work / "first", suffix)
    assert importer("run", saved, "--report-dir", "again").code == ExitCode.DONE
    assert addresses(box) == {"Ann": "1 Road", "Bo": "22 Road", "Cy": "3 Road", "Di": "4 Road"}
    assert len(box.customers()) == 4
