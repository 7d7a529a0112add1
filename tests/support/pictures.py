"""Takes the pictures of the documentation: `python -m tests.support.pictures [NAME …]`, or `make pictures`.

Needs Chromium. rejects.png also needs LibreOffice with its windows (libreoffice-calc, not -nogui), Xvfb,
openbox, xdotool and ImageMagick's import. Look at each picture before it is committed.
"""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from importer.sandbox import Sandbox
from tests.support.programs import program
from tests.support.web import PATIENCE, web_page
from tests.support.workbooks import write_spring_fair

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
SCREEN = (1366, 560)
"""A usual screen in columns of pixels, cut off below the rows of the example."""
COLUMNS = 80
_PROGRESS = re.compile(r"\x1b\[\?25l.*\x1b\[\?25h(?:\r|\x1b\[1A|\x1b\[2K)*", re.DOTALL)
"""What the bar draws over itself while the rows are sent."""
_TERMINAL = """<pre style="margin: 0; padding: 1rem 1.2rem; width: max-content; color: {foreground};
background: {background}; font: 15px/1.4 'DejaVu Sans Mono', monospace">{code}</pre>"""


def run_at_a_terminal(folder: Path) -> str:
    """Import the samples of `make demo` into a sandbox, at a terminal of 80 columns.

    The reports are in the folder. Returns what the terminal shows in the end, with its colours.
    """
    shutil.copytree(ROOT / "sample_data", folder / "sample_data")
    command = [sys.executable, "-m", "importer", "run", "sample_data/customers.xlsx", "--sandbox", "--yes"]
    settings = {"NXLINK_STATE_DIR": str(folder / "state"), "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    with contextlib.ExitStack() as ends:
        ends.callback(os.close, ours)
        environment = os.environ | settings | {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
        )
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(ours, 65536):
                said += part
        process.wait(PATIENCE)
    shown = _PROGRESS.sub("", said.decode().replace("\r\n", "\n"))
    return f"$ importer {' '.join(command[3:-1])}\n{shown}"


def take_terminal(browser: Browser, shown: str) -> None:
    """Print on a page what the terminal showed, and take that."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(shown), soft_wrap=True)
    with browser_page(browser, 1000) as page:
        page.set_content(console.export_html(theme=DIMMED_MONOKAI, inline_styles=True, code_format=_TERMINAL))
        page.locator("pre").screenshot(path=IMAGES / "terminal.png")


@contextlib.contextmanager
def browser_page(browser: Browser, width: int, height: int = 900, scheme: str = "light") -> Iterator[Page]:
    """Open a tab of this size."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-US",
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    try:
        yield page
    finally:
        context.close()


def take_report(browser: Browser, report: Path) -> None:
    """Take the page of a run: its head, the rows of its problems, and its head on a phone."""
    with browser_page(browser, 1280) as page:
        page.goto(report.as_uri())
        page.screenshot(path=IMAGES / "report.png")
        issues = page.locator("section", has=page.locator("details")).first
        for closed in issues.locator("details").all():
            closed.evaluate("one => one.open = true")
        issues.screenshot(path=IMAGES / "report-rows.png")
    with browser_page(browser, 390, 844, "dark") as page:
        page.goto(report.as_uri())
        page.screenshot(path=IMAGES / "report-phone.png")


def take_workbook(rejects: Path) -> None:
    """Open the rejects in LibreOffice on a screen of their own, with the mouse on a coloured cell."""
    width, height = SCREEN
    profile = f"-env:UserInstallation={rejects.parent.as_uri()}/profile"
    display = f":{os.getpid() % 20000 + 100}"
    environment = os.environ | {"DISPLAY": display, "LANG": "en_US.UTF-8"}
    commands = (
        [program("Xvfb"), display, "-screen", "0", f"{width}x{height}x24"],
        [program("openbox")],
        [program("soffice"), profile, "--norestore", "--nologo", "--nofirststartwizard", str(rejects)],
    )
    with contextlib.ExitStack() as ends:
        for command in commands:
            process = subprocess.Popen(
                command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
            )
            ends.callback(os.killpg, process.pid, 9)
            time.sleep(1)
        mouse = program("xdotool")
        subprocess.run(
            [mouse, "search", "--sync", "--name", "LibreOffice Calc"],
            env=environment,
            check=True,
            timeout=PATIENCE,
        )
        time.sleep(4)
        for words in (
            f"search --name LibreOffice.Calc windowactivate windowsize {width} {height - 28} windowmove 0 0",
            "mousemove 430 310",
            "mousemove 435 312",  # a comment appears when the mouse moves over its cell
        ):
            subprocess.run([mouse, *words.split()], env=environment, check=True, capture_output=True)
            time.sleep(2)
        subprocess.run(
            [program("import"), "-window", "root", str(IMAGES / "rejects.png")], env=environment, check=True
        )


def take_web(browser: Browser, folder: Path) -> None:
    """Take the page in the browser: matching, correcting and importing a workbook with bad cells."""
    path = folder / "spring fair.xlsx"
    write_spring_fair(path)
    book = openpyxl.load_workbook(path)
    for row in (6, 10, 14):
        book["Customers"].cell(row, 3).value = f"+49 170 12345{row - 6:02d}"
    book.save(path)
    with Sandbox() as box, web_page(box, enter=False) as served, browser_page(browser, 1200) as page:
        page.goto(served.application.gate.link)
        page.set_input_files("#file", path)
        page.wait_for_url("**/see")
        page.select_option("#sheet", "Customers")
        page.get_by_text("titles of groups").first.wait_for()
        page.get_by_role("button", name="Yes, match the columns").click()
        page.wait_for_url("**/match")
        page.get_by_text("have no country code").first.wait_for()
        clip = {"x": 0, "y": 0, "width": 1200, "height": 1090}
        page.screenshot(path=IMAGES / "web-match.png", full_page=True, clip=clip)
        page.get_by_role("button", name="Germany").click()
        page.get_by_text("491701234501").wait_for()
        for value, gender in (("1", "male"), ("2", "female")):
            page.get_by_label(value, exact=True).select_option(gender)
            page.wait_for_load_state("networkidle")
        page.get_by_role("button", name="Check the whole file").click()
        page.wait_for_url("**/check")
        page.get_by_text("12 rows were checked").wait_for()
        work = page.url.removesuffix("/check")
        page.goto(f"{work}/correct?show=all")
        birthday = page.get_by_label("Row 8, Birthday")
        birthday.fill("28 Feb 1990")
        birthday.press("Enter")
        page.get_by_text("read as 1990-02-28").wait_for()
        page.evaluate("document.activeElement.blur()")
        page.screenshot(path=IMAGES / "web-correct.png", full_page=True)
        page.get_by_role("button", name="Check with the corrections").click()
        page.wait_for_url("**/check")
        page.get_by_text("12 rows were checked").wait_for()
        page.goto(f"{work}/import")
        page.screenshot(path=IMAGES / "web-import.png", full_page=True)


def main(wanted: list[str]) -> None:
    """Take the groups of pictures that are named, or all."""
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        os.environ["NXLINK_STATE_DIR"] = str(folder / "state")
        shown = run_at_a_terminal(folder)
        (reports,) = (folder / "reports").iterdir()
        playwright = ends.enter_context(sync_playwright())
        path = program("chromium", "chromium-browser", "google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        ends.callback(browser.close)
        groups: dict[str, Callable[[], None]] = {
            "terminal": lambda: take_terminal(browser, shown),
            "report": lambda: take_report(browser, reports / "report.html"),
            "web": lambda: take_web(browser, folder),
            "rejects": lambda: take_workbook(reports / "rejects.xlsx"),
        }
        for name in wanted or groups:
            groups[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
