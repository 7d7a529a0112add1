"""Files are fetched over the web whole, or not at all, and nobody else gets the credentials."""

from __future__ import annotations

import email.utils
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.config import Secret
from importer.errors import ImporterError, InputError, SourceAwayError, SourceRefusedError
from importer.sources import spool
from importer.sources.locations import Location, locate
from importer.sources.web import MOST_FAILURES, WebAccess, fetch, fetch_changed
from tests.support.file_server import FileServer, serving_files

BODY = b"First Name,Last Name\n" + b"".join(b"Ann,%07d\n" % at for at in range(60_000))


@pytest.fixture
def files() -> Iterator[FileServer]:
    with serving_files() as server:
        yield server


def at(address: str) -> Location:
    found = locate(address)
    assert found is not None
    return found


def no_sleep(seconds: float) -> None:
    pass


def code_of(address: str, access: WebAccess | None = None) -> str:
    with pytest.raises(ImporterError) as caught:
        fetch(at(address), access, sleep=no_sleep)
    for lang in ("en", "zh"):
        assert "geheim" not in caught.value.full_text(lang)
        assert "<" not in caught.value.full_text(lang)
    assert left() == []
    assert kept() in (
        [],
        [".json", ".part"] if caught.value.exit_code == 5 or caught.value.code == "no-room" else [],
    )
    return caught.value.code


def left() -> list[str]:
    """The files of the spool, without what is kept to go on from."""
    folder = spool.spool_folder()
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.parent != folder)


def kept() -> list[str]:
    """What kinds of files are kept of addresses, to go on from."""
    found = (path for path in spool.spool_folder().iterdir() if path.is_file() and path.name != ".lock")
    return sorted(path.suffix for path in found)


def test_a_file_comes_whole_and_private(files: FileServer) -> None:
    address = files.put("/in/customers.csv", BODY)
    seen: list[tuple[int, int | None]] = []
    copy = fetch(at(f"{address}?sig=geheim"), told=lambda *how_far: seen.append(how_far))
    assert copy.path.read_bytes() == BODY
    assert copy.path.name == "customers.csv"
    assert copy.name == f"{address}?…"
    assert copy.path.stat().st_mode & 0o777 == 0o600
    assert copy.path.parent.stat().st_mode & 0o777 == 0o700
    assert seen[-1] == (len(BODY), len(BODY))
    assert files.asked[0].path == "/in/customers.csv?sig=geheim"


def test_the_server_may_name_the_file(files: FileServer) -> None:
    named = {"Content-Disposition": "attachment; filename*=UTF-8''%E5%AE%A2%E6%88%B7.xlsx"}
    assert fetch(at(files.put("/export", b"x", headers=named))).path.name == "客户.xlsx"
    evil = {"Content-Disposition": 'attachment; filename="../../evil.csv"'}
    assert fetch(at(files.put("/evil", b"x", headers=evil))).path.name == "evil.csv"


def test_a_cut_off_file_goes_on_where_it_was(files: FileServer) -> None:
    address = files.put("/c.csv", BODY, cut_after=[100_000, 300_000])
    assert fetch(at(address), sleep=no_sleep).path.read_bytes() == BODY
    begins = [int(asked.headers.get("range", "bytes=0-")[6:-1]) for asked in files.asked]
    assert len(begins) == 3
    assert begins == sorted(set(begins))


def test_a_file_that_changed_meanwhile_comes_anew(files: FileServer) -> None:
    address = files.put("/c.csv", BODY, cut_after=[100_000])

    def change(seconds: float) -> None:
        files.put("/c.csv", BODY[::-1], tag='"two"')

    assert fetch(at(address), sleep=change).path.read_bytes() == BODY[::-1]


@pytest.mark.parametrize("tag", ['W/"one"', ""])
def test_without_a_strong_validator_a_file_comes_anew(files: FileServer, tag: str) -> None:
    address = files.put("/c.csv", BODY, cut_after=[100_000], tag=tag)
    assert fetch(at(address), sleep=no_sleep).path.read_bytes() == BODY
    assert not any("range" in asked.headers for asked in files.asked)


def test_another_process_goes_on_where_one_was_ended(files: FileServer) -> None:
    address = files.put("/c.csv", BODY)

    def end(received: int, total: int | None) -> None:
        if received > 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(at(address), told=end)
    assert fetch(at(address)).path.read_bytes() == BODY
    assert files.asked[-1].headers["range"] == "bytes=262144-"
    assert kept() == []


def test_a_part_that_is_whole_already_is_taken(files: FileServer) -> None:
    address = files.put("/c.csv", BODY)

    def end(received: int, total: int | None) -> None:
        if received == len(BODY):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(at(address), told=end)
    assert fetch(at(address)).path.read_bytes() == BODY


