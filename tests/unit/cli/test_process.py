"""What the program settles for its whole process, and the library does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def says(code: str) -> str:
    """What a fresh interpreter prints last."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


COLLECTOR = "import gc; usual = gc.get_threshold()\n"
PRINT = "\nprint(gc.get_threshold() == usual, gc.get_freeze_count() > 0)"


def test_once_a_run_is_under_way_the_collector_works_as_usual_and_leaves_the_modules_alone() -> None:
    code = "from importer.cli import app\napp.prepare_process()\napp.startup_done()"
    assert says(COLLECTOR + code + PRINT) == "True True"


@pytest.mark.parametrize(
    "code",
    [
        "import importer.pipeline.run, importer.cli.commands.run",
        "from importer.cli.app import invoke\ninvoke(['--version'])",
        "from importer.cli import app\napp.startup_done()",
    ],
)
def test_whoever_uses_the_library_keeps_their_own_collector(code: str) -> None:
    assert says(COLLECTOR + code + PRINT) == "True False"


def test_whoever_wants_threads_in_linear_algebra_keeps_them() -> None:
    code = (
        "import os\nos.environ['OPENBLAS_NUM_THREADS'] = '7'\n"
        "from importer.cli import app\napp.prepare_process()\nprint(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    assert says(code) == "7"


LEAVE = "import sys\nsys.argv = ['importer', {words}]\nfrom importer.cli.app import main\n"


def test_a_process_ends_with_its_code_when_all_that_has_to_be_done_at_the_end_is_done(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    code = (
        f"{LEAVE.format(words=repr('no-such-command'))}from importer.cli import app\nbefore = app.invoke\n"
        "def invoke(args):\n"
        "    import atexit, pathlib, threading, time\n"
        f"    atexit.register(pathlib.Path({str(kept)!r}).write_text, 'done')\n"
        "    threading.Thread(target=lambda: (time.sleep(0.1), print('the thread ended'))).start()\n"
        "    return before(args)\n"
        "app.invoke = invoke\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, kept.read_text()) == (2, "the thread ended\n", "done")
    assert "no-such-command" in done.stderr


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_an_output_that_could_not_be_written_is_no_success() -> None:
    with FULL.open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "importer", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode != 0
    assert "No space left" in done.stderr


def test_an_error_that_comes_with_its_traceback_keeps_the_code_of_python() -> None:
    command = [sys.executable, "-m", "importer", "no-such-command"]
    environment = {**os.environ, "NXLINK_TRACEBACK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
