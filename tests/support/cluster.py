"""A Dask cluster of processes on this machine, which tests kill, stop and start again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_START_SECONDS = 120.0


class DaskCluster:
    """A scheduler and workers with one thread each, for as long as a `with` block lasts.

    `ttl`: seconds without a word after which a worker counts as gone.
    """

    def __init__(self, folder: Path, workers: int, *, ttl: float = 15.0) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self._count = workers
        self._ttl = ttl
        self._begun = 0

    def __enter__(self) -> DaskCluster:
        address = self.folder / "scheduler.json"
        self._scheduler = self._process("scheduler", "--port", "0", "--scheduler-file", str(address))
        deadline = time.monotonic() + _START_SECONDS
        while not (address.exists() and address.read_text().strip()):
            assert self._scheduler.poll() is None, (self.folder / "scheduler.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.address: str = json.loads(address.read_text())["address"]
        for _ in range(self._count):
            self.add_worker()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self.workers, self._scheduler):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def add_worker(self) -> None:
        """Begin another worker."""
        self._begun += 1
        words = (self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", f"w{self._begun}")
        self.workers.append(self._process("worker", *words))

    def kill_worker(self, place: int) -> None:
        """End a worker at once, and begin another one."""
        self.workers[place].kill()
        self.workers[place].wait()
        del self.workers[place]
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
                },
                stdout=log,
                stderr=log,
            )
