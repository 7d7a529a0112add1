"""The rest of a run: its own file with corrections, without the rows that are in."""

from __future__ import annotations

import hashlib
from pathlib import Path

from importer.journal import Journal
from importer.readers.overlay import CorrectedCell, write_corrections
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary

TABLE = (
    "first_name,last_name,sms_phone,birthday\n"
    "Ann,Lee,8613800000001,1990-01-01\n"
    "Bo,Li,8613800000002,1990-02-31\n"
    "Cy,Ko,8613800000003,1990-13-01\n"
)


def corrected(table: Path, run: str, *cells: tuple[int, str, str]) -> Path:
    path = table.with_suffix(".jsonl")
    sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
    found = (CorrectedCell("", row, "birthday", was, now) for row, was, now in cells)
    write_corrections(path, sha256, found, run)
    return path


def first_run(importer: Command, work: Path) -> tuple[Path, str]:
    table = work / "a.csv"
    table.write_text(TABLE, "utf-8")
    importer("run", "a.csv", "--report-dir", "first")
    return table, str(summary(work / "first")["run"])


def test_rows_that_are_in_are_not_sent_again_and_keep_their_numbers(
    importer: Command, work: Path, box: Sandbox, settings: object
) -> None:
    table, run = first_run(importer, work)
    path = corrected(table, run, (3, "1990-02-31", "1990-02-28"))
    importer("run", "a.csv", "--corrections", str(path), "--report-dir", "second")
    rows = {row["_row"]: row["_status"] for row in results(work / "second")}
    assert rows == {"2": "skipped", "3": "imported", "4": "invalid"}
    assert [customer.fields["first_name"] for customer in box.customers()] == ["Ann", "Bo"]
    assert len(box.requests) == 2
    path = corrected(table, run, (3, "1990-02-31", "1990-02-28"), (4, "1990-13-01", "1990-01-13"))
    importer("run", "a.csv", "--corrections", str(path), "--report-dir", "third")
    rows = {row["_row"]: row["_status"] for row in results(work / "third")}
    assert rows == {"2": "skipped", "3": "skipped", "4": "imported"}
    with Journal.open() as journal:
        assert [one.parent for one in journal.children(run)] == [run, run]


def test_a_rest_is_as_old_as_its_file(importer: Command, work: Path, box: Sandbox, settings: object) -> None:
    table, run = first_run(importer, work)
    newer = work / "b.csv"
    newer.write_text("first_name,last_name,sms_phone,birthday\nBo,New,8613800000002,1990-02-02\n", "utf-8")
    importer("run", "b.csv", "--report-dir", "newer")
    path = corrected(table, run, (3, "1990-02-31", "1990-02-28"), (4, "1990-13-01", "1990-01-13"))
    importer("run", "a.csv", "--corrections", str(path), "--report-dir", "second")
    rows = {row["_row"]: row["_code"] for row in results(work / "second")}
    assert rows["3"] == "newer-import"
    assert sorted(str(one.fields["last_name"]) for one in box.customers()) == ["Ko", "Lee", "New"]


def test_the_rest_of_a_run_that_nobody_knows_is_the_whole_file_and_says_so(
    importer: Command, work: Path, box: Sandbox, settings: object
) -> None:
    table = work / "a.csv"
    table.write_text(TABLE, "utf-8")
    path = corrected(table, "20200101-000000-aaaa")
    found = importer("run", "a.csv", "--corrections", str(path), "--report-dir", "only")
    assert "20200101-000000-aaaa" in found.out + found.err
    assert [row["_status"] for row in results(work / "only")] == ["imported", "invalid", "invalid"]
