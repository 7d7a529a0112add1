"""The same file once more: the page knows the earlier import, and what was corrected for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from importer.models import Mode
from importer.options import RunOptions
from importer.pipeline.session import Session
from importer.sandbox import Sandbox
from tests.support.web import WebPage, run_of, text_of

TAKE = "Use last time’s 2 corrections"


def imported_with_corrections(page: WebPage, table: Path) -> str:
    work = page.upload(table)
    page.checked(work)
    page.correct(work, 2, "Birthday", "1990-02-28")
    page.correct(work, 4, "E-mail", "cy@gmail.com")
    page.check(work)
    page.send(work)
    return work


def take_over(page: WebPage, work: str) -> str:
    """Press the button of the corrections of last time. Returns the words of the page that follows."""
    run = page.get(f"{work}/see").text.split('name="run" value="')[1].split('"')[0]
    return text_of(page.post(f"{work}/earlier-corrections", {"run": run}))


def test_the_corrections_of_last_time_are_missed_and_taken_over_with_one_click(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    imported_with_corrections(page, table)
    again = page.upload(table)
    assert TAKE in text_of(page.get(f"{again}/see"))
    page.checked(again)
    shown = text_of(page.get(f"{again}/import"))
    assert "2 cells that were corrected at that time are uncorrected in this file" in shown
    assert TAKE in shown
    take_over(page, again)
    page.wait(again)
    assert "2 valid" in text_of(page.get(f"{again}/check"))
    shown = text_of(page.get(f"{again}/import"))
    assert "All 2 cells that were corrected at that time are corrected here, too" in shown
    assert TAKE not in shown
    page.send(again, again="yes")
    assert {customer.fields.get("birthday") for customer in box.customers()} == {"1990-02-28", "1991-01-02"}


def test_they_can_be_taken_over_before_the_columns_are_matched_and_taken_back(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    imported_with_corrections(page, table)
    again = page.upload(table)
    assert "All 2 cells that were corrected at that time" in take_over(page, again)
    page.checked(again)
    assert "2 valid" in text_of(page.get(f"{again}/check"))
    page.post(f"{again}/undo")
    assert TAKE in text_of(page.get(f"{again}/see"))


def test_a_cell_that_is_corrected_here_keeps_this_correction(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    imported_with_corrections(page, table)
    again = page.upload(table)
    page.checked(again)
    page.correct(again, 2, "Birthday", "1990-02-27")
    assert "Use last time’s correction " in text_of(page.get(f"{again}/see"))
    take_over(page, again)
    page.wait(again)
    page.send(again, again="yes")
    assert {customer.fields.get("birthday") for customer in box.customers()} == {"1990-02-27", "1991-01-02"}


def test_corrections_that_are_gone_are_said_to_be(page: WebPage, box: Sandbox, table: Path) -> None:
    first = imported_with_corrections(page, table)
    page.post(f"{first}/delete")
    again = page.upload(table)
    page.checked(again)
    for step in ("see", "import"):
        shown = text_of(page.get(f"{again}/{step}"))
        assert "these corrections are no longer on this computer" in shown
        assert "A file of this name and size has been imported before" in shown
    assert "web-imported-before" in page.send(again).text
    answer = page.post(f"{again}/earlier-corrections", {"run": "nonsense"})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("lang", "accepted", "kept"),
    [("en", "accepted", "stayed as they were"), ("zh", "已接受", "保持原样")],
)
def test_a_run_that_keeps_known_customers_does_not_say_that_the_crm_has_their_rows(
    page: WebPage, table: Path, lang: str, accepted: str, kept: str
) -> None:
    imported_with_corrections(page, table)
    page.browser.cookies.set("nxlink-importer-language", lang)
    again = page.upload(table)
    page.checked(again)
    result = page.send(again, mode="keep", again="yes")
    report = page.get(f"/runs/{run_of(result)}/files/report.html")
    for shown in map(text_of, (result, report)):
        assert accepted in shown
        assert kept in shown
    assert "The CRM has it" not in report.text
    assert "CRM 已收到" not in report.text
    assert "1 imported" not in text_of(result)


def grown(table: Path) -> Path:
    """The same list as it stood, some time later: one more customer above the others."""
    lines = table.read_text("utf-8").splitlines()
    path = table.with_name("grown.csv")
    path.write_text("\n".join([lines[0], "Di Oh,di@oh.net,+8613800138009,1993-01-02", *lines[1:]]), "utf-8")
    return path


def test_a_list_that_has_grown_does_not_undo_the_corrections_of_its_old_rows_unseen(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    imported_with_corrections(page, table)
    again = page.upload(grown(table))
    page.checked(again)
    page.post(f"{again}/scope", {"do": "changed"})
    page.wait(again)
    for step in ("check", "import"):
        shown = text_of(page.get(f"{again}/{step}"))
        assert "Corrected in an earlier import, but uncorrected again in this file: 2 rows" in shown
        assert "Row 3 Ann Lee Row 5 Cy Ko" in shown
    assert "web-undoes-corrections" in page.send(again).text
    page.post(f"{again}/told/corrected-before")
    page.wait(again)
    for step in ("check", "import"):
        assert "uncorrected again" not in text_of(page.get(f"{again}/{step}"))
    assert "1 valid" in text_of(page.get(f"{again}/check"))
    page.send(again)
    birthdays = {str(one.fields["email"]): one.fields.get("birthday") for one in box.customers()}
    assert birthdays["ann@lee.net"] == "1990-02-28"
    assert len(birthdays) == 3


def reported(page: WebPage, run: str, name: str, folder: Path, changes: dict[str, dict[str, str]]) -> str:
    """Correct cells in a report by hand, by row number and column, and import it. Returns its run."""
    path = folder / name
    path.write_bytes(page.get(f"/runs/{run}/files/{name}").content)
    book = openpyxl.load_workbook(path)
    lines = list(book.active.iter_rows())
    names = [cell.value for cell in lines[0]]
    for line in lines[1:]:
        for column, text in changes.get(str(line[names.index("_row")].value), {}).items():
            line[names.index(column)].value = text
    book.save(path)
    work = page.upload(path)
    page.checked(work)
    return run_of(page.send(work))


def test_what_was_corrected_in_reports_is_not_undone_by_a_list_that_has_grown(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    first = page.upload(table)
    page.checked(first)
    page.correct(first, 2, "Name", "Anna Lee")  # in the grid; its date is still wrong
    page.check(first)
    run = run_of(page.send(first))
    fixed = {"2": {"Birthday": "1990-02-28"}, "4": {"Birthday": "1992-12-04"}}
    second = reported(page, run, "rejects.xlsx", table.parent, fixed)
    reported(page, second, "doubtful.xlsx", table.parent, {"3": {"E-mail": "cy@gmail.com"}})
    stored = {(one.fields["first_name"], one.fields["email"]) for one in box.customers()}
    assert {("Anna", "ann@lee.net"), ("Cy", "cy@gmail.com")} <= stored
    again = page.upload(grown(table))
    shown = text_of(page.checked(again))
    assert "Corrected in an earlier import, but uncorrected again in this file: 2 rows" in shown
    assert "Row 3 Ann Lee Row 5 Cy Ko" in shown
    assert "web-undoes-corrections" in page.send(again).text
    page.post(f"{again}/told/corrected-before")
    page.wait(again)
    assert "4 valid" in text_of(page.get(f"{again}/check"))
    page.send(again)
    after = {(one.fields["first_name"], one.fields["birthday"]) for one in box.customers()}
    assert after >= {("Anna", "1990-02-28"), ("Cy", "1992-12-04")}


def test_corrections_of_the_same_file_and_of_its_reports_are_taken_over_with_one_click(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    first = page.upload(table)
    page.checked(first)
    page.correct(first, 2, "Birthday", "1990-02-28")
    page.check(first)
    run = run_of(page.send(first))
    reported(page, run, "rejects.xlsx", table.parent, {"4": {"Birthday": "1992-12-04"}})
    again = page.upload(table)
    page.checked(again)
    shown = text_of(page.get(f"{again}/import"))
    assert TAKE in shown
    assert "uncorrected again in this file" not in shown, "one box, one button"
    page.post(f"{again}/earlier-corrections", {"run": run})
    page.wait(again)
    assert "3 valid" in text_of(page.get(f"{again}/check"))
    page.post(f"{again}/undo")
    assert page.site.works.corrections(page.site.works.get(again.removeprefix("/w/"))) == {}


def test_a_row_that_has_changed_elsewhere_keeps_its_correction(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    imported_with_corrections(page, table)
    later = grown(table)
    later.write_text(later.read_text("utf-8").replace("ann@lee.net", "ann.lee@new.net"), "utf-8")
    again = page.upload(later)
    shown = text_of(page.checked(again))
    assert "uncorrected again in this file: 2 rows" in shown
    assert "Row 3 Ann Lee Row 5 Cy Ko" in shown
    page.post(f"{again}/told/corrected-before")
    page.wait(again)
    page.send(again)
    stored = {(one.fields["email"], one.fields.get("birthday")) for one in box.customers()}
    assert ("ann.lee@new.net", "1990-02-28") in stored


def test_other_people_with_the_same_bad_cell_are_not_called_corrected(page: WebPage, table: Path) -> None:
    imported_with_corrections(page, table)
    later = grown(table)
    later.write_text(later.read_text("utf-8").replace("Ann Lee,ann@", "Zoe Lee,zoe@"), "utf-8")
    again = page.upload(later)
    assert "uncorrected again in this file: 1 row" in text_of(page.checked(again))


@pytest.mark.parametrize("there", [True, False])
def test_reports_that_were_corrected_and_imported_elsewhere_count_as_long_as_they_are_there(
    page: WebPage, box: Sandbox, table: Path, tmp_path: Path, there: bool
) -> None:
    first = page.upload(table)
    page.checked(first)
    run = run_of(page.send(first))
    path = tmp_path / "rejects.csv"
    text = page.get(f"/runs/{run}/files/rejects.csv").content
    path.write_bytes(text.replace(b"1990-02-31", b"1990-02-28"))
    options = replace(RunOptions(), mode=Mode.UPDATE, report_dir=tmp_path / "reports")
    with Session.open(page.site.settings()) as session:
        assert session.start(path, options) is not None
    if not there:
        path.unlink()
    again = page.upload(grown(table))
    shown = text_of(page.checked(again))
    assert ("uncorrected again in this file: 1 row" in shown) == there
    assert ("rejects.csv was corrected and imported on the command line" in shown) != there


def test_rows_of_a_report_that_did_not_come_in_are_not_called_corrected(page: WebPage, table: Path) -> None:
    first = page.upload(table)
    page.checked(first)
    run = run_of(page.send(first))
    fixed = {"2": {"Birthday": "1990-02-30"}, "4": {"Birthday": "1992-12-04"}}
    reported(page, run, "rejects.xlsx", table.parent, fixed)
    again = page.upload(grown(table))
    shown = text_of(page.checked(again))
    assert "uncorrected again in this file: 1 row" in shown
    assert "Row 5 Cy Ko" in shown


def test_a_report_that_was_corrected_as_text_counts_as_well(page: WebPage, table: Path) -> None:
    first = page.upload(table)
    page.checked(first)
    run = run_of(page.send(first))
    path = table.with_name("rejects.csv")
    text = page.get(f"/runs/{run}/files/rejects.csv").content
    path.write_bytes(text.replace(b"1990-02-31", b"1990-02-28"))
    work = page.upload(path)
    page.checked(work)
    page.send(work)
    again = page.upload(grown(table))
    shown = text_of(page.checked(again))
    assert "uncorrected again in this file: 1 row" in shown
    assert "Row 3 Ann Lee" in shown


def test_what_a_workbook_of_corrections_brought_is_not_undone_either(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    imported_with_corrections(page, table)
    earlier = page.site.works.recent()[0]
    workbook = page.get(f"/w/{earlier.id}/corrections.xlsx").content
    page.post(f"/w/{earlier.id}/delete")
    first = page.upload(table)
    page.checked(first)
    assert page.post(f"{first}/corrections?name=corrections.xlsx", workbook).status_code == 201
    page.check(first)
    page.send(first, again="yes")
    again = page.upload(grown(table))
    assert "uncorrected again in this file: 2 rows" in text_of(page.checked(again))


def test_a_person_may_send_the_old_texts_on_purpose(page: WebPage, box: Sandbox, table: Path) -> None:
    imported_with_corrections(page, table)
    again = page.upload(grown(table))
    page.checked(again)
    assert "/runs/" in page.send(again, undo="yes").url


def test_rows_that_differ_in_more_than_their_running_number_are_others(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    lines = table.read_text("utf-8").splitlines()
    numbered = [f"{number},{line}" for number, line in enumerate(lines[1:], 1)]
    table.write_text("\n".join([f"No,{lines[0]}", *numbered]), "utf-8")
    imported_with_corrections(page, table)
    later = table.with_name("later.csv")
    rows = [f"{number},{line}" for number, line in enumerate(["Di Oh,di@oh.net,,", *lines[1:]], 1)]
    rows = [row.replace("Cy Ko", "Cyd Ko") for row in rows]
    later.write_text("\n".join([f"No,{lines[0]}", *rows]), "utf-8")
    again = page.upload(later)
    shown = text_of(page.checked(again))
    assert "uncorrected again in this file: 1 row" in shown
    assert "Row 3 Ann Lee" in shown


@pytest.mark.parametrize("bad", [True, False])
def test_only_new_rows_of_a_file_without_any_end_on_a_page_that_says_so(
    page: WebPage, box: Sandbox, table: Path, bad: bool
) -> None:
    lines = table.read_text("utf-8").splitlines(keepends=True)
    table.write_text("".join(lines if bad else lines[0:3:2]), "utf-8")
    first = page.upload(table)
    page.checked(first)
    page.send(first)
    again = page.upload(table)
    page.checked(again)
    page.post(f"{again}/scope", {"do": "changed"})
    page.wait(again)
    assert page.get(f"/tasks/{again.removeprefix('/w/')}/now").json()["url"].endswith("/import")
    answer = page.get(f"{again}/check?then=import")
    assert answer.url.endswith("/import")
    shown = text_of(answer)
    assert "Done: nothing new" in shown
    assert "the CRM already has 1 row of this file" in shown
    assert "They came in with:" in shown
    assert ("2 rows can be sent only after correction" in shown) == bad
    assert "If the CRM knows a customer already" not in shown
    assert page.get(f"{again}/check").url.endswith("/check")
    page.post(f"{again}/scope", {"do": "all"})
    page.wait(again)
    assert "Done: nothing new" not in text_of(page.get(f"{again}/import"))
