"""`kill -9` at any moment: `resume` goes on, and in the end nobody can tell."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from importer.journal import Journal
from importer.sandbox import Sandbox

ROWS = 1500
LATENCY = 0.01
BARE_EVERY = 250
"""Every so many rows one has neither phone nor e-mail."""


def write_source(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["first_name", "last_name", "sms_phone", "address"])
        for n in range(ROWS):
            who = n // 2 if n % 10 == 9 else n
            phone = "" if n % BARE_EVERY == BARE_EVERY - 1 else f"86139{who:08}"
            writer.writerow([f"first {n}", f"last {who}", phone, f"street {n}"])


class Desk:
    """A folder, a sandbox, and the command line between them."""

    def __init__(self, folder: Path, box: Sandbox) -> None:
        self.folder = folder
        self.box = box
        self.reports = folder / "out"
        write_source(folder / "customers.csv")
        who = box.credentials
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NXLINK_")},
            "NXLINK_STATE_DIR": str(folder / "state"),
            "NXLINK_BASE_URL": box.base_url,
            "NXLINK_ACCESS_KEY": who.access_key,
            "NXLINK_ACCESS_SECRET": who.access_secret,
            "NXLINK_TENANT_ID": str(who.tenant_id),
            "NXLINK_APP_KEY": who.app_key,
            "LANG": "C.UTF-8",
        }

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "importer", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self) -> subprocess.Popen[bytes]:
        return self.begin("run", "customers.csv", "--report-dir", str(self.reports), "--yes")

    def kill_after(self, process: subprocess.Popen[bytes], requests: int, seconds: float) -> bool:
        """Kills once the sandbox got so many more requests, and a bit later; True if it was still alive."""
        goal = self.box.application.total + requests
        while self.box.application.total < goal and process.poll() is None:
            time.sleep(0.001)
        time.sleep(seconds)
        alive = process.poll() is None
        process.kill()
        process.communicate()
        return alive

    def complete(self) -> int:
        """Resumes what was interrupted, or begins anew if nothing had begun. Returns the exit code."""
        with Journal.open(self.folder / "state" / "journal.db") as journal:
            begun = bool(journal.runs())
        process = self.begin("resume") if begun else self.run()
        said, _ = process.communicate(timeout=120)
        assert b"Traceback" not in said, said.decode()
        return process.returncode

    def results(self) -> list[dict[str, str]]:
        with (self.reports / "results.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


def check(desk: Desk, code: int) -> None:
    """Store and results are those of an undisturbed run; only bare rows may be unknown, and none is twice."""
    results = desk.results()
    assert [int(row["_row"]) for row in results] == list(range(2, ROWS + 2))
    assert len({row["_run"] for row in results}) == 1
    bare = {f"first {n}" for n in range(BARE_EVERY - 1, ROWS, BARE_EVERY)}
    for row in results:
        allowed = {"imported", "unknown"} if row["first_name"] in bare else {"imported"}
        assert row["_status"] in allowed
    unknown = [row for row in results if row["_status"] == "unknown"]
    assert code == (1 if unknown else 0)
    latest = {}
    for n in range(ROWS):
        who = n // 2 if n % 10 == 9 else n
        if f"first {n}" not in bare:
            latest[f"86139{who:08}"] = f"first {n}"
    stored = desk.box.customers()
    assert {
        c.fields["sms_phone"]: c.fields["first_name"] for c in stored if "sms_phone" in c.fields
    } == latest
    times = Counter(c.fields["first_name"] for c in stored if "sms_phone" not in c.fields)
    assert set(times) <= bare
    assert set(times.values()) <= {1}
    told_in = {row["first_name"] for row in results if row["_status"] == "imported"} & bare
    assert told_in <= set(times)


def one_kill(folder: Path, seed: int) -> bool:
    chance = random.Random(seed)
    folder.mkdir()
    with Sandbox(latency=LATENCY) as box:
        desk = Desk(folder, box)
        process = desk.run()
        killed = desk.kill_after(process, chance.randint(0, 14), chance.uniform(0.0, 0.05))
        if killed and chance.random() < 0.3:
            with suppress(AssertionError):
                again = desk.begin("resume")
                desk.kill_after(again, chance.randint(0, 6), chance.uniform(0.0, 0.05))
        code = desk.complete()
        check(desk, code)
        return killed


@pytest.mark.parametrize("seed", range(10))
def test_a_killed_run_is_resumed_to_the_same_end(tmp_path, seed):
    one_kill(tmp_path / "desk", seed)


@pytest.mark.soak
def test_a_hundred_killed_runs_are_resumed_to_the_same_end(tmp_path):
    killed = sum(one_kill(tmp_path / f"desk-{seed}", seed) for seed in range(1000, 1100))
    assert killed >= 80
