"""What stops a run from outside: wrong secret, absent server, another run, a full disk, a changed file."""

from __future__ import annotations

import resource
import signal

import pytest

from importer.journal import Journal
from tests.support.interruptions import Desk, GatedScript, MakeDesk


def test_a_wrong_secret_costs_no_more_requests_than_workers(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.environment["NXLINK_ACCESS_SECRET"] = "not the secret"
    code, said = desk.end(desk.run("--concurrency", "3"))
    assert code == 4
    assert desk.box.application.total <= 3
    assert "NXLINK_ACCESS_SECRET" in said or "secret" in said.lower()
    assert "not the secret" not in said
    assert set(desk.statuses()) <= {"failed", "not_sent"}
    desk.environment["NXLINK_ACCESS_SECRET"] = desk.box.credentials.access_secret
    assert desk.complete() == 0
    desk.check_store()


def test_a_server_that_is_not_there_ends_with_the_patience_and_says_how_to_go_on(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.box.misbehave("away seconds=2.5 requests=1")
    code, said = desk.end(desk.run("--patience", "1"))
    assert code == 5
    assert "importer resume" in said
    assert set(desk.statuses()) <= {"failed", "not_sent", "unknown"}
    desk.wait_for_the_server()
    assert desk.complete() in (0, 1)
    desk.check_store()


def test_a_second_run_of_the_same_file_is_told_who_is_at_it(make_desk: MakeDesk) -> None:
    desk = make_desk()
    script = desk.box.application.script = GatedScript()
    first = desk.run("--concurrency", "1")
    script.wait()
    code, said = desk.end(desk.begin("run", "customers.csv", "--yes", "--report-dir", "other"))
    assert code == 75
    assert str(first.pid) in said
    assert not (desk.folder / "other" / "results.csv").exists()
    code, said = desk.end(desk.begin("resume", _run_id(desk)))
    assert code == 75
    assert str(first.pid) in said
    first.kill()
    script.opened.set()
    assert desk.complete() in (0, 1)
    desk.check_store()


def test_a_changed_file_is_not_resumed(make_desk: MakeDesk) -> None:
    desk = make_desk()
    script = desk.box.application.script = GatedScript(free=2)
    process = desk.run("--concurrency", "1")
    script.wait()
    process.send_signal(signal.SIGINT)
    desk.wait_for_words(process, "stopping")
    script.opened.set()
    assert desk.end(process)[0] == 130
    with (desk.folder / "customers.csv").open("a", encoding="utf-8") as file:
        file.write("one,more,861390000000,row\n")
    before = desk.box.application.total
    code, said = desk.end(desk.begin("resume"))
    assert code in (2, 3)
    assert "customers.csv" in said
    assert desk.box.application.total == before


def test_a_journal_that_may_not_grow_stops_the_run_and_what_was_sent_is_known(make_desk: MakeDesk) -> None:
    desk = make_desk()
    script = desk.box.application.script = GatedScript()
    assert desk.end(desk.begin("validate", "customers.csv"))[0] in (0, 1)
    process = desk.run("--concurrency", "1")
    script.wait()
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    script.opened.set()
    code, said = desk.end(process)
    assert code != 0
    assert "journal" in said or "report" in said or "disk" in said.lower()
    assert desk.complete() in (0, 1)
    desk.check_store()


@pytest.mark.parametrize("damage", [b"", b"no database at all " * 500])
def test_a_lost_or_damaged_journal_does_not_keep_anybody_from_importing(
    make_desk: MakeDesk, damage: bytes
) -> None:
    desk = make_desk()
    assert desk.end(desk.run())[0] == 0
    state = desk.folder / "state"
    for leftover in state.glob("journal.db-*"):
        leftover.unlink()
    (state / "journal.db").write_bytes(damage)
    code, said = desk.end(desk.begin("run", "customers.csv", "--yes", "--report-dir", "again"))
    assert code == 0
    if damage:
        assert "damaged" in said
        assert list(state.glob("journal.damaged-*.db"))
    assert {customer.fields["first_name"] for customer in desk.box.customers()} >= desk.bare


def _run_id(desk: Desk) -> str:
    with Journal.open(desk.folder / "state" / "journal.db") as journal:
        return journal.runs()[0].id
