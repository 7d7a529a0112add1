"""The command line in real processes that begin within milliseconds.

One process loads the program and forks for each command. So what is tested is what users have, a process that
can be killed at any moment, without the second that loading takes. A request is tried less often, and with
shorter waits.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from importer.sandbox import Sandbox
from tests.support.commands import ROOT

if TYPE_CHECKING:
    from importer.config import Connection
    from importer.delivery import Policy
    from importer.options import RunOptions


class Forks:
    """Begins commands; `close` ends what still runs. Thread-safe."""

    def __init__(self, libraries: Sequence[str] = ()) -> None:
        """`libraries` are loaded, too, before any command begins."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks", *libraries],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._mutex = threading.Lock()
        self._beginning = threading.Lock()
        """One at a time, so that everybody gets the answer to the own order."""
        self._ended: dict[int, int] = {}
        self._begun: list[int] = []
        self._changed = threading.Condition(self._mutex)
        self._answers: list[int] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def begin(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        said: Path,
        read_timeout: float | None = None,
    ) -> Forked:
        """Begin `importer WORDS` there; what it says is appended to `said`."""
        order = {
            "words": list(words),
            "folder": str(folder),
            "env": dict(environment),
            "said": str(said),
            "read_timeout": read_timeout,
        }
        with self._beginning, self._changed:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            assert self._changed.wait_for(lambda: bool(self._answers), timeout=60)
            pid = self._answers.pop()
            self._begun.append(pid)
        return Forked(self, pid, said)

    def poll(self, pid: int) -> int | None:
        with self._mutex:
            return self._ended.get(pid)

    def wait(self, pid: int, seconds: float) -> int:
        with self._changed:
            assert self._changed.wait_for(lambda: pid in self._ended, timeout=seconds), "it did not end"
            return self._ended[pid]

    def close(self) -> None:
        for pid in self._begun:
            if self.poll(pid) is None:
                os.kill(pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._thread.join(60)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self._changed:
                if "begun" in told:
                    self._answers.append(told["begun"])
                else:
                    self._ended[told["ended"]] = told["code"]
                self._changed.notify_all()


@dataclass(frozen=True)
class Forked:
    """One command at work."""

    forks: Forks
    pid: int
    said: Path

    @property
    def alive(self) -> bool:
        return self.forks.poll(self.pid) is None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal, if it has not ended."""
        if self.alive:
            with suppress(ProcessLookupError):  # it ends by itself just now
                os.kill(self.pid, number)

    def wait(self, seconds: float = 120) -> int:
        """Wait for its end. Return its exit code, or the negative number of the signal that ended it."""
        code = self.forks.wait(self.pid, seconds)
        text = self.said.read_text("utf-8", "replace")
        assert "Traceback" not in text, text
        assert code not in (2, 70), text
        return code


class Stage:
    """A folder, a sandbox, and commands that send there."""

    def __init__(self, folder: Path, forks: Forks, box: Sandbox) -> None:
        self.folder = folder
        self.forks = forks
        self.box = box
        self._begun = 0
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

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "journal.db"

    def begin(self, *words: str, read_timeout: float | None = None) -> Forked:
        """Begin `importer WORDS`; `read_timeout`: seconds that it waits for an answer."""
        self._begun += 1
        said = self.folder / f"said-{self._begun}"
        said.touch()
        return self.forks.begin(words, self.folder, self.environment, said, read_timeout)

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Until something has happened."""
        until = time.monotonic() + 60
        while not what():
            assert time.monotonic() < until
            time.sleep(0.002)

    def wait_until_idle(self) -> None:
        """Until the sandbox is through with all that it got."""
        self.wait_for(lambda: all(request.over_ms is not None for request in self.box.requests))


def _serve() -> None:
    from importer.cli.app import prepare_process

    prepare_process()
    import importer.pipeline.run as run_module

    for name in ("api.client", "cli.commands.resume", "cli.commands.run", "cli.summary", "cli.terminal"):
        __import__(f"importer.{name}")
    for name in ("delivery.delivery", "mapping.mapper", "readers.csv_source", "reports.writer"):
        __import__(f"importer.{name}")
    for name in sys.argv[1:]:
        __import__(name)
    usual = run_module.delivery_policy

    def quick(options: RunOptions, connection: Connection) -> Policy:
        return replace(usual(options, connection), attempts=3, first_wait=0.02, longest_wait=0.1)

    run_module.delivery_policy = quick
    telling = threading.Lock()

    def tell(told: Mapping[str, int]) -> None:
        with telling:
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()

    children: dict[int, None] = {}
    import select

    while True:
        ready, _, _ = select.select([sys.stdin], [], [], 0.01 if children else None)
        if ready:
            line = sys.stdin.readline()
            if not line:
                break
            order = json.loads(line)
            pid = os.fork()
            if not pid:
                _become(order)
            children[pid] = None
            tell({"begun": pid})
        while children:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if not ended:
                break
            del children[ended]
            tell({"ended": ended, "code": os.waitstatus_to_exitcode(status)})


def _become(order: Mapping[str, object]) -> None:
    """Go on as the command."""
    code = 70
    try:
        os.chdir(str(order["folder"]))
        os.environ.clear()
        os.environ.update(order["env"])  # type: ignore[call-overload]
        said = os.open(str(order["said"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, target in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(number, target)
        if order["read_timeout"] is not None:
            _read_no_longer_than(float(str(order["read_timeout"])))
        from importer.cli import app

        code = app.invoke([str(word) for word in order["words"]])  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _read_no_longer_than(seconds: float) -> None:
    import importer.api.transport
    import importer.journal.contacts
    import importer.pipeline.run

    importer.api.transport.Timeouts.__init__.__defaults__ = (10.0, seconds)
    for module in (importer.journal.contacts, importer.pipeline.run):
        module.READ_TIMEOUT = seconds  # type: ignore[attr-defined]


if __name__ == "__main__":
    _serve()
