"""A journal in a temporary folder, and records to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.journal import Journal
from tests.support.journal import MakeBatch, MakeRecord, batch, record


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "state" / "journal.db") as journal:
        yield journal


@pytest.fixture
def make_record() -> MakeRecord:
    return record


@pytest.fixture
def make_batch() -> MakeBatch:
    return batch
