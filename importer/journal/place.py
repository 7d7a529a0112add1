"""Where the journal is: a file on this machine, or a PostgreSQL database that several machines share."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from importer.config import is_loopback, load_config
from importer.errors import SettingsError
from importer.user_folders import journal_file

JOURNAL_VARIABLE = "NXLINK_JOURNAL"
"""The environment variable that names the journal."""


def journal_place() -> Path | str:
    """Return what NXLINK_JOURNAL names, else `journal` of importer.toml, else the file in the state folder.

    Raises SettingsError `unvouched-journal` for a database elsewhere that only an importer.toml in the
    working directory names: such a file comes along with a folder that somebody unpacks or clones.
    """
    named = os.environ.get(JOURNAL_VARIABLE)
    if named:
        return named if is_address(named) else Path(named).expanduser()
    file = load_config()
    text = file.journal
    if text is None:
        return journal_file()
    if not is_address(text):
        return file.folder / Path(text).expanduser()
    if file.found_in is not None and _may_be_elsewhere(text):
        raise SettingsError("unvouched-journal", file=file.path, place=shown_address(text))
    return text


def _may_be_elsewhere(address: str) -> bool:
    """Return whether a database may be on another machine: its host may stand among the options, too."""
    parts = urlsplit(address)
    named = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    host = parts.hostname
    return bool(host and not is_loopback(host)) or not named.isdisjoint({"host", "hostaddr", "service"})


def is_address(place: str) -> bool:
    """Return whether a journal's place is that of a PostgreSQL database."""
    return place.startswith(("postgresql://", "postgres://"))


def shown_address(address: str) -> str:
    """Return an address without user and options. Raises SettingsError `journal-password` if it has one."""
    try:
        parts = urlsplit(address)
        password = parts.password
    except ValueError:
        raise SettingsError("bad-journal-address") from None
    if password is not None or "password=" in parts.query:
        raise SettingsError("journal-password")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
