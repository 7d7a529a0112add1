"""Rounds on worker processes of a real engine: what is done, what a killed worker leaves, what stops all."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from importer.cli.app import invoke as cli
from importer.cluster.engine import check_address
from importer.cluster.rounds import RoundLedger, RoundTask, carry_out, rounds_on
from importer.config import load_config
from importer.errors import SettingsError, UnreachableError
from importer.jobs.config import JobEnvironment
from importer.jobs.rounds import RoundOutcome, Rounds
from importer.jobs.selection import choose_job
from importer.journal import Journal
from importer.journal_place import journal_place, shown_place
from tests.support.cluster import DaskCluster, keep_journal
from tests.support.interruptions import GatedScript
from tests.support.jobs import lines
from tests.support.postgres import PostgresServer
from tests.support.tenants import FIRST_TENANT, Tenants, many_tenants

FEW = 6


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenants]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("NXLINK_JOURNAL", raising=False)
    for name in ("ACCESS_KEY", "ACCESS_SECRET", "TENANT_ID", "APP_KEY", "BASE_URL"):
        monkeypatch.delenv(f"NXLINK_{name}", raising=False)
    with many_tenants(tmp_path, FEW) as tenants:
        for number, name in enumerate(tenants.names):
            tenants.drop(name, "a.csv", lines(5 + number, 1000 * number))
        yield tenants


def task(few: Tenants, job: str, journal: str = "") -> RoundTask:
    settings = str(few.folder / "importer.toml")
    return RoundTask(job, settings, journal or shown_place(journal_place()))


def test_a_task_done_twice_imports_once(few: Tenants) -> None:
    first, second = carry_out(task(few, "nightly@t01")), carry_out(task(few, "nightly@t01"))
    assert (first.report.good, len(first.report.files)) == (True, 1)
    assert (second.report.good, second.report.files) == (True, ())
    assert few.tenants_of() == {FIRST_TENANT: 5}


def test_what_goes_wrong_on_a_worker_is_an_outcome(few: Tenants) -> None:
    found = [
        carry_out(task(few, "nobody")),
        carry_out(task(few, "nightly@t01", journal="/elsewhere/journal.db")),
    ]
    codes = [one.report.code for one in found]
    assert codes == ["unknown-job", "cluster-other-journal"]
    assert {int(one.report.exit_code) for one in found} == {4}
    assert few.tenants_of() == {}


def test_a_round_goes_nowhere_else_than_the_command_would_send_it(
    few: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[RoundTask] = []

    class Distribution:
        def __init__(self, *_: object, **__: object) -> None: ...

        def go(self, lanes: list[list[RoundTask]]) -> list[list[RoundOutcome]]:
            told.extend(task for lane in lanes for task in lane)
            return [[carry_out(task) for task in lane] for lane in lanes]

    monkeypatch.setattr("importer.cluster.rounds.Distribution", Distribution)
    config = load_config()
    jobs = [choose_job(config, f"nightly@{name}") for name in ("t01", "t02")]
    assert rounds_on(None, Rounds(jobs, JobEnvironment()), config, None).exit_code == 0
    assert [task.lane.split("|")[:2] for task in told] == [
        [few.box.base_url, str(FIRST_TENANT + n)] for n in range(2)
    ]
    monkeypatch.setenv("NXLINK_TENANT_ID", str(FIRST_TENANT + 2))
    found = carry_out(told[0])
    assert (found.report.code, int(found.report.exit_code)) == ("cluster-other-lane", 4)
    assert few.tenants_of() == {FIRST_TENANT: 5, FIRST_TENANT + 1: 6}
    # A file of the working directory does not say where the keys of the environment go, on a worker either.
    monkeypatch.delenv("NXLINK_TENANT_ID")
    settings = few.folder / "importer.toml"
    settings.write_text(
        settings.read_text().replace('env_file = "keys.env"\n', "").replace("127.0.0.1", "crm.example")
    )
    for name, value in (("ACCESS_KEY", "shared-key"), ("ACCESS_SECRET", "shared-secret")):
        monkeypatch.setenv(f"NXLINK_{name}", value)
    found = carry_out(replace(told[0], lane=""))
    assert (found.report.code, int(found.report.exit_code)) == ("unvouched-host", 4)


def test_a_worker_leaves_out_whom_the_lists_of_profile_and_job_have(few: Tenants) -> None:
    for name, contact in (("always.csv", "c1001@example.com"), ("tonight.csv", "c1003@example.com")):
        (few.folder / name).write_text(f"E-mail\n{contact}\n", "utf-8")
    settings = few.folder / "importer.toml"
    text = settings.read_text("utf-8")
    text = text.replace("[job.nightly]\n", '[job.nightly]\nsuppress = ["tonight.csv"]\n')
    text = text.replace("[profile.t02]\n", '[profile.t02]\nsuppress = ["always.csv"]\n')
    settings.write_text(text, "utf-8")
    assert carry_out(task(few, "nightly@t02")).report.good
    emails = {str(customer.fields["email"]) for customer in few.box.customers()}
    assert emails == {f"c{number}@example.com" for number in (1000, 1002, 1004, 1005)}
    (few.folder / "tonight.csv").unlink()
    found = carry_out(task(few, "nightly@t01"))
    assert (int(found.report.exit_code), found.report.files) == (3, ())
    assert len(few.box.customers()) == 4


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("scheduler:8786", "bad-cluster"),
        ("http://scheduler", "bad-cluster"),
        ("tcp://scheduler.example:8786", "cluster-needs-journal"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_refused(few: Tenants, address: str, code: str) -> None:
    with pytest.raises(SettingsError) as error:
        check_address(address)
    assert error.value.code == code


@pytest.mark.extras
def test_a_round_that_begins_while_the_database_is_away_waits_for_it(
    few: Tenants, server: PostgresServer
) -> None:
    keep_journal(few, server.database())
    server.stop()
    back = threading.Timer(1.0, server.start)
    back.start()
    outcome = carry_out(task(few, "nightly@t01"))
    back.join()
    assert outcome.report.good
    assert few.tenants_of() == {FIRST_TENANT: 5}


@pytest.mark.extras
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_processes_share_a_round_over_all_profiles_and_one_that_is_killed_leaves_nothing_out_or_twice(
    few: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed")
    few.drop("t02", "a.csv", lines(10, 5000, spoilt=5))
    few.box.application.script = script = GatedScript()
    process = few.begin("job", "run", "--all", "--cluster", "local", "--parallel", "2")
    script.wait()
    workers = _workers_of(process.pid)
    assert workers
    os.kill(workers[0], signal.SIGKILL)
    script.opened.set()
    _, told = process.communicate(timeout=240)
    assert process.returncode == 6, told.decode()
    assert "5 good, 1 held (nightly@t02)" in told.decode()
    assert few.tenants_of() == {FIRST_TENANT + n: 5 + n for n in range(FEW) if n != 1}
    names = [(one.tenant_id, str(one.fields["email"])) for one in few.box.customers()]
    assert len(names) == len(set(names))
    assert cli(["job", "status", "--all", "--json"]) == 1
    health = {one["job"]: one["health"] for one in json.loads(capsys.readouterr().out)["jobs"]}
    assert set(health.values()) == {"ok", "warning"}


@pytest.mark.extras
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_client_stops_all_rounds_in_order(
    few: Tenants, cluster: DaskCluster, number: signal.Signals, code: int
) -> None:
    keep_journal(few, few.folder / "journal.db")
    few.box.application.script = script = GatedScript()
    process = few.begin("job", "run", "--all", "--cluster", cluster.address)
    script.wait()
    process.send_signal(number)
    script.opened.set()
    _, told = process.communicate(timeout=240)
    assert process.returncode == code, told.decode()
    assert cli(["job", "run", "--all"]) == 0
    assert few.tenants_of() == {FIRST_TENANT + n: 5 + n for n in range(FEW)}


@pytest.mark.extras
def test_a_scheduler_that_is_away_is_told(
    few: Tenants, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("importer.cluster.engine._CONNECT_SECONDS", 1)
    assert cli(["job", "run", "--all", "--cluster", "tcp://127.0.0.1:1"]) == 5
    assert "cluster" in capsys.readouterr().err
    assert few.tenants_of() == {}


def _workers_of(pid: int) -> list[int]:
    """The worker processes below a process: those that are not its forkserver or tracker."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(fields[1])
            except OSError:
                continue
    found = []
    for child, parent in parents.items():
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0") if parent == pid else []
        if any(b"spawn_main" in word for word in words):
            found.append(child)
    return found


