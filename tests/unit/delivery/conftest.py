"""Deliveries to made-up servers, ready to use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.models import Verdict
from tests.support.delivery import ACCEPTED, MakeBatches, Rig, batches


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def make_batches() -> MakeBatches:
    return batches


@pytest.fixture
def accepted() -> Verdict:
    return ACCEPTED
