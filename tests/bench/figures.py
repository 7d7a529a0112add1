"""What every bench works with: its folder, the files it measures on, and the lines it yields."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import IMPORTER, PYTHON, ROOT, Measured, in_turn, measure

HERE = Path(__file__).parent
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    bar: str
    measured: str
    good: bool


@dataclass(frozen=True, slots=True)
class Bench:
    """Where it works, and how much of it."""

    folder: Path
    rounds: int

    def file(self, rows: int, damage: float = 0.05, kind: str = "csv", variant: str = "usual") -> Path:
        """The generated file of so many rows; made by another process, so that this one stays small."""
        path = self.folder / f"{variant}-{rows}-{damage:g}.{kind}"
        if not path.exists():
            command = [str(PYTHON), "-m", "tests.bench.inputs", str(path), str(rows), str(damage), variant]
            subprocess.run(command, cwd=ROOT, check=True)
        return path

    def dry_run(self, path: Path) -> list[str]:
        """The command that validates a file and writes every report."""
        reports = self.folder / "reports"
        return [*IMPORTER, "validate", str(path), "--report-dir", str(reports), "--quiet"]

    def baseline(self, name: str, *arguments: str | Path, python: str = PYTHON) -> list[str]:
        """The command of one of the scripts in baselines/."""
        return [python, str(HERE / "baselines" / f"{name}.py"), *map(str, arguments)]

    def turns(self, *commands: list[str], rounds: int | None = None) -> list[list[Measured]]:
        return in_turn(rounds or self.rounds, *commands, folder=self.folder)

    def run(self, path: Path, settings: dict[str, str], *more: str) -> Measured:
        """One import to a server; its reports go away again."""
        reports = self.folder / "sent"
        shutil.rmtree(reports, ignore_errors=True)
        command = [*IMPORTER, "run", str(path), "--report-dir", str(reports), "--quiet", "--yes", *more]
        return measure(command, self.folder, settings)


Measure = Callable[[Bench], Iterator[Figure]]


def with_root() -> dict[str, str]:
    """Return the environment of a process that imports this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
