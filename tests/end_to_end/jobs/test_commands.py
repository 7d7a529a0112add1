"""`importer job` as cron and people call it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.cli.app import invoke as cli
from importer.jobs.schedule import installed_schedules
from tests.support.jobs import HEADER, lines

FAKE_CRONTAB = """#!/bin/sh
case "$1" in
-l) [ -f "$TAB" ] || { echo "no crontab for somebody" >&2; exit 1; }; cat "$TAB";;
-) cat > "$TAB";;
-r) rm "$TAB";;
esac
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with importer.toml, an env file, an inbox, a sandbox, and a crontab of its own."""
    from importer.sandbox import Sandbox

    with Sandbox() as box:
        connection = box.connection
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        for name in ("ACCESS_KEY", "ACCESS_SECRET", "TENANT_ID", "APP_KEY", "BASE_URL"):
            monkeypatch.delenv(f"NXLINK_{name}", raising=False)
        (tmp_path / "inbox").mkdir()
        env = tmp_path / "nxlink.env"
        env.write_text(
            f"NXLINK_ACCESS_KEY={connection.access_key.reveal()}\n"
            f"NXLINK_ACCESS_SECRET={connection.access_secret.reveal()}\n"
            f"NXLINK_TENANT_ID={connection.tenant_id}\nNXLINK_APP_KEY={connection.app_key}\n"
            f"NXLINK_BASE_URL={connection.base_url}\n"
        )
        env.chmod(0o600)
        (tmp_path / "importer.toml").write_text(
            '[job.nightly]\ninbox = "inbox"\nschedule = "0 3 * * *"\n\n[job.hourly]\nsource = "x-*.csv"\n'
        )
        yield tmp_path


@pytest.fixture
def tab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "crontab").write_text(FAKE_CRONTAB)
    (folder / "crontab").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("TAB", str(tmp_path / "tab"))
    return tmp_path / "tab"


def _drop(desk: Path, name: str, rows: list[str]) -> None:
    path = desk / "inbox" / name
    path.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    (desk / "inbox" / f"{name}.done").touch()


def test_a_good_round_prints_nothing(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _drop(desk, "a.csv", lines(20))
    assert cli(["job", "run", "nightly", "--env-file", "nxlink.env"]) == 0
    assert capsys.readouterr() == ("", "")


def test_rows_below_the_tripwire_are_told_with_the_place_of_their_corrections(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _drop(desk, "a.csv", lines(20, spoilt=2))
    assert cli(["job", "run", "nightly", "--env-file", "nxlink.env"]) == 0
    out, told = capsys.readouterr()
    assert out == ""
    (rejects,) = (desk / "inbox" / "done").rglob("rejects.xlsx")
    assert (
        f"2 of 20 rows were not imported and wait for a correction. Correct the coloured cells of "
        f"rejects.xlsx in {rejects.parent}" in told
    )
    assert cli(["job", "status", "nightly"]) == 0
    assert "2 rows of a.csv wait for a correction" in capsys.readouterr().out


def test_a_held_file_is_told_on_stderr_with_the_command_that_releases_it(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _drop(desk, "a.csv", lines(10, spoilt=5))
    assert cli(["job", "run", "nightly", "--env-file", "nxlink.env"]) == 6
    out, told = capsys.readouterr()
    assert out == ""
    assert "5 of 10 rows (50.0 %) are invalid" in told
    assert 'importer job run nightly --release "a.csv"' in told
    assert cli(["job", "status", "nightly"]) == 1
    assert cli(["job", "run", "nightly", "--env-file", "nxlink.env", "--release", "a.csv"]) == 0


def test_missing_credentials_are_told_and_no_file_is_touched(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _drop(desk, "a.csv", lines(5))
    assert cli(["job", "run", "nightly"]) == 4
    assert "NXLINK_ACCESS_KEY" in capsys.readouterr().err
    assert (desk / "inbox" / "a.csv").exists()


def test_an_env_file_that_others_can_read_is_refused(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "nxlink.env").chmod(0o644)
    assert cli(["job", "run", "nightly", "--env-file", "nxlink.env"]) == 4
    assert "chmod 600" in capsys.readouterr().err


def test_verbose_shows_the_log(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _drop(desk, "a.csv", lines(5))
    assert cli(["job", "run", "nightly", "--env-file", "nxlink.env", "-v"]) == 0
    assert "file-put-away" in capsys.readouterr().err


def test_check_says_what_a_round_would_do_and_does_nothing(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _drop(desk, "good.csv", lines(20, spoilt=1))
    _drop(desk, "bad.csv", lines(10, spoilt=5))
    (desk / "inbox" / "fresh.csv").write_text("growing")
    assert cli(["job", "check", "nightly", "--env-file", "nxlink.env", "--json"]) == 6
    found = {Path(each["path"]).name: each for each in json.loads(capsys.readouterr().out)}
    assert {name: each["fate"] for name, each in found.items()} == {
        "good.csv": "import",
        "bad.csv": "hold",
        "fresh.csv": "wait",
    }
    assert (found["good.csv"]["to_send"], found["good.csv"]["invalid"]) == (19, 1)
    assert sorted(path.name for path in (desk / "inbox").iterdir() if not path.name.endswith(".done")) == [
        *("bad.csv", "fresh.csv", "good.csv")
    ]
    assert cli(["job", "check", "nightly"]) == 4


def test_list_shows_last_and_next_run(desk: Path, tab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli(["job", "run", "nightly", "--env-file", "nxlink.env"])
    cli(["job", "install", "hourly", "--schedule", "5 * * * *"])
    capsys.readouterr()
    assert cli(["job", "list"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["job", "source", "last", "round", "result", "next", "held", "failed"]
    assert "good" in rows[0]
    assert "03:00" in rows[0]
    assert ":05" in rows[1]
    assert cli(["job", "list", "--json"]) == 0
    assert [each["job"] for each in json.loads(capsys.readouterr().out)] == ["nightly", "hourly"]


def test_status_speaks_nagios(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["job", "status", "nightly"]) == 3
    assert capsys.readouterr().out.startswith("UNKNOWN - nightly: never ran")
    assert cli(["job", "status", "nobody"]) == 3
    assert "no [job.nobody]" in capsys.readouterr().out
    cli(["job", "run", "nightly", "--env-file", "nxlink.env"])
    assert cli(["job", "status", "nightly", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["health"] == "ok"
    cli(["job", "run", "nightly"])
    capsys.readouterr()
    assert cli(["job", "status", "nightly"]) == 2
    assert capsys.readouterr().out.startswith("CRITICAL - nightly: last round stopped (missing-credentials)")


def test_install_leaves_other_lines_alone_and_uninstall_takes_out_its_own(
    desk: Path, tab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = "# mine\nMAILTO=me@example.com\n*/5 * * * * /usr/bin/backup --100% \\%\n"
    tab.write_text(before)
    install = ["job", "install", "nightly", "--env-file", "nxlink.env"]
    assert cli([*install, "--schedule", "30 2 * * 1-5"]) == 0
    assert "30 2 * * 1-5" in capsys.readouterr().out
    assert cli(install) == 0
    text = tab.read_text()
    assert text.startswith(before)
    (line,) = [line for line in text.splitlines() if line.startswith("0 3 * * * ")]
    assert "30 2" not in text
    for part in ("-m importer job run nightly", f"--settings {desk}/importer.toml", f"{desk}/nxlink.env"):
        assert part in line
    assert f"NXLINK_STATE_DIR={desk}/state" in line
    assert "sandbox-app" not in line
    assert cli(["job", "uninstall", "nightly"]) == 0
    assert tab.read_text() == before
    assert cli(["job", "uninstall", "nightly"]) == 2


@pytest.mark.parametrize(
    ("named", "carried"),
    [
        ("shared/history.db", "NXLINK_JOURNAL={desk}/shared/history.db"),
        ("postgresql://ann@db.example/nxlink", "NXLINK_JOURNAL=postgresql://ann@db.example/nxlink"),
    ],
)
def test_an_installed_job_uses_the_journal_of_the_shell_that_installs_it(
    desk: Path, tab: Path, monkeypatch: pytest.MonkeyPatch, named: str, carried: str
) -> None:
    monkeypatch.setenv("NXLINK_JOURNAL", named)
    assert cli(["job", "install", "nightly"]) == 0
    assert f" {carried.format(desk=desk)} " in tab.read_text()


def test_no_password_goes_into_a_crontab(desk: Path, tab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NXLINK_JOURNAL", "postgresql://ann:geheim@db.example/nxlink")
    assert cli(["job", "install", "nightly"]) == 4
    assert not tab.exists()


def test_the_journal_of_settings_that_are_named_is_used(
    desk: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = desk / "importer.toml"
    config.write_text('journal = "kept/history.db"\n' + config.read_text("utf-8"), "utf-8")
    monkeypatch.chdir(tmp_path_factory.mktemp("home"))  # as cron does
    cli(["job", "run", "nightly", "--settings", str(config)])
    assert (desk / "kept" / "history.db").is_file()
    assert not (desk / "state" / "journal.db").exists()


def test_the_schedules_of_installed_jobs_are_those_of_the_crontab(desk: Path, tab: Path) -> None:
    assert installed_schedules() == {}
    tab.write_text("1 2 * * * /usr/bin/other\n")
    assert cli(["job", "install", "nightly", "--schedule", "30 2 * * 1-5"]) == 0
    assert installed_schedules() == {"nightly": "30 2 * * 1-5"}


def test_a_crontab_made_for_the_job_alone_goes_with_it(desk: Path, tab: Path) -> None:
    assert cli(["job", "install", "nightly"]) == 0
    assert cli(["job", "uninstall", "nightly"]) == 0
    assert not tab.exists()


def test_lines_of_others_stay_byte_for_byte(desk: Path, tab: Path) -> None:
    # Each of these is a comment to its end; only a line feed begins another line of a crontab.
    others = b"".join(
        b"# note " + end + b"* * * * * touch /tmp/x\n"
        for end in (b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8", b"\xff")
    )
    tab.write_bytes(others)
    assert cli(["job", "install", "nightly"]) == 0
    assert tab.read_bytes().startswith(others)
    assert tab.read_bytes().count(b"\n") == others.count(b"\n") + 3
    assert cli(["job", "uninstall", "nightly"]) == 0
    assert tab.read_bytes() == others


def test_print_only_prints(desk: Path, tab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["job", "install", "nightly", "--print"]) == 0
    begin, line, end = capsys.readouterr().out.splitlines()
    assert (begin[0], end[0]) == ("#", "#")
    assert line.startswith("0 3 * * * ")
    assert "times are those of" in begin
    assert not tab.exists()


def test_a_wrong_schedule_is_told(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["job", "install", "nightly", "--schedule", "0 25 * * *"]) == 2
    assert "hour cannot be “25”" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ('inbox = "a"\nsource = "b"', "job.x"),
        ('inbox = "a"\nsettle = "soon"', "job.x.settle"),
        ('inbox = "a"\ntypo = 1', "job.x.typo"),
        ('inbox = "a"\n[job.x.tripwires]\nmax_invalid = true', "job.x.tripwires.max_invalid"),
        *(
            (f'inbox = "a"\n[job.x.notices]\nwebhook = "{address}"', "job.x.notices.webhook")
            for address in (
                "http://example.com/",
                "http://localhost.example.com/",
                "http://localhost@example.com/",
                "http://127.example.com/",
                "https:///hook",
                "ftp://localhost/",
                "localhost",
            )
        ),
        ('inbox = "a"\nheartbeat = "http://example.com/token"', "job.x.heartbeat"),
        ('inbox = "a"\nheartbeat = "ftp://example.com/token"', "job.x.heartbeat"),
        ('inbox = "a"\nreport_mode = "0777"', "job.x.report_mode"),
        ('inbox = "a"\nschedule = "daily"', "job.x.schedule"),
    ],
)
def test_a_wrong_table_is_told_with_its_place(
    desk: Path, capsys: pytest.CaptureFixture[str], table: str, place: str
) -> None:
    (desk / "importer.toml").write_text(f"[job.x]\n{table}\n")
    assert cli(["job", "run", "x"]) == 4
    assert f"importer.toml, {place}" in capsys.readouterr().err
