"""Read `[source.NAME]` of importer.toml: who we are at places that files come from.

A table is for every address that begins with its `url`; of several the longest counts. Without one, the
libraries of each kind of place look for credentials where their users keep them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from importer.config import FILE_NAME, ConfigFile, Secret
from importer.config_schema import check_table
from importer.credentials import run_password_command
from importer.errors import SettingsError
from importer.models import Note
from importer.option_types import key
from importer.sources.locations import Location
from importer.trust import is_vouched

_ACCOUNT = re.compile("[a-z0-9]{3,24}")
"""Microsoft, “Storage account name”. It becomes the first part of a host's name."""


def _without_password(url: str) -> str:
    if "://" not in url:
        raise PydanticCustomError("reason-source-url", "no address")
    if urlsplit(url).password is not None:
        raise PydanticCustomError("reason-source-password", "a password")
    return url


def _account(name: str) -> str:
    if not _ACCOUNT.fullmatch(name):
        raise PydanticCustomError("reason-source-account", "no account")
    return name


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """`[source.NAME]`: the credentials of one place."""

    url: str = key("", Annotated[str, Field(min_length=1), AfterValidator(_without_password)])
    """Every address that begins with it is meant."""
    user: str = key("", str)
    """A user's name, or the id of an access key."""
    secret_command: str = key("", str)
    """A command that prints the password, token or secret key on its first line."""
    endpoint: str = key("", str)
    """The server of a store that is not at its provider's usual address, such as one that speaks S3."""
    region: str = key("", str)
    anonymous: bool = key(False, bool)
    """Whether a public bucket is asked without credentials."""
    account: str = key("", Annotated[str, AfterValidator(_account)])
    """The storage account of Azure."""
    key_file: Path | None = key(None, str, Path)
    """A private key for SFTP, or a service account of Google."""
    known_hosts: Path | None = key(None, str, Path)
    """The host keys of SFTP servers. None: ~/.ssh/known_hosts."""
    name: str = ""
    folder: Path = field(default_factory=Path)
    """The folder that relative paths are in: that of importer.toml."""
    found_in: Path | None = None
    """The working directory, if importer.toml was found there and nobody named it."""

    def secret(self) -> Secret:
        """Run the command that prints the secret. Raises SettingsError as `run_password_command`."""
        if not self.secret_command:
            return Secret("")
        return Secret(run_password_command(self.secret_command, f"[source.{self.name}] secret_command"))

    def refuse_unvouched(self, name: str, host: str, *by: str | None, own: bool) -> None:
        """Refuse a host that only an importer.toml of the working directory names (`importer.trust`).

        `name` is what is asked for, `by` names hosts that the environment vouches for, `own`: the credentials
        come along with the file, or none are used. Raises SettingsError `unvouched-source`.
        """
        if host and not is_vouched(host, self.found_in, by=by, own=own):
            found = {"file": self.folder / FILE_NAME, "name": name, "host": host, "table": self.name}
            raise SettingsError("unvouched-source", **found)

    def path(self, written: Path | None) -> Path | None:
        """Return a path of the table as an absolute one."""
        return None if written is None else self.folder / written.expanduser()


def source_settings(file: ConfigFile, name: str) -> SourceSettings:
    """Return `[source.NAME]`. Raises SettingsError `unknown-source` or `bad-settings`."""
    if name not in file.names("source"):
        known = ", ".join(file.names("source")) or "–"
        raise SettingsError("unknown-source", name=name, file=file.path or "importer.toml", known=known)
    place = f"source.{name}"
    if not isinstance(file.tables["source"][name], dict):
        reason = Note("reason-table-name", (("group", "source"),))
        raise SettingsError("bad-settings", file=file.path, place=place, reason=reason)
    table = check_table(file.tables["source"][name], file.path, place, None, SourceSettings)
    found = table.fields_of(SourceSettings)
    if not found.get("url"):
        raise SettingsError("bad-settings", file=file.path, place=place, reason=Note("reason-source-no-url"))
    folder = file.path.absolute().parent if file.path else Path.cwd()
    return SourceSettings(**found, name=name, folder=folder, found_in=file.found_in)


def settings_for(file: ConfigFile, location: Location) -> SourceSettings | None:
    """Return the table whose `url` begins this address; the longest of several, None if there is none."""
    fitting = [
        one
        for one in (source_settings(file, name) for name in file.names("source"))
        if _begins(location.address, one.url)
    ]
    return max(fitting, key=lambda one: len(one.url), default=None)


def _begins(address: str, url: str) -> bool:
    """Return whether an address lies at or below a URL: a host of a longer name does not."""
    scheme, _, rest = url.partition("://")
    start = f"{scheme.lower()}://{rest}"
    if not address.startswith(start):
        return False
    return start.endswith("/") or address[len(start) : len(start) + 1] in ("", "/", "?", "#")
