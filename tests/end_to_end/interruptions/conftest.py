"""The command line in processes of its own, against a sandbox that outlives them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    with ExitStack() as stack:

        def make(name: str = "desk", **manner: object) -> Desk:
            box = stack.enter_context(Sandbox(**{"latency": LATENCY, **manner}))
            (tmp_path / name).mkdir()
            return stack.enter_context(Desk(tmp_path / name, box))

        yield make
