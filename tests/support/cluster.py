"""A Dask cluster of processes on this machine, which tests kill, stop and start again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.support.tenants import Tenants

_START_SECONDS = 120.0


def keep_journal(tenants: Tenants, place: Path | str) -> None:
    """Let importer.toml say where the journal is, so that workers find it wherever they were begun."""
    settings = tenants.folder / "importer.toml"
    settings.write_text(f'journal = "{place}"\n' + settings.read_text("utf-8"), "utf-8")


class DaskCluster:
    """A scheduler and workers with one thread each, for as long as a `with` block lasts.

    `ttl`: seconds without a word after which a worker counts as gone. `tended`: for each worker that ends
    another one begins, as whatever runs workers in earnest sees to it. `environ`: more of their environment.
    """

    def __init__(
        self,
        folder: Path,
        workers: int,
        *,
        ttl: float = 15.0,
        tended: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._environ = environ or {}
        self.workers: list[subprocess.Popen[bytes]] = []
        self._count = workers
        self._ttl = ttl
        self._names: dict[int, str] = {}
        self._mutex = threading.Lock()
        self._over = threading.Event()
        self._tending = threading.Thread(target=self._tend, name="tend") if tended else None

    def __enter__(self) -> DaskCluster:
        address = self.folder / "scheduler.json"
        self._scheduler = self._process("scheduler", "--port", "0", "--scheduler-file", str(address))
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not (address.exists() and address.read_text().strip()):
                assert self._scheduler.poll() is None, (self.folder / "scheduler.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            self.address: str = json.loads(address.read_text())["address"]
            for _ in range(self._count):
                self.add_worker()
            if self._tending is not None:
                self._tending.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End all of its processes at once."""
        self._over.set()
        if self._tending is not None and self._tending.is_alive():
            self._tending.join()
        for process in (*self.workers, self._scheduler):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def add_worker(self) -> None:
        """Begin another worker."""
        name = f"w{len(self._names) + 1}"
        words = (self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name)
        worker = self._process("worker", *words)
        self._names[worker.pid] = name
        self.workers.append(worker)

    def kill_worker(self, place: int) -> None:
        """End a worker at once, and begin another one."""
        with self._mutex:
            self.workers[place].kill()
            self._replace(self.workers[place])

    def kill_scheduler(self) -> None:
        """End the scheduler at once."""
        self._scheduler.kill()
        self._scheduler.wait()

    def has_given_up(self, worker: subprocess.Popen[bytes]) -> bool:
        """Whether the scheduler takes a worker for gone, since it has not said a word for too long."""
        log = self.log("scheduler").splitlines()
        return any(
            "failed to heartbeat" in line and f"name: {self._names[worker.pid]}," in line for line in log
        )

    def log(self, what: str) -> str:
        """What the scheduler, or the workers, have written."""
        return (self.folder / f"{what}.log").read_text(errors="replace")

    def _tend(self) -> None:
        while not self._over.wait(0.2):
            with self._mutex:
                for worker in [one for one in self.workers if one.poll() is not None]:
                    self._replace(worker)

    def _replace(self, worker: subprocess.Popen[bytes]) -> None:
        worker.wait()
        self.workers.remove(worker)
        self.add_worker()

    def _process(self, what: str, *words: str) -> subprocess.Popen[bytes]:
        here = "--local-directory", str(self.folder / "dask")
        with (self.folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-W", "ignore", "-m", f"distributed.cli.dask_{what}"),
                    *words,
                    *(here if what == "worker" else ("--no-dashboard", "--host", "127.0.0.1")),
                ],
                cwd=self.folder,
                env={
                    **os.environ,
                    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{self._ttl:g} s",
                    "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "False",
                    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "10",
                    "OPENBLAS_NUM_THREADS": "1",
                    **self._environ,
                },
                stdout=log,
                stderr=log,
            )
