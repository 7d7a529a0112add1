"""Rows that share a contact: both are shown with names, and what is said stays true while they change."""

from __future__ import annotations

import re
from pathlib import Path

import openpyxl
import pytest

from importer.sandbox import Sandbox
from tests.support.web import WebPage, run_of, text_of

HEAD = "first_name,last_name,sms_phone,email\n"
PAIRS = "correct?show=all&code=same-contact&column="
ROSA = "Rosa,Gil,+523312345678,family@gil.net"
PEDRO = "Pedro,Gil,+523387654321,family@gil.net"
DIFFER = "Row 2 (Rosa Gil) and row 3 (Pedro Gil) share “family@gil.net”, and their names differ"


def shown(page: WebPage, work: str) -> str:
    return text_of(page.get(f"{work}/{PAIRS}"))


def test_two_people_with_one_address_stand_side_by_side_and_both_arrive(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    work = page.begin(tmp_path, HEAD, ROSA, PEDRO)
    assert DIFFER in shown(page, work)
    grid = page.get(f"{work}/{PAIRS}").text
    assert re.findall(r'<th scope="row"><span class="n">(\d+)</span>', grid) == ["2", "3"]
    page.correct(work, 3, "email", "")
    assert "Row 2 and row 3 no longer share a contact" in shown(page, work)
    page.post(f"{work}/undo")
    assert DIFFER in shown(page, work)
    page.correct(work, 2, "email", take="")  # the earlier row, which has no problem of its own
    assert "no longer share a contact" in shown(page, work)
    page.check(work)
    result = page.send(work)
    assert "Overwritten" not in text_of(result)
    names = {(one.fields["first_name"], one.fields.get("email")) for one in box.customers()}
    assert names == {("Rosa", None), ("Pedro", "family@gil.net")}


def test_what_is_still_shared_after_a_correction_is_named(page: WebPage, tmp_path: Path) -> None:
    both = "+523312345678,family@gil.net"
    work = page.begin(tmp_path, HEAD, f"Rosa,Gil,{both}", f"Pedro,Gil,{both}")
    assert "share “523312345678”" in shown(page, work)
    page.correct(work, 2, "sms_phone", "+523312345679")
    assert DIFFER in shown(page, work)
    page.correct(work, 3, "email", "pedro@gil.net")
    assert "no longer share a contact" in shown(page, work)


def test_a_row_that_is_left_out_shares_nothing(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, ROSA, PEDRO)
    page.post(f"{work}/row", {"place": "1", "row": "2", "do": "leave"})
    assert "no longer share a contact" in shown(page, work)


def test_the_same_name_is_taken_for_one_customer(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, ROSA, "ROSA,Gíl,+523387654321,family@gil.net")
    assert "share “family@gil.net” and the name: probably one customer, entered twice" in shown(page, work)


def test_three_rows_of_one_contact_stand_together_once(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(
        tmp_path, HEAD, ROSA, "Ann,Lee,+8613800138000,ann@lee.net", PEDRO, "Eva,Gil,,family@gil.net"
    )
    grid = page.get(f"{work}/{PAIRS}").text
    assert re.findall(r'<th scope="row"><span class="n">(\d+)</span>', grid) == ["2", "4", "5"]
    assert "Row 2 (Rosa Gil) and row 5 (Eva Gil)" in text_of(page.get(f"{work}/{PAIRS}"))


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("update", "Row 2 (Rosa Gil) was overwritten by row 3 (Pedro Gil)"),
        ("keep", "Row 3 (Pedro Gil) has the same “family@gil.net” as row 2 (Rosa Gil)"),
    ],
)
def test_the_result_names_who_was_overwritten(page: WebPage, tmp_path: Path, mode: str, said: str) -> None:
    work = page.begin(tmp_path, HEAD, ROSA, PEDRO)
    result = page.send(work, mode=mode)
    assert said in text_of(result)
    assert said in text_of(page.get(f"/runs/{run_of(result)}")), "the history tells it, too"
    report = text_of(page.get(f"/runs/{run_of(result)}/files/report.html"))
    assert ("But 1 row was overwritten by another person" in report) == (mode == "update")
    assert "Pedro Gil" in report, "the row that was overwritten names who took its place"
    assert f"{work}/correct?show=all" in page.get(f"/runs/{run_of(result)}").text


