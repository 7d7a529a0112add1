"""What end-to-end tests share: settings that lead to a sandbox, and reports read back."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from importer.config import Connection
from importer.credentials import VARIABLES
from importer.sandbox import Sandbox


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


ROOT = Path(__file__).parents[2]

Command = Callable[..., Result]


def use(monkeypatch: pytest.MonkeyPatch, connection: Connection) -> None:
    """Puts a connection into the environment."""
    values = {
        "access_key": connection.access_key.reveal(),
        "access_secret": connection.access_secret.reveal(),
        "tenant_id": connection.tenant_id,
        "app_key": connection.app_key,
        "base_url": connection.base_url or "",
    }
    for name, value in values.items():
        monkeypatch.setenv(VARIABLES[name], value)


def wait_until_over(box: Sandbox) -> None:
    """Until nothing comes any more of any request that the sandbox has got."""
    until = time.monotonic() + 60
    while any(request.over_ms is None for request in box.requests):
        assert time.monotonic() < until
        time.sleep(0.01)


def results(folder: Path, name: str = "results.csv") -> list[dict[str, str]]:
    """A report's rows."""
    with (folder / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def summary(folder: Path) -> dict[str, Any]:
    """A report's summary.json."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return found
