"""Turns go in the order of tickets, one at a time, and who is gone is passed over."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from datetime import datetime
from pathlib import Path

from importer.journal import Journal
from importer.models import Outcome, Status
from tests.support.journal import DESTINATION, MakeRecord, OpenJournal

LANE = DESTINATION.lane


def test_turns_go_in_the_order_of_tickets(journal: Journal, open_journal: OpenJournal) -> None:
    with open_journal() as other:
        first, second = journal.lanes.draw(LANE, "a.csv"), other.lanes.draw(LANE, "b.csv")
        third, elsewhere = journal.lanes.draw(LANE, "c.csv"), journal.lanes.draw("another", "d.csv")
        assert not third.take_turn()
        assert elsewhere.take_turn()
        assert first.take_turn()
        assert [user.source for user in third.ahead()] == ["a.csv", "b.csv"]
        first.release()
        assert not third.take_turn()
        assert second.take_turn()
        second.release()
        assert third.take_turn()
        for ticket in (third, elsewhere, first):
            ticket.release()
    assert not list((journal.path.parent / "locks").glob("ticket-*"))


def test_runs_are_numbered_in_the_order_of_their_turns(journal: Journal, make_record: MakeRecord) -> None:
    early = journal.lanes.draw(LANE, "early.csv")
    with journal.start(make_record("late")), journal.start(make_record("early"), early):
        assert [run.id for run in journal.runs()] == ["late", "early"]
        with journal.start(make_record("dry", dry_run=True)) as dry:
            assert dry.ticket is None
        assert [run.id for run in journal.runs()] == ["dry", "late", "early"]


def test_a_ticket_for_another_lane_is_traded(journal: Journal, make_record: MakeRecord) -> None:
    drawn = journal.lanes.draw("another", "a.csv")
    with journal.start(make_record(), drawn) as run:
        assert run.ticket is not None
        assert run.ticket.lane == LANE
    free = journal.lanes.draw("another", "b.csv")
    assert free.take_turn()
    free.release()


def test_who_waits_learns_how_much_is_left(journal: Journal, make_record: MakeRecord) -> None:
    early = journal.lanes.draw(LANE, "early.csv")
    ticket = journal.lanes.draw(LANE, "b.csv")
    assert (ticket.ahead()[0].run, ticket.rows_left(ticket.ahead()[0])) == ("", None)
    with journal.start(make_record("first"), early, rows=10) as first:
        first.settle([Outcome("", (2, 3, 4), Status.INVALID)])
        (user,) = ticket.ahead()
        assert (user.run, user.source) == ("first", "customers.csv")
        assert user.since is not None
        assert user.since <= datetime.now().astimezone()
        assert ticket.rows_left(user) == 7
    assert ticket.take_turn()
    ticket.release()


def test_a_killed_process_frees_the_lane(journal: Journal, place: str | Path) -> None:
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from importer.journal import Journal
        ticket = Journal.open(sys.argv[1]).lanes.draw(sys.argv[2], "killed.csv")
        print(ticket.take_turn(), flush=True)
        sys.stdin.read()
        """
    )
    command = [sys.executable, "-c", program, str(place), LANE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        ticket = journal.lanes.draw(LANE, "next.csv")
        assert ticket.ahead()[0].pid == process.pid
        process.kill()
        process.wait()
    assert ticket.take_turn()
    ticket.release()


def test_a_lane_stays_closed_although_its_ticket_is_lost(journal: Journal) -> None:
    ticket, other = journal.lanes.draw(LANE, "a.csv"), journal.lanes.draw(LANE, "b.csv")
    assert ticket.take_turn()
    with journal._database.transaction() as connection:
        connection.execute("DELETE FROM tickets WHERE number = ?", (ticket.number,))
    assert [user.pid for user in other.ahead()] == [os.getpid()]
    ticket.release()
    assert other.take_turn()
    other.release()


def test_threads_of_one_program_take_turns(tmp_path: Path) -> None:
    inside, most = 0, 0

    def send() -> None:
        nonlocal inside, most
        with Journal.open(tmp_path / "journal.db") as own:
            ticket = own.lanes.draw(LANE, "a.csv")
            while not ticket.take_turn():
                pause.wait(0.005)
            inside += 1
            most = max(most, inside)
            pause.wait(0.01)
            inside -= 1
            ticket.release()

    pause = threading.Event()
    Journal.open(tmp_path / "journal.db").close()
    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
