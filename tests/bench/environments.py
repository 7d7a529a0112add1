"""Environments for the baselines, so that nothing of ours makes them faster or slower.

They lie in .venv/bench (`make clean` takes them along) and are made once.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.bench.processes import ROOT

FOLDER = ROOT / ".venv" / "bench"


def python_with(*packages: str) -> str:
    """The interpreter of an environment that holds these packages and what they need, nothing else."""
    name = "-".join(package.partition("[")[0].replace("==", "-") for package in packages)
    folder = FOLDER / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = folder / "complete"
    if not done.exists():
        print(f"… an environment with {', '.join(packages)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        quiet = ["--quiet", "--quiet", "--disable-pip-version-check"]
        subprocess.run([python, "-m", "pip", "install", *quiet, *packages], check=True)
        done.touch()
    return str(python)


def pandas_alone() -> str:
    """pandas as we have it, without pyarrow."""
    return python_with(f"pandas=={version('pandas')}")


def pandas_with_openpyxl() -> str:
    """What many would read a workbook with."""
    return python_with(f"pandas=={version('pandas')}", f"openpyxl=={version('openpyxl')}")


def frictionless() -> str:
    """The best known validator of tables."""
    return python_with("frictionless")


def requests_alone() -> str:
    """A plain loop's means: pandas and requests."""
    return python_with(f"pandas=={version('pandas')}", f"requests=={version('requests')}")


def polars_alone() -> str:
    """What reads and writes tables on every core."""
    return python_with("polars")


def path_of(python: str, program: str) -> Path:
    """A program beside that interpreter."""
    return Path(python).parent / program
