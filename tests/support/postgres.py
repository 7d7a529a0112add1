"""A PostgreSQL server on loopback, for tests marked `extras`; `.ci/install-programs` installs it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "importer", "geheim-server"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. Its only superuser is `USER`, who comes in with `PASSWORD`."""

    port: int

    def url(self, database: str = "postgres", user: str = USER, password: str = PASSWORD) -> str:
        """Return the URL of a database, as psycopg reads it."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"


def postgres_program(name: str) -> str:
    """Return the path of one of the server's programs. Fails the test if there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))
    return found or pytest.fail(f"PostgreSQL ({name}) is not installed")


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server of its own in a temporary folder, and end it afterwards. Root starts it as `nobody`."""
    folder = Path(tempfile.mkdtemp(prefix="importer-postgres-"))
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    as_owner = {"user": owner.pw_uid, "group": owner.pw_gid} if owner else {}
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]

    def call(*words: str) -> None:
        subprocess.run(words, check=True, cwd=folder, timeout=120, capture_output=True, **as_owner)  # type: ignore[call-overload]

    data = str(folder / "data")
    try:
        call(
            *(postgres_program("initdb"), "-D", data, "-U", USER, "-A", "scram-sha-256"),
            *("--pwfile", str(secret), "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        )
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        log = str(folder / "log")
        call(postgres_program("pg_ctl"), "-D", data, "-w", "-t", "60", "-l", log, "-o", settings, "start")
        try:
            yield PostgresServer(port)
        finally:
            call(postgres_program("pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
