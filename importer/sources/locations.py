"""Tell addresses from paths, and show them without what must stay private.

An address is what begins with a scheme (`https://`, `s3://`, …). Its query string, its fragment and a user's
name and password in it may be secrets, as in a signed link: they are used, and never shown. Imports nothing
heavy, since every run passes through here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import SplitResult, unquote, urlsplit

from importer.config import is_loopback
from importer.errors import InputError


class Scheme(StrEnum):
    """How a place is reached."""

    HTTPS = "https"
    S3 = "s3"
    GCS = "gs"
    AZURE = "az"
    SFTP = "sftp"


_SCHEMES = {
    "https": Scheme.HTTPS,
    "http": Scheme.HTTPS,
    "s3": Scheme.S3,
    "gs": Scheme.GCS,
    "gcs": Scheme.GCS,
    "az": Scheme.AZURE,
    "sftp": Scheme.SFTP,
}
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_HIDDEN = "?…"
"""Stands for a query that is not shown."""


@dataclass(frozen=True)
class Location:
    """The address of a file, or of a folder of files. Its text shows what may be shown."""

    scheme: Scheme
    _address: str

    @property
    def address(self) -> str:
        """The address in full: for reaching it, never for showing it."""
        return self._address

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self._address)

    @property
    def name(self) -> str:
        """The file's own name, as the address has it; `download` if it has none."""
        path = self.parts.path if self.scheme is Scheme.HTTPS else self._address.partition("://")[2]
        return PurePosixPath(unquote(path)).name or "download"

    def shown(self) -> str:
        """Return the address without user, query and fragment."""
        if self.scheme is not Scheme.HTTPS:
            before, _, rest = self._address.partition("://")
            host, slash, path = rest.partition("/")
            return f"{before}://{host.rpartition('@')[2]}{slash}{path}"
        parts = self.parts
        hidden = _HIDDEN if parts.query else ""
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{hidden}"

    def __str__(self) -> str:
        return self.shown()

    def __repr__(self) -> str:
        return f"Location({self.shown()!r})"


@dataclass(frozen=True, slots=True)
class LocalCopy(os.PathLike[str]):
    """A file on this machine under the name that people know it by. As a text it is that name."""

    path: Path
    name: str

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class DatabaseQuery:
    """A query on a database that `[source.NAME]` describes. As a text it names the database alone."""

    database: str
    text: str

    def __str__(self) -> str:
        return f"sql:{self.database}"


FileName = str | os.PathLike[str]
"""A file as the importer takes it: a path, `-`, an address, or a copy under its own name."""
FileGiven = FileName | IO[bytes] | IO[str] | DatabaseQuery
"""A file as the Python API takes it: also one that is open for reading, and the result of a query."""


def locate(file: FileName) -> Location | None:
    """Return the location that an address names; None for a path.

    Raises InputError `source-scheme` for a scheme that is not known, `source-plain-http` for http to another
    machine, `source-bad-address` for an address without a host.
    """
    text = os.fspath(file) if isinstance(file, str) else ""
    found = _ADDRESS.match(text.lstrip())
    if found is None:
        return None
    text = text.strip()
    word = found[1].lower()
    scheme = _SCHEMES.get(word)
    if scheme is None:
        raise InputError("source-scheme", found=f"{word}://", known=", ".join(f"{one}://" for one in Scheme))
    location = Location(scheme, f"{word}://{text[len(found[0]) :]}")
    host = _host(location)
    if not host:
        raise InputError("source-bad-address", name=location)
    if word == "http" and not is_loopback(host):
        raise InputError("source-plain-http", name=location)
    return location


def is_whole(shown: str) -> bool:
    """Return whether a name as it is shown is an address of which nothing is hidden."""
    return _ADDRESS.match(shown) is not None and not shown.endswith(_HIDDEN)


def _host(location: Location) -> str:
    try:
        return location.parts.hostname or ""
    except ValueError:
        return ""
