"""Every test has a journal, a config folder and an environment of its own; commands run in this process."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from importer.cli import app
from importer.cli.output import OutputOptions
from importer.config import Connection
from importer.sandbox import Sandbox
from tests.support.commands import Command, Result, use

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer

# A busy machine is slow, which is no fault of the program.
# Whether a change may land must not depend on what is drawn by lot; by hand, each run draws anew.
hypothesis.settings.register_profile("new-draws", deadline=None)
hypothesis.settings.register_profile("same-draws", deadline=None, derandomize=True)
hypothesis.settings.load_profile(os.environ.get("TEST_DRAWS", "new-draws"))


def pytest_configure() -> None:
    # So that the servers of tests that somebody ends by SIGTERM, as `timeout` does, end with them.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh state folder; nothing of the user's settings. Returns the state folder."""
    state = tmp_path_factory.mktemp("state")
    for name in os.environ:
        if name.startswith("NXLINK_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("importer.config._named", None)
    monkeypatch.setenv("NXLINK_STATE_DIR", str(state))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(state / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.delenv("COLUMNS", raising=False)
    return state


@pytest.fixture(autouse=True)
def no_settling(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process wait a minute for late requests only if they say so."""
    if "end_to_end" in request.path.parts:
        monkeypatch.setattr("importer.pipeline.run.READ_TIMEOUT", 0.0)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of commands."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def importer(work: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line: `importer("run", file)`."""

    def call(*words: object) -> Result:
        capfd.readouterr()
        code = app.invoke([str(word) for word in words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Result(code, out, err)

    return call


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let somebody at the terminal type these lines."""

    def typed(lines: str) -> None:
        monkeypatch.setattr(OutputOptions, "can_ask", property(lambda _: True))
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))

    return typed


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A sandbox of its own process-wide credentials."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def settings(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The environment leads to the sandbox."""
    use(monkeypatch, box.connection)
    return box.connection


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Let a worker tell of a failure whose text holds a name that is not UTF-8."""
    report = yield
    return _sendable(report)


def _sendable(part: object) -> object:
    if isinstance(part, str):
        return part.encode("utf-8", "backslashreplace").decode()
    if isinstance(part, dict):
        return {_sendable(key): _sendable(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return type(part)(map(_sendable, part))
    return part


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the journal."""
    pytest.importorskip("psycopg")
    from tests.support.postgres import PostgresServer, find_programs  # not on Windows

    if find_programs() is None:
        pytest.skip("needs a PostgreSQL server")
    with PostgresServer() as server:
        yield server
