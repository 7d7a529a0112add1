"""Reach buckets and file servers through fsspec: S3, Google Cloud Storage, Azure, SFTP.

Credentials are those of `[source.NAME]`, else those that the library of each kind finds. An SFTP server has
to prove that it is the one whose key is known.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from importer.errors import ImporterError, InputError, SettingsError, SourceAwayError, SourceRefusedError
from importer.sources import extras, spool
from importer.sources.locations import LocalCopy, Location, Scheme
from importer.sources.settings import SourceSettings
from importer.trust import lies_beside

PIECE = 1 << 20
MOST_FAILURES = 5
_WAIT, _LONGEST_WAIT = 1.0, 30.0
_SECONDS = 30
"""For a connection, and for an answer."""
_MOST_LOOKS = 3600
"""At a copy that Azure has not finished, one a second."""


@dataclass
class RemoteStore:
    """The files at one address and below it. Paths are those of the store, without the scheme."""

    location: Location
    settings: SourceSettings | None = None
    sleep: Callable[[float], None] = time.sleep
    _system: Any = field(default=None, init=False)

    @property
    def root(self) -> str:
        """The path of the address itself."""
        return path_of(self.location)

    @property
    def system(self) -> Any:
        """The fsspec file system, connected on first use. Raises SettingsError, InputError, Source…Error."""
        if self._system is None:
            with self.told(self.location.shown()):
                self._system = _SYSTEMS[self.location.scheme](self.location, self.settings)
        return self._system

    @contextmanager
    def told(self, name: str) -> Iterator[None]:
        """Raise what the library raises as an error for people; `name` is the file's or folder's."""
        try:
            yield
        except ImporterError:
            raise
        except Exception as error:
            raise _told(error, name) from None

    def retried(self, name: str, attempt: Callable[[], None]) -> None:
        """Attempt something until it succeeds, as long as only the connection fails."""
        for failures in range(1, MOST_FAILURES + 1):
            try:
                with self.told(name):
                    attempt()
                return
            except SourceAwayError:
                if failures == MOST_FAILURES:
                    raise
                self.close()
                self.sleep(min(_WAIT * 2 ** (failures - 1), _LONGEST_WAIT))

    def pieces(self, path: str, name: str, told: Callable[[int, int | None], None]) -> Iterator[bytes]:
        """Yield a file's bytes. What a lost connection broke off is taken up, if the file is the same."""
        before, failures, position = self.info(path, name), 0, 0
        total = int(before["size"])
        spool.check_size(total, name)
        told(0, total)
        while position < total:
            try:
                with self.told(name):
                    if position and _mark(self.system.info(path)) != _mark(before):
                        raise InputError("file-changed", name=name)
                    with self.system.open(path, "rb") as file:
                        file.seek(position)
                        while piece := file.read(PIECE):
                            position, failures = position + len(piece), 0
                            yield piece
                            told(position, total)
                if position < total:
                    raise SourceAwayError("source-cut-off", name=name, attempts=failures + 1)
            except SourceAwayError:
                failures += 1
                if failures >= MOST_FAILURES:
                    raise
                self.close()
                self.sleep(min(_WAIT * 2 ** (failures - 1), _LONGEST_WAIT))
        if _mark(self.info(path, name)) != _mark(before) or position != total:
            raise InputError("file-changed", name=name)

    def info(self, path: str, name: str) -> dict[str, Any]:
        """Return what the store says of a file. Raises InputError `source-is-folder` for a folder."""
        found: dict[str, Any] = {}

        def ask() -> None:
            found.update(self.system.info(path))

        self.retried(name, ask)
        if found.get("type") == "directory":
            raise InputError("source-is-folder", name=name)
        return found

    def copy(self, here: str, there: str) -> None:
        """Copy a file of a bucket under exactly these names. When this returns, the copy is whole."""
        # Not fsspec's `copy`, to which `*`, `?` and `[` in a name are patterns.
        self.system.cp_file(here, there)
        if self.location.scheme is not Scheme.AZURE:
            return
        from fsspec.asyn import sync

        for _ in range(_MOST_LOOKS):
            state = sync(self.system.loop, _azure_copy_state, self.system, there)
            if state == "success":
                return
            if state != "pending":
                raise SourceAwayError("source-away", name=self.location.shown(), reason=f"copy {state}")
            self.sleep(_WAIT)
        raise SourceAwayError("source-away", name=self.location.shown(), reason="copy pending")

    def close(self) -> None:
        """Forget the connection; the next use makes a new one."""
        system, self._system = self._system, None
        close = getattr(getattr(system, "client", None), "close", None)
        if self.location.scheme is Scheme.SFTP and close is not None:
            close()


