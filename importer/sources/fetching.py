"""Make a local file of whatever was named."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from importer.config import ConfigFile, load_config
from importer.errors import InputError
from importer.models import Note
from importer.readers.detect import FileKind, kind_of
from importer.readers.open import STANDARD_INPUT, check_exists, pipe, standard_input
from importer.reasons import reason_of
from importer.sources import spool
from importer.sources.locations import DatabaseQuery, FileGiven, FileName, LocalCopy, Location, Scheme, locate

if TYPE_CHECKING:
    from importer.sources.settings import SourceSettings
    from importer.sources.web import Fetched, WebAccess
    from importer.sources.web_headers import WebVersion

_PIECE = 1 << 20


class FetchObserver(Protocol):
    """Gets the events of a file on its way."""

    def on_fetching(self, event: Fetching) -> None:
        """So much of the file has come. What this raises ends the fetching."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """A file comes from elsewhere, and so many bytes of it have come."""

    name: str
    received: int
    total: int | None = None
    """None if the place does not say how large the file is."""
    ended: bool = False
    """Whether nothing more comes: the file is whole, or could not be fetched."""

    def notify(self, observer: FetchObserver) -> None:
        observer.on_fetching(self)


FetchListener = Callable[[Fetching], None]


def _unheard(event: Fetching) -> None:
    pass


def fetch(location: Location, told: FetchListener = _unheard, config: ConfigFile | None = None) -> LocalCopy:
    """Fetch a file into the spool. `config` holds the credentials of places; None: the user's importer.toml.

    Raises InputError, SettingsError, SourceRefusedError, SourceAwayError.
    """
    settings = find_settings(location, config)
    last = Fetching(location.shown(), 0)

    def hear(received: int, total: int | None) -> None:
        nonlocal last
        last = Fetching(last.name, received, total)
        told(last)

    try:
        if location.scheme is Scheme.HTTPS:
            from importer.sources import web

            copy = web.fetch(*_asked(location, settings), hear)
        else:
            from importer.sources import stores

            copy = stores.fetch(location, settings, hear)
    finally:
        told(replace(last, ended=True))
    return LocalCopy(copy.path, last.name)


def fetch_changed(location: Location, known: WebVersion | None, config: ConfigFile) -> Fetched:
    """Fetch a file from a web address unless it is as it was. Raises as `fetch`."""
    from importer.sources import web

    there, access = _asked(location, find_settings(location, config))
    found = web.fetch_changed(there, known, access)
    copy = found.copy and LocalCopy(found.copy.path, location.shown())
    return replace(found, copy=copy)


def _asked(location: Location, settings: SourceSettings | None) -> tuple[Location, WebAccess | None]:
    """Return where a web address really has its file, and who asks for it."""
    from importer.sources import share_links, web

    access = web.WebAccess(settings.user, settings.secret()) if settings else None
    return share_links.direct_link(location), access


def find_settings(location: Location, config: ConfigFile | None = None) -> SourceSettings | None:
    """Return the `[source.NAME]` of an address; None if there is none. Raises SettingsError."""
    config = load_config() if config is None else config
    if not config.names("source"):
        return None
    from importer.sources.settings import settings_for  # pydantic

    return settings_for(config, location)


def _query(query: DatabaseQuery, told: FetchListener, config: ConfigFile | None) -> LocalCopy:
    from importer.sources import database

    last = Fetching(str(query), 0)

    def hear(size: int) -> None:
        nonlocal last
        last = Fetching(last.name, size)
        told(last)

    try:
        return database.keep_result(query, load_config() if config is None else config, hear)
    finally:
        told(replace(last, ended=True))


def take_in(file: FileGiven, told: FetchListener = _unheard, config: ConfigFile | None = None) -> FileName:
    """Return a file that the readers can open: a path as it is, all else as a copy in the spool.

    A file that is open for reading is read to its end; it stays open. What can be read only once, standard
    input and named pipes, is among the copies, too: so that its run can be taken up again.
    """
    if isinstance(file, DatabaseQuery):
        return _query(file, told, config)
    if isinstance(file, str | os.PathLike):
        location = locate(file)
        if location is not None:
            return fetch(location, told, config)
        return _kept(file) if str(file) == STANDARD_INPUT or _is_pipe(file) else file
    name = _name_of(file)
    return spool.write_copy(_pieces(file, name), name, Path(name).name)


def _kept(file: str | os.PathLike[str]) -> LocalCopy:
    name = str(file)
    pieces = iter(standard_input() if name == STANDARD_INPUT else pipe(Path(file)))
    first = next(pieces, b"")
    own = "stdin" if name == STANDARD_INPUT else Path(file).stem
    return spool.write_copy(itertools.chain((first,), pieces), name, f"{own}{_suffix(first)}")


def _suffix(first: bytes) -> str:
    """Return the usual end of the name of a file that begins so: `forget` goes by it."""
    kind = kind_of(first)
    if kind is FileKind.TEXT:
        return ".jsonl" if first.lstrip().startswith(b"{") else ".csv"
    return {FileKind.ZIP: ".xlsx", FileKind.OLE: ".xls", FileKind.GZIP: ".gz"}.get(kind, "")


def _is_pipe(file: str | os.PathLike[str]) -> bool:
    return stat.S_ISFIFO(check_exists(file))


@contextlib.contextmanager
def taken_in(
    file: FileGiven, told: FetchListener = _unheard, config: ConfigFile | None = None
) -> Iterator[FileName]:
    """Yield what `take_in` returns; a copy is removed afterwards."""
    local = take_in(file, told, config)
    try:
        yield local
    finally:
        if isinstance(local, LocalCopy) and local is not file:
            spool.discard(local.path)


def check_named(file: FileGiven) -> str:
    """Return the name of a file as it may be shown, once it is sure that there can be one.

    Raises InputError for a path at which there is none, and for an address that makes no sense.
    """
    if isinstance(file, DatabaseQuery):
        return str(file)
    if not isinstance(file, str | os.PathLike):
        return _name_of(file)
    location = locate(file)
    if location is not None:
        return location.shown()
    if str(file) != STANDARD_INPUT:
        check_exists(file)
    return str(file)


def _name_of(file: IO[bytes] | IO[str]) -> str:
    name = getattr(file, "name", None)
    return name if isinstance(name, str) and name else "table"


def _pieces(file: IO[bytes] | IO[str], name: str) -> Iterator[bytes]:
    try:
        while piece := file.read(_PIECE):
            yield piece.encode() if isinstance(piece, str) else bytes(piece)
    except (OSError, ValueError) as error:
        raise InputError("file-unreadable", name=name, reason=_why_unreadable(file, error)) from None


def _why_unreadable(file: IO[bytes] | IO[str], error: OSError | ValueError) -> str | Note:
    """Return why a file that somebody has opened cannot be read."""
    if isinstance(error, UnicodeError):
        return Note("reason-other-encoding")
    if isinstance(error, io.UnsupportedOperation):
        return Note("reason-not-for-reading")
    return Note("reason-file-closed") if getattr(file, "closed", False) else reason_of(error)
