"""Files are imported from buckets and file servers like those on the disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from importer.sources import spool
from importer.sources.locations import Location, locate
from importer.sources.stores import path_of
from tests.support.commands import Command, Result, summary
from tests.support.meddling import REFUSALS, Meddler, meddling_with
from tests.support.stores import (
    PASSWORD,
    STORES,
    AzureServer,
    BucketServer,
    SftpServer,
    as_toml,
    sftp_server,
)

pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ROWS = "Phone,First Name,Last Name\n" + "".join(f"8613800{at:06d},Ann,Lee\n" for at in range(250))


@pytest.fixture(params=STORES)
def bucket(
    request: pytest.FixtureRequest, buckets: Callable[[str], BucketServer], work: Path
) -> BucketServer:
    return buckets(request.param)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    folder = tmp_path / "served"
    folder.mkdir()
    with sftp_server(folder) as running:
        yield running


def copies() -> list[Path]:
    return [path for path in spool.spool_folder().rglob("*") if path.is_file()]


def at(address: str) -> Location:
    found = locate(address)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("s3://bucket/in/a b#?.csv", "bucket/in/a b#?.csv"),
        ("gs://bucket/in/", "bucket/in"),
        ("sftp://me:x@host:22/in/c.csv", "/in/c.csv"),
        ("sftp://host/~/in/c.csv", "in/c.csv"),
        ("sftp://host/", "/"),
    ],
)
def test_an_address_names_a_path(address: str, path: str) -> None:
    assert path_of(at(address)) == path


def test_a_file_is_imported_from_a_bucket(
    importer: Command, box: Sandbox, settings: object, bucket: BucketServer
) -> None:
    bucket.put("in/客户 #1?.csv", ROWS.encode())
    Path("importer.toml").write_text(as_toml(bucket.table()))
    ended = importer("run", f"{bucket.url}in/客户 #1?.csv", "--report-dir", "out")
    assert ended.code == 0, ended.err
    assert len(box.customers()) == 250
    assert summary(Path("out"))["source"]["name"] == f"{bucket.url}in/客户 #1?.csv"
    assert "geheim" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("address", "code", "exit_code"),
    [
        ("in/missing.csv", "source-missing", 3),
        ("in", "source-is-folder", 3),
    ],
)
def test_what_is_not_in_a_bucket_is_told(
    importer: Command, settings: object, bucket: BucketServer, address: str, code: str, exit_code: int
) -> None:
    bucket.put("in/c.csv", ROWS.encode())
    Path("importer.toml").write_text(as_toml(bucket.table()))
    ended = importer("run", f"{bucket.url}{address}")
    assert (ended.code, code in ended.err) == (exit_code, True), ended.err
    assert copies() == []


def test_no_such_bucket_is_told(importer: Command, settings: object, bucket: BucketServer) -> None:
    Path("importer.toml").write_text(as_toml(bucket.table()).replace("customers/", "missing-one/"))
    ended = importer("run", f"{bucket.url.replace('customers', 'missing-one')}c.csv")
    assert (ended.code, "source-missing" in ended.err) == (3, True), ended.err


@pytest.fixture
def meddler(bucket: BucketServer) -> Iterator[Meddler]:
    """A proxy before the bucket, through which the importer goes."""
    with meddling_with(bucket.endpoint) as running:
        Path("importer.toml").write_text(as_toml(bucket.table()).replace(bucket.endpoint, running.url))
        yield running


def test_credentials_without_the_rights_are_told(
    importer: Command, settings: object, bucket: BucketServer, meddler: Meddler
) -> None:
    bucket.put("in/c.csv", ROWS.encode())
    meddler.refusal = REFUSALS[bucket.url[:2]]
    ended = importer("run", f"{bucket.url}in/c.csv")
    assert (ended.code, "source-rights" in ended.err) == (4, True), ended.err
    assert copies() == []


def test_a_file_whose_connection_is_lost_in_the_middle_comes_whole(
    importer: Command, box: Sandbox, settings: object, bucket: BucketServer, meddler: Meddler
) -> None:
    bucket.put("in/c.csv", ROWS.encode())
    meddler.cut_after = [4000]
    ended = importer("run", f"{bucket.url}in/c.csv")
    assert ended.code == 0, ended.err
    assert meddler.cuts == 1
    assert len(box.customers()) == 250


def test_who_shows_azure_a_signature_gets_in_until_it_expires(
    importer: Command, box: Sandbox, settings: object, buckets: Callable[[str], BucketServer]
) -> None:
    server = buckets("az")
    assert isinstance(server, AzureServer)
    server.put("c.csv", ROWS.encode())

    def run_with(secret: str) -> Result:
        Path("importer.toml").write_text(as_toml({**server.table(), "secret_command": f"echo '{secret}'"}))
        return importer("run", "az://customers/c.csv")

    assert run_with(server.signature(minutes=5)).code == 0
    assert len(box.customers()) == 250
    for secret in (server.signature(minutes=-5), "d3Jvbmc="):
        ended = run_with(secret)
        assert (ended.code, "source-login" in ended.err) == (4, True), ended.err
        assert secret not in ended.out + ended.err


# Google's library tries for half a minute before it says so.
@pytest.mark.parametrize("bucket", ["s3", "az"], indirect=True)
def test_a_bucket_that_is_away_is_told(
    importer: Command, settings: object, bucket: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.sources.stores.MOST_FAILURES", 1)
    Path("importer.toml").write_text(as_toml(bucket.table()).replace(bucket.endpoint, "http://127.0.0.1:1"))
    ended = importer("run", f"{bucket.url}c.csv")
    assert (ended.code, "source-away" in ended.err) == (5, True), ended.err


def test_a_file_is_imported_from_a_file_server(
    importer: Command, box: Sandbox, settings: object, server: SftpServer
) -> None:
    (server.folder / "in").mkdir()
    (server.folder / "in" / "c.csv").write_text(ROWS)
    Path("importer.toml").write_text(as_toml(server.table(Path("known_hosts"))))
    ended = importer("run", f"{server.url}/in/c.csv")
    assert ended.code == 0, ended.err
    assert len(box.customers()) == 250
    assert PASSWORD not in ended.out + ended.err


def test_a_lost_connection_is_taken_up(
    importer: Command, server: SftpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importer.sources import stores

    monkeypatch.setattr(stores, "PIECE", 1 << 16)
    body = ROWS.encode() * 400
    (server.folder / "c.csv").write_bytes(body)
    Path("importer.toml").write_text(as_toml(server.table(Path("known_hosts"))))
    from importer.sources.fetching import find_settings

    location = at(f"{server.url}/c.csv")
    store = stores.RemoteStore(location, find_settings(location), sleep=lambda seconds: None)
    cut: list[int] = []

    def told(received: int, total: int | None) -> None:
        if received > 1_000_000 and not cut:
            cut.append(received)
            server.drop_connections()

    assert b"".join(store.pieces("/c.csv", "c.csv", told)) == body
    assert cut
    store.close()


def test_a_server_with_another_key_gets_no_password(
    importer: Command, settings: object, server: SftpServer, tmp_path: Path
) -> None:
    (server.folder / "c.csv").write_text(ROWS)
    table = as_toml(server.table(Path("known_hosts")))
    Path("importer.toml").write_text(table)
    Path("known_hosts").write_text(f"[127.0.0.1]:{server.port} ssh-ed25519 {'A' * 25}C\n")
    for content in ("", server.known_host().replace("127.0.0.1", "127.0.0.9")):
        Path("known_hosts").write_text(content)
        ended = importer("run", f"{server.url}/c.csv")
        assert (ended.code, "source-host-key" in ended.err) == (4, True), ended.err
    with sftp_server(server.folder) as other:
        Path("known_hosts").write_text(f"[127.0.0.1]:{server.port} {other.host_key}\n")
        ended = importer("run", f"{server.url}/c.csv")
        assert (ended.code, "source-host-key" in ended.err) == (4, True), ended.err


def test_who_may_not_come_in_is_told(importer: Command, settings: object, server: SftpServer) -> None:
    table = as_toml(server.table(Path("known_hosts")))
    Path("importer.toml").write_text(table.replace(PASSWORD, "wrong"))
    ended = importer("run", f"{server.url}/c.csv")
    assert (ended.code, "source-login" in ended.err) == (4, True), ended.err
    Path("importer.toml").write_text(table)
    ended = importer("run", f"{server.url}/missing.csv")
    assert (ended.code, "source-missing" in ended.err) == (3, True), ended.err


@pytest.mark.parametrize(
    ("module", "address", "extra"),
    [
        ("s3fs", "s3://customers/c.csv", "s3"),
        ("gcsfs", "gs://customers/c.csv", "gcs"),
        ("adlfs", "az://customers/c.csv", "azure"),
        ("sshfs", "sftp://host/c.csv", "sftp"),
    ],
)
def test_a_missing_package_is_named_with_its_command(
    importer: Command,
    settings: object,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    address: str,
    extra: str,
) -> None:

    monkeypatch.setitem(sys.modules, module, None)
    ended = importer("validate", address)
    assert ended.code == 4
    assert f"pip install 'nxlink-importer[{extra}]'" in ended.err