def fetch(
    location: Location, settings: SourceSettings | None, told: Callable[[int, int | None], None]
) -> LocalCopy:
    """Fetch a file into the spool. Raises InputError, SettingsError, SourceRefusedError, SourceAwayError."""
    store, name = RemoteStore(location, settings), location.shown()
    try:
        return spool.write_copy(store.pieces(store.root, name, told), name, location.name)
    finally:
        store.close()


def path_of(location: Location) -> str:
    """Return the path that an address names in its store: with the bucket, or from the root of a server."""
    if location.scheme is not Scheme.SFTP:
        return location.address.partition("://")[2].rpartition("@")[2].rstrip("/")
    path = location.address.partition("://")[2].partition("/")[2].rstrip("/")
    return path[2:] if path.startswith("~/") else f"/{path}"


def _mark(info: dict[str, Any]) -> tuple[object, ...]:
    """Return by what a store shows that a file is another one."""
    return tuple(info.get(key) for key in ("size", "ETag", "etag", "generation", "mtime"))


def _s3(location: Location, settings: SourceSettings | None) -> Any:
    given: dict[str, Any] = {}
    if settings is not None:
        secret = settings.secret()
        by = (os.environ.get("AWS_ENDPOINT_URL_S3"), os.environ.get("AWS_ENDPOINT_URL"))
        own = settings.anonymous or bool(secret)
        settings.refuse_unvouched(location.shown(), settings.endpoint, *by, own=own)
        given = {
            "anon": settings.anonymous,
            "key": settings.user or None,
            "secret": secret.reveal() if secret else None,
            "endpoint_url": settings.endpoint or None,
            "client_kwargs": {"region_name": settings.region} if settings.region else {},
        }
    s3fs = extras.load("s3fs", "s3")
    config = {"connect_timeout": _SECONDS, "read_timeout": _SECONDS, "retries": {"max_attempts": 2}}
    return s3fs.S3FileSystem(
        **given, config_kwargs=config, use_listings_cache=False, skip_instance_cache=True
    )


def _gcs(location: Location, settings: SourceSettings | None) -> Any:
    token = None
    if settings is not None:
        key_file = settings.path(settings.key_file)
        token = "anon" if settings.anonymous else str(key_file) if key_file else None
        near = (
            settings.found_in is not None
            and key_file is not None
            and lies_beside(key_file, settings.found_in)
        )
        by, own = os.environ.get("STORAGE_EMULATOR_HOST"), settings.anonymous or near
        settings.refuse_unvouched(location.shown(), settings.endpoint, by, own=own)
    endpoint = (settings.endpoint or None) if settings else None
    gcsfs = extras.load("gcsfs", "gcs")
    # The package's own choice asks a second service, over gRPC, of which kind a bucket is: for up to a minute
    # at each call where that service is not reached, as behind a proxy or with a store that is not Google's.
    return gcsfs.core.GCSFileSystem(
        token=token, endpoint_url=endpoint, use_listings_cache=False, skip_instance_cache=True
    )


def _azure(location: Location, settings: SourceSettings | None) -> Any:
    given: dict[str, Any] = {}
    if settings is not None:
        secret = settings.secret()
        own = settings.anonymous or bool(secret)
        by = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
        settings.refuse_unvouched(location.shown(), settings.endpoint or settings.account, by, own=own)
        given = {"account_name": settings.account or None}
        endpoint = settings.endpoint or f"https://{settings.account}.blob.core.windows.net"
        if own and (settings.endpoint or settings.account):
            # Given so, it goes before a connection string of the environment, which is of another account.
            access = {"BlobEndpoint": endpoint}
            if "sig=" in secret.reveal():
                access["SharedAccessSignature"] = secret.reveal().removeprefix("?")
            elif secret:
                access |= {"AccountName": settings.account, "AccountKey": secret.reveal()}
            connection = ";".join(f"{key}={value}" for key, value in access.items())
            given = {"connection_string": connection, "anon": settings.anonymous}
        elif settings.endpoint:
            given["account_host"] = settings.endpoint.removeprefix("https://").rstrip("/")
    adlfs = extras.load("adlfs", "azure")
    system = adlfs.AzureBlobFileSystem(**given, use_listings_cache=False, skip_instance_cache=True)
    if "connection_string" in given:
        from azure.storage.blob.aio import BlobServiceClient

        # The package lets nobody say how long to wait: a server that is away would take over a minute a call.
        system.service_client = BlobServiceClient.from_connection_string(
            given["connection_string"], retry_total=0, connection_timeout=_SECONDS, read_timeout=_SECONDS
        )
    return system


