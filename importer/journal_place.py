"""Where the journal is: a file on this machine, or a PostgreSQL database that several machines share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from importer.config import load_config
from importer.errors import JournalPlaceError, SettingsError
from importer.patterns import late_pattern
from importer.trust import is_vouched
from importer.user_folders import journal_file

JOURNAL_VARIABLE = "NXLINK_JOURNAL"
"""The environment variable that names the journal."""


# Only what every reader of addresses reads alike: libpq takes several hosts, and a host among the options.
_OF_THIS_MACHINE = late_pattern(
    r"postgres(?:ql)?://(?:[\w.-]+@)?(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])?(?::\d+)?(?:/[\w-]*)?"
    r"(?:\?(?:sslmode|sslrootcert|connect_timeout)=[\w./-]*)?"
)


def journal_place() -> Path | str:
    """Return what NXLINK_JOURNAL names, else `journal` of importer.toml, else the file in the state folder.

    A text is the address of a database.
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
    if not is_vouched(text, file.found_in) and _OF_THIS_MACHINE.fullmatch(text) is None:
        raise SettingsError("unvouched-journal", file=file.path, place=shown_address(text))
    return text


def secret_command() -> str | None:
    """Return the command that prints the password of the journal's database; PGPASSWORD comes before it."""
    return None if os.environ.get("PGPASSWORD") else load_config().journal_secret_command


def address_options(address: str) -> dict[str, object]:
    """Return the options of an address as libpq reads them, whose rules are not those of the web.

    Raises SettingsError `bad-journal-address`, JournalPlaceError `journal-driver-missing`.
    """
    psycopg = driver()
    try:
        return dict(psycopg.conninfo.conninfo_to_dict(address))
    except psycopg.ProgrammingError:
        raise SettingsError("bad-journal-address") from None


def driver() -> Any:
    """Return psycopg. Raises JournalPlaceError `journal-driver-missing`."""
    try:
        import psycopg
    except ImportError as error:
        raise JournalPlaceError("journal-driver-missing", reason=str(error)) from error
    return psycopg


def shown_place(place: Path | str) -> str:
    """Return a place as sentences show it. Raises SettingsError as `shown_address`."""
    return str(place) if isinstance(place, Path) else shown_address(place)


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
