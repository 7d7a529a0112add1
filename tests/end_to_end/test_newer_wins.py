"""What a later run has brought in is overwritten neither by an earlier one nor by a late request."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import pytest

from importer.delivery import Policy
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary, use

HEADER = ["first_name", "last_name", "sms_phone", "city"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait as long as they would, but in no time."""
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))


def write(path: Path, name: str, count: int, header: list[str] | None = None, start: int = 0) -> Path:
    header = header or HEADER[:3]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = [[name, "Li", f"86138{n:08}", "Graz"][: len(header)] for n in range(start, start + count)]
        csv.writer(file).writerows([header, *rows])
    return path


def names(box: Sandbox) -> list[str]:
    return sorted(str(customer.fields["first_name"]) for customer in box.customers())


def states(folder: Path) -> dict[str, tuple[str, str]]:
    return {row["_row"]: (row["_status"], row["_code"]) for row in results(folder)}


def test_a_resumed_run_holds_back_what_a_later_one_brought_in(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "old.csv", "Old", 300, ["first_name", "last_name", "sms_phone", "address"])
    write(work / "new.csv", "New", 250)
    with Sandbox(faults=["code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "old.csv", "--concurrency", "1", "--report-dir", "old").code == 4
        box.misbehave()
        assert importer("run", "new.csv", "--report-dir", "new").code == 0
        newer = summary(work / "new")["run"]
        assert importer("resume").code == 1
        assert names(box) == ["New"] * 250 + ["Old"] * 50
        found = states(work / "old")
        assert found["102"] == ("not_sent", "newer-import")
        assert found["252"] == ("imported", "")
        (row,) = [row for row in results(work / "old") if row["_row"] == "102"]
        assert newer in row["_message"]
        assert "address" in row["_message"]
        assert importer("retry", summary(work / "old")["run"]).code == 1
        assert names(box).count("Old") == 50
        assert importer("retry", summary(work / "old")["run"], "--overwrite-newer").code == 0
        assert names(box).count("Old") == 200


def test_a_report_that_is_imported_again_brings_nothing_older_back(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "old.csv", "Old", 3)
    write(work / "new.csv", "New", 2)
    with Sandbox(faults=["code code=1002"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "old.csv", "--report-dir", "old").code == 1
        box.misbehave()
        assert importer("run", "new.csv").code == 0
        rejects = (work / "old" / "rejects.csv").read_text("utf-8-sig").replace("Old", "Mended")
        (work / "mended.csv").write_text(rejects, "utf-8-sig")
        assert importer("run", "mended.csv", "--dry-run", "--report-dir", "dry").code == 1
        assert importer("run", "mended.csv", "--report-dir", "mended").code == 1
        held = [("not_sent", "newer-import")] * 2
        assert list(states(work / "mended").values()) == [*held, ("imported", "")]
        assert list(states(work / "dry").values()) == [*held, ("valid", "")]
        assert names(box) == ["Mended", "New", "New"]
        assert importer("run", "mended.csv", "--overwrite-newer").code == 0
        assert names(box) == ["Mended"] * 3


def test_a_correction_brings_nothing_older_back_though_all_runs_are_complete(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = ["first_name", "last_name", "sms_phone", "address"]
    write(work / "old.csv", "Old", 3, header)
    write(work / "new.csv", "New", 1, header, start=1)
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        assert importer("run", "old.csv", "--report-dir", "old").code == 0
        assert importer("run", "new.csv", "--report-dir", "new").code == 0
        newer = summary(work / "new")["run"]
        report = (work / "old" / "results.csv").read_text("utf-8-sig").replace("Graz", "Wien")
        (work / "mended.csv").write_text(report, "utf-8")
        assert importer("run", "mended.csv", "--report-dir", "mended").code == 1
        rows = {row["first_name"] + row["sms_phone"][-1]: row for row in results(work / "mended")}
        assert [row["_status"] for row in rows.values()] == ["imported", "not_sent", "imported"]
        (held,) = (row for row in rows.values() if row["_status"] == "not_sent")
        assert held["_code"] == "newer-import"
        assert newer in held["_message"]
        assert names(box) == ["New", "Old", "Old"]
        # What a report brought in is as old as its file: the next correction of these rows goes.
        (work / "again.csv").write_text(report.replace("Wien", "Linz"), "utf-8")
        assert importer("run", "again.csv", "--report-dir", "again").code == 1
        assert [row["_status"] for row in results(work / "again")] == ["imported", "not_sent", "imported"]
        assert importer("run", "again.csv", "--overwrite-newer").code == 0
        assert names(box) == ["Old", "Old", "Old"]


def test_a_row_whose_own_request_got_no_answer_stays_unknown(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "old.csv", "Old", 2)
    write(work / "new.csv", "New", 2)
    with Sandbox(faults=["lost requests=1", "code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "old.csv", "--report-dir", "old").code == 4
        box.misbehave()
        assert importer("run", "new.csv", "--settle", "0").code == 0
        assert importer("resume", "--settle", "0").code == 1
        assert set(states(work / "old").values()) == {("unknown", "newer-import")}
        assert names(box) == ["New"] * 2


def test_in_mode_keep_the_first_wins_and_nothing_is_held(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "old.csv", "Old", 200)
    write(work / "new.csv", "New", 200)
    with Sandbox(faults=["code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        assert (
            importer("run", "old.csv", "--mode", "keep", "--concurrency", "1", "--report-dir", "old").code
            == 4
        )
        box.misbehave()
        assert importer("run", "new.csv", "--mode", "keep").code == 0
        assert importer("resume").code == 0
        assert names(box) == ["New"] * 100 + ["Old"] * 100


def test_pruned_runs_go_on_protecting_what_they_brought_in(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "old.csv", "Old", 200)
    write(work / "new.csv", "New", 200)
    with Sandbox(faults=["code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        importer("run", "old.csv", "--concurrency", "1", "--report-dir", "old")
        box.misbehave()
        importer("run", "new.csv", "--report-dir", "new")
        from importer.journal import Journal

        with Journal.open() as journal:
            assert journal.prune([summary(work / "new")["run"]]) == 1
        assert importer("resume").code == 1
        assert names(box) == ["New"] * 200
        with Journal.open() as journal:
            journal.prune([summary(work / "old")["run"]])
            database = journal._database
            assert not database.query("SELECT 1 FROM contacts")
            assert not database.query("SELECT 1 FROM forgotten")


def test_a_later_row_waits_until_a_request_without_an_answer_can_no_longer_come(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", "Old", 100)
    with (work / "a.csv").open("a", encoding="utf-8") as file:
        file.writelines([f"Other,Li,86137{n:08}\n" for n in range(99)])
        file.write("New,Li,8613800000007\n")
    with Sandbox(faults=["late seconds=0.8 hang_up=0 requests=1"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--settle", "1.6", "--report-dir", "out").code == 0
        assert "New" in names(box)
        assert any("waited" in note for note in summary(work / "out")["notes"])
        log = box.requests
        late, last = log[0], max(log, key=lambda request: request.began_ms)
        assert last.customers == 1
        assert last.began_ms > (late.carried_out_ms or 0)
        others = [request for request in log if request.customers == 99]
        assert others[0].began_ms < last.began_ms  # rows without a tie are not held up


def test_a_part_of_a_refused_batch_waits_for_a_late_one_with_the_same_customer(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", "Old", 99)
    with (work / "a.csv").open("a", encoding="utf-8") as file:
        file.write("New,Li,8613800000007\n")
    with Sandbox(faults=["code code=1002 requests=1", "late seconds=0.5 hang_up=0 requests=2"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--settle", "1.3", "--report-dir", "out").code == 0
        assert names(box).count("New") == 1
        assert any("waited" in note for note in summary(work / "out")["notes"])


def test_more_tied_batches_than_the_window_holds_do_not_hold_up_the_others(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "a.csv", "Old", 100)
    with (work / "a.csv").open("a", encoding="utf-8") as file:
        file.writelines([f"Tied,Li,86138{n % 100:08}\n" for n in range(2500)])
        file.writelines([f"Free,Li,86137{n:08}\n" for n in range(100)])
    with Sandbox(faults=["reset requests=1"], keep_bodies=True) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "a.csv", "--concurrency", "1", "--settle", "1").code == 0
        bodies = [request.body for request in box.requests]
        assert b"Free" in bodies[2]
        assert all(b"Tied" in body for body in bodies[3:])
        assert set(names(box)) == {"Tied", "Free"}


def test_another_run_waits_for_a_late_request_of_the_lane(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work / "old.csv", "Old", 2)
    write(work / "new.csv", "New", 2)
    with Sandbox(faults=["late seconds=0.8 hang_up=0 requests=1", "code code=1005 requests=2-"]) as box:
        use(monkeypatch, box.connection)
        assert importer("run", "old.csv", "--report-dir", "old").code == 4
        box.misbehave("late seconds=0.8 hang_up=0 requests=9")
        assert importer("run", "new.csv", "--settle", "1.6").code == 0
        assert names(box) == ["New"] * 2
