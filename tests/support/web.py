"""The page on a free port of loopback, and a browser-like client of it."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from importer.sandbox import Sandbox
from importer.web import server
from importer.web.app import WebApplication
from importer.web.reading import FileLook

PATIENCE = 60.0


class WebPage:
    """A served page and one browser that was let in."""

    def __init__(self, application: WebApplication, web: server.WebServer, base: str) -> None:
        self.application = application
        self.site = application.site
        self.server = web
        self.base = base
        self.browser = requests.Session()
        self.browser.trust_env = False

    def enter(self) -> requests.Response:
        """Open the one-time link."""
        return self.browser.get(self.application.gate.link, timeout=PATIENCE)

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.browser.get(self.base + path, headers=headers, timeout=PATIENCE)

    def post(self, path: str, data: object = None, **headers: str) -> requests.Response:
        """Send a form, or bytes, as a page of ours would."""
        headers = {"Origin": self.base} | headers
        return self.browser.post(self.base + path, data=data, headers=headers, timeout=PATIENCE)  # type: ignore[arg-type]

    def upload(self, path: Path) -> str:
        """Upload a file. Returns the address of its piece of work: /w/ID."""
        answer = self.post(f"/files?name={path.name}", path.read_bytes())
        assert answer.status_code == 201, answer.text
        return str(answer.json()["url"]).removesuffix("/see")

    def revision(self, work: str) -> str:
        """The revision of a piece of work, as its forms hold it."""
        return str(self.site.works.get(work.removeprefix("/w/")).revision)

    def change(self, work: str, step: str, **form: str) -> requests.Response:
        """Send a form of a step with the present revision; a column may be given by its name."""
        if "column" in form:
            form["column"] = str(self._look(work).header.index(form["column"]))
        return self.post(f"{work}/{step}", {"revision": self.revision(work), **form})

    def correct(self, work: str, row: int, column: str, text: str = "", **form: str) -> requests.Response:
        """Correct a cell of a row with a problem."""
        found = self.site.works.get(work.removeprefix("/w/"))
        assert found.check is not None
        rows = self.site.rechecks.rows(found)
        place = next((one.number for one in rows.read(range(len(rows))) if one.row == row), 10**6)
        cell = {"place": str(place), "row": str(row), "column": str(found.check.header.index(column))}
        return self.post(f"{work}/cells", cell | {"text": text} | form)

    def _look(self, work: str) -> FileLook:
        look: FileLook = self.site.looks.of(self.site.works.get(work.removeprefix("/w/")))
        return look

    def wait(self, owner: str) -> None:
        """Wait until what is at work for a piece of work or a run has ended."""
        task = self.site.tasks.of(owner.removeprefix("/w/"))
        assert task is not None
        assert task.thread is not None
        task.thread.join(PATIENCE)
        assert not task.running

    def checked(self, work: str) -> requests.Response:
        """Take a file through the first steps as they are proposed. Returns the page of the check."""
        self.change(work, "see", do="continue")
        self.get(f"{work}/match")
        return self.check(work)

    def begin(self, folder: Path, header: str, *lines: str, name: str = "people.csv") -> str:
        """Upload a table of these lines, and check it. Returns the address of its piece of work."""
        path = folder / name
        path.write_text(header + "".join(f"{line}\n" for line in lines), "utf-8")
        work = self.upload(path)
        self.checked(work)
        return work

    def check(self, work: str) -> requests.Response:
        """Check a file. Returns the page of the check."""
        self.post(f"{work}/check")
        self.wait(work)
        return self.get(f"{work}/check")

    def correct_rest(self, run: str) -> str:
        """Go on with the rest of a run, and wait for its check. Returns the address of its piece of work."""
        work = self.post(f"/runs/{run}/correct").url.removesuffix("/check").removeprefix(self.base)
        self.wait(work)
        return work

    def send(self, work: str, **form: str) -> requests.Response:
        """Import a file that was checked. Returns the page that the import leads to."""
        answer = self.change(work, "import", **({"mode": "update"} | form))
        if answer.ok:
            self.wait(work)
            return self.get(f"{work}/import")
        return answer


@contextlib.contextmanager
def web_page(sandbox: Sandbox | None = None, *, enter: bool = True) -> Iterator[WebPage]:
    """Serve the page in a thread until the block ends."""
    listener = server.listen(0)
    port = listener.getsockname()[1]
    application = WebApplication(port, sandbox=sandbox)
    ready = threading.Event()
    web = server.WebServer(application, listener, ready.set)
    thread = threading.Thread(target=web.run_here, daemon=True)
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        found = WebPage(application, web, f"http://127.0.0.1:{port}")
        with found.browser:
            if enter:
                found.enter()
            yield found
    finally:
        web.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def text_of(page: requests.Response) -> str:
    """The words of a page, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def run_of(page: requests.Response) -> str:
    """The run that a page shows."""
    return page.url.split("/runs/")[1].split("?")[0]


def wait_for(condition: object, patience: float = PATIENCE) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + patience
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)