def test_only_the_first_row_is_sent_on_request_and_nobody_is_said_to_be_overwritten(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    work = page.begin(tmp_path, HEAD, ROSA, PEDRO)
    found = page.site.works.get(work.removeprefix("/w/")).check
    assert found is not None
    at = [kind.code for kind in found.kinds].index("same-contact")
    page.post(f"{work}/remedy", {"kind": str(at), "do": "one-row"})
    page.wait(work)
    result = page.send(work)
    assert "overwritten" not in text_of(result).lower()
    assert len(box.customers()) == 1


FAMILY = (
    "Yves,Gil,+523312345678,yves@gil.net",
    "Pedro,Gil,+523312345678,pedro@gil.net",
    "Eva,Gil,+523312345678,yves@gil.net",
    "Yves,Gil,+523312345678,",
)
APART = "keep the phone or e-mail with the first, leave it out of the others"


def apart(page: WebPage, work: str) -> None:
    """Press the button that says that people of different names are different people."""
    grid = page.get(f"{work}/{PAIRS}").text
    kind = grid.split('name="do" value="apart"')[0].rsplit('name="kind" value="', 1)[1].split('"')[0]
    page.post(f"{work}/all", {"kind": kind, "do": "apart"})


def test_a_family_keeps_its_phone_with_the_first_row_and_is_not_warned_again(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    work = page.begin(tmp_path, HEAD, *FAMILY)
    assert f"{APART} (2 rows)" in shown(page, work), "the last row is the first customer once more"
    apart(page, work)
    after = shown(page, work)
    assert APART not in after
    assert "neither a phone nor an e-mail" not in after
    assert "Row 2 and row 4 no longer share a contact" in after
    checked = text_of(page.check(work))
    assert "No phone, no e-mail" not in checked
    assert "Phone and e-mail left out here" in checked, "it is noted"
    result = page.send(work)
    assert "No phone, no e-mail" not in text_of(result)
    stored = {(one.fields["first_name"], one.fields.get("sms_phone")) for one in box.customers()}
    assert stored == {("Yves", "523312345678"), ("Pedro", None), ("Eva", None)}


def test_a_family_that_was_merged_by_a_hasty_import_is_repaired_from_the_result(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    people = ("Soizic,Gil,+523312345678,soizic@gil.net", "Enora,Gil,+523312345678,", "Yves,Gil,,yves@gil.net")
    work = page.begin(tmp_path, HEAD, *people)
    result = page.send(work)
    assert "3 rows are done, but 1 customer was overwritten by somebody with" in text_of(result)
    assert {one.fields["first_name"] for one in box.customers()} == {"Enora", "Yves"}
    assert f"{work}/{PAIRS}" in result.text.replace("&amp;", "&"), "the way to take them apart"
    apart(page, work)
    page.check(work)
    page.post(f"{work}/scope", {"do": "changed"})
    page.wait(work)
    page.send(work)
    stored = {(one.fields["first_name"], one.fields.get("sms_phone")) for one in box.customers()}
    assert stored == {("Soizic", "523312345678"), ("Enora", None), ("Yves", None)}


def test_people_are_taken_apart_in_one_step_that_can_be_taken_back(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, *FAMILY)
    apart(page, work)
    page.post(f"{work}/undo")
    assert f"{APART} (2 rows)" in shown(page, work)
    assert page.site.works.corrections(page.site.works.get(work.removeprefix("/w/"))) == {}


def test_of_a_cell_with_several_phones_only_the_shared_one_is_left_out(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    rows = ("Yves,Gil,+523312345678,", "Pedro,Gil,+523312345678 / +523387654321,")
    work = page.begin(tmp_path, HEAD, *rows)
    apart(page, work)
    page.check(work)
    page.send(work)
    stored = {(one.fields["first_name"], one.fields.get("sms_phone")) for one in box.customers()}
    assert stored == {("Yves", "523312345678"), ("Pedro", "523387654321")}


def test_script_in_names_and_names_of_lists_stays_text(page: WebPage, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    work = page.begin(tmp_path, HEAD, f"{evil},Gil,,family@gil.net", f"Pedro,{evil},,family@gil.net")
    answer = page.post(f"{work}/lists?name={evil}.csv", b"email\nsomebody@else.net\n")
    assert answer.status_code == 201
    page.wait(work)
    pages = [page.get(f"{work}/{PAIRS}"), page.get(f"{work}/import"), page.send(work)]
    assert "Row 2 (&lt;img src=x" in pages[0].text
    assert "(&lt;img src=x onerror=alert(1)&gt; Gil) was overwritten" in pages[2].text
    for one in pages:
        assert "<img" not in one.text


@pytest.mark.parametrize("own", ["+8613800138001", "+8613800138000"])
def test_a_contact_written_into_a_merged_cell_is_that_rows_own(
    page: WebPage, box: Sandbox, tmp_path: Path, own: str
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        HEAD.strip().split(","),
        ["Karl", "Fu", "+8613800138000", "karl@fu.net"],
        ["Lene", "Fu", None, "lene@fu.net"],
        ["Bo", "Li", "+8613800138002", "bo@li.net"],
    ):
        sheet.append(row)
    sheet.merge_cells("C2:C3")
    book.save(tmp_path / "family.xlsx")
    work = page.upload(tmp_path / "family.xlsx")
    page.checked(work)
    assert "this row goes without it" in text_of(page.get(f"{work}/correct?show=all"))
    assert page.correct(work, 3, "sms_phone", own).ok
    checked = text_of(page.check(work))
    assert "3 valid" in checked
    assert "Corrected before the cell changed" not in checked
    page.send(work)
    sent = {one.fields["first_name"]: one.fields.get("sms_phone") for one in box.customers()}
    assert sent["Lene"] == own.removeprefix("+")
