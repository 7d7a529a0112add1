"""The user's folders: where state and settings lie on this system."""

from __future__ import annotations

import os
from pathlib import Path

STATE_VARIABLE = "NXLINK_STATE_DIR"
"""The environment variable that names another state folder."""


def state_folder() -> Path:
    """The user's state folder: journal, locks, logs, remembered fields."""
    import platformdirs

    named = os.environ.get(STATE_VARIABLE)
    return Path(named).expanduser() if named else platformdirs.user_state_path("nxlink-importer")


def cache_folder() -> Path | None:
    """The user's folder for what may be lost; None if this user has no home."""
    import platformdirs

    folder = platformdirs.user_cache_path("nxlink-importer", appauthor=False)
    return folder if folder.is_absolute() else None


def config_folder() -> Path:
    """The user's folder for settings: importer.toml."""
    import platformdirs

    return platformdirs.user_config_path("nxlink-importer", appauthor=False)


def journal_file() -> Path:
    """The user's journal, in the state folder."""
    return state_folder() / "journal.db"
