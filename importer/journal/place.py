"""Where the journal is: a file on this machine, or a PostgreSQL database that several machines share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from importer.config import ConfigFile, load_config
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


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """Where a journal is, and how to get in."""

    where: Path | str
    """A file, or the address of a database."""
    secret_command: str | None = None
    """Prints the database's password, if neither PGPASSWORD nor ~/.pgpass has it."""

    @property
    def is_shared(self) -> bool:
        """Whether machines can share it."""
        return isinstance(self.where, str) and is_address(self.where)

    @property
    def shown(self) -> str:
        """What sentences call it."""
        return shown_address(str(self.where)) if self.is_shared else str(self.where)


def journal_place(file: ConfigFile | None = None) -> JournalPlace:
    """Return what NXLINK_JOURNAL names, else `journal` of importer.toml, else the file in the state folder.

    `file`: the importer.toml that somebody named; None for the one that is found.

    Raises SettingsError `unvouched-journal` for a database elsewhere that only an importer.toml in the
    working directory names: such a file comes along with a folder that somebody unpacks or clones.
    """
    named = os.environ.get(JOURNAL_VARIABLE)
    if named and not is_address(named):
        return JournalPlace(Path(named).expanduser())
    file = load_config() if file is None else file
    secret_command = None if os.environ.get("PGPASSWORD") else file.journal_secret_command
    if named:
        return JournalPlace(named, secret_command)
    text = file.journal
    if text is None:
        return JournalPlace(journal_file())
    if not is_address(text):
        return JournalPlace(file.folder / Path(text).expanduser())
    if not is_vouched(text, file.found_in) and _OF_THIS_MACHINE.fullmatch(text) is None:
        raise SettingsError("unvouched-journal", file=file.path, place=shown_address(text))
    return JournalPlace(text, secret_command)


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