def test_two_that_fetch_the_same_do_not_meet(files: FileServer) -> None:
    address = files.put("/c.csv", BODY)
    copies: list[Path] = []

    def fetch_again(received: int, total: int | None) -> None:
        if received and not copies:
            copies.append(fetch(at(address)).path)

    copies.append(fetch(at(address), told=fetch_again).path)
    assert [path.read_bytes() == BODY for path in copies] == [True, True]
    assert copies[0] != copies[1]


def test_a_busy_server_is_asked_again_as_late_as_it_wants(files: FileServer) -> None:
    address = files.put("/c.csv", BODY, first_statuses=[503, 429], headers={"Retry-After": "7"})
    waits: list[float] = []
    assert fetch(at(address), sleep=waits.append).path.read_bytes() == BODY
    assert waits == [7.0, 7.0]


def test_a_server_that_stays_away_is_given_up(files: FileServer) -> None:
    address = files.put("/c.csv", BODY, first_statuses=[502] * 99)
    with pytest.raises(SourceAwayError) as caught:
        fetch(at(address), sleep=no_sleep)
    assert (caught.value.code, caught.value.found["attempts"]) == ("source-busy", MOST_FAILURES)
    assert caught.value.exit_code == 5


def test_a_server_that_is_not_there() -> None:
    with serving_files() as server:
        address = server.url
    assert code_of(f"{address}/c.csv?sig=geheim") == "source-connection-refused"


def test_what_ends_too_early_again_and_again(files: FileServer) -> None:
    assert code_of(files.put("/c.csv", BODY, ranges=False, cut_after=[0] * 99)) == "source-cut-off"


@pytest.mark.parametrize(
    ("served", "code", "kind"),
    [
        ({"status": 404}, "source-not-there", InputError),
        ({"status": 410}, "source-not-there", InputError),
        ({"status": 401}, "source-refused", SourceRefusedError),
        (
            {"status": 403, "body": b"<Code>AccessDenied</Code>"},
            "source-refused",
            SourceRefusedError,
        ),
        (
            {"status": 403, "body": b"<Error><Message>Request has expired</Message></Error>"},
            "source-link-expired",
            SourceRefusedError,
        ),
        ({"status": 400, "body": b"<Code>ExpiredToken</Code>"}, "source-link-expired", SourceRefusedError),
        ({"status": 418}, "source-answer", InputError),
        ({"body": b"<!DOCTYPE html><title>Report</title>"}, "source-web-page", InputError),
        (
            {"body": b"\n<html><form><input type='password'></form>"},
            "source-login-page",
            SourceRefusedError,
        ),
        (
            {"status": 302, "headers": {"Location": "http://a.com/c"}},
            "source-redirected-to-http",
            InputError,
        ),
        (
            {"status": 302, "headers": {"Location": "https://accounts.google.com/v3/signin?continue=geheim"}},
            "source-login-page",
            SourceRefusedError,
        ),
        ({"status": 302, "headers": {"Location": "/c.csv?again"}}, "source-redirects", InputError),
    ],
)
def test_what_is_no_file_is_told(
    files: FileServer, served: dict[str, object], code: str, kind: type[ImporterError]
) -> None:
    address = files.put("/c.csv", **served)  # type: ignore[arg-type]
    assert code_of(f"{address}?sig=geheim") == code
    with pytest.raises(kind):
        fetch(at(address), sleep=no_sleep)


def test_a_page_behind_a_redirect_to_a_login_is_a_login(files: FileServer) -> None:
    files.put("/user/sign-in", b"<html>Welcome</html>")
    address = files.put("/c.csv", status=302, headers={"Location": "/user/sign-in?next=c.csv"})
    assert code_of(address) == "source-login-page"


def test_credentials_never_follow_to_another_host(files: FileServer) -> None:
    access = WebAccess("me", Secret("geheim"))
    with serving_files("127.0.0.2") as other:
        there = other.put("/c.csv", BODY)
        here = files.put("/c.csv", status=302, headers={"Location": there})
        again = files.put("/first", status=307, headers={"Location": here})
        assert fetch(at(again), access).path.read_bytes() == BODY
        assert ["authorization" in asked.headers for asked in files.asked] == [True, True]
        assert ["authorization" in asked.headers for asked in other.asked] == [False]


def test_credentials_in_the_address_stay_with_its_host(files: FileServer) -> None:
    with serving_files("127.0.0.2") as other:
        there = other.put("/c.csv", BODY)
        here = files.put("/c.csv", status=302, headers={"Location": there})
        copy = fetch(at(here.replace("//", "//me:geheim@")))
        assert "geheim" not in copy.name
        assert files.asked[0].headers["authorization"].startswith("Basic ")
        assert "authorization" not in other.asked[0].headers


