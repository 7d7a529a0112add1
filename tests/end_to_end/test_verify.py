"""`importer verify`: what is in the CRM is compared with what was sent, and no lie is taken for success."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from importer.config import Connection
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary, use

HEADER = ["first_name", "last_name", "sms_phone", "email", "city", "birthday", "tags", "gender"]


@pytest.fixture
def run(importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch, box: Sandbox) -> str:
    """A run of twenty rows that are in; the last one is its first customer once more."""
    rows = [
        [f"P{n}", "Li", f"86138{n:08}", f"P{n}@x.example", "Graz", "1990-05-07", "VIP, new", "male"]
        for n in range(19)
    ]
    rows[3][2] = ""
    with (work / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows, ["Again", "Li", "8613800000000", "", "", "", "", ""]])
    use(monkeypatch, box.connection)
    assert importer("run", "a.csv", "--report-dir", "out", "--tag", "import").code == 0
    return str(summary(work / "out")["run"])


@pytest.mark.parametrize("form", ["list", "camel", "pairs"])
def test_what_is_there_as_it_was_sent_is_the_same_in_every_form(
    importer: Command, work: Path, box: Sandbox, run: str, form: str
) -> None:
    box.misbehave(f"form form={form} endpoint=query")
    found = importer("verify", run)
    assert found.code == 0, found.out + found.err
    assert "19 customers looked up: 19 as sent, 0 different" in found.out
    assert "19 queries" in found.err
    lines = results(work / "out", "verify.csv")
    assert {line["result"] for line in lines} == {"same"}
    assert (work / "out" / "verify.csv").stat().st_mode & 0o777 == 0o600


def test_every_lie_is_found_and_none_is_invented(
    importer: Command, work: Path, box: Sandbox, run: str
) -> None:
    box.misbehave(
        "cut-field field=first_name endpoint=query requests=2",
        "hide endpoint=query requests=4",
        "twice endpoint=query requests=6",
        "form form=other endpoint=query requests=8",
    )
    found = importer("verify", run, "--json")
    assert found.code == 1
    counts = {"same": 15, "different": 1, "not_found": 1, "several": 1, "not_understood": 1}
    assert found.json["counts"] == counts
    assert found.json["fields"] == {"first_name": 1}
    assert found.json["not_shown"] == []
    odd = {line["_row"]: line for line in results(work / "out", "verify.csv") if line["result"] != "same"}
    assert {row: line["result"] for row, line in odd.items()} == {
        "3": "different",
        "5": "not_found",
        "7": "several",
        "9": "not_understood",
    }
    assert (odd["3"]["field"], odd["3"]["sent"], odd["3"]["there"]) == ("first_name", "P1", "P")
    assert "result.rows[].c1" in odd["9"]["there"]


def test_an_unknown_form_is_told_with_its_keys_and_ends_it(importer: Command, box: Sandbox, run: str) -> None:
    box.misbehave("form form=other endpoint=query")
    asked = box.application.total
    found = importer("verify", run)
    assert found.code == 4
    assert "result.rows[].c1" in found.err
    assert box.application.total == asked + 3


def test_what_somebody_changed_in_the_crm_is_found(
    importer: Command, work: Path, box: Sandbox, run: str
) -> None:
    (work / "b.csv").write_text("first_name,last_name,sms_phone\nPeter,Li,8613800000005\n", "utf-8")
    assert importer("run", "b.csv").code == 0
    found = importer("verify", run)
    assert found.code == 1
    assert "1 different" in found.out
    assert "later run" in found.out


def test_a_sample_asks_for_some(importer: Command, box: Sandbox, run: str) -> None:
    asked = box.application.total
    found = importer("verify", run, "--sample", "5", "--json")
    assert found.code == 0
    # The first and the last row are one customer.
    assert found.json["customers"] == 4
    assert box.application.total == asked + 4


def test_rows_without_a_contact_are_counted_and_a_dry_run_has_nothing_to_verify(
    importer: Command, work: Path, box: Sandbox, run: str
) -> None:
    (work / "c.csv").write_text("first_name,last_name,sms_phone\nAnn,Li,\nBo,Li,8613900000001\n", "utf-8")
    importer("run", "c.csv", "--report-dir", "c")
    found = importer("verify", summary(work / "c")["run"], "--json")
    assert (found.json["customers"], found.json["without_contact"]) == (1, 1)
    importer("validate", "c.csv", "--report-dir", "dry")
    assert importer("verify", summary(work / "dry")["run"]).code == 2


def test_a_field_that_no_answer_shows_is_named_and_not_called_the_same(
    importer: Command, monkeypatch: pytest.MonkeyPatch, run: str
) -> None:
    monkeypatch.setattr("importer.sandbox.query_answers.NEVER_SHOWN", ("birthday",))
    found = importer("verify", run)
    assert found.code == 0
    assert "No answer" in found.out
    assert "birthday" in found.out


@pytest.mark.parametrize("mode", ["update", "keep"])
def test_rows_outside_a_sample_say_what_its_customers_hold(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    use(monkeypatch, box.connection)
    rows = [[f"P{n}", "Li", f"86138{n // 2:08}", "", "", "", "", ""] for n in range(40)]
    with (work / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    importer("run", "a.csv", "--mode", mode, "--yes", "--report-dir", "out")
    run = str(summary(work / "out")["run"])
    for sample in (1, 3, 7, 40):
        found = importer("verify", run, "--sample", str(sample), "--json")
        assert found.json["counts"]["same"] == sum(found.json["counts"].values()), sample


@pytest.mark.parametrize("mode", ["update", "replace", "keep"])
def test_a_row_with_contacts_of_two_customers_invents_no_difference(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    use(monkeypatch, box.connection)
    rows = [
        ["One", "Li", "8613800000001", "", "Graz", "", "", ""],
        ["Two", "Li", "", "two@x.example", "Wien", "", "", ""],
        ["Both", "Li", "8613800000001", "two@x.example", "", "", "", ""],
        ["Last", "Li", "", "two@x.example", "", "", "", ""],
    ]
    with (work / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    importer("run", "a.csv", "--mode", mode, "--yes", "--report-dir", "out")
    found = importer("verify", str(summary(work / "out")["run"]), "--json")
    assert found.json["counts"]["different"] == 0
    assert found.json["counts"]["same"] >= 1


def test_a_phone_that_was_corrected_since_is_different_and_not_lost(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    head = "First Name,Last Name,WhatsApp,Email\n"
    (work / "c.csv").write_text(head + "Ann,Lee,48600100200,ann@example.com\n", "utf-8")
    importer("run", "c.csv", "--report-dir", "first")
    fixed = work / "first" / "results.csv"
    fixed.write_text(fixed.read_text("utf-8-sig").replace("48600100200", "48600100299"), "utf-8")
    importer("run", fixed)
    done = importer("verify", str(summary(work / "first")["run"]))
    assert "0 as sent, 1 different, 0 not found" in done.out + done.err
