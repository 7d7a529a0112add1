"""Forty profiles on one machine: a round over all, and what is told of it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.cli.app import invoke as cli
from tests.support.interruptions import GatedScript
from tests.support.jobs import lines
from tests.support.tenants import FIRST_TENANT, Tenants, many_tenants

MANY = 40


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for name in ("ACCESS_KEY", "ACCESS_SECRET", "TENANT_ID", "APP_KEY", "BASE_URL"):
        monkeypatch.delenv(f"NXLINK_{name}", raising=False)
    return tmp_path


@pytest.fixture
def few(here: Path) -> Iterator[Tenants]:
    with many_tenants(here, 4) as tenants:
        yield tenants


def _health(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, tuple[str, list[str]]]]:
    capsys.readouterr()
    code = cli(["job", "status", "--all", "--json"])
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    return code, {one["job"]: (one["health"], one["why"]) for one in jobs}


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_round_over_forty_profiles_tells_the_truth_of_each(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with many_tenants(here, MANY) as tenants:
        tenants.write_settings('[profile.wrong]\ntenant = 9\n[job.broken]\ninbox = "in"\nprofile = "wrong"\n')
        for number, name in enumerate(tenants.names):
            tenants.drop(name, "a.csv", lines(5 + number, 1000 * number))
        tenants.drop("t02", "a.csv", lines(10, 5000, spoilt=5))
        (here / "in" / "t03" / "a.csv").write_bytes(b"PK\x03\x04 no workbook")
        (here / "in" / "t03" / "a.csv.done").touch()
        assert cli(["job", "run", "--all", "--parallel", "4"]) == 4
        told = capsys.readouterr().err
        assert "38 good, 1 held (nightly@t02), 1 failed (nightly@t03), 1 not begun (broken)" in told
        assert "profile.wrong.tenant" in told
        assert 'importer job run nightly@t02 --release "a.csv"' in told
        sent = tenants.tenants_of()
        assert sent == {FIRST_TENANT + n: 5 + n for n in range(MANY) if n not in (1, 2)}

        tenants.drop("t07", "b.csv", lines(7, 70_000))
        tenants.box.application.script = script = GatedScript()
        process = tenants.begin("job", "run", "nightly@t07")
        script.wait()
        process.kill()
        process.communicate()
        script.opened.set()

        code, health = _health(capsys)
        assert code == 2
        assert len(health) == MANY + 1
        bad = {name: found for name, found in health.items() if found[0] != "ok"}
        assert {name: found[0] for name, found in bad.items()} == {
            "nightly@t02": "warning",
            "nightly@t03": "critical",
            "nightly@t07": "critical",
            "broken": "unknown",
        }
        assert bad["nightly@t07"][1] == ["last round interrupted (?)"]
        assert cli(["job", "status", "--all"]) == 2
        first, second, *_ = capsys.readouterr().out.splitlines()
        assert first.startswith(
            "CRITICAL - 2 critical (nightly@t03, nightly@t07), 1 unknown (broken), 1 warning"
        )
        assert first.endswith("| critical=2 unknown=1 warning=1 ok=37 held=1")
        assert second.startswith("CRITICAL - nightly@t03: last round failed")
        assert cli(["job", "list"]) == 0
        table = {row.split()[0]: row for row in capsys.readouterr().out.splitlines()[1:]}
        assert len(table) == MANY + 1
        assert "interrupted" in table["nightly@t07"]
        assert "held" in table["nightly@t02"]

        assert cli(["job", "run", "nightly"]) == 0
        assert tenants.tenants_of() == sent | {FIRST_TENANT + 6: 11 + 7}
        code, health = _health(capsys)
        assert health["nightly@t07"] == ("ok", [])


def test_runs_show_whose_they_are_and_are_found_by_it(
    few: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(few.names):
        few.drop(name, "a.csv", lines(3, 100 * number))
    assert cli(["job", "run", "--all"]) == 0
    assert cli(["runs", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    assert {(run["tenant_id"], run["profile"], run["job"]) for run in runs} == {
        (str(FIRST_TENANT + number), name, f"nightly@{name}") for number, name in enumerate(few.names)
    }
    assert all(run["machine"] and run["host"] == few.box.base_url and not run["sandbox"] for run in runs)

    def found(*words: str) -> set[str]:
        assert cli(["runs", "--json", *words]) == 0
        return {run["profile"] for run in json.loads(capsys.readouterr().out)}

    assert found("--tenant", str(FIRST_TENANT)) == {"t01"}
    assert found("--profile", "t0[34]") == {"t03", "t04"}
    assert found("--job", "nightly@t02") == {"t02"}
    assert found("--job", "nightly") == set(few.names)
    assert found("--status", "interrupted") == set()
    assert found("--since", "1h", "--status", "finished", "--limit", "2") <= set(few.names)
    assert found("--since", "2999-01-01") == set()
    assert cli(["runs"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "run",
        "started",
        "file",
        "to",
        "profile",
        "job",
        "mode",
        "rows",
        "left",
        "seconds",
        "ended",
    ]
    assert len(rows) == 4


def test_one_notice_tells_of_all_profiles_of_a_table(few: Tenants, here: Path) -> None:
    script = here / "tell.py"
    script.write_text("import os, sys\nopen('told', 'a').write(os.environ['NXLINK_NOTICE'] + '\\n')\n")
    command = f"{sys.executable} {script}"
    few.write_settings(notices=f"heartbeat = 'beat'\n[job.nightly.notices]\ncommand = '{command}'\n")
    for name in few.names:
        few.drop(name, "a.csv", lines(5))
    assert cli(["job", "run", "nightly"]) == 0
    assert not (here / "told").exists()
    assert (here / "beat").exists()
    (here / "beat").unlink()
    few.drop("t02", "b.csv", lines(10, 500, spoilt=5))
    assert cli(["job", "run", "nightly"]) == 6
    (notice,) = map(json.loads, (here / "told").read_text().splitlines())
    assert (notice["job"], notice["result"], notice["exit_code"]) == ("nightly", "held", 6)
    assert {one["job"]: one["result"] for one in notice["jobs"]} == {
        "nightly@t01": "good",
        "nightly@t02": "held",
        "nightly@t03": "good",
        "nightly@t04": "good",
    }
    assert "3 good, 1 held (nightly@t02)" in notice["text"]
    assert not (here / "beat").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs SIGTERM")
def test_a_signal_stops_all_rounds_in_order(
    few: Tenants, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(few.names):
        few.drop(name, "a.csv", lines(3, 100 * number))
    few.box.application.script = script = GatedScript()
    process = few.begin("job", "run", "--all", "--parallel", "2")
    script.wait()
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    script.opened.set()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "4 jobs: " in told.decode()
    _, health = _health(capsys)
    # Requests in flight are waited for: a small file may be all in by then.
    assert all(why in ([], ["last round stopped (terminated)"]) for _, why in health.values())
    assert sum(why != [] for _, why in health.values()) >= 2
    assert cli(["job", "run", "--all"]) == 0
    assert few.tenants_of() == {FIRST_TENANT + number: 3 for number in range(4)}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["job", "run"], "no job was named"),
        (["job", "run", "nightly", "--all"], "--all means every job"),
        (["job", "run", "--all", "--release", "a.csv"], "4 jobs were named"),
        (["job", "install"], "no job was named"),
    ],
)
def test_what_does_not_say_which_jobs_is_refused(
    few: Tenants, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert cli(words) == 2
    assert told in capsys.readouterr().err


def test_a_tenant_in_the_environment_stops_a_round_over_several_profiles(
    few: Tenants, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few.drop("t01", "a.csv", lines(3))
    few.drop("t02", "a.csv", lines(3))
    monkeypatch.setenv("NXLINK_TENANT_ID", str(FIRST_TENANT))
    assert cli(["job", "run", "nightly"]) == 4
    assert "NXLINK_TENANT_ID" in capsys.readouterr().err
    assert few.tenants_of() == {FIRST_TENANT: 3}


def test_a_fault_in_one_round_stops_no_other(
    few: Tenants, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from importer.jobs import runner

    real = runner.Round.go

    def go(this: runner.Round) -> object:
        if this.job.name == "nightly@t02":
            raise RuntimeError("no fault of the file's")
        return real(this)

    monkeypatch.setattr(runner.Round, "go", go)
    few.drop("t01", "a.csv", lines(3))
    assert cli(["job", "run", "--all"]) == 70
    assert "3 good, 1 stopped (nightly@t02)" in capsys.readouterr().err
    assert few.tenants_of() == {FIRST_TENANT: 3}


def test_what_a_job_tells_to_do_next_names_the_profile(
    few: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    few.write_settings()
    few.drop("t02", "a.csv", lines(100, 0, spoilt=1))
    cli(["job", "run", "--all"])
    assert "importer run --profile t02" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="needs SIGTERM")
def test_resume_uses_the_profile_that_the_run_was_begun_with(
    few: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    few.write_settings()
    few.drop("t02", "a.csv", lines(3000, 0))
    few.box.application.script = script = GatedScript()
    process = few.begin("run", str(few.folder / "in" / "t02" / "a.csv"), "--profile", "t02")
    script.wait()
    process.send_signal(signal.SIGTERM)
    script.opened.set()
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "--profile t02" in told.decode()
    assert cli(["resume", "--profile", "t01"]) == 4
    assert cli(["resume"]) == 0
    assert few.tenants_of() == {FIRST_TENANT + 1: 3000}
