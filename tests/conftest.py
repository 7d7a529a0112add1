"""Every test has a journal, a config folder and an environment of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh state folder; nothing of the user's settings. Returns the state folder."""
    state = tmp_path_factory.mktemp("state")
    for name in os.environ:
        if name.startswith("NXLINK_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NXLINK_STATE_DIR", str(state))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(state / "config"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return state
