"""A journal in a temporary folder or in PostgreSQL, and records to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.journal import Journal
from tests.support.journal import MakeBatch, MakeRecord, OpenJournal, batch, record
from tests.support.postgres import PostgresServer


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> str | Path:
    """Where the journal is. Tests that use it run with both databases."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return tmp_path / "state" / "journal.db"
    server: PostgresServer = request.getfixturevalue("server")
    return server.database()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "place" in metafunc.fixturenames:
        file_only = any(mark.name == "file_journal" for mark in metafunc.definition.iter_markers())
        shared = [] if file_only else [pytest.param("postgres", marks=pytest.mark.extras)]
        metafunc.parametrize("place", ["sqlite", *shared], indirect=True)


@pytest.fixture
def open_journal(place: str | Path) -> OpenJournal:
    return lambda: Journal.open(place)


@pytest.fixture
def journal(place: str | Path) -> Iterator[Journal]:
    with Journal.open(place) as journal:
        yield journal


@pytest.fixture
def make_record() -> MakeRecord:
    return record


@pytest.fixture
def make_batch() -> MakeBatch:
    return batch
