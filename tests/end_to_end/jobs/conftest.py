"""A job with an inbox and a sandbox of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from tests.support.jobs import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "inbox").mkdir()
    with Sandbox() as box:
        yield Bench(tmp_path, box)
