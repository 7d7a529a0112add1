"""A bucket and a file server on loopback, for tests marked `extras`: moto's S3, asyncssh's SFTP."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

USER, PASSWORD = "importer", "geheim-sftp"


@dataclass
class BucketServer:
    """A running S3 server with the bucket `customers`."""

    endpoint: str

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
        self.client().put_object(Bucket="customers", Key=key, Body=body)

    def stored(self) -> list[str]:
        found = self.client().list_objects_v2(Bucket="customers").get("Contents", [])
        return sorted(one["Key"] for one in found)

    def settings(self) -> str:
        """Return the table of importer.toml."""
        return (
            f'[source.bucket]\nurl = "s3://customers/"\nendpoint = "{self.endpoint}"\nuser = "key"\n'
            'secret_command = "echo geheim-s3"\nregion = "us-east-1"\n'
        )


@contextlib.contextmanager
def bucket_server() -> Iterator[BucketServer]:
    """Serve S3 until the block ends."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        running = BucketServer(f"http://{host}:{port}")
        running.client().create_bucket(Bucket="customers")
        yield running
    finally:
        server.stop()


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

    def settings(self, known_hosts: Path) -> str:
        """Return the table of importer.toml; writes the host key into that file."""
        known_hosts.write_text(self.known_host())
        return (
            f'[source.server]\nurl = "{self.url}/"\nuser = "{USER}"\nsecret_command = "echo {PASSWORD}"\n'
            f'known_hosts = "{known_hosts}"\n'
        )

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
