"""The sandbox inside this process: the server in a thread of its own, on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from importer.config import Connection, Secret
from importer.errors import SettingsError, UsageError
from importer.private_files import file_size_limit
from importer.sandbox.application import Application, ReceivedRequest, SandboxOptions
from importer.sandbox.faults import Fault, FaultScript
from importer.sandbox.rules import Credentials
from importer.sandbox.server import SandboxServer, bind_socket
from importer.sandbox.store import Store, StoredCustomer, read_customers

HOST = "127.0.0.1"
START_SECONDS = 10.0

TEST_CREDENTIALS = Credentials(
    access_key="sandbox-access-key",
    access_secret="sandbox-access-secret",  # noqa: S106 - documented, and opens nothing but a sandbox
    tenant_id=1000,
    app_key="sandbox-app",
)
"""The credentials of `importer sandbox`, unless others are given."""


def fresh_credentials() -> Credentials:
    """Credentials that nobody can guess, for a sandbox that lives as long as one run."""
    return Credentials(secrets.token_hex(8), secrets.token_hex(16), 1000, "sandbox-app")


class Sandbox:
    """The remote API for as long as a `with` block lasts.

    `store`: a file that is kept, or None for one that goes with the sandbox. `faults`: `Fault`s or lines as
    in `importer.sandbox.faults`. `latency`: seconds before every answer. `clock_offset_ms`: how far the
    server's clock is ahead. Raises SettingsError `bad-store`, UsageError `bad-faults` or `sandbox-port`.
    """

    def __init__(
        self,
        store: Path | None = None,
        *,
        faults: Sequence[Fault | str] = (),
        latency: float = 0.0,
        clock_offset_ms: int = 0,
        credentials: Credentials | None = None,
        integrator: bool = True,
        keep_bodies: bool = False,
        host: str = HOST,
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.credentials = credentials or fresh_credentials()
        script = FaultScript(faults)
        self._folder = Path(tempfile.mkdtemp(prefix="nxlink-sandbox-")) if store is None else None
        self.path = store if self._folder is None else self._folder / "store.db"
        assert self.path is not None  # noqa: S101 - one of the two
        try:
            self._store = _open(self.path)
            options = SandboxOptions(latency, clock_offset_ms, keep_bodies)
            self.application = Application(
                self._store, self.credentials, script, options, clock, integrator=integrator
            )
            self._listener = _listen(host, port)
        except BaseException:
            self._clear()
            raise
        self.store_id = self._store.identity
        shown = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{shown}:{self._listener.getsockname()[1]}"
        self._ready = threading.Event()
        self._server = SandboxServer(self.application, self._listener, self._ready.set)
        self._thread: threading.Thread | None = None

    @property
    def connection(self) -> Connection:
        """How the importer reaches this sandbox, credentials included."""
        return Connection(
            base_url=self.base_url,
            access_key=Secret(self.credentials.access_key),
            access_secret=Secret(self.credentials.access_secret),
            tenant_id=str(self.credentials.tenant_id),
            app_key=self.credentials.app_key,
            store=self.store_id,
        )

    @property
    def requests(self) -> tuple[ReceivedRequest, ...]:
        """The last 100,000 calls, oldest first."""
        return tuple(self.application.requests)

    def customers(self) -> list[StoredCustomer]:
        """Every stored customer, in the order in which they were created."""
        assert self.path is not None  # noqa: S101
        self._server.do(self.application.commit)
        return list(read_customers(self.path))

    def misbehave(self, *faults: Fault | str) -> None:
        """Replace the fault script. Requests are counted anew."""
        self.application.script = FaultScript(faults)

    def start(self) -> Sandbox:
        """Serve from a thread. Returns when connections are accepted."""
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            self.close()
            raise UsageError("sandbox-port", host=HOST, port="", reason="it did not start")
        return self

    def serve(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve in the calling thread until a signal ends it."""

        def tell() -> None:
            self._ready.set()
            ready()

        self._server = SandboxServer(self.application, self._listener, tell)
        try:
            asyncio.run(self._server.serve())
        finally:
            self.close()

    def close(self) -> None:
        """Stop serving, and remove a store that is not kept."""
        self._server.stop()
        if self._thread is not None:
            self._thread.join(START_SECONDS)
            self._thread = None
        self._server.release()
        self._clear()

    def _serve(self) -> None:
        try:
            asyncio.run(self._server.serve())
        except OSError:
            if self._ready.is_set():  # else `start` says that it did not start, and has closed the socket
                raise

    def _clear(self) -> None:
        store = getattr(self, "_store", None)
        if store is not None:
            with contextlib.suppress(sqlite3.Error):
                store.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(path: Path) -> Store:
    try:
        return Store(path)
    except (sqlite3.Error, OSError, TypeError) as error:
        raise SettingsError("bad-store", file=path, reason=_reason(error)) from error


def _listen(host: str, port: int) -> socket.socket:
    try:
        return bind_socket(host, port)
    except (OSError, OverflowError) as error:
        raise UsageError("sandbox-port", host=host, port=port, reason=_reason(error)) from error


def _reason(error: Exception) -> object:
    """What the system says, without path and number; SQLite does not say that a limit was met."""
    limit = file_size_limit()
    if limit is not None and "I/O error" in str(error):
        return f"files may have at most {limit} bytes here (ulimit -f)"
    return getattr(error, "strerror", None) or error
