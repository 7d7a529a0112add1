"""People who must not be contacted, as the file says: a column, a remark, a row that is struck through."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import Font

from importer import arrow
from importer.config import Connection
from importer.exit_codes import ExitCode
from importer.mapping import consent
from importer.sandbox import Sandbox
from tests.support.commands import Command, results
from tests.support.workbooks import write_table

ROWS = [
    ("First Name", "Last Name", "E-mail", "Zgoda na info", "Unsubscribed", "Remark"),
    ("Ann", "Lee", "ann@x.example", "tak", "", ""),
    ("Bo", "Ek", "bo@x.example", "NIE", "", ""),
    ("Cy", "Fu", "cy@x.example", "tak", "2024-05-01", ""),
    ("Di", "Wu", "di@x.example", "nie - tylko telefon", "", ""),
    ("Ed", "Yo", "ed@x.example", "", "", "wypisany, nie wysyłać!"),
]
REFUSED = "contact-refused"


def names(box: Sandbox) -> list[object]:
    return [one.fields["first_name"] for one in box.customers()]


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".xls", ".ods"])
def test_they_are_sent_but_told_before_and_after_with_what_leaves_them_out(
    importer: Command, settings: Connection, box: Sandbox, work: Path, ending: str
) -> None:
    write_table(work / f"c{ending}", ROWS)
    done = importer("run", f"c{ending}", "--report-dir", "out")
    assert done.code == ExitCode.DONE
    assert "in 3 of the first 5 rows, “Zgoda na info”, “Unsubscribed”" in done.err
    assert done.err.index("must not be contacted") < done.err.index("Sending to")
    assert 'is_not = ["NIE", "nie - tylko telefon"]' in done.out
    assert [row["_issues"] for row in results(work / "out")] == [
        "",
        f"{REFUSED}:Zgoda na info",
        f"{REFUSED}:Unsubscribed",
        f"{REFUSED}:Zgoda na info",
        f"{REFUSED}:Remark",
    ]
    assert names(box) == ["Ann", "Bo", "Cy", "Di", "Ed"]


@pytest.mark.parametrize("sign", ['"', "〃", "-''-", "ídem", "j.w."])
def test_who_refuses_by_a_sign_for_as_above_refuses(
    importer: Command, settings: Connection, box: Sandbox, work: Path, sign: str
) -> None:
    people = [
        ("First Name", "Last Name", "E-mail", "Autoriza avisos"),
        ("Ann", "Lee", "ann@x.example", "No"),
        ("Bo", "Ek", "bo@x.example", sign),
        ("Cy", "Fu", "cy@x.example", "Sí"),
        ("Di", "Wu", "di@x.example", sign),
    ]
    write_table(work / "c.xlsx", people)
    done = importer("run", "c.xlsx", "--report-dir", "out")
    assert "in 2 of the first 4 rows" in done.err
    told = [row["_issues"] for row in results(work / "out")]
    assert [REFUSED in one for one in told] == [True, True, False, False]
    assert ["ditto-filled:Autoriza avisos" in one for one in told] == [False, True, False, True]
    suggested = importer("mapping", "suggest", "c.xlsx", "-o", "m.toml")
    assert suggested.code == ExitCode.DONE
    only = (work / "m.toml").read_text("utf-8") + '\n[[only]]\ncolumn = "Autoriza avisos"\nis_not = ["No"]\n'
    (work / "m.toml").write_text(only, "utf-8")
    importer("run", "c.xlsx", "--mapping", "m.toml", "--report-dir", "again", "--yes")
    states = [row["_status"] for row in results(work / "again")]
    assert states == ["skipped", "skipped", "imported", "imported"]


def test_a_cell_with_a_star_allows_nobody_and_a_wide_no_is_a_no() -> None:
    left_out = consent.leaving_out(
        "Unsubscribed", "refused", arrow.array(["*", "", "no", "N*", "2024-05-01"])
    )
    assert left_out.is_ == ("", "no")
    assert consent.refusing("given", arrow.array(["ＮＯ", "yes"])).tolist() == [True, False]


def test_under_strict_nobody_of_them_is_sent(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.csv", ROWS)
    assert importer("run", "c.csv", "--strict").code == ExitCode.ROWS_LEFT
    assert names(box) == ["Ann"]


def test_on_a_terminal_enter_leaves_them_out(
    importer: Command, answers: Callable[[str], None], settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.csv", ROWS)
    answers("\n")
    done = importer("run", "c.csv", "--report-dir", "out")
    assert done.code == ExitCode.DONE, done.err
    assert "“NIE”, “nie - tylko telefon”, “2024-05-01”. Send them all the same?" in done.err
    assert 'column = "Zgoda na info"' in done.err
    assert names(box) == ["Ann", "Ed"]
    assert [row["_code"] for row in results(work / "out")] == ["", "filtered", "filtered", "filtered", ""]


def test_a_yes_sends_them(
    importer: Command, answers: Callable[[str], None], settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.csv", ROWS)
    answers("y\n")
    importer("run", "c.csv")
    assert len(names(box)) == 5


def test_the_mapping_that_was_taken_keeps_the_answer(
    importer: Command, answers: Callable[[str], None], settings: Connection, box: Sandbox, work: Path
) -> None:
    header = (
        "Vorname des Kunden",
        "Nachname des Kunden",
        "E-Mail privat",
        "Einwilligung",
        "Notiz",
        "Notiz 2",
    )
    write_table(work / "c.csv", [header, *ROWS[1:3]])
    answers("t\nn\n")
    importer("run", "c.csv")
    kept = tomllib.loads((work / "c.mapping.toml").read_text("utf-8"))
    assert kept["only"] == [{"column": "Einwilligung", "is_not": ["NIE"]}]
    checked = importer("validate", "c.csv", "--mapping", "c.mapping.toml", "--report-dir", "out")
    assert checked.code == ExitCode.DONE, checked.err
    assert names(box) == ["Ann"]
    assert [row["_code"] for row in results(work / "out")] == ["", "filtered"]


def test_a_column_whose_cells_all_agree_is_left_alone(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.csv", [ROWS[0], ROWS[1]])
    done = importer("run", "c.csv", "--report-dir", "out")
    assert REFUSED not in done.out
    assert "must not be contacted" not in done.err


def struck(path: Path, cells: str, *, plain: bool = True) -> None:
    """Write the table with these cells struck through, in a form that is read as a whole or cell by cell."""
    book = openpyxl.Workbook()
    for row in (
        ("First Name", "Last Name", "E-mail"),
        ("Ann", "Lee", "ann@x.example"),
        ("Bo", "Ek", "b@x.example"),
    ):
        book.active.append(row)
    for cell in cells.split():
        book.active[cell].font = Font(strike=True)
    book.active["A1"].font = Font(strike=False)
    if not plain:
        book.active["XFD200000"] = "far away"
    book.save(path)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("cells", "issues"),
    [
        ("A2 B2 C2", ["struck-through:", ""]),
        ("A2 B2", ["struck-through:", ""]),
        ("C3 D2", ["", "struck-through:E-mail"]),
        ("A1", ["", ""]),
    ],
)
def test_what_is_struck_through_in_a_workbook_is_told(
    importer: Command,
    settings: Connection,
    box: Sandbox,
    work: Path,
    cells: str,
    issues: list[str],
    plain: bool,
) -> None:
    struck(work / "c.xlsx", cells, plain=plain)
    importer("run", "c.xlsx", "--report-dir", "out")
    assert [row["_issues"] for row in results(work / "out")][:2] == issues
    assert names(box)[:2] == ["Ann", "Bo"]
