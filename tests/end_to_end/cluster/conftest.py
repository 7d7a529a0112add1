"""Tenants with a CRM of their own, a shared journal, and a cluster of processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import DaskCluster
from tests.support.tenants import Tenants, many_tenants


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Two workers, which tests may kill: others begin. Settings, the journal among them, come with tasks."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("cluster")
    with DaskCluster(folder, 2, tended=True, environ={"NXLINK_STATE_DIR": str(folder / "state")}) as cluster:
        yield cluster


@pytest.fixture
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in. Returns it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path / "state"))
    for name in ("JOURNAL", "ACCESS_KEY", "ACCESS_SECRET", "TENANT_ID", "APP_KEY", "BASE_URL"):
        monkeypatch.delenv(f"NXLINK_{name}", raising=False)
    return tmp_path


@pytest.fixture
def two(no_settings: Path) -> Iterator[Tenants]:
    """Two tenants, t01 and t02."""
    with many_tenants(no_settings, 2) as tenants:
        yield tenants
