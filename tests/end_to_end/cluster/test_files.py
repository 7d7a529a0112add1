"""`run FILE… --cluster`: a chain of files, what a worker leaves, what is refused, what stops all."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from importer.cli.app import invoke as cli
from importer.cluster.files import FileTask, carry_out, check, file_tasks, import_files
from importer.config import load_config
from importer.errors import ImporterError, UsageError
from importer.journal import Journal, RunRecord
from importer.option_layers import layered
from importer.options import RunOptions
from tests.support.cluster import DaskCluster, keep_journal
from tests.support.interruptions import GatedScript
from tests.support.jobs import HEADER, lines
from tests.support.postgres import PostgresServer
from tests.support.tenants import FIRST_TENANT, Tenants


def write(tenants: Tenants, name: str, count: int, first: int = 1) -> str:
    (tenants.folder / name).write_text("\n".join([HEADER, *lines(count, first)]) + "\n", "utf-8")
    return name


def tasks_of(*files: str, **more: object) -> list[FileTask]:
    config = load_config()
    profile = config.profile("t01")
    options = replace(layered(RunOptions(), profile.given), **more)  # type: ignore[arg-type]
    return file_tasks(files, [None] * len(files), options, config, "t01")


def test_a_file_done_twice_is_imported_once_and_told_alike(two: Tenants) -> None:
    (task,) = tasks_of(write(two, "a.csv", 5))
    first, second = carry_out(task), carry_out(task)
    assert (first.exit_code, first.rows, first.run) == (0, 5, task.run)
    assert (second.exit_code, second.rows, second.report_dir) == (0, 5, first.report_dir)
    assert [len(two.box.requests), two.tenants_of()] == [1, {FIRST_TENANT: 5}]


def test_a_run_that_a_worker_left_is_taken_up_by_the_next(two: Tenants) -> None:
    (task,) = tasks_of(write(two, "a.csv", 5), attempts=1)
    two.box.misbehave("status status=401 requests=1")
    assert int(carry_out(task).exit_code) == 4
    with Journal.open() as journal:
        assert journal.run(task.run).state.resumable
    outcome = carry_out(task)
    assert (outcome.exit_code, outcome.rows, outcome.run) == (0, 5, task.run)


def test_what_goes_wrong_on_a_worker_is_an_outcome_with_its_exit_code(
    two: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    (task,) = tasks_of(write(two, "a.csv", 5))
    found = [
        carry_out(replace(task, file=str(two.folder / "gone.csv"))),
        carry_out(replace(task, journal="postgresql://db.example/crm")),
        carry_out(replace(task, profile="nobody")),
    ]
    monkeypatch.setenv("NXLINK_TENANT_ID", "2002")
    found.append(carry_out(task))
    monkeypatch.delenv("NXLINK_TENANT_ID")
    (two.folder / "no.csv").write_text("a,b\n1,2\n")
    found.append(carry_out(tasks_of("no.csv")[0]))
    assert [(one.code, int(one.exit_code), one.stops_lane) for one in found] == [
        ("cluster-no-file", 3, False),
        ("cluster-other-journal", 4, True),
        ("unknown-profile", 4, True),
        ("cluster-other-lane", 4, True),
        ("no-header", 3, False),
    ]
    assert all(one.message and one.hint for one in found)
    assert not two.box.requests


def test_a_lane_that_is_taken_is_busy_and_nobody_waits(two: Tenants) -> None:
    (task,) = tasks_of(write(two, "a.csv", 5))
    with Journal.open() as journal:
        ticket = journal.lanes.draw(task.lane, "other.csv")
        assert ticket.take_turn()
        outcome = carry_out(task)
        ticket.release()
    assert (outcome.busy, outcome.code) == (True, "lane-busy")
    assert carry_out(task).exit_code == 0


def test_a_look_ahead_finds_what_cannot_be_imported_and_records_nothing(two: Tenants) -> None:
    (two.folder / "no.csv").write_text("a,b\n1,2\n")
    good, bad = tasks_of(write(two, "a.csv", 5), "no.csv")
    assert check(good) is None
    found = check(bad)
    assert found is not None
    assert found.code == "no-header"
    with Journal.open() as journal:
        assert journal.runs() == ()


def test_what_cannot_go_to_a_cluster_is_refused(two: Tenants, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as error:
        tasks_of("-")
    assert error.value.code == "cluster-stdin"
    write(two, "a.csv", 5)
    for words, code in (
        (("--sandbox",), "cluster-sandbox"),
        (("--sandbox-store", "x.db"), "cluster-sandbox"),
        (("--mode", "replace"), "replace-needs-yes"),
    ):
        assert cli(["run", "a.csv", "--profile", "t01", "--cluster", "local", *words]) == 2
        assert f"[{code}]" in capsys.readouterr().err
    assert cli(["run", "a.csv", "--profile", "t01", "--cluster", "http://x"]) == 4
    assert "[bad-cluster]" in capsys.readouterr().err
    (two.folder / "importer.toml").write_text("")
    with pytest.raises(ImporterError) as missing:
        file_tasks(["a.csv"], [None], RunOptions(), load_config(), None)
    assert missing.value.code == "missing-credentials"


def test_people_on_a_list_are_left_out_by_every_worker_wherever_it_works(
    two: Tenants, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("lists").mkdir()
    Path("lists/no.csv").write_text("E-mail\nc2@example.com\n")
    (task,) = tasks_of(write(two, "a.csv", 5), suppress=("lists/no.csv",))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    outcome = carry_out(task)
    assert {str(status): count for status, count in outcome.counts.items()} == {
        "imported": 4,
        "skipped": 1,
    }, outcome
    Path(task.options.suppress[0]).unlink()
    assert carry_out(replace(task, run="20260101-000000-aaaa")).exit_code == 3


@pytest.mark.extras
def test_a_chain_goes_on_after_a_broken_file_and_ends_where_all_would_end_alike(
    two: Tenants, cluster: DaskCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    keep_journal(two, two.folder / "journal.db")
    # Each file has the same people: what stands in the end is the last one's.
    for number in range(4):
        text = "\n".join([HEADER, *lines(8)]).replace("note", f"file {number}")
        (two.folder / f"{number}.csv").write_text(text + "\n", "utf-8")
    (two.folder / "no.csv").write_text("a,b\n1,2\n")
    words = ("0.csv", "no.csv", "1.csv", "2.csv", "3.csv", "--profile", "t01", "--report-dir", "out")
    assert cli(["run", *words, "--cluster", cluster.address, "--log-json"]) == 3
    assert {str(one.fields["remark"]) for one in two.box.customers()} == {"file 3"}
    assert all((two.folder / "out" / str(number) / "summary.json").exists() for number in range(4))
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    ended = [one for one in told if one["event"] == "ended"]
    assert [(one["file"], one["exit_code"]) for one in ended] == [
        ("0.csv", 0),
        ("no.csv", 3),
        ("1.csv", 0),
        ("2.csv", 0),
        ("3.csv", 0),
    ]
    two.box.misbehave("code code=1005")
    assert cli(["run", "1.csv", "2.csv", "3.csv", "--profile", "t02", "--cluster", cluster.address]) == 4
    assert capfd.readouterr().out.count("not begun") == 2


@pytest.mark.extras
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills processes")
def test_a_killed_worker_and_a_killed_client_leave_nothing_out_and_nothing_twice(
    two: Tenants, cluster: DaskCluster, server: PostgresServer
) -> None:
    keep_journal(two, server.database())
    files = [write(two, f"{number}.csv", 8, 100 * number) for number in range(3)]
    two.box.application.script = script = GatedScript()
    words = ("run", *files, "--profile", "t01", "--cluster", cluster.address, "--settle", "0")
    client = two.begin(*words)
    script.wait()
    with Journal.open() as journal:
        (sending,) = [run.id for run in journal.runs()]
    client.kill()
    client.communicate()
    script.opened.set()
    # What was at work goes on to its end without anybody who asks for it.
    wait_for_end(sending)
    two.box.application.script = script = GatedScript()
    client = two.begin(*words)
    script.wait()
    # One of them is sending, and its task goes to another one.
    for place in range(2):
        cluster.kill_worker(place)
        script.opened.set()
    _, told = client.communicate(timeout=240)
    assert client.returncode == 0, told.decode()
    assert two.tenants_of() == {FIRST_TENANT: 24}
    with Journal.open() as journal:
        assert {str(run.state) for run in journal.runs()} == {"finished"}
        assert sum(sum(run.counts.values()) for run in journal.runs()) == 8 + 24


@pytest.mark.extras
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills processes")
def test_workers_that_lack_a_package_die_or_are_gone_are_told_each_with_its_code(
    two: Tenants, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    from importer.cluster import engine

    monkeypatch.setattr(engine, "_PATIENCE", 3.0)
    monkeypatch.setattr(engine, "_TOLD_AFTER", 1.0)
    lacking = two.folder / "lacking"
    lacking.mkdir()
    for name in ("pyarrow", "psycopg"):
        (lacking / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}')\n")
    environ = {"PYTHONPATH": str(lacking), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with (
        DaskCluster(two.folder, 1, environ=environ) as own,
        engine.connected(own.address, 1) as client,
    ):
        deserted: list[str] = []

        def told(*files: str) -> list[tuple[str, int, bool]]:
            report = import_files(
                client,
                tasks_of(*files),
                lambda: None,
                ended=lambda place, outcome: None,
                moved=lambda told: None,
                deserted=lambda address, seconds: deserted.append(address),
            )
            assert all(one.message and one.hint for one in report.outcomes)
            return [(one.code, int(one.exit_code), one.begun) for one in report.outcomes]

        rest = ("cluster-lane-stopped", 5, False)
        files = write(two, "a.csv", 5), write(two, "b.csv", 5, 100)
        with monkeypatch.context() as shared:
            shared.setenv("NXLINK_JOURNAL", server.database())
            rest_of_4 = ("cluster-lane-stopped", 4, False)
            assert told(*files) == [("cluster-worker-lacks", 4, True), rest_of_4]
            (lacking / "pyarrow.py").unlink()
            keep_journal(two, os.environ["NXLINK_JOURNAL"])
            assert told(*files) == [("journal-driver-missing", 4, True), rest_of_4]
        (lacking / "psycopg.py").unlink()
        two.box.application.script = script = GatedScript()

        def kill() -> None:
            script.wait()
            own.workers[0].kill()

        died = threading.Thread(target=kill)
        died.start()
        assert told(*files) == [("cluster-task-lost", 5, True), rest]
        died.join()
        script.opened.set()
        assert not deserted
        assert told(*files) == [("cluster-no-workers", 5, True), ("cluster-no-workers", 5, False)]
        assert deserted == [own.address]
        own.add_worker()
        two.box.application.script = script = GatedScript()
        process = two.begin("run", "b.csv", "--profile", "t02", "--cluster", own.address)
        script.wait()
        own.kill_scheduler()
        script.opened.set()
        _, said = process.communicate(timeout=240)
        assert (process.returncode, b"Traceback" in said) == (5, False), said.decode()
        wait_for_end(next(run.id for run in journal_runs() if run.profile == "t02"))
    assert cli(["resume", "--profile", "t01", "--settle", "0"]) == 0
    assert two.tenants_of() == {FIRST_TENANT: 5, FIRST_TENANT + 1: 5}


def journal_runs() -> Sequence[RunRecord]:
    with Journal.open() as journal:
        return journal.runs()


def wait_for_end(run: str) -> None:
    import time

    deadline = time.monotonic() + 120
    while True:
        with Journal.open() as journal:
            if str(journal.run(run).state) == "finished":
                return
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.extras
def test_a_signal_stops_all_files_in_order(two: Tenants, cluster: DaskCluster) -> None:
    keep_journal(two, two.folder / "journal.db")
    files = [write(two, f"{number}.csv", 8, 100 * number) for number in range(3)]
    two.box.application.script = script = GatedScript()
    client = two.begin("run", *files, "--profile", "t01", "--cluster", cluster.address)
    script.wait()
    client.send_signal(signal.SIGINT)
    script.opened.set()
    out, told = client.communicate(timeout=240)
    assert client.returncode == 130, told.decode()
    assert out.decode().count("not begun") == 2
    assert cli(["resume", "--profile", "t01"]) == 0
    assert two.tenants_of() == {FIRST_TENANT: 8}


def test_a_settings_file_of_the_working_directory_vouches_for_nothing_on_a_worker_either(
    two: Tenants, tmp_path: Path
) -> None:
    (task,) = tasks_of(write(two, "a.csv", 5))
    assert task.found_in == str(two.folder)
    assert "shared-secret" not in repr(task)


def test_a_worker_takes_all_settings_from_the_file_of_the_task_and_none_from_that_of_an_earlier_one(
    two: Tenants, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = two.folder / "importer.toml"
    settings.write_text(f'journal = "{two.folder / "own.db"}"\n' + settings.read_text())
    (task,) = tasks_of(write(two, "a.csv", 5))
    assert task.journal == str(two.folder / "own.db")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert carry_out(task).exit_code == 0
    assert carry_out(replace(task, settings="", found_in="", profile=None)).code == "cluster-other-journal"
    assert two.tenants_of() == {FIRST_TENANT: 5}
