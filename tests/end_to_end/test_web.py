"""`importer web` as a process: the link on stdout, a private file for the browser, an end in order or not."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from importer.config import Connection
from importer.sandbox import Sandbox
from tests.support.web import PATIENCE, wait_for


@contextlib.contextmanager
def served(*words: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command. Yields its process and the link that it printed."""
    command = [sys.executable, "-m", "importer", "web", "--port", "0", *words]
    pipe, environ = subprocess.PIPE, {**os.environ, **environment}
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environ)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def test_the_command_prints_its_link_alone_and_ends_in_order(tmp_path: Path, own_surroundings: Path) -> None:
    opener, opened = tmp_path / "browser", tmp_path / "opened"
    opener.write_text(f'#!/bin/sh\necho "$1" > {opened}\n', "utf-8")
    opener.chmod(0o700)
    with served("--sandbox", BROWSER=f"{opener} %s") as (process, link), requests.Session() as browser:
        assert link.startswith("http://127.0.0.1:")
        wait_for(lambda: opened.is_file() and opened.read_text("utf-8").strip())
        url = opened.read_text("utf-8").strip()
        assert "?t=" not in url
        page = Path(url.removeprefix("file://"))
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert link in page.read_text("utf-8")
        browser.trust_env = False
        assert browser.get(link, timeout=PATIENCE).status_code == 200
        assert "Practice mode" in browser.get(link.split("/open")[0] + "/", timeout=PATIENCE).text
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert out == ""
        assert "Traceback" not in err
        assert not page.exists()


def test_an_import_goes_on_after_the_server_was_killed(
    tmp_path: Path, box: Sandbox, settings: Connection, own_surroundings: Path
) -> None:
    """Two processes, since nothing but a killed one shows that the page finds its way back."""
    rows = "".join(f"Ann,Lee,{8613800100000 + n}\n" for n in range(4000))
    box.misbehave("slow seconds=0.2")
    with served("--no-browser") as (process, link), requests.Session() as browser:
        base = link.split("/open")[0]
        browser.trust_env = False
        browser.headers["Origin"] = base
        browser.get(link, timeout=PATIENCE)
        content = ("first_name,last_name,sms_phone\n" + rows).encode()
        work = browser.post(f"{base}/files?name=a.csv", content, timeout=PATIENCE).json()["url"][:-4]
        browser.post(f"{base}{work}/see", {"do": "continue"}, timeout=PATIENCE)
        browser.get(f"{base}{work}/match", timeout=PATIENCE)
        browser.post(f"{base}{work}/check", timeout=PATIENCE)
        wait_for(
            lambda: "4,000 rows were checked" in browser.get(f"{base}{work}/check", timeout=PATIENCE).text
        )
        browser.post(f"{base}{work}/import", {"mode": "update"}, timeout=PATIENCE)
        wait_for(lambda: len(box.customers()) >= 400)
        process.kill()
        process.wait()
    box.misbehave()
    assert len(box.customers()) < 4000
    with served("--no-browser") as (process, link), requests.Session() as browser:
        base = link.split("/open")[0]
        browser.trust_env = False
        browser.headers["Origin"] = base
        browser.get(link, timeout=PATIENCE)
        shown = browser.get(f"{base}{work}", timeout=PATIENCE)
        assert "Interrupted. What was sent is on record" in shown.text
        run = shown.url.split("/runs/")[1].split("?")[0]
        browser.post(f"{base}/runs/{run}/resume", timeout=PATIENCE)
        wait_for(
            lambda: "All done: 4,000 rows" in browser.get(f"{base}/runs/{run}", timeout=PATIENCE).text, 150
        )
    assert len(box.customers()) == 4000


def resident(process: subprocess.Popen[str]) -> float:
    """The most memory that a process has had so far, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the memory of a process")
def test_large_files_leave_the_memory_of_the_server_flat(own_surroundings: Path) -> None:
    """200 MB come in by 60 MB of memory; 100,000 rows with 5,000 bad ones are checked by 120 more."""
    head, line = b"first_name,last_name,sms_phone,birthday,address\n", b"Ann,Lee,,1990-01-01,%s\n"

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(200):
            yield (line % (b"x" * 75)) * 10_000

    bad = b"".join(
        line % str(n).encode() if n % 20 else b"Ann,Lee,,1990-02-31,%d\n" % n for n in range(100_000)
    )
    with served("--no-browser", "--sandbox") as (process, link), requests.Session() as browser:
        base = link.split("/open")[0]
        browser.trust_env = False
        browser.headers["Origin"] = base
        browser.get(link, timeout=PATIENCE)
        browser.get(f"{base}/", timeout=PATIENCE)
        before = resident(process)
        assert browser.post(f"{base}/files?name=big.csv", pieces(), timeout=PATIENCE).status_code == 201
        assert resident(process) - before < 60
        work = browser.post(f"{base}/files?name=bad.csv", head + bad, timeout=PATIENCE).json()["url"][:-4]
        browser.post(f"{base}{work}/see", {"do": "continue"}, timeout=PATIENCE)
        browser.get(f"{base}{work}/match", timeout=PATIENCE)
        between = resident(process)
        browser.post(f"{base}{work}/check", timeout=PATIENCE)
        wait_for(lambda: "rows were checked" in browser.get(f"{base}{work}/check", timeout=PATIENCE).text)
        for page in range(1, 101, 10):
            grid = browser.get(f"{base}{work}/correct?page={page}", timeout=PATIENCE).text
            assert "5,000 rows still to be corrected" in grid
        assert resident(process) - between < 120
