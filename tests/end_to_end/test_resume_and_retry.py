"""Runs taken up again, in any chain: nothing is stored twice, nothing newer is overwritten."""

from __future__ import annotations

import csv
import gzip
import zipfile
from functools import partial
from pathlib import Path

import openpyxl
import pytest

from importer.delivery import Policy
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary, use

HEADER = ["first_name", "last_name", "sms_phone"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait as long as they would, but in no time."""
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))


def write(path: Path, *rows: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def people(count: int, start: int = 0) -> list[list[str]]:
    return [[f"P{n}", "Li", f"86138{n:08}"] for n in range(start, start + count)]


def bare(count: int) -> list[list[str]]:
    return [[f"Bare{n}", "Li", ""] for n in range(count)]


def statuses(folder: Path) -> dict[str, tuple[str, str]]:
    return {row["_row"]: (row["_status"], row["_code"]) for row in results(folder)}


def test_held_back_rows_stay_held_back_when_the_retry_is_resumed_or_retried(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = ["Old", "Li", "8613900000000"], ["New", "Li", "8613900000000"]
    write(work / "a.csv", old, *bare(2), *people(97), new)
    with Sandbox(faults=["lost requests=1", "code code=9001 requests=2-9"]) as box:
        use(monkeypatch, box.connection)
        importer("run", "a.csv", "--concurrency", "1", "--report-dir", "reports/first")
        first = summary(work / "reports/first")["run"]
        assert statuses(work / "reports/first")["102"][0] == "imported"
        stored = len(box.customers())
        box.misbehave("code code=1005")
        assert importer("retry", first).code == 4
        (folder,) = [path for path in (work / "reports").iterdir() if path.name != "first"]
        held = {
            "2": ("unknown", "held-back"),
            "3": ("unknown", "no-answer-known"),
            "4": ("unknown", "no-answer-known"),
        }
        assert {row: statuses(folder)[row] for row in held} == held
        importer("report", folder.name, "--report-dir", "drawn")
        assert {row: statuses(work / "drawn")[row] for row in held} == held
        box.misbehave()
        assert importer("resume", folder.name).code == 1
        assert {row: statuses(folder)[row] for row in held} == held
        importer("retry", folder.name)
        importer("retry", first)
        names = [str(customer.fields["first_name"]) for customer in box.customers()]
        assert "Old" not in names
        assert len(names) == stored


def test_a_second_retry_sends_nothing_that_the_first_brought_in(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *bare(5), *people(5))
    with Sandbox(faults=["code code=9001"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--report-dir", "out").code == 1
        box.misbehave()
        first = summary(work / "out")["run"]
        for _ in range(2):
            assert importer("retry", first).code == 0
        assert len(box.customers()) == 10


def test_a_run_that_was_retried_is_not_resumed(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *bare(300))
    with Sandbox(faults=["code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--concurrency", "1", "--report-dir", "out").code == 4
        box.misbehave()
        first = summary(work / "out")["run"]
        assert importer("retry", first).code == 0
        assert "nothing to resume" in importer("resume").out
        assert importer("resume", first).code == 2
        assert len(box.customers()) == 300


def test_results_can_be_imported_round_after_round(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *bare(10), ["", "Nobody", ""])
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        importer("run", "a.csv", "--report-dir", "r0")
        for number in range(3):
            importer("run", f"r{number}/results.csv", "--report-dir", f"r{number + 1}")
        assert len(box.customers()) == 10


def test_a_retry_leaves_alone_what_a_corrected_report_brought_in(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(3), ["Wrong", "Li", "8613900000000"])
    with Sandbox(faults=["code code=1002 rows.first_name=Wrong"]) as box:
        use(monkeypatch, box.connection)
        importer("run", "a.csv", "--report-dir", "out")
        rejects = (work / "out" / "rejects.csv").read_text("utf-8-sig").replace("Wrong", "Right")
        (work / "mended.csv").write_text(rejects, "utf-8-sig")
        assert importer("run", "mended.csv").code == 0
        box.misbehave()
        importer("retry", summary(work / "out")["run"], "--rejected")
        assert "Wrong" not in [customer.fields["first_name"] for customer in box.customers()]
        assert len(box.customers()) == 4


def test_a_file_that_changes_while_it_is_read_leaves_true_reports(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(work / "a.csv", *people(40_000))
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        seen: list[Path] = []

        def change(*_: object) -> None:
            if not seen:
                seen.append(write(file, *people(39_000, start=7)))

        monkeypatch.setattr("importer.pipeline.run.Run._pulse", lambda self, tally: change)
        done = importer("run", "a.csv", "--report-dir", "out")
        assert done.code == 3
        assert "changed" in done.out + done.err
        assert "Ctrl-C" not in done.out + done.err
        rows = results(work / "out")
        imported = [row for row in rows if row["_status"] == "imported"]
        assert len(imported) == len(box.customers())
        assert {row["_status"] for row in rows} <= {"imported", "not_sent"}


@pytest.mark.parametrize("option", ["--max-invalid", "--patience", "--rate"])
def test_nan_is_no_number(importer: Command, option: str) -> None:
    assert importer("run", "a.csv", option, "nan").code == 2


def test_max_invalid_outlives_a_crash(importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(work / "a.csv", *people(5), *[["", "Nobody", ""]] * 5)
    with Sandbox() as box:
        use(monkeypatch, box.connection)

        def die(*_: object) -> None:
            raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr("importer.pipeline.run.precheck", die)
            importer("run", "a.csv", "--max-invalid", "10", "--report-dir", "out")
        assert importer("resume").code == 6
        assert not box.requests


def packed(folder: Path, kind: str) -> list[str]:
    """Pack a table of 150 people, and return how the command line names it."""
    plain = write(folder / "people.csv", *people(150))
    if kind == "gz":
        (folder / "p.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
        return ["p.csv.gz"]
    if kind == "zip":
        with zipfile.ZipFile(folder / "p.zip", "w") as archive:
            archive.write(plain, "north/people.csv")
            archive.write(plain, "south/other.csv")
        return ["p.zip", "--sheet", "people.csv"]
    ooxml = pytest.importorskip("msoffcrypto.format.ooxml")
    book = openpyxl.Workbook()
    for row in (HEADER, *people(150)):
        book.active.append(row)
    book.save(folder / "plain.xlsx")
    with (folder / "plain.xlsx").open("rb") as file, (folder / "p.xlsx").open("wb") as encrypted:
        ooxml.OOXMLFile(file).encrypt("geheim", encrypted)
    return ["p.xlsx", "--password-command", "echo geheim"]


@pytest.mark.parametrize("kind", ["gz", "zip", pytest.param("xlsx", marks=pytest.mark.extras)])
def test_a_run_of_a_packed_or_encrypted_file_is_taken_up_and_retried(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    words = packed(work, kind)
    (work / "people.csv").unlink()
    with Sandbox(faults=["code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", *words, "--concurrency", "1", "--report-dir", "out").code == 4
        box.misbehave("code code=9001 requests=1-9")
        ended = importer("resume", "--concurrency", "1")
        assert ended.code == 1, ended.err
        box.misbehave()
        assert importer("retry", summary(Path("out"))["run"]).code == 0
        assert len(box.customers()) == 150
        assert importer("report", summary(Path("out"))["run"], "--report-dir", "again").code == 0
        assert len(results(Path("again"))) == 150


def test_prune_leaves_reports_of_a_run_that_must_still_be_known(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(3))
    with Sandbox(faults=["lost requests=1"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--report-dir", "reports/first").code == 0
        done = importer("runs", "prune", "--older-than", "0h", "--yes")
        assert "Kept: 1 run" in done.out
        assert "Deleted" not in done.out
        assert (work / "reports" / "first" / "results.csv").exists()
