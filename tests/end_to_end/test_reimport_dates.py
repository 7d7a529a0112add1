"""What a whole column proved about its dates holds for the few rows that come back corrected."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from importer.config import Connection
from importer.sandbox import Sandbox
from tests.support.commands import Command, results

ROWS = """First Name,Last Name,Email,Birthday
Ann,Lee,ann@example.com,25/12/1990
Bo,,bo@example.com,03/04/1980
Cy,Bern,cy@example.com,01/02/1985
"""


def mend(path: Path) -> None:
    """The missing last name is filled in, the dates stay as they are."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["Birthday"] for line in lines] == ["03/04/1980"]
    lines[0]["Last Name"] = "Row"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


@pytest.mark.parametrize("first", ["run", "validate"])
def test_a_corrected_row_keeps_the_date_order_of_its_file(
    importer: Command, settings: Connection, box: Sandbox, work: Path, first: str
) -> None:
    (work / "in.csv").write_text(ROWS, "utf-8")
    assert importer(first, "in.csv", "--report-dir", "out").code == 1
    mend(work / "out" / "rejects.csv")
    assert importer("run", "out/rejects.csv", "--report-dir", "again").code == 0
    found = {str(one.fields["email"]): one.fields["birthday"] for one in box.customers()}
    assert found["bo@example.com"] == "1980-04-03"


def test_a_corrected_row_of_a_file_with_both_orders_keeps_a_date_that_has_one_reading(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = ROWS.replace("03/04/1980", "31/01/1992").replace("01/02/1985", "12/13/1985")
    (work / "in.csv").write_text(rows, "utf-8")
    assert importer("run", "in.csv", "--report-dir", "out").code == 1
    path = work / "out" / "rejects.csv"
    path.write_text(path.read_text("utf-8-sig").replace(",Bo,,", ",Bo,Row,"), "utf-8")
    assert importer("run", path, "--report-dir", "again").code == 0
    found = {str(one.fields["email"]): one.fields["birthday"] for one in box.customers()}
    assert (found["bo@example.com"], found["cy@example.com"]) == ("1992-01-31", "1985-12-13")


def test_a_file_imported_twice_is_still_recognised(
    importer: Command, settings: Connection, work: Path
) -> None:
    (work / "in.csv").write_text(ROWS.replace("Bo,,", "Bo,Row,"), "utf-8")
    assert importer("run", "in.csv", "--report-dir", "out").code == 0
    again = importer("run", "in.csv", "--report-dir", "again")
    assert "already been imported" in again.err
    assert {line["_status"] for line in results(work / "again")} == {"imported"}


def test_letters_that_a_column_left_uncertain_stay_so_when_its_rows_come_back(
    importer: Command, settings: Connection, work: Path, box: Sandbox
) -> None:
    """F, M and H below Sexo: nobody knows what M means, in the report of the rows either."""
    rows = [f"Ana{n},Lima{n},55119700001{n:02},{letter}" for n, letter in enumerate("FFMMHHMM")]
    (work / "a.csv").write_text("\n".join(["first_name,last_name,sms_phone,Sexo", *rows]) + "\n", "utf-8")
    importer("run", "a.csv", "--report-dir", "out")
    assert [row["_status"] for row in results(work / "out")].count("invalid") == 4
    again = importer("run", "out/rejects.xlsx", "--report-dir", "again")
    assert again.code == 1
    assert {(row["_status"], row["_issues"]) for row in results(work / "again")} == {
        ("invalid", "bad-gender:Sexo")
    }


def test_one_odd_letter_is_refused_alone_and_again_when_its_row_comes_back(
    importer: Command, settings: Connection, work: Path, box: Sandbox
) -> None:
    rows = [f"Ana{n},Lima{n},55119700001{n:02},{letter}" for n, letter in enumerate("FFMMHMM")]
    (work / "a.csv").write_text("\n".join(["first_name,last_name,sms_phone,Sexo", *rows]) + "\n", "utf-8")
    importer("run", "a.csv", "--report-dir", "out")
    assert [row["_row"] for row in results(work / "out") if row["_status"] == "invalid"] == ["6"]
    again = importer("run", "out/rejects.xlsx", "--report-dir", "again")
    assert again.code == 1
    assert [row["_issues"] for row in results(work / "again")] == ["bad-gender:Sexo"]
    assert {str(one.fields["gender"]) for one in box.customers()} == {"0", "1"}


@pytest.mark.parametrize(
    ("header", "letters", "woman"),
    [
        ("L/P", "LPLP", "P"),
        ("Cinsiyet", "EKEK", "K"),
        ("Geslacht", "MVMV", "V"),
        ("Kön", "MKMK", "K"),
    ],
)
def test_a_letter_keeps_the_meaning_that_its_whole_column_gave_it(
    importer: Command, settings: Connection, work: Path, box: Sandbox, header: str, letters: str, woman: str
) -> None:
    """Only rows with a woman come back: nothing among them says any more what her letter means."""
    rows = [f"Ana{n},{'' if n in (1, 3) else 'Li'},a{n}@b.com,{one}" for n, one in enumerate(letters)]
    columns = f"first_name,last_name,email,{header}"
    (work / "a.csv").write_text("\n".join([columns, *rows]) + "\n", "utf-8")
    importer("run", "a.csv", "--report-dir", "out")
    path = work / "out" / "rejects.csv"
    text = path.read_text("utf-8-sig")
    assert [line["_row"] for line in csv.DictReader(text.splitlines())] == ["3", "5"]
    path.write_text(text.replace(",,a", ",Mended,a"), "utf-8")
    assert importer("run", path, "--report-dir", "again").code == 0
    genders = {str(one.fields["email"]): str(one.fields["gender"]) for one in box.customers()}
    assert genders == {f"a{n}@b.com": "0" if one == woman else "1" for n, one in enumerate(letters)}


def test_a_header_that_names_both_letters_explains_the_one_that_occurs(
    importer: Command, settings: Connection, work: Path, box: Sandbox
) -> None:
    (work / "a.csv").write_text(
        "first_name,last_name,email,L/P\nAyu,Li,a@b.com,P\nIda,Li,c@b.com,P\n", "utf-8"
    )
    assert importer("run", "a.csv", "--report-dir", "out").code == 0
    assert [str(one.fields["gender"]) for one in box.customers()] == ["0", "0"]
