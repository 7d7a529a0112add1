"""What the program settles for its whole process, and the library does not."""

from __future__ import annotations

import subprocess
import sys

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
