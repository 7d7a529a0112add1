"""Several imports to one place at once: turns, waiting, stopping the wait, a holder that dies, one rate."""

from __future__ import annotations

import csv
import json
import signal
import threading
from pathlib import Path

from importer import RunOptions, Status, import_file
from importer.api.account import create_app
from importer.api.client import Client
from importer.delivery import WaitingForTurn
from importer.sandbox import Sandbox
from tests.support.interruptions import GatedScript, MakeDesk


def test_files_go_in_the_order_in_which_they_came(make_desk: MakeDesk) -> None:
    desk = make_desk()
    script = desk.box.application.script = GatedScript()
    first = desk.run("--concurrency", "1")
    script.wait()
    write(desk.folder / "second.csv", 200, "second")
    second = desk.begin("run", "second.csv", "--report-dir", "second", "--log-json")
    desk.wait_for_waiting()
    write(desk.folder / "third.csv", 100, "third")
    third = desk.begin("run", "third.csv", "--report-dir", "third")
    desk.wait_for_waiting(2)
    script.opened.set()
    code, said = desk.end(second)
    assert (desk.end(first)[0], code, desk.end(third)[0]) == (0, 0, 0)
    stored = {str(one.fields.get("sms_phone")): one.fields["first_name"] for one in desk.box.customers()}
    assert [stored[f"86139{n:08}"] for n in range(200)] == [
        f"{'third' if n < 100 else 'second'} {n}" for n in range(200)
    ]
    (told,) = (line for line in said.splitlines() if "sending-waiting-for-turn" in line)
    message = json.loads(told)["message"]
    for word in (f"process {first.pid}", "customers.csv", "rows left", "Ctrl-C", "--wait"):
        assert word in message


def test_the_lane_is_free_when_its_holder_is_killed(make_desk: MakeDesk) -> None:
    desk = make_desk()
    script = desk.box.application.script = GatedScript()
    first = desk.run("--concurrency", "1")
    script.wait()
    write(desk.folder / "second.csv", 100, "second")
    second = desk.begin("run", "second.csv", "--report-dir", "second")
    desk.wait_for_waiting()
    first.kill()
    script.opened.set()
    assert desk.end(second)[0] == 0


def test_a_wait_can_be_refused_bounded_and_stopped(make_desk: MakeDesk) -> None:
    desk = make_desk()
    script = desk.box.application.script = GatedScript()
    first = desk.run("--concurrency", "1")
    script.wait()
    write(desk.folder / "second.csv", 100, "second")
    code, said = desk.end(desk.begin("run", "second.csv", "--report-dir", "none", "--wait", "0"))
    assert code == 75
    assert str(first.pid) in said
    assert not (desk.folder / "none").exists()
    code, said = desk.end(desk.begin("run", "second.csv", "--report-dir", "second", "--wait", "0.5"))
    assert code == 75
    assert "0.5 seconds" in said
    assert statuses(desk.folder / "second") == {"not_sent"}
    waiting = desk.begin("run", "second.csv", "--report-dir", "stopped")
    desk.wait_for_waiting()
    waiting.send_signal(signal.SIGINT)
    code, said = desk.end(waiting)
    assert code == 130
    assert statuses(desk.folder / "stopped") == {"not_sent"}
    first.kill()
    first.wait()
    script.opened.set()
    assert desk.end(desk.begin("resume"))[0] == 0
    assert statuses(desk.folder / "stopped") == {"imported"}


def test_threads_of_one_program_take_turns_and_are_told(tmp_path: Path) -> None:
    names = ("one", "two", "three")
    counts: dict[str, int] = {}
    waiting = threading.Semaphore(0)

    def see(event: object) -> None:
        if isinstance(event, WaitingForTurn) and not event.again:
            waiting.release()

    def send(name: str) -> None:
        options = RunOptions(report_dir=tmp_path / name)
        journal = tmp_path / "journal.db"
        done = import_file(
            tmp_path / f"{name}.csv",
            options=options,
            connection=box.connection,
            journal=journal,
            observer=see,
        )
        counts[name] = done.counts[Status.IMPORTED]

    with Sandbox() as box:
        script = box.application.script = GatedScript()
        for name in names:
            write(tmp_path / f"{name}.csv", 300, name)
        threads = [threading.Thread(target=send, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for _ in names[1:]:
            assert waiting.acquire(timeout=60)
        script.opened.set()
        for thread in threads:
            thread.join()
        stored = [str(customer.fields["first_name"]).split()[0] for customer in box.customers()]
    assert counts == dict.fromkeys(names, 300)
    assert len(stored) == 300
    assert len(set(stored)) == 1


def test_two_lanes_share_the_rate_of_their_key(make_desk: MakeDesk) -> None:
    desk = make_desk()
    with Client(desk.box.connection) as client:
        other = create_app(client, "other", "https://example.com/hook")
    for name in ("one", "two"):
        write(desk.folder / f"{name}.csv", 1500, name)
    options = ("--concurrency", "1", "--rate", "10")
    first = desk.begin("run", "one.csv", "--report-dir", "one", *options)
    desk.environment["NXLINK_APP_KEY"] = other.app_key
    second = desk.begin("run", "two.csv", "--report-dir", "two", *options)
    assert (desk.end(first)[0], desk.end(second)[0]) == (0, 0)
    arrived = sorted(call.began_ms for call in desk.box.requests if call.customers)
    assert len(arrived) == 30
    # Each of the two may have had one request that took long to get here.
    for begun, ended in zip(arrived, arrived[12:], strict=False):
        assert ended - begun >= 1000


def write(path: Path, rows: int, name: str) -> None:
    """The first customers of the desk's own file, under other names."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["first_name", "last_name", "sms_phone"])
        writer.writerows([f"{name} {n}", "x", f"86139{n:08}"] for n in range(rows))


def statuses(folder: Path) -> set[str]:
    with (folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["_status"] for row in csv.DictReader(file)}
