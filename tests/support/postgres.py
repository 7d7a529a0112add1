"""A PostgreSQL server on loopback, which tests stop and start again; run by an ordinary user."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

_START_SECONDS = 60.0
_QUICK = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=200")


def find_programs() -> Path | None:
    """The folder with initdb and postgres; None where there is no server."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


USER = "tester"
"""The only superuser."""


def _user() -> str | None:
    """Who runs server and pool: both refuse to run as root."""
    return "nobody" if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PostgresServer:
    """A server for as long as a `with` block lasts; its data go with it.

    `password`: `USER` comes in with it; without one everybody comes in.
    """

    def __init__(self, password: str = "") -> None:
        self.password = password
        found = find_programs()
        assert found is not None
        self._programs = found
        self._folder = Path(tempfile.mkdtemp(prefix="nxlink-postgres-"))
        self._user = _user()
        if self._user:
            who = pwd.getpwnam(self._user)
            os.chown(self._folder, who.pw_uid, who.pw_gid)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def address(self, database: str = "postgres") -> str:
        """The address of a database, without the password."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> PostgresServer:
        words = ["-D", "data", "-U", USER, "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        if self.password:
            secret = self._folder / "password"
            secret.write_text(self.password)
            secret.chmod(0o644)
            words += ["-A", "scram-sha-256", "--pwfile", str(secret)]
        try:
            self._run("initdb", *words, *([] if self.password else ["-A", "trust"]))
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the server at once. Its data go."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server; returns when it answers."""
        settings = [word for setting in _QUICK for word in ("-c", setting)]
        words = [
            str(self._programs / "postgres"),
            "-D",
            "data",
            "-p",
            str(self.port),
            "-k",
            str(self._folder),
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*words, "-c", "listen_addresses=127.0.0.1", *settings],
                cwd=self._folder,
                user=self._user,
                group=None,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
                return
            except Exception:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self._folder / "log").read_text(errors="replace")) from None
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT is a fast shutdown, SIGQUIT one without any order."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def connect(self, database: str = "postgres") -> Any:
        """Return a new session."""
        import psycopg

        password = self.password or None
        return psycopg.connect(self.address(database), password=password, autocommit=True, connect_timeout=5)

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Carry out a statement in a session of its own."""
        with self.connect(database) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def database(self) -> str:
        """Make an empty database. Returns its address."""
        name = f"journal_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *words],
            cwd=self._folder,
            user=self._user,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()


class PgBouncer:
    """A pool before a server, for as long as a `with` block lasts."""

    def __init__(self, server: PostgresServer, mode: str, size: int = 10) -> None:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        assert program is not None
        self._folder = Path(tempfile.mkdtemp(prefix="nxlink-pool-"))
        self.port = _free_port()
        (self._folder / "users").write_text(f'"{USER}" ""\n')
        (self._folder / "pool.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {self._folder / 'users'}\n"
            f"pool_mode = {mode}\ndefault_pool_size = {size}\nquery_wait_timeout = 5\n"
        )
        self._folder.chmod(0o755)
        self._words = [program, "-q", str(self._folder / "pool.ini")]

    def __enter__(self) -> PgBouncer:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._words, user=_user(), stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.end()
                    raise
            time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
