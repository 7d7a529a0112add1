"""`importer forget`: a person is found wherever the importer keeps something, and is gone afterwards."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from importer.exit_codes import ExitCode
from importer.journal import Journal
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary, use
from tests.support.jobs import Bench
from tests.support.web import web_page

HEADER = ["First name", "Last name", "Mobile", "E-mail", "Address"]
ZOE = ["Zoeanna", "Quellwasser", "+86 138 0013 8000", "zoe@quell.example", "Hidden Lane 7"]
TELLING = ("Zoeanna", "Quellwasser", "13800138000", "138 0013 8000", "zoe@quell", "Hidden Lane")


def people(count: int) -> list[list[str]]:
    return [[f"Given{n}", "Li", f"+8613900000{n:03}", f"c{n}@x.example", "Ring 1"] for n in range(count)]


def write(path: Path, *rows: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def texts(path: Path) -> str:
    """All text of a file, as far as a person can read it."""
    if path.suffix == ".xlsx":
        book = load_workbook(path)
        cells = [cell for sheet in book.worksheets for line in sheet.iter_rows() for cell in line]
        notes = [cell.comment.text for cell in cells if cell.comment]
        return "\n".join([str(cell.value) for cell in cells if cell.value is not None] + notes)
    return path.read_bytes().decode("utf-8", "replace")


def holding(*roots: Path) -> set[str]:
    """The names of files that hold anything of the person."""
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    return {path.name for path in files if any(word in texts(path) for word in TELLING)}


@pytest.fixture
def everywhere(
    importer: Command, work: Path, own_surroundings: Path, monkeypatch: pytest.MonkeyPatch, box: Sandbox
) -> dict[str, Path]:
    """A person in many places. Returns the folders."""
    use(monkeypatch, box.connection)
    bad = [*ZOE[:2], *ZOE[2:4], "x" * 300]
    write(work / "mine.csv", *people(3), ZOE)
    importer("run", "mine.csv", "--changed-only", "--report-dir", "r1")
    box.misbehave("cut-field field=address endpoint=query")
    importer("verify", summary(work / "r1")["run"])
    box.misbehave()
    write(work / "again.csv", *people(3), [*ZOE[:4], "Hidden Lane 8"])
    importer("run", "again.csv", "--keep-before", "--changed-only", "--report-dir", "r2")
    box.misbehave("code code=1002 message='bad customer zoe@quell.example' rows.email=zoe@quell.example")
    write(work / "bad.csv", *people(3), bad, [*ZOE[:4], "Hidden Lane 9"])
    importer("run", "bad.csv", "--excel-report", "--report-dir", "r3")
    box.misbehave()
    with (work / "mine.csv").open(encoding="utf-8") as file, monkeypatch.context() as patch:
        patch.setattr("sys.stdin", file)
        importer("run", "-", "--yes", "--report-dir", "r4")
    bench = Bench(work / "jobs", box)
    bench.inbox.mkdir(parents=True)
    monkeypatch.setattr(Bench, "journal", lambda self: Journal.open())
    bench.drop("zoe.csv", [",".join(row) for row in (*people(2), ZOE)], ",".join(HEADER))
    assert bench.round(tripwires={"changed_columns": False}).exit_code == ExitCode.DONE
    with web_page(box) as page:
        page.checked(page.upload(work / "mine.csv"))
    return {"work": work, "state": own_surroundings, "inbox": bench.inbox}


def test_a_person_is_found_everywhere_and_gone_from_all(
    importer: Command, everywhere: dict[str, Path]
) -> None:
    work, state = everywhere["work"], everywhere["state"]
    roots = (work, state)
    before = {name: summary(work / name)["counts"] for name in ("r1", "r2", "r3", "r4")}
    there = holding(*roots)
    wanted = {"results.csv", "rejects.csv", "rejects.xlsx", "annotated.xlsx", "verify.csv", "before.csv"}
    assert wanted | {"report.html", "zoe.csv", "mine.csv"} <= there
    found = importer("forget", "zoe@quell.example", "+86 138 0013 8000", "--json")
    kinds = {trace["kind"] for trace in found.json["found"]}
    assert {"journal", "report", "page", "copy", "work", "yours"} <= kinds
    assert len(found.json["found"]) >= 10
    assert not found.json["cleared"]
    assert holding(*roots) == there
    done = importer("forget", "zoe@quell.example", "+86 138 0013 8000", "--yes")
    assert "Cleared" in done.out
    assert done.code == 1  # one's own files are left alone
    assert holding(*roots) == {"mine.csv", "again.csv", "bad.csv"}
    again = importer("forget", "zoe@quell.example", "+86 138 0013 8000", "--json")
    assert {trace["kind"] for trace in again.json["found"]} == {"yours"}
    for name, counts in before.items():
        assert summary(work / name)["counts"] == counts
        rows = results(work / name)
        told = {status: sum(row["_status"] == status for row in rows) for status in counts}
        assert told == counts
    with Journal.open() as journal:
        assert all(sum(run.counts.values()) for run in journal.runs() if not run.dry_run)


def test_nobody_else_loses_anything(importer: Command, everywhere: dict[str, Path]) -> None:
    work = everywhere["work"]
    kept = [row for row in results(work / "r1") if row["First name"] != "Zoeanna"]
    importer("forget", "zoe@quell.example", "--yes")
    assert [row for row in results(work / "r1") if row["First name"]] == kept
    write(work / "mine.csv", *people(3))
    importer("run", "mine.csv", "--changed-only", "--report-dir", "r9")
    assert {row["_code"] for row in results(work / "r9")} == {"unchanged"}


@pytest.mark.parametrize(
    ("contact", "country"),
    [("008613800138000", ""), ("138 0013 8000", "CN"), ("ZOE@Quell.example", "")],
)
def test_a_person_is_found_however_the_contact_is_written(
    importer: Command, work: Path, contact: str, country: str
) -> None:
    write(work / "a.csv", ZOE)
    importer("run", "a.csv", "--sandbox", "--report-dir", "out")
    words = ("--country", country) if country else ()
    assert importer("forget", contact, *words, "--yes").code == 1
    assert [row["First name"] for row in results(work / "out")] == [""]


def test_what_is_no_contact_is_refused_and_nobody_is_found(importer: Command, work: Path) -> None:
    assert importer("forget", "Zoe").code == 2
    write(work / "a.csv", ZOE)
    importer("run", "a.csv", "--sandbox", "--report-dir", "out")
    found = importer("forget", "nobody@x.example", "--json")
    assert found.code == 0
    assert json.loads(found.out) == {"found": [], "cleared": False}
