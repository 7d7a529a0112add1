"""Whoever is on a list of people who must not be sent is left out, whatever sends."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import pytest

from importer.delivery import Policy
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary, use
from tests.support.jobs import Bench, lines
from tests.support.web import web_page

HEADER = ["first_name", "last_name", "sms_phone"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait as long as they would, but in no time."""
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))


def write(path: Path, *rows: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def people(count: int) -> list[list[str]]:
    return [HEADER, *([f"P{n}", "Li", f"86138{n:08}"] for n in range(count))]


def phones(*numbers: int) -> list[list[str]]:
    return [["Phone"], *([f"+86 138 {n:08}"] for n in numbers)]


def statuses(folder: Path) -> dict[str, tuple[str, str]]:
    return {row["_row"]: (row["_status"], row["_code"]) for row in results(folder)}


def stored(box: Sandbox) -> set[str]:
    return {str(customer.fields["first_name"]) for customer in box.customers()}


def test_a_run_leaves_them_out_and_says_so(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(5))
    write(work / "list.csv", *phones(1, 3, 77), ["1.38E+10"])
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--suppress", "list.csv", "--report-dir", "out").code == 0
        assert stored(box) == {"P0", "P2", "P4"}
        found = statuses(work / "out")
        assert {row for row, state in found.items() if state == ("skipped", "suppressed")} == {"3", "5"}
        told = summary(work / "out")
        (used,) = told["suppression"]
        assert (used["name"], used["phones"], used["unreadable"], used["rows"]) == ("list.csv", 3, 1, 2)
        assert len(used["sha256"]) == 64
        assert any("list.csv" in note and "row 5" in note for note in told["notes"])
        assert importer("validate", "a.csv", "--suppress", "list.csv", "--report-dir", "dry").code == 0
        assert [state[0] for state in statuses(work / "dry").values()].count("valid") == 3
        assert importer("report", told["run"], "--report-dir", "drawn").code == 0
        assert statuses(work / "drawn") == found


def test_a_list_that_cannot_be_used_stops_before_anything_is_sent(importer: Command, work: Path) -> None:
    write(work / "a.csv", *people(5))
    write(work / "empty.csv", ["Phone"], ["none"])
    for name, said in (("empty.csv", "empty.csv"), ("gone.csv", "gone.csv")):
        found = importer("run", "a.csv", "--sandbox", "--suppress", name)
        assert found.code == 3
        assert said in found.err


def test_resume_and_retry_read_the_list_as_it_is_now(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(250))
    write(work / "list.csv", *phones(120))
    with Sandbox(faults=["code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        words = ("run", "a.csv", "--suppress", "list.csv", "--concurrency", "1", "--report-dir", "out")
        assert importer(*words).code == 4
        write(work / "list.csv", *phones(120, 130))
        box.misbehave("code code=9001")
        assert importer("resume").code == 1
        run = summary(work / "out")["run"]
        write(work / "list.csv", *phones(120, 130, 140))
        write(work / "more.csv", *phones(150))
        box.misbehave()
        assert importer("retry", run, "--suppress", "more.csv").code == 0
        assert {f"P{n}" for n in range(250)} - stored(box) == {"P120", "P130", "P140", "P150"}


def test_a_row_that_may_be_in_is_unknown_when_its_customer_is_listed(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(3))
    write(work / "list.csv", *phones(99))
    with Sandbox(faults=["lost"]) as box:
        use(monkeypatch, box.connection)
        run = ("run", "a.csv", "--suppress", "list.csv", "--report-dir", "out")
        assert importer(*run).code == 1
        assert {state[0] for state in statuses(work / "out").values()} == {"unknown"}
        write(work / "list.csv", *phones(1))
        box.misbehave()
        requests = len(box.requests)
        assert importer("retry", summary(work / "out")["run"]).code == 1
        (folder,) = (path for path in work.iterdir() if path.is_dir() and path.name != "out")
        assert statuses(folder)["3"] == ("unknown", "suppressed")
        assert len(box.requests) == requests + 1


def test_the_import_of_a_report_leaves_out_whom_its_run_left_out(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = people(3)
    rows[2][0] = ""
    write(work / "a.csv", *rows, ["P9", "Li", "8613800000001"])
    write(work / "list.csv", *phones(1))
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        importer("run", "a.csv", "--suppress", "list.csv", "--report-dir", "out")
        assert statuses(work / "out")["3"] == ("skipped", "suppressed")
        importer("run", "out/results.csv", "--report-dir", "again")
        assert {state[1] for state in statuses(work / "again").values()} == {"suppressed", "imported-before"}
        assert stored(box) == {"P0", "P2"}


def test_a_profile_and_a_job_have_lists_of_their_own(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(4))
    write(work / "always.csv", *phones(0))
    write(work / "today.csv", *phones(1))
    (work / "importer.toml").write_text('[profile.default]\nsuppress = ["always.csv"]\n', "utf-8")
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--suppress", "today.csv", "--report-dir", "out").code == 0
        assert stored(box) == {"P2", "P3"}
        names = [one["name"] for one in summary(work / "out")["suppression"]]
        assert names == ["always.csv", "today.csv"]


def test_a_job_leaves_them_out(tmp_path: Path, box: Sandbox) -> None:
    bench = Bench(tmp_path, box)
    bench.inbox.mkdir()
    write(tmp_path / "list.csv", ["E-mail"], ["C2@example.com"])
    bench.drop("a.csv", lines(3))
    report = bench.round(suppress=["list.csv"])
    assert report.exit_code == 0
    assert bench.emails() == ["c1@example.com", "c3@example.com"]


def test_the_page_in_the_browser_leaves_out_whom_the_profile_does(work: Path, box: Sandbox) -> None:
    write(work / "list.csv", *phones(1))
    (work / "importer.toml").write_text('[profile.default]\nsuppress = ["list.csv"]\n', "utf-8")
    write(work / "a.csv", *people(3))
    with web_page(box) as page:
        piece = page.upload(work / "a.csv")
        page.checked(piece)
        assert page.send(piece).ok
    assert stored(box) == {"P0", "P2"}
