"""The grid: whose row it is, what is wrong where it is seen at once, and people with one name."""

from __future__ import annotations

import re
from pathlib import Path

from importer.sandbox import Sandbox
from tests.support.web import WebPage, run_of, text_of

HEAD = "No,City,Phone,First name,Last name,E-mail,Born\n"
LINES = (
    "1,Malang,+6281234567890,Siti,-,siti@toko.id,1990-01-02",
    "2,Malang,+6281234567891,Budi,Santoso,budi@toko.id,1990-02-31",
    "3,Malang,+6281234567892,Sukarno,,su@toko.id,1991-01-02",
)


def heads(page: WebPage, url: str) -> list[str]:
    """The columns of the grid."""
    return re.findall(r'<th scope="col">([^<]*)</th>', page.get(url).text)[1:]


def test_what_is_wrong_stands_beside_the_name_and_other_columns_behind_it(
    page: WebPage, tmp_path: Path
) -> None:
    work = page.begin(tmp_path, HEAD, *LINES)
    names = ["First name", "Last name"]
    assert heads(page, f"{work}/correct") == [*names, "Born"]
    assert heads(page, f"{work}/correct?all=1") == [*names, "Born", "No", "City", "Phone", "E-mail"]


def test_somebody_with_one_name_gets_it_in_both_columns_with_one_click(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    work = page.begin(tmp_path, HEAD, *LINES)
    shown = text_of(page.get(f"{work}/correct"))
    assert "“-” counts as an empty cell, and Last name is required" in shown
    assert "One name only: “Siti”" in shown
    page.correct(work, 2, "Last name", take="Siti")
    place = {"kind": "0", "do": "both", "back": f"{work}/correct?kind=0"}
    assert "use it for both, 1 row" in text_of(page.get(f"{work}/correct?kind=0"))
    assert "use it for both" not in text_of(page.post(f"{work}/all", place))
    page.post(f"{work}/undo")
    assert "use it for both, 1 row" in text_of(page.get(f"{work}/correct?kind=0"))
    page.post(f"{work}/all", place)
    page.check(work)
    page.send(work)
    stored = {(one.fields["first_name"], one.fields["last_name"]) for one in box.customers()}
    assert stored == {("Siti", "Siti"), ("Sukarno", "Sukarno")}


def test_one_name_in_a_column_of_full_names_becomes_both(page: WebPage, box: Sandbox, tmp_path: Path) -> None:
    head = "Full name,E-mail\n"
    work = page.begin(tmp_path, head, "Sukarno,su@toko.id", "Ann Lee,ann@toko.id", "Bo Li,bo@toko.id")
    assert "One name only: “Sukarno Sukarno”" in text_of(page.get(f"{work}/correct"))
    page.post(f"{work}/all", {"kind": "0", "do": "both"})
    page.check(work)
    page.send(work)
    stored = {(one.fields["first_name"], one.fields["last_name"]) for one in box.customers()}
    assert ("Sukarno", "Sukarno") in stored


def test_the_grid_of_a_report_file_says_whose_rows_they_are(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    run = run_of(page.send(page.begin(tmp_path, HEAD, *LINES)))
    rejects = tmp_path / "rejects.xlsx"
    rejects.write_bytes(page.get(f"/runs/{run}/files/rejects.xlsx").content)
    work = page.upload(rejects)
    page.checked(work)
    assert heads(page, f"{work}/correct") == ["First name", "Last name", "Born"]
    shown = page.get(f"{work}/correct").text
    assert "Leave the value of Born in row" in shown
    assert "Leave the value of Last name in row" not in shown


def test_values_that_one_cell_had_too_many_of_are_named_to_the_end_and_can_be_looked_at(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    lines = (
        "1,Malang,+6281234567890 / +6281377778888,Siti,Ani,siti@toko.id,1990-01-02",
        "2,Malang,+6281234567891 / +6281377778889,Budi,Jo,budi@toko.id,1990-02-31",
        "3,Malang,+6281234567892,Rudi,Aji,rudi@toko.id,1990-02-31",
    )
    work = page.begin(tmp_path, HEAD, *lines)
    grid = f"{work}/correct?show=all&code=several-values&column=Phone"
    assert 'several-values&amp;column=Phone"' in page.get(f"{work}/check").text
    shown = text_of(page.get(grid))
    assert "“+6281234567890 / +6281377778888” contains several values" in shown
    assert "Rudi" not in shown
    assert "2 rows still to be corrected" in text_of(page.get(f"{work}/correct"))
    assert "Siti" not in text_of(page.get(f"{work}/correct?show=all")), "nothing is wrong with that row"
    assert "several values" not in text_of(page.get(f"{work}/correct")), "its date is what is wrong"
    assert "Of several values in a cell only the first is sent" in text_of(page.get(f"{work}/import"))
    result = page.send(work)
    assert "Not sent: further values in cells" in text_of(result)
    assert 'several-values&amp;column=Phone"' in result.text
    assert "“+6281234567890 / +6281377778888” contains several values" in text_of(page.get(grid))
    assert len(box.customers()) == 1


def test_words_of_a_report_file_get_a_meaning_for_the_whole_column_as_in_any_file(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    head = "First name,Last name,E-mail,Gender\n"
    lines = ("Ann,Lee,a@b.net,x1", "Bo,Li,c@d.net,male", "Cy,Ko,e@f.net,x1", "Di,Oh,g@h.net,x2")
    run = run_of(page.send(page.begin(tmp_path, head, *lines)))
    for name in ("rejects.xlsx", "rejects.csv"):
        rejects = tmp_path / name
        rejects.write_bytes(page.get(f"/runs/{run}/files/{name}").content)
        work = page.upload(rejects)
        page.checked(work)
        assert "What do these words mean" in text_of(page.get(f"{work}/correct?kind=0"))
        form = {"cell:0": "x1", "value:0": "female", "cell:1": "x2", "value:1": "male"}
        page.post(f"{work}/remedy", {"kind": "0", "do": "values", **form})
        page.wait(work)
        assert "3 valid" in text_of(page.get(f"{work}/check"))
    page.send(work)
    assert [customer.fields["gender"] for customer in box.customers()] == [1, 0, 0, 1]
