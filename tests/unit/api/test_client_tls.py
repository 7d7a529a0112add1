"""TLS is verified, by what requests trusts, and never otherwise."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from importer.api.client import Client
from importer.config import Connection, Secret
from importer.contracts import load
from importer.models import Action

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl to make certificates with"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout key.pem -out cert.pem"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return both


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    """A server that answers every request over TLS with success."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            with peer, suppress(OSError), context.wrap_socket(peer, server_side=True) as secure:
                secure.settimeout(5)
                secure.recv(65536)
                secure.sendall(
                    b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n{"code":0}'
                )

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    ending.set()
    thread.join()
    listener.close()


def attempt(host: str, port: int) -> tuple[str, Action, bool]:
    there = Connection(f"https://{host}:{port}", Secret("k"), Secret("s"), "1", "a")
    with Client(there) as client:
        verdict = client.attempt(load("sea").endpoint, b"")
    return verdict.code, verdict.action, verdict.maybe_processed


def test_a_certificate_nobody_vouches_for_stops_the_run(port: int) -> None:
    assert attempt("127.0.0.1", port) == ("certificate", Action.STOP, False)


def test_a_bundle_of_the_users_own_is_trusted(
    port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert attempt("127.0.0.1", port)[0] == "0"


def test_a_certificate_for_another_name_stops_the_run(
    port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert attempt("localhost", port) == ("certificate", Action.STOP, False)


def test_a_bundle_that_is_missing_stops_the_run(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    assert attempt("127.0.0.1", port) == ("certificate", Action.STOP, False)


def test_verification_cannot_be_switched_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PYTHONHTTPSVERIFY"):
        monkeypatch.setenv(name, "")
    assert attempt("127.0.0.1", port)[0] == "certificate"
