"""A journal in a temporary folder, and records to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from importer.journal import Journal, RunRecord
from importer.models import Batch, Destination, Mode

DESTINATION = Destination("https://crm.example", "1", "app", "sea")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "state" / "journal.db") as journal:
        yield journal


@pytest.fixture
def make_record() -> Callable[..., RunRecord]:
    def make(run_id: str = "run-1", **changes: object) -> RunRecord:
        given: dict[str, object] = {
            "source": "customers.csv",
            "path": "/data/customers.csv",
            "sha256": f"hash of {run_id}",
            "size": 1234,
            "mode": Mode.UPDATE,
            "contract": "sea",
            "mapping": 'name = "headers"\n',
            "mapping_name": "headers",
            "mapping_digest": "digest",
            "destination": DESTINATION,
        }
        return RunRecord(run_id, **{**given, **changes})

    return make


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    def make(ordinal: int, *rows: int, sheet: str = "") -> Batch:
        return Batch(ordinal, sheet, rows, (b"{}",) * len(rows), ((),) * len(rows))

    return make
