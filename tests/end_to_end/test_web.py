"""`importer web` as a process: the link on stdout, a private file for the browser, an end in order."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import requests

from tests.support.web import PATIENCE, wait_for


def test_the_command_prints_its_link_alone_and_ends_in_order(tmp_path: Path, own_surroundings: Path) -> None:
    opener = tmp_path / "browser"
    opener.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n', "utf-8")
    opener.chmod(0o700)
    environment = {**os.environ, "BROWSER": f"{opener} %s"}
    words = [sys.executable, "-m", "importer", "web", "--sandbox", "--port", "0"]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        assert link.startswith("http://127.0.0.1:")
        wait_for(lambda: (tmp_path / "opened").is_file() and (tmp_path / "opened").read_text("utf-8").strip())
        url = (tmp_path / "opened").read_text("utf-8").strip()
        assert "?t=" not in url
        page = Path(url.removeprefix("file://"))
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert link.replace("&", "&amp;") in page.read_text("utf-8")
        with requests.Session() as browser:
            browser.trust_env = False
            assert browser.get(link, timeout=PATIENCE).status_code == 200
            assert "Practice mode" in browser.get(link.split("/open")[0] + "/", timeout=PATIENCE).text
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert out == ""
        assert "Traceback" not in err
        assert not page.exists()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
