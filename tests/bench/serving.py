"""The bench's server as a process, and what it saw."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import PYTHON, ROOT


@dataclass(frozen=True, slots=True)
class Span:
    """What the server got since it was asked last; times on the system's monotonic clock."""

    requests: int
    first: float
    last: float

    @property
    def seconds(self) -> float:
        """From the first request's arrival to the last answer."""
        return self.last - self.first


@dataclass(frozen=True, slots=True)
class Served:
    """A server at work."""

    url: str

    def span(self) -> Span:
        """What it saw; it then forgets it."""
        with urllib.request.urlopen(f"{self.url}/span") as answer:
            return Span(**json.load(answer))

    @property
    def settings(self) -> dict[str, str]:
        """The environment in which an importer sends to it."""
        names = ("ACCESS_KEY", "ACCESS_SECRET", "TENANT_ID", "APP_KEY", "BASE_URL")
        values = ("bench-key", "bench-secret", "144", "bench-app", self.url)
        return {f"NXLINK_{name}": value for name, value in zip(names, values, strict=True)}


@contextmanager
def served(delay: float = 0.0) -> Iterator[Served]:
    """A server that answers after so many seconds, for as long as the block lasts."""
    command = [PYTHON, "-m", "tests.bench.server", str(delay)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Served(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


@contextmanager
def sandboxed(store: Path) -> Iterator[dict[str, str]]:
    """The sandbox as a process, for as long as the block lasts; the settings that lead to it."""
    command = [PYTHON, "-m", "importer", "sandbox", "--port", "0", "--store", str(store)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            settings: dict[str, str] = {}
            while len(settings) < 5:
                words = process.stdout.readline().removeprefix("export ").strip().split("=", 1)
                if words[0].startswith("NXLINK_"):
                    settings[words[0]] = words[1]
            yield settings
        finally:
            process.terminate()
