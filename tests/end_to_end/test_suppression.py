"""Whoever is on a list of people who must not be sent is left out, whatever sends."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from importer import import_file
from importer.delivery import Policy
from importer.delivery.base import Clock
from importer.journal import Journal
from importer.readers.overlay import CorrectedCell, write_corrections
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary, use
from tests.support.jobs import Bench, lines
from tests.support.web import text_of, web_page

HEADER = ["first_name", "last_name", "sms_phone"]
NIGHTLY = '[job.nightly]\nsource = "a.csv"\nconcurrency = 1\n'
LISTED = 'suppress = ["list.csv"]\n'


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


@contextmanager
def half_sent(importer: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a.csv with list.csv. Only the first request is taken; yields the CRM, which refuses what comes."""
    with Sandbox(faults=["code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        words = ("run", "a.csv", "--suppress", "list.csv", "--concurrency", "1", "--report-dir", "out")
        assert importer(*words).code == 4
        yield box


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
        assert summary(work / "drawn")["suppression"] == told["suppression"]


def test_a_list_says_which_of_its_entries_have_no_contact(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(3))
    write(work / "list.csv", ["Name", "Phone"], ["Li, P0", ""], ["Li, P1", "+86 138 00000001"])
    use(monkeypatch, box.connection)
    found = importer("run", "a.csv", "--suppress", "list.csv", "--report-dir", "out")
    said = "1 entry of the list list.csv has no phone"
    assert said in " ".join(found.out.split())
    assert said in " ".join(found.err.split())
    told = summary(work / "out")
    (used,) = told["suppression"]
    assert (used["without_contact"], used["unreadable"]) == (1, 0)
    assert [note for note in told["notes"] if said in note and "row 2" in note]
    assert said in (work / "out" / "report.html").read_text("utf-8")
    assert "Li, P0" not in found.out + found.err
    importer("report", told["run"], "--report-dir", "drawn")
    assert summary(work / "drawn")["suppression"] == told["suppression"]


@pytest.mark.parametrize("command", ["run", "resume", "retry"])
def test_a_correction_takes_nobody_off_a_list(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    header = [*HEADER, "email"]
    rows = [[f"P{n}", "Li", f"86138{n:08}", f"p{n}@x.example"] for n in range(3)]
    write(work / "a.csv", header, *rows)
    write(work / "list.csv", *(phones(1) if command == "run" else phones(77)))
    cell = CorrectedCell("", 3, "sms_phone", "8613800000001", "")
    sha256 = hashlib.sha256((work / "a.csv").read_bytes()).hexdigest()
    write_corrections(work / "fixed.jsonl", sha256, [cell])
    use(monkeypatch, box.connection)
    words = ("a.csv", "--corrections", "fixed.jsonl", "--suppress", "list.csv", "--report-dir", "out")
    if command != "run":
        box.misbehave("code code=1005" if command == "resume" else "code code=9001")
    importer("run", *words)
    if command != "run":
        box.misbehave()
        write(work / "list.csv", *phones(1))
        importer(command, summary(work / "out")["run"])
    assert stored(box) == {"P0", "P2"}


def test_the_page_leaves_out_whom_a_correction_would_hide_and_tells_of_entries_without_contact(
    work: Path, box: Sandbox
) -> None:
    write(work / "list.csv", *phones(77))
    (work / "importer.toml").write_text('[profile.default]\nsuppress = ["list.csv"]\n', "utf-8")
    rows = [[f"P{n}", "Li", "8613800000001" if n else "", f"p{n}@x.example"] for n in range(3)]
    write(work / "a.csv", [*HEADER, "email"], *rows)
    with web_page(box) as page:
        piece = page.upload(work / "a.csv")
        page.checked(piece)
        assert page.correct(piece, 4, "sms_phone").ok
        write(work / "list.csv", ["Name", "Phone"], ["Li, P0", ""], ["Li, P1", "+86 138 00000001"])
        page.checked(piece)
        for step in ("check", "import"):
            said = "1 line of the list list.csv has no phone and no e-mail"
            assert said in text_of(page.get(f"{piece}/{step}")), step
        assert page.send(piece).ok
    assert stored(box) == {"P0"}


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
    with half_sent(importer, monkeypatch) as box:
        write(work / "list.csv", *phones(120, 130))
        box.misbehave("code code=9001")
        assert importer("resume").code == 1
        run = summary(work / "out")["run"]
        write(work / "list.csv", *phones(120, 130, 140))
        write(work / "more.csv", *phones(150))
        box.misbehave()
        assert importer("retry", run, "--suppress", "more.csv").code == 0
        assert {f"P{n}" for n in range(250)} - stored(box) == {"P120", "P130", "P140", "P150"}


def test_who_is_on_no_list_any_more_goes_with_the_rest_of_the_run(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(250))
    write(work / "list.csv", *phones(20, 30, 120))
    with half_sent(importer, monkeypatch) as box:
        write(work / "list.csv", *phones(30))
        box.misbehave()
        assert importer("resume").code == 0
        assert {f"P{n}" for n in range(250)} - stored(box) == {"P30"}
        assert [row for row, (_, code) in statuses(work / "out").items() if code == "suppressed"] == ["32"]
        assert summary(work / "out")["suppression"][0]["rows"] == 1
        run = summary(work / "out")["run"]
        importer("report", run, "--report-dir", "again")
        assert statuses(work / "again") == statuses(work / "out")


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


def test_a_corrected_report_takes_nobody_off_the_list_that_left_them_out(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [[f"P{n}", "Li", f"86138{n:08}", f"p{n}@x.example"] for n in range(3)]
    write(work / "a.csv", [*HEADER, "email"], *rows)
    write(work / "list.csv", *phones(1))
    use(monkeypatch, box.connection)
    importer("run", "a.csv", "--suppress", "list.csv", "--report-dir", "out")
    with (work / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.reader(file))
    table[2][table[0].index("sms_phone")] = ""
    write(work / "fixed.csv", *table)
    importer("run", "fixed.csv", "--suppress", "list.csv", "--report-dir", "again")
    assert statuses(work / "again")["3"] == ("skipped", "suppressed")
    assert stored(box) == {"P0", "P2"}
    (used,) = summary(work / "again")["suppression"]
    assert used["rows"] == 1
    write(work / "list.csv", *phones(77))
    importer("run", "fixed.csv", "--suppress", "list.csv", "--report-dir", "third")
    assert stored(box) == {"P0", "P1", "P2"}


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
    write(tmp_path / "list.csv", ["Name", "E-mail"], ["Secret", ""], ["", "C2@example.com"])
    bench.drop("a.csv", lines(3))
    report = bench.round(suppress=["list.csv"])
    assert report.exit_code == 0
    assert bench.emails() == ["c1@example.com", "c3@example.com"]
    log = (bench.state / "jobs" / "nightly.log").read_text("utf-8")
    assert "suppression-no-contact" in log
    assert "Secret" not in log


def test_the_page_in_the_browser_leaves_out_whom_the_profile_does(work: Path, box: Sandbox) -> None:
    write(work / "list.csv", *phones(1))
    (work / "importer.toml").write_text('[profile.default]\nsuppress = ["list.csv"]\n', "utf-8")
    write(work / "a.csv", *people(3))
    with web_page(box) as page:
        piece = page.upload(work / "a.csv")
        page.checked(piece)
        assert page.send(piece).ok
    assert stored(box) == {"P0", "P2"}


def test_a_report_of_several_runs_leaves_out_whom_each_of_them_did(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in (("a", 1), ("b", 2)):
        write(work / f"{name}.csv", HEADER, *([f"{name}{n}", "", f"86138{n:08}"] for n in range(3)))
        write(work / f"{name}-list.csv", *phones(number))
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        for name in ("a", "b"):
            importer("run", f"{name}.csv", "--suppress", f"{name}-list.csv", "--report-dir", name)
        both = [row for name in ("a", "b") for row in results(work / name)]
        mended = [{**row, "last_name": "Li"} for row in both]
        write(work / "both.csv", list(mended[0]), *(list(row.values()) for row in mended))
        importer("run", "both.csv", "--yes", "--report-dir", "out")
        assert stored(box) == {"b0"}  # a0 and b0 share a phone; the others are on one of the lists
        codes = [row["_code"] for row in results(work / "out")]
        assert codes.count("suppressed") == 4


def test_a_row_that_an_unknown_run_left_out_stays_out(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(3))
    write(work / "list.csv", *phones(1))
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        importer("validate", "a.csv", "--suppress", "list.csv", "--report-dir", "out")
        table = (work / "out" / "results.csv").read_text("utf-8-sig")
        run = summary(work / "out")["run"]
        (work / "other.csv").write_text(table.replace(run, "20200101-000000-abcd"), "utf-8-sig")
        importer("run", "other.csv", "--yes", "--report-dir", "again")
        assert stored(box) == {"P0", "P2"}
        assert [row["_code"] for row in results(work / "again")].count("suppressed") == 1
        (work / "asked.csv").write_text(
            table.replace(run, "20200101-000000-abcd").replace("suppressed", ""), "utf-8-sig"
        )
        importer("run", "asked.csv", "--yes")
        assert stored(box) == {"P0", "P1", "P2"}


def test_a_named_profile_holds_in_python_whoever_signs(work: Path, box: Sandbox) -> None:
    write(work / "a.csv", *people(3))
    write(work / "list.csv", *phones(1))
    (work / "importer.toml").write_text('[profile.shop]\nsuppress = ["list.csv"]\n', "utf-8")
    import_file(work / "a.csv", connection=box.connection, profile="shop")
    assert stored(box) == {"P0", "P2"}


def age(path: Path) -> None:
    """Let a file be one that nobody writes to any more."""
    os.utime(path, (1_700_000_000, 1_700_000_000))


def interrupted(importer: Command, work: Path, box: Sandbox) -> str:
    """A run of the job `nightly` of whose 150 rows 50 are not in. Returns its id."""
    age(write(work / "a.csv", *people(150)))
    box.misbehave("code code=1005 requests=2-")
    (work / "importer.toml").write_text(NIGHTLY, "utf-8")
    assert importer("job", "run", "nightly").code == 4
    with Journal.open() as journal:
        (run,) = journal.runs()
    box.misbehave()
    return run.id


@pytest.mark.parametrize("where", ["job", "profile"])
@pytest.mark.parametrize("how", ["resume", "page", "round"])
def test_lists_that_were_named_later_hold_for_what_is_left(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch, how: str, where: str
) -> None:
    use(monkeypatch, box.connection)
    run = interrupted(importer, work, box)
    write(work / "list.csv", *phones(120))
    tables = {"job": NIGHTLY + LISTED, "profile": f"[profile.default]\n{LISTED}{NIGHTLY}"}
    (work / "importer.toml").write_text(tables[where], "utf-8")
    if how == "resume":
        importer("resume", run)
    elif how == "round":
        importer("job", "run", "nightly")
    else:
        with web_page() as page:
            page.post(f"/runs/{run}/resume")
            page.wait(run)
    assert {f"P{n}" for n in range(150)} - stored(box) == {"P120"}


@pytest.mark.parametrize("how", ["retry", "page"])
def test_a_retry_leaves_out_whom_the_job_does_by_now(
    importer: Command, work: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    use(monkeypatch, box.connection)
    age(write(work / "a.csv", *people(3)))
    (work / "importer.toml").write_text(NIGHTLY, "utf-8")
    box.misbehave("code code=9001")
    importer("job", "run", "nightly")
    box.misbehave()
    write(work / "list.csv", *phones(1))
    (work / "importer.toml").write_text(NIGHTLY + LISTED, "utf-8")
    with Journal.open() as journal:
        (run,) = journal.runs()
    if how == "retry":
        importer("retry", run.id)
    else:
        with web_page() as page:
            page.post(f"/runs/{run.id}/retry")
            page.wait(run.id)
    assert stored(box) == {"P0", "P2"}


def test_a_list_that_changes_while_the_run_waits_stops_it_before_anything_is_sent(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(3))
    write(work / "list.csv", *phones(1))
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        lane = replace(box.connection, store="").destination("").lane
        with Journal.open() as journal:
            ahead = journal.lanes.draw(lane, "other.csv")
            assert ahead.take_turn()

            def let_go(self: Clock, *rest: object) -> None:
                write(work / "list.csv", *phones(1, 2))
                ahead.release()

            with monkeypatch.context() as patch:
                patch.setattr("importer.delivery.base.SystemClock.sleep", let_go)
                found = importer("run", "a.csv", "--suppress", "list.csv", "--report-dir", "out")
        assert found.code == 3
        assert "list.csv" in found.err
        assert not box.requests
        importer("resume")
        assert stored(box) == {"P0"}


def test_a_list_that_cannot_be_read_one_night_stops_the_round_and_leaves_the_files(
    tmp_path: Path, box: Sandbox
) -> None:
    bench = Bench(tmp_path, box)
    bench.inbox.mkdir()
    for name, first in (("a.csv", 1), ("b.csv", 11)):
        bench.drop(name, lines(3, first))
    report = bench.round(suppress=["list.csv"])
    assert (report.exit_code, report.files) == (3, ())
    assert "list.csv" in report.message
    assert (bench.places("a.csv"), bench.places("b.csv")) == (["inbox"], ["inbox"])
    write(tmp_path / "list.csv", ["E-mail"], ["C2@example.com"])
    assert bench.round(suppress=["list.csv"]).exit_code == 0
    assert len(bench.emails()) == 5


def test_a_half_sent_file_waits_for_a_list_that_cannot_be_read(tmp_path: Path, box: Sandbox) -> None:
    bench = Bench(tmp_path, box, table={"concurrency": 1})
    bench.inbox.mkdir()
    write(tmp_path / "list.csv", ["E-mail"], ["C120@example.com"])
    bench.drop("a.csv", lines(150))
    box.misbehave("code code=1005 requests=2-")
    bench.round(suppress=["list.csv"])
    box.misbehave()
    (tmp_path / "list.csv").write_text("")
    assert bench.round(suppress=["list.csv"]).exit_code == 3
    assert bench.places("a.csv") == ["working"]
    write(tmp_path / "list.csv", ["E-mail"], ["C120@example.com"], ["C121@example.com"])
    assert bench.round(suppress=["list.csv"]).exit_code == 0
    assert len(bench.emails()) == 148


def test_each_list_has_its_own_count(importer: Command, work: Path) -> None:
    write(work / "a.csv", *people(9))
    write(work / "one.csv", *phones(1, 2, 3))
    write(work / "two.csv", *phones(4, 5))
    write(work / "none.csv", *phones(77))
    for order in (("one", "two", "none"), ("none", "two", "one"), ("two", "one", "none")):
        lists = [word for name in order for word in ("--suppress", f"{name}.csv")]
        importer("validate", "a.csv", *lists, "--report-dir", "-".join(order))
        uses = summary(work / "-".join(order))["suppression"]
        assert {use["name"]: use["rows"] for use in uses} == {"one.csv": 3, "two.csv": 2, "none.csv": 0}


def test_the_counts_of_lists_outlast_a_resume_in_another_language(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", *people(150))
    write(work / "one.csv", *phones(1, 2))
    write(work / "two.csv", *phones(3, 120))
    lists = ("--suppress", "one.csv", "--suppress", "two.csv")
    with Sandbox(faults=["code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        importer("run", "a.csv", *lists, "--concurrency", 1, "--report-dir", "out")
        box.misbehave()
        monkeypatch.setenv("NXLINK_LANG", "zh")
        importer("resume")
    assert {use["name"]: use["rows"] for use in summary(work / "out")["suppression"]} == {
        "one.csv": 2,
        "two.csv": 2,
    }


def test_a_phone_without_its_country_code_is_one_entry(importer: Command, work: Path) -> None:
    write(work / "a.csv", *people(3))
    write(work / "list.csv", ["Phone"], ["13800000001"], ["+86 138 0000 0002"], ["013800000001"])
    importer("validate", "a.csv", "--country", "CN", "--suppress", "list.csv", "--report-dir", "out")
    (use,) = summary(work / "out")["suppression"]
    assert (use["phones"], use["rows"]) == (2, 2)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "empty.csv is empty"),
        ("page.csv", b"<html><body>x</body></html>", "page.csv contains HTML"),
        ("absent.csv", None, "absent.csv does not exist"),
        ("cut.xlsx", b"PK\x03\x04", "cut.xlsx is damaged"),
        ("noise.csv", bytes(range(128, 256)) * 30, "noise.csv"),
    ],
)
def test_an_error_about_a_list_says_that_it_is_the_list(
    importer: Command, work: Path, name: str, content: bytes | None, says: str
) -> None:
    write(work / "a.csv", *people(3))
    if content is not None:
        (work / name).write_bytes(content)
    found = importer("validate", "a.csv", "--suppress", name)
    assert found.code == 3
    assert "a list of people who must not be sent cannot be read" in found.err
    assert says in found.err


def test_a_folder_is_no_list(importer: Command, work: Path) -> None:
    write(work / "a.csv", *people(3))
    (work / "lists").mkdir()
    found = importer("validate", "a.csv", "--suppress", "lists")
    assert (found.code, "suppression-not-a-file" in found.err) == (3, True)


def test_the_encoding_that_somebody_gave_holds_for_a_list_that_does_not_tell_its_own(
    importer: Command, work: Path
) -> None:
    write(work / "a.csv", *people(3))
    (work / "list.csv").write_bytes("Näme;Phone\nÿØ;+86 138 00000001\n".encode("latin-1"))
    assert importer("validate", "a.csv", "--suppress", "list.csv").code == 3
    importer("validate", "a.csv", "--suppress", "list.csv", "--encoding", "latin-1", "--report-dir", "out")
    (use,) = summary(work / "out")["suppression"]
    assert (use["phones"], use["rows"]) == (1, 1)


def test_no_log_of_a_job_quotes_a_list(tmp_path: Path, box: Sandbox) -> None:
    bench = Bench(tmp_path, box)
    bench.inbox.mkdir()
    bench.drop("a.csv", lines(3))
    (tmp_path / "list.csv").write_bytes("Näme;Phone\nSecretÿØ;+86 138 00000001\n".encode("latin-1"))
    report = bench.round(suppress=["list.csv"])
    assert report.exit_code == 3
    assert "Secret" not in report.message
    assert "Secret" not in (bench.state / "jobs" / "nightly.log").read_text("utf-8")


def test_who_is_on_no_list_any_more_does_not_go_over_a_later_row_that_is_in(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = people(250)
    header, *rest = [[*row, "email" if row is rows[0] else ""] for row in rows]
    rest[20] = ["Older", "Li", "8613800000020", "one@x.example"]
    rest[60] = ["Newer", "Li", "8613900000060", "one@x.example"]
    write(work / "a.csv", header, *rest)
    write(work / "list.csv", *phones(20, 30))
    with half_sent(importer, monkeypatch) as box:
        write(work / "list.csv", *phones(77_777))
        box.misbehave()
        importer("resume")
        assert "Newer" in stored(box)
        assert "Older" not in stored(box)
        assert "P30" in stored(box)
    assert statuses(work / "out")["22"] == ("not_sent", "held-back")
