"""Corrections leave the page as a workbook that a person can open, and come back from it."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest

from importer.sandbox import Sandbox
from tests.support.web import WebPage, text_of


def checked(page: WebPage, table: Path) -> str:
    work = page.upload(table)
    page.checked(work)
    return work


def saved(page: WebPage, work: str) -> openpyxl.Workbook:
    answer = page.get(f"{work}/corrections.xlsx")
    assert "attachment" in answer.headers["content-disposition"]
    return openpyxl.load_workbook(io.BytesIO(answer.content))


def taken(page: WebPage, work: str, book: openpyxl.Workbook) -> str:
    content = io.BytesIO()
    book.save(content)
    answer = page.post(f"{work}/corrections?name=back.xlsx", content.getvalue())
    assert answer.status_code == 201, answer.text
    return text_of(page.get(answer.json()["url"]))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_workbook_brings_the_corrections_to_the_same_file_chosen_again(
    page: WebPage, box: Sandbox, table: Path, lang: str
) -> None:
    page.browser.cookies.set("nxlink-importer-language", lang)
    work = checked(page, table)
    page.correct(work, 2, "Birthday", "1990-02-28")
    page.correct(work, 4, "E-mail", "=cy@gmail.com")
    page.post(f"{work}/row", {"place": "1", "row": "4", "do": "leave"})
    book = saved(page, work)
    lines = list(book.active.iter_rows(values_only=True))
    assert lines[1] == ("", "2", "Birthday", "1990-02-31", "1990-02-28") or lines[1][0] is None
    assert lines[2][4] == "=cy@gmail.com"
    assert {cell.number_format for line in book.active.iter_rows() for cell in line} == {"@"}
    page.browser.cookies.set("nxlink-importer-language", "en")  # the language of the page has changed
    again = checked(page, table)
    assert "3 corrections were loaded" in taken(page, again, book)
    page.check(again)
    page.send(again, again="yes")
    assert {one.fields.get("birthday") for one in box.customers()} == {"1990-02-28", "1991-01-02"}


def test_what_a_person_changes_in_the_workbook_counts_and_can_be_taken_back(
    page: WebPage, table: Path
) -> None:
    work = checked(page, table)
    page.correct(work, 2, "Birthday", "1990-02-28")
    page.correct(work, 4, "Birthday", "1992-04-13")
    book = saved(page, work)
    book.active["E2"] = "1990-02-27"
    book.active["E3"] = book.active["D3"].value  # back to what stands in the file
    assert "2 corrections were loaded" in taken(page, work, book)
    grid = page.get(f"{work}/correct?show=all").text
    assert 'value="1990-02-27"' in grid
    assert 'value="1992-13-04"' in grid
    page.post(f"{work}/undo")
    grid = page.get(f"{work}/correct?show=all").text
    assert 'value="1990-02-28"' in grid
    assert 'value="1992-04-13"' in grid


def test_lines_that_do_not_fit_the_file_are_named_and_the_others_count(page: WebPage, table: Path) -> None:
    work = checked(page, table)
    page.correct(work, 2, "Birthday", "1990-02-28")
    book = saved(page, work)
    for line in (
        ("", "4", "No such column", "", "x"),
        ("", "four", "Birthday", "", "x"),
        ("", "4", "Birthday", "otherwise", "x"),
        ("", "4", "Birthday", None, "1992-04-13"),
    ):
        book.active.append(line)
    said = taken(page, work, book)
    assert "1 correction was loaded" in said
    assert "were not used: 3, 4, 5" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"first_name,last_name\nAnn,Lee\n", "contains no corrections that were saved here"),
        (b"%PDF-1.7 nothing to read", "PDF"),
        (b"", "empty"),
    ],
)
def test_another_file_is_refused_with_a_sentence(
    page: WebPage, table: Path, content: bytes, said: str
) -> None:
    work = checked(page, table)
    answer = page.post(f"{work}/corrections?name=../../other.csv", content)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert not (page.site.works.folder(work.removeprefix("/w/")) / "taken").exists()


def test_a_workbook_of_corrections_is_no_list_of_customers(
    page: WebPage, table: Path, tmp_path: Path
) -> None:
    work = checked(page, table)
    page.correct(work, 2, "Birthday", "1990-02-28")
    path = tmp_path / "corrections.xlsx"
    path.write_bytes(page.get(f"{work}/corrections.xlsx").content)
    assert "contains corrections that were saved here" in text_of(page.get(f"{page.upload(path)}/see"))


def test_a_corrected_cell_says_how_it_will_be_read(page: WebPage, table: Path) -> None:
    work = checked(page, table)
    page.correct(work, 2, "Birthday", "28 Feb 1990")
    assert "read as 1990-02-28" in text_of(page.get(f"{work}/correct"))
    page.correct(work, 2, "Birthday", "1990-02-27")
    assert "read as" not in text_of(page.get(f"{work}/correct"))
