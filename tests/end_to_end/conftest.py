"""A sandbox, a working directory, and the command line inside this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests_support import Command, Result, use

from importer import cli
from importer.sandbox import Sandbox
from importer.settings import Connection


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
        code = cli.invoke([str(word) for word in words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Result(code, out, err)

    return call


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
