"""Two people with one phone: neither takes the other's place in the CRM unseen, and both can be there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from importer.config import Connection
from importer.exit_codes import ExitCode
from importer.sandbox import Sandbox
from tests.support.commands import Command, results
from tests.support.workbooks import header, write_table

HEADER = ("First Name", "Last Name", "WhatsApp", "Birthday")
ALAN = ("Alan", "Sikora", "48729303202", "2013-05-20")
ADRIAN = ("Adrian", "Wrona", "48729303202", "2012-08-01")
OTHER = ("Ola", "Nowak", "48729303299", "2012-08-03")


def names(box: Sandbox) -> list[tuple[object, object]]:
    return sorted(
        (str(one.fields["first_name"]), str(one.fields.get("whats_app_phone") or ""))
        for one in box.customers()
    )


def states(folder: Path) -> list[tuple[str, str, str]]:
    return [(row["First Name"], row["_status"], row["_issues"]) for row in results(folder)]


def change(path: Path, cells: dict[tuple[str, str], str]) -> None:
    """Write cells, by first name and column."""
    book = openpyxl.load_workbook(path)
    sheet = book.active
    columns = header(sheet)
    rows = {str(sheet.cell(row, columns["First Name"]).value): row for row in range(2, sheet.max_row + 1)}
    for (name, column), text in cells.items():
        sheet.cell(rows[name], columns[column]).value = text
    book.save(path)


def test_both_rows_name_the_two_and_are_among_the_doubtful(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, OTHER, ADRIAN])
    checked = importer("validate", "c.xlsx", "--report-dir", "dry")
    importer("run", "c.xlsx", "--report-dir", "out")
    for folder in ("dry", "out"):
        alan, other, adrian = results(work / folder)
        assert (alan["_issues"], adrian["_issues"]) == ("place-taken:", "same-contact:")
        assert not other["_issues"]
    assert "place-taken" in checked.out
    assert names(box) == [("Adrian", "48729303202"), ("Ola", "48729303299")]
    sheet = openpyxl.load_workbook(work / "out" / "doubtful.xlsx").active
    columns = header(sheet)
    said = {
        sheet.cell(row, columns["First Name"]).value: str(sheet.cell(row, columns["_message"]).value)
        for row in range(2, sheet.max_row + 1)
    }
    assert said.keys() == {"Alan", "Adrian"}
    assert "Adrian Wrona in row 4" in said["Alan"]
    assert "Alan Sikora in row 2" in said["Adrian"]


def test_the_contact_taken_out_of_the_later_row_brings_both_back(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, OTHER, ADRIAN])
    importer("run", "c.xlsx", "--report-dir", "out")
    change(work / "out" / "doubtful.xlsx", {("Adrian", "WhatsApp"): ""})
    done = importer("run", "out/doubtful.xlsx", "--report-dir", "again")
    assert done.code == ExitCode.DONE
    assert names(box) == [("Adrian", ""), ("Alan", "48729303202"), ("Ola", "48729303299")]
    alan, adrian = results(work / "again")
    assert "restored:" in alan["_issues"]
    assert "correction-new-contact" not in adrian["_issues"]
    sent = len(box.requests)
    importer("run", "out/doubtful.xlsx", "--report-dir", "third")
    assert len(box.requests) == sent
    assert names(box) == [("Adrian", ""), ("Alan", "48729303202"), ("Ola", "48729303299")]


def test_one_of_three_comes_back_only_when_the_two_others_have_given_up_the_contact(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, ("Ewa", "Lis", ALAN[2], "2011-01-01"), ADRIAN])
    importer("run", "c.xlsx", "--report-dir", "out")
    change(work / "out" / "doubtful.xlsx", {("Adrian", "WhatsApp"): "48729303777"})
    importer("run", "out/doubtful.xlsx", "--report-dir", "again")
    assert states(work / "again")[:2] == [
        ("Alan", "skipped", ""),
        ("Ewa", "skipped", "not-restored:"),
    ]
    change(work / "out" / "doubtful.xlsx", {("Ewa", "WhatsApp"): "48729303778"})
    importer("run", "out/doubtful.xlsx", "--report-dir", "third")
    assert names(box) == [("Adrian", "48729303777"), ("Alan", ALAN[2]), ("Ewa", "48729303778")]


def test_one_of_three_comes_back_when_both_others_give_up_the_contact_at_once(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, ("Ewa", "Lis", ALAN[2], "2011-01-01"), ADRIAN])
    importer("run", "c.xlsx", "--report-dir", "out")
    change(work / "out" / "doubtful.xlsx", {("Adrian", "WhatsApp"): "", ("Ewa", "WhatsApp"): ""})
    importer("run", "out/doubtful.xlsx", "--report-dir", "again")
    assert names(box) == [("Adrian", ""), ("Alan", ALAN[2]), ("Ewa", "")]


BOTH = ("First Name", "Last Name", "WhatsApp", "E-mail")


@pytest.mark.parametrize(("given_up", "tomek"), [(1, "not_sent"), (2, "imported")])
def test_nobody_comes_back_over_a_third_who_shares_a_contact_with_the_other(
    importer: Command, settings: Connection, box: Sandbox, work: Path, given_up: int, tomek: str
) -> None:
    eva = ("Eva", "Lis", "", "adr@x.example")
    write_table(work / "c.xlsx", [BOTH, (*ALAN[:3], ""), ("Tomek", "Wrona", ALAN[2], eva[3]), eva])
    importer("run", "c.xlsx", "--report-dir", "out")
    assert names(box) == [("Eva", ALAN[2])]
    emptied = (("Tomek", "WhatsApp"), ("Tomek", "E-mail"))[:given_up]
    change(work / "out" / "doubtful.xlsx", dict.fromkeys(emptied, ""))
    done = importer("run", "out/doubtful.xlsx", "--report-dir", "again")
    assert states(work / "again")[0] == ("Alan", "skipped", "not-restored:")
    assert results(work / "again")[1]["_status"] == tomek
    assert "Look in the CRM whether Alan Sikora is there" in done.out
    assert ("Eva", ALAN[2]) in names(box)


def test_nobody_comes_back_whom_a_contact_that_the_other_keeps_would_overwrite(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.xlsx", [BOTH, (*ALAN[:3], ""), ("Tomek", "Wrona", ALAN[2], "adr@x.example")])
    importer("run", "c.xlsx", "--report-dir", "out")
    change(work / "out" / "doubtful.xlsx", {("Tomek", "WhatsApp"): ""})
    for options in ((), ("--overwrite-newer",)):
        importer("run", "out/doubtful.xlsx", "--report-dir", f"again{len(options)}", *options)
        assert names(box) == [("Tomek", ALAN[2])]
    assert states(work / "again0")[0] == ("Alan", "skipped", "not-restored:")


@pytest.mark.parametrize("options", [(), ("--overwrite-newer",)])
def test_nobody_comes_back_over_one_whom_a_later_run_brought_in(
    importer: Command, settings: Connection, box: Sandbox, work: Path, options: tuple[str, ...]
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, OTHER, ADRIAN])
    importer("run", "c.xlsx", "--report-dir", "out")
    write_table(work / "d.csv", [HEADER, ("Zed", "Zimm", ALAN[2], "1999-01-01")])
    importer("run", "d.csv", "--report-dir", "zed")
    change(work / "out" / "doubtful.xlsx", {("Adrian", "WhatsApp"): ""})
    importer("run", "out/doubtful.xlsx", "--report-dir", "again", *options)
    kept = ("skipped", "not-restored:") if options else ("not_sent", "")
    assert states(work / "again")[0] == ("Alan", *kept)
    assert names(box) == [("Adrian", ""), ("Ola", OTHER[2]), ("Zed", ALAN[2])]


@pytest.mark.parametrize(
    ("options", "cells"),
    [
        (("--strict",), {("Adrian", "WhatsApp"): ""}),
        ((), {("Adrian", "WhatsApp"): "12"}),
        ((), {("Adrian", "WhatsApp"): OTHER[2]}),
    ],
)
def test_nobody_comes_back_where_the_other_row_is_not_sent(
    importer: Command,
    settings: Connection,
    box: Sandbox,
    work: Path,
    options: tuple[str, ...],
    cells: dict[tuple[str, str], str],
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, OTHER, ADRIAN, (*OTHER[:3], "")])
    importer("run", "c.xlsx", "--report-dir", "out")
    change(work / "out" / "doubtful.xlsx", cells)
    sent = len(box.requests)
    importer("run", "out/doubtful.xlsx", "--report-dir", "again", *options)
    for row in results(work / "again"):
        assert row["_status"] != "imported"
        assert "restored:" not in row["_issues"].replace("not-restored:", "").split("; ")
    assert len(box.requests) == sent


def test_in_mode_keep_the_first_stays_and_nobody_takes_a_place(
    importer: Command, answers: Callable[[str], None], settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, OTHER, ADRIAN])
    answers("")
    done = importer("run", "c.xlsx", "--report-dir", "out", "--mode", "keep")
    assert "place" not in done.out + done.err
    assert [issues for _, _, issues in states(work / "out")] == ["", "", "same-contact:"]
    path = work / "out" / "results.csv"
    path.write_bytes(path.read_bytes().replace(",".join(ADRIAN[:3]).encode(), b"Adrian,Wrona,"))
    importer("run", path, "--report-dir", "again", "--mode", "keep")
    assert states(work / "again")[0] == ("Alan", "skipped", "")
    assert results(work / "again")[0]["_code"] == "imported-before"
    assert names(box) == [("Alan", ALAN[2]), ("Ola", OTHER[2])]


@pytest.mark.parametrize("bare", [False, True])
def test_a_corrected_row_does_not_take_another_person_s_place(
    importer: Command, settings: Connection, box: Sandbox, work: Path, own_surroundings: Path, bare: bool
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, OTHER, (*ADRIAN[:3], "01.08.12")])
    importer("run", "c.xlsx", "--report-dir", "out")
    if bare:  # nobody knows who the other row is about
        (work / "out" / "results.csv").unlink()
    rejects = work / "out" / "rejects.xlsx"
    change(rejects, {("Adrian", "Birthday"): "2012-08-01"})
    done = importer("run", rejects, "--report-dir", "again")
    assert done.code == ExitCode.ROWS_LEFT
    (row,) = results(work / "again")
    assert (row["_status"], row["_code"]) == ("not_sent", "newer-import")
    assert row["_issues"] == "same-contact:"
    assert "row 2" in row["_message"]
    assert ("Adrian Wrona would take the place of Alan Sikora" in row["_message"]) is not bare
    journal = b"".join(path.read_bytes() for path in own_surroundings.glob("journal.db*"))
    assert b"would put" in journal
    assert b"Sikora" not in journal
    assert names(box) == [("Alan", ALAN[2]), ("Ola", OTHER[2])]
    change(rejects, {("Adrian", "WhatsApp"): ""})
    assert importer("run", rejects, "--report-dir", "third").code == ExitCode.DONE
    assert names(box) == [("Adrian", ""), ("Alan", ALAN[2]), ("Ola", OTHER[2])]


def test_it_does_where_that_is_asked_for(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, (*ADRIAN[:3], "01.08.12")])
    importer("run", "c.xlsx", "--report-dir", "out")
    change(work / "out" / "rejects.xlsx", {("Adrian", "Birthday"): "2012-08-01"})
    assert importer("run", "out/rejects.xlsx", "--overwrite-newer").code == ExitCode.DONE
    assert names(box) == [("Adrian", ALAN[2])]


@pytest.mark.parametrize(
    "second",
    [
        ("Alan", "Sikora", ALAN[2], "2013-05-21"),
        ("ALAN", "Sikora-Wrona", ALAN[2], ""),
        ("Allan", "Sikora", ALAN[2], ""),
        ("A.", "Sikora", ALAN[2], "2013-05-20"),
        ("Alán Piotr", "Sikora", ALAN[2], ""),
    ],
)
def test_one_person_who_was_entered_twice_is_sent_twice_as_before(
    importer: Command, settings: Connection, box: Sandbox, work: Path, second: tuple[str, ...]
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, second])
    assert importer("run", "c.xlsx", "--report-dir", "out").code == ExitCode.DONE
    first, later = results(work / "out")
    assert not first["_issues"]
    assert later["_issues"] == "same-contact:"
    assert len(box.customers()) == 1


def test_on_a_terminal_enter_leaves_the_contact_with_the_first(
    importer: Command, answers: Callable[[str], None], settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(
        work / "c.xlsx",
        [HEADER, ALAN, OTHER, ADRIAN, ("Alan", "Sikora", ALAN[2], "2013-05-20"), ("Eva", *ALAN[1:])],
    )
    answers("\n")
    done = importer("run", "c.xlsx", "--report-dir", "out")
    assert done.code == ExitCode.DONE, done.err
    assert "Adrian Wrona (row 4) the place of Alan Sikora (row 2)" in done.err
    assert "Sending to" in done.err
    assert names(box) == [("Adrian", ""), ("Alan", ALAN[2]), ("Eva", ""), ("Ola", OTHER[2])]
    assert [row["_issues"] for row in results(work / "out")][2] == "contact-left-out:"
    assert len((work / "c.corrections.jsonl").read_text("utf-8").splitlines()) == 3
    importer("validate", "c.xlsx", "--corrections", "c.corrections.jsonl", "--report-dir", "dry")
    assert [row["_issues"] for row in results(work / "dry")] == [
        row["_issues"] for row in results(work / "out")
    ]


def test_a_yes_sends_them_as_they_are_and_nobody_is_asked_of_one_person(
    importer: Command, answers: Callable[[str], None], settings: Connection, box: Sandbox, work: Path
) -> None:
    write_table(work / "c.xlsx", [HEADER, ALAN, ADRIAN])
    answers("y\n")
    importer("run", "c.xlsx")
    assert names(box) == [("Adrian", ALAN[2])]
    write_table(work / "d.xlsx", [HEADER, OTHER, (*OTHER[:3], "")])
    answers("")
    assert importer("run", "d.xlsx").code == ExitCode.DONE