@pytest.mark.extras
def test_rounds_that_were_not_begun_are_failed_ones_in_the_status(
    few: Tenants, cluster: DaskCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_journal(few, few.folder / "journal.db")
    assert cli(["job", "run", "--all"]) == 0
    assert cli(["job", "status", "--all"]) == 0
    monkeypatch.setattr("importer.cluster.rounds.shown_place", lambda place: "/elsewhere/journal.db")
    assert cli(["job", "run", "--all", "--cluster", cluster.address]) == 4
    capsys.readouterr()
    assert cli(["job", "status", "--all", "--json"]) == 2
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    found = [(one["health"], one["last_round"]["result"], one["last_round"]["exit_code"]) for one in jobs]
    assert found == [("critical", "stopped", 4)] * FEW


def test_a_round_that_a_cluster_recorded_is_not_recorded_twice(few: Tenants) -> None:
    config = load_config(few.folder / "importer.toml")
    rounds = Rounds([choose_job(config, "nightly@t01")], JobEnvironment())
    ledger = RoundLedger(rounds)
    assert carry_out(task(few, "nightly@t01")).report.good
    ledger.record_failure(UnreachableError("cluster-away", address="tcp://here:1", reason="OSError"))
    with Journal.open() as journal:
        assert [one.result for one in journal.jobs.rounds("nightly@t01")] == ["good"]
    RoundLedger(rounds).record_failure(
        UnreachableError("cluster-away", address="tcp://here:1", reason="OSError")
    )
    with Journal.open() as journal:
        assert [one.reason for one in journal.jobs.rounds("nightly@t01")] == ["cluster-away", ""]
