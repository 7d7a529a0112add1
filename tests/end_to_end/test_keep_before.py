"""`--keep-before`: what the CRM had is kept before the first row is sent, and can be imported again."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from importer.reports.csv import escape
from importer.sandbox import Sandbox, calls
from importer.sandbox.store import CustomerSearch, StoredApp
from tests.support.commands import Command, results, summary, use

HEADER = ["first_name", "last_name", "sms_phone", "address", "gender"]


def write(path: Path, *rows: list[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


def held(box: Sandbox) -> dict[str, dict[str, object]]:
    return {str(one.fields.get("sms_phone")): dict(one.fields) for one in box.customers()}


@pytest.fixture(autouse=True)
def known(importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch, box: Sandbox) -> None:
    """Three customers that are in; a file changes two of them, one twice, and brings a new one."""
    use(monkeypatch, box.connection)
    old = [[f"Old{n}", "Li", f"861380000000{n}", "Graz, 'Ring'", "female"] for n in range(3)]
    write(work / "old.csv", *old)
    importer("run", "old.csv")
    new = [[f"New{n}", "Li", f"861380000000{n}", "", ""] for n in (0, 2, 7)]
    write(work / "new.csv", *new, ["Twice", "Li", "8613800000000", "", ""])


@pytest.mark.parametrize("form", ["list", "camel", "pairs"])
def test_what_was_there_comes_back(importer: Command, work: Path, box: Sandbox, form: str) -> None:
    before = held(box)
    box.misbehave(f"form form={form} endpoint=query")
    found = importer("run", "new.csv", "--keep-before", "--report-dir", "out")
    assert found.code == 0
    assert "3 queries" in found.err + found.out
    assert held(box)["8613800000000"]["first_name"] == "Twice"
    kept = results(work / "out", "before.csv")
    assert sorted(row["first_name"] for row in kept) == ["Old0", "Old2"]
    assert (work / "out" / "before.csv").stat().st_mode & 0o777 == 0o600
    assert any("before.csv" in note and "1 were not there" in note for note in summary(work / "out")["notes"])
    assert importer("run", "out/before.csv", "--mode", "replace", "--yes").code == 0
    after = held(box)
    assert after.pop("8613800000007")["first_name"] == "New7"
    assert after == before


def test_formulas_are_harmless_in_the_file_and_whole_when_they_come_back(
    importer: Command, work: Path, box: Sandbox
) -> None:
    names = ["=1+1", "'quoted", "+8613 no", " =2", "@SUM(1)", "－1", "plain"]
    write(work / "odd.csv", *([name, "Li", f"861390000000{n}", "", ""] for n, name in enumerate(names)))
    assert importer("run", "odd.csv").code == 0
    before = held(box)
    assert {one["first_name"] for one in before.values()} >= {"=1+1", "'quoted", "@SUM(1)"}
    write(work / "new.csv", *(["New", "Li", f"861390000000{n}", "", ""] for n in range(len(names))))
    assert importer("run", "new.csv", "--keep-before", "--report-dir", "out").code == 0
    kept = [row["first_name"] for row in results(work / "out", "before.csv")]
    assert sorted(kept) == sorted(escape(str(before[f"861390000000{n}"]["first_name"])) for n in range(7))
    assert "'=1+1" in kept
    back = importer("run", "out/before.csv", "--mode", "replace", "--yes", "--report-dir", "back")
    assert back.code == 0, back.err
    assert held(box) == before
    assert {row["_status"] for row in results(work / "back")} == {"imported"}


def test_an_answer_that_is_not_understood_stops_before_anything_is_sent(
    importer: Command, work: Path, box: Sandbox
) -> None:
    before = held(box)
    box.misbehave("form form=other endpoint=query requests=2-")
    found = importer("run", "new.csv", "--keep-before", "--report-dir", "out")
    assert found.code == 4
    assert found.err.count("result.rows[].c1") == 1
    assert "Ctrl-C" not in found.err
    assert held(box) == before


def test_only_rows_that_go_are_asked_for(importer: Command, work: Path, box: Sandbox) -> None:
    importer("run", "old.csv", "--yes", "--changed-only")
    write(work / "old.csv", ["Else", "Li", "8613800000001", "Graz, 'Ring'", "female"])
    (work / "list.csv").write_text("Phone\n+8613800000002\n", "utf-8")
    rows = [[f"Old{n}", "Li", f"861380000000{n}", "Graz, 'Ring'", "female"] for n in (0, 2)]
    write(work / "more.csv", *rows, ["Else", "Li", "8613800000001", "", ""])
    importer(
        "run", "more.csv", "--changed-only", "--suppress", "list.csv", "--keep-before", "--report-dir", "o"
    )
    assert [row["first_name"] for row in results(work / "o", "before.csv")] == ["Old1"]


def test_a_customer_whom_the_crm_knows_by_another_contact_is_kept_too(
    importer: Command, work: Path, box: Sandbox
) -> None:
    header = "first_name,last_name,email,sms_phone\n"
    (work / "mail.csv").write_text(header + "Ann,Li,ann@x.example,\nBob,Li,bob@x.example,\n", "utf-8")
    importer("run", "mail.csv")
    # One row brings a phone; two share a phone, and each has a mailbox of its own.
    rows = "New,Li,ann@x.example,8613900000001\nOne,Li,,8613900000002\nTwo,Li,bob@x.example,8613900000002\n"
    (work / "new.csv").write_text(header + rows, "utf-8")
    found = importer("run", "new.csv", "--keep-before", "--report-dir", "out", "--yes")
    assert "4 queries" in found.err + found.out
    kept = results(work / "out", "before.csv")
    assert sorted(row["first_name"] for row in kept) == ["Ann", "Bob"]
    assert any("1 were not there" in note for note in summary(work / "out")["notes"])


def test_a_contact_that_an_answer_has_shown_is_not_asked_for_again(
    importer: Command, work: Path, box: Sandbox
) -> None:
    header = "first_name,last_name,email,sms_phone\n"
    (work / "old.csv").write_text(header + "Ann,Li,ann@x.example,8613900000001\n", "utf-8")
    importer("run", "old.csv")
    (work / "new.csv").write_text(header + "New,Li,ann@x.example,8613900000001\n", "utf-8")
    importer("run", "new.csv", "--keep-before", "--report-dir", "out", "--yes")
    assert sum("query" in request.call for request in box.requests) == 1


def test_a_field_that_no_answer_shows_is_named(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.sandbox.query_answers.NEVER_SHOWN", ("address",))
    (work / "new.csv").write_text(
        "first_name,last_name,sms_phone,address\nAnn,Li,8613800000000,Wien\n", "utf-8"
    )
    importer("run", "new.csv", "--keep-before", "--report-dir", "out", "--yes")
    (told,) = [note for note in summary(work / "out")["notes"] if "--mode update" in note]
    assert "address" in told


def test_a_customer_who_is_found_by_an_older_contact_is_kept_and_told(
    importer: Command, work: Path, box: Sandbox
) -> None:
    header = "first_name,last_name,email,sms_phone\n"
    for mail in ("old@x.example", "new@x.example"):
        (work / "mail.csv").write_text(header + f"Ann,Lee,{mail},8613900000001\n", "utf-8")
        assert importer("run", "mail.csv", "--yes").code == 0
    before = held(box)
    # The CRM knows her by the older mailbox, and shows the newer one.
    (work / "new.csv").write_text(header + "Ann,Li,old@x.example,\nBob,Li,bob@x.example,\n", "utf-8")
    found = importer("run", "new.csv", "--keep-before", "--report-dir", "out", "--yes")
    assert found.code == 0, found.err
    assert [row["email"] for row in results(work / "out", "before.csv")] == ["new@x.example"]
    notes = summary(work / "out")["notes"]
    assert any("1 contact the CRM answered with customers who do not show it" in note for note in notes)
    assert any("keeps the 1 customers" in note and "1 were not there" in note for note in notes)
    assert importer("run", "out/before.csv", "--mode", "replace", "--yes").code == 0
    assert held(box)["8613900000001"] == before["8613900000001"]


def test_a_crm_that_ignores_the_contact_is_told_as_that(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "many.csv", *([f"M{n}", "Li", f"86137000000{n:02}", "", ""] for n in range(12)))
    importer("run", "many.csv")
    before = held(box)
    whole = calls._search

    def ignoring(app: StoredApp, body: Mapping[str, object]) -> CustomerSearch:
        return replace(whole(app, body), contacts=())

    monkeypatch.setattr(calls, "_search", ignoring)
    write(work / "new.csv", ["New", "Li", "8613800000007", "", ""])
    found = importer("run", "new.csv", "--keep-before", "--report-dir", "out")
    assert found.code == 4
    assert "returned 10 customers without it" in found.err
    assert "cannot be understood" not in found.err
    assert held(box) == before
