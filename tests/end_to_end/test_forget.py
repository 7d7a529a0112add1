"""`importer forget`: a person is found wherever the importer keeps something, and is gone afterwards."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from importer.exit_codes import ExitCode
from importer.journal import MARKED, Journal, RunRecord
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary, use
from tests.support.jobs import Bench
from tests.support.journal import record as make_record
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


def interrupted(report_dir: Path, source: Path) -> RunRecord:
    """A run of the journal that nobody has ended, and what it has written of its reports so far."""
    source.write_text("First name\n")
    record = make_record(
        "20260101-030000-abcd", path=str(source), report_dir=str(report_dir), settings='{"country": "CN"}'
    )
    report_dir.mkdir()
    part = report_dir / f"results.csv.{record.id}.part"
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        own = ["_run", "_sheet", "_row", "_status", "_code", "_message", "_batch", "_attempts", "_trace_id"]
        writer.writerow([*own, "_issues", *HEADER])
        writer.writerow([record.id, "", "2", "imported", "", "", "1", "1", "", "", *ZOE])
    (report_dir / f"rejects.xlsx.{record.id}.part").write_bytes(b"PK\3\4 not a whole one")
    return record


def test_what_a_run_at_work_writes_is_left_alone_and_named(importer: Command, work: Path) -> None:
    record = interrupted(work / "r1", work / "a.csv")
    part = work / "r1" / f"results.csv.{record.id}.part"
    before, inode = part.read_bytes(), part.stat().st_ino
    with Journal.open() as journal, journal.start(record):
        found = importer("forget", "zoe@quell.example", "--yes", "--json")
    assert [(trace["kind"], trace["place"]) for trace in found.json["found"]] == [("unfinished", str(part))]
    assert found.code == 1
    assert (part.read_bytes(), part.stat().st_ino) == (before, inode)


def test_parts_of_a_run_that_was_killed_go_as_a_whole(importer: Command, work: Path) -> None:
    record = interrupted(work / "r1", work / "a.csv")
    with Journal.open() as journal, journal.start(record):
        pass
    assert importer("forget", "zoe@quell.example", "--yes").code == 0
    assert not list((work / "r1").iterdir())


def workbook(path: Path) -> Path:
    """A workbook in which only a link names the person."""
    book = Workbook()
    book.active.append(HEADER)
    book.active.append(["Given1", "Li", "+8613900000001", "c1@x.example", "Ring 1"])
    book.active.append(["Zoeanna", "Quellwasser", "+8613700000002", "write", "Hidden Lane 7"])
    book.active["D3"].hyperlink = "mailto:zoe@quell.example"
    book.save(path)
    return path


def in_archive(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(b"quell" in archive.read(name) for name in archive.namelist())


@pytest.fixture
def bench(work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(work / "jobs", box)
    bench.inbox.mkdir(parents=True)
    monkeypatch.setattr(Bench, "journal", lambda self: Journal.open())
    return bench


def test_links_of_a_workbook_are_seen_and_go(importer: Command, bench: Bench, work: Path) -> None:
    bench.touch(workbook(bench.inbox / "zoe.xlsx"), 3600)
    assert bench.round(tripwires={"changed_columns": False}).exit_code == ExitCode.DONE
    copy = bench.file("zoe.xlsx")
    assert in_archive(copy)
    assert importer("forget", "zoe@quell.example", "--yes").code == 0
    assert not in_archive(copy)
    book = load_workbook(copy)
    assert [cell.value for cell in book.active[3]] == [None] * 5
    assert book.active["A2"].value == "Given1"


def test_a_workbook_that_names_the_person_where_nothing_can_be_cleared_is_not_said_to_be_clear(
    importer: Command, bench: Bench
) -> None:
    book = Workbook()
    book.active.append(HEADER)
    book.active.append(["Given1", "Li", "+8613900000001", "c1@x.example", "Ring 1"])
    book.active.oddFooter.center.text = "zoe@quell.example"
    book.save(bench.inbox / "foot.xlsx")
    bench.touch(bench.inbox / "foot.xlsx", 3600)
    bench.round(tripwires={"changed_columns": False})
    done = importer("forget", "zoe@quell.example", "--yes", "--json")
    assert [trace["kind"] for trace in done.json["found"]] == ["stuck"]
    assert done.code == 1
    assert importer("forget", "zoe@quell.example", "--yes", "--delete-copies").code == 0
    assert not list(bench.inbox.rglob("foot.xlsx"))


@pytest.mark.parametrize("ending", [".csv.gz", ".zip"])
def test_a_packed_copy_is_named_and_deleted_if_that_is_wanted(
    importer: Command, bench: Bench, ending: str
) -> None:
    text = "\n".join([",".join(HEADER), ",".join(ZOE)]) + "\n"
    packed = bench.inbox / f"zoe{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("zoe.csv", text)
    else:
        packed.write_bytes(gzip.compress(text.encode()))
    bench.touch(packed, 3600)
    assert bench.round(tripwires={"changed_columns": False}).exit_code == ExitCode.DONE
    left = importer("forget", "zoe@quell.example", "--yes", "--json")
    assert {trace["kind"] for trace in left.json["found"]} >= {"stuck"}
    assert left.code == 1
    assert bench.file(packed.name)
    assert importer("forget", "zoe@quell.example", "--yes", "--delete-copies").code == 0
    assert not list(bench.inbox.rglob(packed.name))


def test_files_that_a_job_put_away_without_a_run_are_looked_at(importer: Command, bench: Bench) -> None:
    rows = [",".join(row) for row in (*people(2), ZOE)]
    for name in ("zoe.csv", "again.csv"):
        bench.drop(name, rows, ",".join(HEADER))
        bench.round(tripwires={"changed_columns": False})
    bench.drop("odd.csv", rows, "a,b,c,d,e")
    (bench.inbox / "empty.csv").write_bytes(b"")
    bench.touch(bench.inbox / "empty.csv", 3600)
    bench.round()
    assert {name: bench.places(name) for name in ("zoe.csv", "again.csv", "odd.csv")} == {
        "zoe.csv": ["done"],
        "again.csv": ["done"],
        "odd.csv": ["failed"],
    }
    assert importer("forget", "zoe@quell.example", "--yes").code == 0
    assert holding(bench.inbox) == set()
    assert (
        sum("Given" in texts(path) for path in bench.inbox.rglob("*.csv") if path.name != "results.csv") == 3
    )


def test_a_file_whose_run_was_pruned_is_looked_at_with_its_reports(importer: Command, bench: Bench) -> None:
    bench.drop("zoe.csv", [",".join(row) for row in (*people(2), ZOE)], ",".join(HEADER))
    bench.round(tripwires={"changed_columns": False})
    with Journal.open() as journal:
        journal.prune([run.id for run in journal.runs()])
        assert not journal.runs()
    assert {"zoe.csv", "results.csv"} <= holding(bench.inbox)
    importer("forget", "zoe@quell.example", "--yes")
    assert holding(bench.inbox) == set()


def test_who_shares_a_mailbox_is_sent_again_and_not_taken_for_unchanged(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, box.connection)
    shared = ["Ann", "Li", "", "family@x.example", "Ring 1"]
    write(work / "a.csv", shared)
    importer("run", "a.csv", "--changed-only", "--report-dir", "r1")
    write(work / "b.csv", ["Zoeanna", "Li", "+8613800138000", "family@x.example", "Lane 2"])
    importer("run", "b.csv", "--changed-only", "--report-dir", "r2")
    assert importer("forget", "+86 138 0013 8000", "--yes").code == 1
    importer("run", "a.csv", "--changed-only", "--yes", "--report-dir", "r3")
    assert [row["_status"] for row in results(work / "r3")] == ["imported"]


def test_marks_of_damage_are_under_the_journals_key_and_go(importer: Command, work: Path) -> None:
    phone = "0013800138000"
    write(work / "a.csv", ["", "Quellwasser", phone, "zoe@quell.example", "Ring 1"], *people(1))
    importer("run", "a.csv", "--sandbox", "--report-dir", "out")

    def marks() -> list[str]:
        with Journal.open() as journal:
            (run,) = journal.runs()
            return [state.message for state in journal.row_states(run.id).states if state.code == MARKED]

    (mark,) = marks()
    assert len(mark.strip(",")) == 24
    assert hashlib.sha256(phone.encode()).hexdigest()[:24] not in mark
    importer("forget", "zoe@quell.example", "--yes")
    assert marks() == [""]


def test_a_damaged_journal_that_was_put_aside_is_named(importer: Command, own_surroundings: Path) -> None:
    with Journal.open() as journal:
        aside = journal.path.with_name("journal.damaged-20260101-030000.db")
    aside.write_bytes(b"whatever")
    found = importer("forget", "zoe@quell.example", "--yes")
    assert str(aside) in found.out
    assert found.code == 1


@pytest.mark.parametrize("elsewhere", [False, True])
def test_reports_that_are_drawn_again_do_not_bring_a_person_back(
    importer: Command, everywhere: dict[str, Path], elsewhere: bool
) -> None:
    work = everywhere["work"]
    importer("forget", "zoe@quell.example", "+86 138 0013 8000", "--yes")
    for folder in ("r1", "r3"):
        target = work / "again" if elsewhere else work / folder
        words = ("--report-dir", str(target)) if elsewhere else ()
        done = importer("report", summary(work / folder)["run"], *words)
        assert "to people who were cleared" in done.err + done.out
        assert holding(target) == set()
        rows = next(results(target, path.name) for path in target.glob("results*.csv"))
        assert sum(row["First name"].startswith("Given") for row in rows) == 3
        assert {row["_row"] for row in rows if not row["First name"]} >= {"5"}
