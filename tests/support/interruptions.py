"""The command line in processes of its own, against a sandbox that outlives them."""

from __future__ import annotations

import csv
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

from importer.journal import Journal, RunState
from importer.sandbox import Sandbox
from importer.sandbox.faults import Fault, FaultScript

ROWS = 1500
LATENCY = 0.01
BARE_EVERY = 250
"""Every so many rows one has neither phone nor e-mail."""


def write_source(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["first_name", "last_name", "sms_phone", "address"])
        for n in range(ROWS):
            writer.writerow([f"first {n}", f"last {n}", phone(n), f"street {n}"])


def phone(n: int) -> str:
    """Of the n-th row: every tenth shares it with an earlier one, some have none."""
    who = n // 2 if n % 10 == 9 else n
    return "" if n % BARE_EVERY == BARE_EVERY - 1 else f"86139{who:08}"


class GatedScript(FaultScript):
    """Lets requests come, but answers none before the gate is open, apart from the first `free`."""

    def __init__(self, faults: Sequence[str] = (), *, free: int = 0) -> None:
        super().__init__(faults)
        self.opened = threading.Event()
        self._arrived = threading.Event()
        self._free = free

    def next(self, endpoint: str, customers: Sequence[object]) -> list[Fault]:
        if self._free:
            self._free -= 1
            return super().next(endpoint, customers)
        self._arrived.set()
        assert self.opened.wait(60)
        return super().next(endpoint, customers)

    def wait(self) -> None:
        """Until a request has come to the gate."""
        assert self._arrived.wait(60)


class Desk:
    """A folder, a sandbox, and the command line between them."""

    def __init__(self, folder: Path, box: Sandbox) -> None:
        self.folder = folder
        self.box = box
        self.reports = folder / "out"
        write_source(folder / "customers.csv")
        self._processes: list[subprocess.Popen[bytes]] = []
        self.rows = ROWS
        self.bare = {f"first {n}" for n in range(BARE_EVERY - 1, ROWS, BARE_EVERY)}
        """First names of those with neither phone nor e-mail."""
        who = box.credentials
        self.environment = {
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
        # The sandbox is done with a request soon after its client is gone: no need to wait for a minute.
        settle = ("--settle", "1") if arguments[0] in ("run", "resume", "retry") else ()
        command = [sys.executable, "-m", "importer", *arguments, *settle]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """Ends what a failed test left running."""
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def run(self, *options: str) -> subprocess.Popen[bytes]:
        return self.begin("run", "customers.csv", "--report-dir", str(self.reports), "--yes", *options)

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
        """Resumes what was interrupted, or begins anew if nothing had begun. Returns the run's exit code."""
        with Journal.open(self.folder / "state" / "journal.db") as journal:
            runs = journal.runs()
        if runs and runs[0].exit_code is not None and runs[0].state is RunState.FINISHED:
            return int(runs[0].exit_code)  # it had ended just before it was killed
        code, said = self.end(self.begin("resume") if runs else self.run())
        assert (self.reports / "results.csv").exists(), said
        return code

    def end(self, process: subprocess.Popen[bytes]) -> tuple[int, str]:
        """Waits for a process; its exit code and all that it said."""
        said = process.communicate(timeout=120)[0].decode()
        assert "Traceback" not in said, said
        return process.returncode, said

    def wait_for_words(self, process: subprocess.Popen[bytes], words: str) -> None:
        """Until a process has said them. What it said up to there is gone."""
        assert process.stdout is not None
        said = b""
        while words.encode() not in said:
            piece = process.stdout.readline()
            assert piece, said.decode()
            said += piece

    def wait_for_requests(self, requests: int) -> None:
        """Until the sandbox has got so many."""
        until = time.monotonic() + 60
        while self.box.application.total < requests:
            assert time.monotonic() < until
            time.sleep(0.002)

    def wait_for_waiting(self, runs: int = 1) -> None:
        """Until so many runs wait for their turn."""
        wanted = "SELECT lock FROM tickets WHERE run <> ''"
        locks = self.folder / "state" / "locks"
        until = time.monotonic() + 60
        with closing(sqlite3.connect(self.folder / "state" / "journal.db")) as journal:
            while sum((locks / name).exists() for (name,) in journal.execute(wanted)) <= runs:
                assert time.monotonic() < until
                time.sleep(0.05)

    def wait_for_the_server(self) -> None:
        """Until it takes connections again."""
        address = urlsplit(self.box.base_url)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection((address.hostname, address.port)):
                return
            time.sleep(0.02)

    def statuses(self) -> Counter[str]:
        return Counter(row["_status"] for row in self.results())

    def check_store(self) -> None:
        """The store is that of an undisturbed run; bare rows are in it at most once."""
        latest = {phone(n): f"first {n}" for n in range(ROWS) if phone(n)}
        stored = [dict(customer.fields) for customer in self.box.customers()]
        assert {c["sms_phone"]: c["first_name"] for c in stored if "sms_phone" in c} == latest
        bare = Counter(c["first_name"] for c in stored if "sms_phone" not in c)
        assert set(bare) <= self.bare
        assert set(bare.values()) <= {1}
        told_in = {row["first_name"] for row in self.results() if row["_status"] == "imported"}
        assert told_in & self.bare <= set(bare)

    def results(self) -> list[dict[str, str]]:
        with (self.reports / "results.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


MakeDesk = Callable[..., Desk]
"""`make_desk(name, latency=…, faults=…)`: everything else as `Sandbox` takes it."""
