"""A file may be named by its address: it is fetched in the background, and told where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.file_server import FileServer, serving_files
from tests.support.web import WebPage, text_of

TABLE = b"first_name,last_name,email\nAnn,Lee,ann@lee.net\n"


@pytest.fixture
def files() -> Iterator[FileServer]:
    with serving_files() as server:
        yield server


def fetched(page: WebPage, address: str) -> str:
    """Fetch an address to its end. Returns the address of the page that follows."""
    answer = page.post("/address", {"address": address})
    work = answer.url.removeprefix(page.base).rsplit("/", 1)[0]
    page.wait(work)
    return work


def test_a_file_from_an_address_goes_the_way_of_any_other(page: WebPage, files: FileServer) -> None:
    work = fetched(page, f" {files.put('/lists/people.csv', TABLE)}?sig=SECRET ")
    shown = page.get(f"{work}/fetch")
    assert shown.url.endswith("/see")
    assert "people.csv" in shown.text
    assert "SECRET" not in shown.text
    assert "1 valid" in text_of(page.checked(work))
    assert "people.csv" in text_of(page.get("/"))
    assert not list((page.site.works.root.parent.parent / "spool").glob("*/*")), "one copy is enough"


@pytest.mark.parametrize(
    ("path", "said"), [("/gone.csv", "404"), ("/page.csv", "page"), ("/empty.csv", "empty")]
)
def test_an_address_without_a_file_is_told_and_leaves_nothing(
    page: WebPage, files: FileServer, path: str, said: str
) -> None:
    files.put(
        "/page.csv",
        b"<!doctype html><html><body>Sign in</body></html>",
        headers={"Content-Type": "text/html"},
    )
    files.put("/empty.csv", b"")
    work = fetched(page, f"{files.url}{path}?sig=SECRET")
    shown = page.get(f"{work}/fetch")
    assert "The file was not fetched" in shown.text
    assert said in text_of(shown)
    assert "SECRET" not in shown.text
    assert page.site.works.recent() == []
    assert not page.site.works.folder(work.removeprefix("/w/")).exists()


@pytest.mark.parametrize(
    "given",
    ["customers.csv", "/etc/passwd", "file:///etc/passwd", "http://example.com/a.csv", "https://", ""],
)
def test_what_is_no_address_of_a_file_is_refused(page: WebPage, given: str) -> None:
    answer = page.post("/address", {"address": given})
    assert answer.status_code == 400
    assert page.site.tasks.running() == []


def test_fetching_can_be_cancelled(page: WebPage, files: FileServer) -> None:
    address = files.put("/people.csv", TABLE * 100_000)
    answer = page.post("/address", {"address": address})
    work = answer.url.removeprefix(page.base).rsplit("/", 1)[0]
    page.post(f"/tasks/{work.removeprefix('/w/')}/stop", {"back": "/"})
    page.wait(work)
    task = page.site.tasks.of(work.removeprefix("/w/"))
    assert task is not None
    # The file may have come before the word to stop.
    assert task.error is None or (task.error.code == "web-fetch-stopped" and not page.site.works.recent())
