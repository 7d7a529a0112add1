"""The built wheel works by itself, outside the checkout."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data" / "customers.csv"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*words, "--wheel-dir", folder, ROOT], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(python: Path, work: Path, *words: object) -> str:
    state = {"NXLINK_STATE_DIR": str(work / "state"), "PYTHONPATH": ""}
    command = [str(python), "-m", "importer", *map(str, words)]
    done = subprocess.run(
        command,
        cwd=work,
        env=os.environ | state,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(python: Path, work: Path) -> None:
    where = subprocess.run(
        [python, "-c", "import importer; print(importer.__file__)"],
        cwd=work,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(ROOT) not in where.stdout
    assert "importer" in run(python, work, "--version")
    assert "hubspot" in run(python, work, "mapping", "list")
    shutil.copy(SAMPLE, work)
    assert "120" in run(python, work, "run", "customers.csv", "--sandbox")
    run(python, work, "template", "-o", "empty.xlsx")


def test_the_wheel_runs_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    """The libraries come from this environment: fetching them again proves nothing about the wheel."""
    venv.create(tmp_path / "env", with_pip=False)
    python = python_of(tmp_path / "env")
    folder = subprocess.run(
        [python, "-c", "import site; print(site.getsitepackages()[-1])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    words = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, str(wheel)]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    (Path(folder) / "libraries.pth").write_text("\n".join(site.getsitepackages()))
    work = tmp_path / "work"
    work.mkdir()
    check(python, work)


@pytest.mark.soak
def test_the_wheel_brings_all_it_needs(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = python_of(tmp_path / "env")
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True, capture_output=True)
    work = tmp_path / "work"
    work.mkdir()
    check(python, work)
