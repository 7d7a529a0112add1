"""A real cron calls an installed job. Needs Debian's `cron`, root, and nobody else's cron at work.

It changes the crontab of the user who runs it, and puts it back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.journal import Journal
from importer.journal.job_history import RoundResult
from tests.support.jobs import HEADER, Bench, lines

PATIENCE = 150.0
"""Seconds: cron looks at its tables once a minute."""


def _cron_is_at_work() -> bool:
    with contextlib.suppress(OSError, ValueError):
        pid = int(Path("/run/crond.pid").read_text())
        return Path(f"/proc/{pid}/comm").read_text().strip() == "cron"
    return False


pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        shutil.which("cron") is None or os.name != "posix" or os.geteuid() != 0,
        reason="needs Debian's cron and root",
    ),
    pytest.mark.skipif(_cron_is_at_work(), reason="another cron is at work"),
]


def _crontab() -> str:
    return subprocess.run(["crontab", "-l"], capture_output=True, text=True).stdout


@contextlib.contextmanager
def _cron(log: Path) -> Iterator[None]:
    """cron in the foreground, for as long as the block lasts."""
    with log.open("wb") as out:
        process = subprocess.Popen(["cron", "-f", "-L", "15"], stdout=out, stderr=out)
        try:
            yield
            assert process.poll() is None, "cron died: is another one running?"
        finally:
            process.terminate()
            process.wait()


def _importer(environment: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "importer", "job", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_cron_runs_an_installed_job(bench: Bench) -> None:
    connection = bench.box.connection
    env_file = bench.root / "nxlink.env"
    env_file.write_text(
        f"NXLINK_ACCESS_KEY={connection.access_key.reveal()}\n"
        f"NXLINK_ACCESS_SECRET={connection.access_secret.reveal()}\n"
        f"NXLINK_TENANT_ID={connection.tenant_id}\nNXLINK_APP_KEY={connection.app_key}\n"
        f"NXLINK_BASE_URL={connection.base_url}\n"
    )
    env_file.chmod(0o600)
    settings = bench.root / "importer.toml"
    settings.write_text(f'[job.nightly]\ninbox = "{bench.inbox}"\nsettle = "2s"\n')
    environment = {**os.environ, "NXLINK_STATE_DIR": str(bench.state)}
    before = _crontab()
    rows = lines(250)
    words = ("--schedule", "* * * * *", "--settings", str(settings), "--env-file", str(env_file))
    print(_importer(environment, "install", "nightly", *words))
    try:
        assert connection.access_secret.reveal() not in _crontab()
        (bench.inbox / "customers.csv").write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
        started = time.monotonic()
        with _cron(bench.root / "cron.log"):
            while time.monotonic() < started + PATIENCE and bench.places("customers.csv") != ["done"]:
                time.sleep(1)
            waited = time.monotonic() - started
            time.sleep(2)
    finally:
        _importer(environment, "uninstall", "nightly")
    assert bench.places("customers.csv") == ["done"], (bench.root / "cron.log").read_text()
    assert len(bench.emails()) == 250
    assert _crontab() == before
    with Journal.open(bench.state / "journal.db") as journal:
        rounds = journal.jobs.rounds("nightly")
    assert {record.result for record in rounds} == {RoundResult.GOOD}
    print(f"cron ran {len(rounds)} rounds; the file was in done/ after {waited:.0f} s")
