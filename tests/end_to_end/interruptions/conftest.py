"""Folders with a sandbox and the command line in processes of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from importer.sandbox import Sandbox
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
