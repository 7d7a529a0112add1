"""Folders with a sandbox and the command line in processes of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from importer.sandbox import Sandbox
from tests.support.forks import Forks, Stage
from tests.support.interruptions import LATENCY, Desk, MakeDesk


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[MakeDesk]:
    """`make_desk(name, latency=…, faults=…)`: everything else as `Sandbox` takes it."""
    with ExitStack() as stack:

        def make(name: str = "desk", latency: float = LATENCY, **manner: Any) -> Desk:
            box = stack.enter_context(Sandbox(latency=latency, **manner))
            (tmp_path / name).mkdir()
            desk = Desk(tmp_path / name, box)
            stack.callback(desk.close)
            return desk

        yield make


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Begins processes of the command line within milliseconds, where there is `fork`."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def stage(tmp_path: Path, forks: Forks) -> Iterator[Stage]:
    with Sandbox(latency=LATENCY, keep_bodies=True) as box:
        yield Stage(tmp_path, forks, box)