def test_a_token_is_sent_as_one(files: FileServer) -> None:
    fetch(at(files.put("/c.csv", BODY)), WebAccess(secret=Secret("geheim")))
    assert files.asked[0].headers["authorization"] == "Bearer geheim"


def test_a_file_that_is_too_large_is_refused(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = {"Content-Length": str(spool.MOST_BYTES + 1)}
    assert code_of(files.put("/c.csv", BODY, headers=huge)) == "source-too-large"


def test_a_disk_that_is_too_small_is_told_before(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importer.sources.spool.shutil.disk_usage", lambda folder: type("Disk", (), {"free": 9})
    )
    assert code_of(files.put("/c.csv", BODY)) == "no-room"


def test_a_part_goes_when_copies_are_pruned_unless_it_is_being_fetched(files: FileServer) -> None:
    address = files.put("/c.csv", BODY)

    def end(received: int, total: int | None) -> None:
        if received > 200_000:
            spool.prune_copies(set(), older_than=0)
            raise KeyboardInterrupt

    for _ in range(2):  # the second time it goes on from what the first one left
        with pytest.raises(KeyboardInterrupt):
            fetch(at(address), told=end)
        assert kept() == [".json", ".part"]
    assert "range" in files.asked[-1].headers
    spool.prune_copies(set(), older_than=3600)
    assert kept() == [".json", ".part"]
    spool.prune_copies(set(), older_than=0)
    assert kept() == []


def test_nothing_is_kept_of_what_cannot_be_continued(files: FileServer) -> None:
    def end(received: int, total: int | None) -> None:
        if received > 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(at(files.put("/c.csv", BODY, tag='W/"one"')), told=end)
    assert kept() == []


def test_locks_of_killed_processes_go_with_their_parts(files: FileServer) -> None:
    part = spool.Part.named("0" * 32)
    with spool.hold_part(part) as held:
        assert held
        with spool.hold_part(part) as twice:
            assert not twice
    part.path.write_bytes(b"x")
    part.lock.touch()
    spool.prune_copies(set(), older_than=0)
    assert kept() == []


LONG_AGO = {"Last-Modified": "Fri, 27 Nov 2020 10:00:00 GMT"}


@pytest.mark.parametrize(
    ("served", "asked"),
    [
        ({}, {"if-none-match": '"one"'}),
        ({"tag": 'W/"one"'}, {"if-none-match": 'W/"one"'}),
        ({"headers": LONG_AGO, "ranges": False}, {"if-modified-since": LONG_AGO["Last-Modified"]}),
        ({"headers": LONG_AGO}, {"if-none-match": '"one"', "if-modified-since": LONG_AGO["Last-Modified"]}),
    ],
)
def test_a_file_that_is_as_it_was_is_not_fetched_again(
    files: FileServer, served: dict[str, object], asked: dict[str, str]
) -> None:
    address = at(files.put("/c.csv", BODY, **served))
    first = fetch_changed(address, None)
    assert first.copy is not None
    again = fetch_changed(address, first.version)
    assert (again.copy, again.version) == (None, first.version)
    sent = files.asked[-1].headers
    assert {name: sent[name] for name in sent if name.startswith("if-")} == asked
    files.put("/c.csv", BODY[::-1], tag='"two"')
    changed = fetch_changed(address, first.version)
    assert changed.copy is not None
    assert changed.copy.path.read_bytes() == BODY[::-1]
    assert kept() == []


def test_a_time_that_is_too_young_tells_nothing(files: FileServer) -> None:
    now = {"Last-Modified": email.utils.formatdate(usegmt=True)}
    assert fetch_changed(at(files.put("/c.csv", BODY, headers=now)), None).version is None
    assert fetch_changed(at(files.put("/d.csv", BODY, ranges=False)), None).version is None


def test_a_tag_of_another_address_is_not_shown_to_a_server(files: FileServer) -> None:
    files.put("/one.csv", BODY)
    files.put("/two.csv", BODY[::-1])
    address = at(files.put("/now", status=302, headers={"Location": "/one.csv"}))
    first = fetch_changed(address, None)
    assert fetch_changed(address, first.version).copy is None
    files.put("/now", status=302, headers={"Location": "/two.csv"})
    changed = fetch_changed(address, first.version)
    assert changed.copy is not None
    assert changed.copy.path.read_bytes() == BODY[::-1]


def test_a_server_that_says_unchanged_unasked_is_told(files: FileServer) -> None:
    assert code_of(files.put("/c.csv", status=304)) == "source-answer"