def _sftp(location: Location, settings: SourceSettings | None) -> Any:
    sshfs = extras.load("sshfs", "sftp")
    parts = location.parts
    given: dict[str, Any] = {"port": parts.port or 22, "connect_timeout": _SECONDS, "login_timeout": _SECONDS}
    user = parts.username or (settings.user if settings else "")
    if user:
        given["username"] = user
    if parts.password is not None:
        given["password"] = parts.password
    if settings is not None:
        secret = settings.secret()
        if secret:
            given["password"] = secret.reveal()
        key_file, known_hosts = settings.path(settings.key_file), settings.path(settings.known_hosts)
        if key_file is not None:
            given["client_keys"] = [str(key_file)]
        if known_hosts is not None:
            given["known_hosts"] = str(known_hosts)
    return sshfs.SSHFileSystem(parts.hostname, **given, skip_instance_cache=True)


async def _azure_copy_state(system: Any, path: str) -> str:
    """Return how far a copy is that Azure makes after it has answered."""
    container, blob, _ = system.split_path(path)
    async with system.service_client.get_blob_client(container, blob) as client:
        return str((await client.get_blob_properties()).copy.status)


_SYSTEMS: dict[Scheme, Callable[[Location, SourceSettings | None], Any]] = {
    Scheme.S3: _s3,
    Scheme.GCS: _gcs,
    Scheme.AZURE: _azure,
    Scheme.SFTP: _sftp,
}

_CODES: dict[str, type[SourceRefusedError | SourceAwayError | InputError | SettingsError]] = {
    "source-host-key": SourceRefusedError,
    "source-no-credentials": SourceRefusedError,
    "source-login": SourceRefusedError,
    "source-rights": SourceRefusedError,
    "source-missing": InputError,
    "source-away": SourceAwayError,
}
_KINDS = (
    ("source-host-key", ("HostKeyNotVerifiable",)),
    (
        "source-login",
        (
            *("PermissionDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ClientAuthenticationError"),
            *("AuthenticationFailed", "AuthorizationFailure", "InvalidAuthenticationInfo", "401"),
        ),
    ),
    (
        "source-no-credentials",
        (
            *("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"),
            "NoAuthenticationInformation",
        ),
    ),
    ("source-missing", ("FileNotFoundError", "SFTPNoSuchFile", "SFTPNoSuchPath", "NoSuchBucket", "NotFound")),
    (
        "source-rights",
        (
            *("PermissionError", "SFTPPermissionDenied", "AccessDenied", "Forbidden"),
            *("AuthorizationPermissionMismatch", "PublicAccessNotPermitted"),
        ),
    ),
)
"""The names of classes of errors, and the codes of S3, Google and Azure, that mean each of the messages."""


def _told(error: Exception, name: str) -> ImporterError:
    cause = error.__cause__ or error
    names = {kind.__name__ for one in (error, cause) for kind in type(one).__mro__}
    response = getattr(cause, "response", None)
    if isinstance(response, dict):
        names.add(str(response.get("Error", {}).get("Code", "")))
    for code in ("code", "error_code"):  # Google's, Azure's
        found = getattr(error, code, "")
        names.add(str(getattr(found, "value", found)))
    names.add(str(error).partition(":")[0])  # gcsfs: "Forbidden: …" is all it says
    for code, kinds in _KINDS:
        if names.intersection(kinds):
            return _CODES[code](code, name=name)
    return SourceAwayError("source-away", name=name, reason=type(error).__name__)
