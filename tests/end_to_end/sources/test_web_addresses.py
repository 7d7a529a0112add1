"""A file at a web address is imported, taken up again and reported like one on the disk."""

from __future__ import annotations

import gzip
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer import RunOptions, import_file, validate_file
from importer.config import Connection
from importer.errors import InputError
from importer.models import Status
from importer.sandbox import Sandbox
from importer.sources import spool
from tests.support.commands import Command, results, summary
from tests.support.file_server import FileServer, serving_files

HEAD = "Phone,First Name,Last Name\n"
ROWS = HEAD + "".join(f"8613800{at:06d},Ann,Lee\n" for at in range(250))


@pytest.fixture
def files() -> Iterator[FileServer]:
    with serving_files() as server:
        yield server


def copies() -> list[Path]:
    return [path for path in spool.spool_folder().rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_file_is_imported_from_its_address(
    importer: Command, box: Sandbox, settings: Connection, files: FileServer
) -> None:
    address = files.put("/in/customers.csv", ROWS.encode())
    ended = importer("run", f"{address}?sig=geheim", "--report-dir", "out")
    assert ended.code == 0, ended.err
    assert len(box.customers()) == 250
    assert summary(Path("out"))["source"]["name"] == f"{address}?…"
    everything = (
        ended.out + ended.err + "".join(path.read_text("utf-8", "replace") for path in Path("out").iterdir())
    )
    assert "geheim" not in everything
    assert "geheim" not in importer("runs", "--json").out
    assert "geheim" not in importer("runs", "show", importer("runs", "--json").json[0]["id"]).out


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_proposed_after_a_check_of_a_private_link_reads_what_was_checked(
    importer: Command, box: Sandbox, settings: Connection, files: FileServer, packed: bool
) -> None:
    body = gzip.compress(ROWS.encode()) if packed else ROWS.encode()
    address = files.put("/c.csv.gz" if packed else "/c.csv", body)
    checked = importer("validate", f"{address}?sig=geheim")
    assert f"importer run {address}\n" in importer("validate", address).out
    files.files.clear()
    (command,) = re.findall("importer (run .*)", checked.out)
    ended = importer(*shlex.split(command))
    assert ended.code == 0, ended.err
    assert len(box.customers()) == 250


def test_what_the_terminal_says_while_a_file_comes(importer: Command, files: FileServer) -> None:
    address = files.put("/customers.csv", ROWS.encode())
    assert f"Fetching {address}: 0 B of " in importer("validate", address).err
    assert "Fetching" not in importer("validate", address, "-q").err
    lines = [json.loads(line) for line in importer("validate", address, "--log-json").err.splitlines()]
    assert lines[0]["event"] == "fetching"
    assert (lines[0]["received"], lines[0]["total"]) == (0, len(ROWS))


def test_a_run_is_taken_up_from_its_copy(
    importer: Command, box: Sandbox, settings: Connection, files: FileServer
) -> None:
    address = files.put("/customers.csv", ROWS.encode())
    box.misbehave("code code=1005 requests=2-")
    ended = importer("run", address, "--report-dir", "out", "--concurrency", "1")
    assert ended.code == 4, ended.err
    files.files.clear()
    box.misbehave()
    again = importer("resume")
    assert again.code == 0, again.err
    assert len(box.customers()) == 250
    assert summary(Path("out"))["source"]["name"] == address
    assert {row["_status"] for row in results(Path("out"))} == {"imported"}


def test_the_copy_goes_with_its_run(importer: Command, settings: Connection, files: FileServer) -> None:
    importer("run", files.put("/customers.csv", ROWS.encode()))
    (copy,) = copies()
    assert copy.name == "customers.csv"
    spool.prune_copies({str(copy)}, now=copy.stat().st_mtime + 1e6)
    assert copies() == [copy]
    unread = spool.write_copy([b"x"], "other.csv").path  # of a run that is about to begin
    assert importer("runs", "prune", "--older-than", "0h", "--yes").code == 0
    assert copies() == [unread]
    spool.prune_copies(set(), now=unread.stat().st_mtime + 1e6)
    assert copies() == []


@pytest.mark.parametrize("command", ["validate", "inspect", "run"])
def test_what_cannot_be_read_leaves_no_copy(
    importer: Command, settings: Connection, files: FileServer, command: str
) -> None:
    ended = importer(command, files.put("/customers.csv", b"\x00\x01\x02" * 99))
    assert ended.code == 3, ended.err
    assert copies() == []


def test_commands_that_only_look_keep_no_copy(importer: Command, files: FileServer) -> None:
    address = files.put("/customers.csv", ROWS.encode())
    assert importer("inspect", address, "--json").json["columns"][0]["name"] == "Phone"
    assert importer("mapping", "suggest", address, "-o", "m.toml").code == 0
    assert importer("mapping", "check", "m.toml", address).code == 0
    assert copies() == []


def test_several_addresses_have_folders_by_their_names(
    importer: Command, settings: Connection, files: FileServer
) -> None:
    address = files.put("/customers.csv", ROWS.encode())
    assert (
        importer("run", f"{address}?sig=geheim", f"{address}?sig=anders", "--report-dir", "out", "-y").code
        == 0
    )
    assert sorted(path.name for path in Path("out").iterdir()) == ["customers", "customers-2"]


def test_an_expired_link_is_told_in_both_languages(
    importer: Command, settings: Connection, files: FileServer
) -> None:
    address = files.put("/c.csv", b"<Message>Request has expired</Message>", status=403)
    ended = importer("run", address)
    assert ended.code == 4
    assert "has expired" in ended.err
    assert "source-link-expired" in ended.err
    assert "已过期" in importer("run", address, "--lang", "zh").err


@pytest.fixture
def sheets(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of sheets on a server that answers as Google's does, with the bytes on another one."""
    monkeypatch.setattr("importer.sources.share_links.HOST", "127.0.0.1")
    files.put(
        "/content/abc", ROWS.encode(), headers={"Content-Disposition": 'attachment; filename="Kunden.csv"'}
    )
    there = {"Location": f"{files.url.replace('127.0.0.1', 'localhost')}/content/abc"}
    files.put("/spreadsheets/d/1Open/export", status=307, headers=there)
    login = {"Location": "https://accounts.google.com/v3/signin/identifier?continue=geheim"}
    files.put("/spreadsheets/d/1Private/export", status=302, headers=login)
    page = b"<!DOCTYPE html><html><head><title>Sorry, unable to open the file at this time.</title>"
    files.put("/spreadsheets/d/1Closed/export", page, status=403)
    files.put("/spreadsheets/d/1Gone/export", page, status=404)
    return f"{files.url}/spreadsheets/d"


def test_a_google_sheet_is_imported_as_its_csv(
    importer: Command, box: Sandbox, settings: Connection, files: FileServer, sheets: str
) -> None:
    ended = importer("run", f"{sheets}/1Open/edit?usp=sharing#gid=42", "--report-dir", "out")
    assert ended.code == 0, ended.err
    assert [asked.path for asked in files.asked] == [
        "/spreadsheets/d/1Open/export?format=csv&gid=42",
        "/content/abc",
    ]
    assert len(box.customers()) == 250
    assert summary(Path("out"))["source"]["name"] == f"{sheets}/1Open/edit?…"


@pytest.mark.parametrize(
    ("sheet", "code", "exit_code"),
    [
        ("1Private", "source-login-page", 4),
        ("1Closed", "source-refused", 4),
        ("1Gone", "source-not-there", 3),
    ],
)
def test_a_google_sheet_that_is_not_for_everyone_is_told(
    importer: Command, settings: Connection, sheets: str, sheet: str, code: str, exit_code: int
) -> None:
    ended = importer("run", f"{sheets}/{sheet}/edit#gid=0")
    assert (ended.code, code in ended.err) == (exit_code, True), ended.err
    assert "geheim" not in ended.err
    assert copies() == []


def test_credentials_come_from_the_settings(
    importer: Command, settings: Connection, files: FileServer
) -> None:
    address = files.put("/in/c.csv", ROWS.encode())
    Path("importer.toml").write_text(
        f'[source.exports]\nurl = "{files.url}/in/"\nuser = "me"\nsecret_command = "echo geheim"\n'
    )
    assert importer("validate", address).code == 0
    assert files.asked[-1].headers["authorization"] == "Basic bWU6Z2VoZWlt"
    elsewhere = files.put("/else/c.csv", ROWS.encode())
    assert importer("validate", elsewhere).code == 0
    assert "authorization" not in files.asked[-1].headers


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('url = "https://me:geheim@example.com/"', "secret_command"),
        ('user = "me"', "url is missing"),
        ('url = "https://example.com/"\npassword = "geheim"', "unknown key"),
    ],
)
def test_mistakes_in_a_source_are_told_without_its_secret(
    importer: Command, files: FileServer, table: str, said: str
) -> None:
    address = files.put("/c.csv", ROWS.encode())
    Path("importer.toml").write_text(f"[source.exports]\n{table}\n")
    ended = importer("validate", address)
    assert ended.code == 4
    assert said in ended.err
    assert "geheim" not in ended.err


def test_the_library_takes_addresses_and_open_files(box: Sandbox, work: Path, files: FileServer) -> None:
    address = files.put("/c.csv", ROWS.encode())
    assert import_file(address, connection=box.connection).counts[Status.IMPORTED] == 250
    assert validate_file(io.BytesIO(ROWS.encode())).counts[Status.VALID] == 250
    assert validate_file(io.StringIO(ROWS)).counts[Status.VALID] == 250
    Path("own.csv").write_text(ROWS)
    with Path("own.csv").open("rb") as file:
        found = validate_file(file, options=RunOptions(limit=3))
    assert (found.rows, found.source) == (3, "own.csv")
    with pytest.raises(InputError, match="http"):
        validate_file("http://example.com/c.csv")
