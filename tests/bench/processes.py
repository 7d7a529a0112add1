"""Whole processes, measured as the operating system accounts for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable
_FAILED = "the importer itself failed"
"""Its exit code is that of rows which were not imported."""
IMPORTER = (PYTHON, "-m", "importer")


@dataclass(frozen=True, slots=True)
class Measured:
    """One finished process."""

    seconds: float
    """From its start to its end."""
    cpu: float
    """User and system seconds of all its threads."""
    peak: int
    """Bytes, the most that were resident at once."""
    started: float
    """On the system's monotonic clock, which all processes share."""


def measure(
    command: Sequence[str | os.PathLike[str]],
    folder: Path,
    more: Mapping[str, str] | None = None,
    codes: Sequence[int] = (0, 1),
) -> Measured:
    """Runs a command in the folder, which also is its journal's place. Raises RuntimeError for exit codes
    other than the given ones: 0, and 1 for rows that were not valid."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NXLINK_")}
    environment |= {
        "NXLINK_STATE_DIR": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "PYTHONPATH": str(ROOT),
        **(more or {}),
    }
    with (folder / "output.txt").open("wb") as output:
        started = time.monotonic()
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    said = (folder / "output.txt").read_text("utf-8", "replace")[-2000:]
    if child.returncode not in codes or _FAILED in said:
        raise RuntimeError(f"{command} ended with {child.returncode}:\n{said}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, started)


def in_turn(rounds: int, *runs: Sequence[str | os.PathLike[str]], folder: Path) -> list[list[Measured]]:
    """Measures commands one after the other, round by round, so that a machine whose speed drifts is as fair
    to one as to the other. For each command its measurements."""
    found: list[list[Measured]] = [[] for _ in runs]
    for _ in range(rounds):
        for command, measured in zip(runs, found, strict=True):
            measured.append(measure(command, folder))
    return found


def ratio(one: Sequence[Measured], other: Sequence[Measured]) -> float:
    """How many times the other's time the one takes: the median of the rounds' ratios."""
    return median(a.seconds / b.seconds for a, b in zip(one, other, strict=True))


def typical(measured: Sequence[Measured]) -> float:
    """Seconds: the median."""
    return median(one.seconds for one in measured)
