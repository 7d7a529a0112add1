"""Many tenants on one machine: a sandbox that knows them, profiles, inboxes, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from importer.sandbox import Sandbox
from importer.sandbox.calls import app_of_tenant
from importer.sandbox.rules import Credentials
from tests.support.jobs import HEADER

FIRST_TENANT = 2001


@dataclass
class Tenants:
    """A folder with importer.toml, an inbox for each profile, and the CRM that they all send to."""

    folder: Path
    box: Sandbox
    count: int
    begun: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """The processes of commands."""

    @property
    def names(self) -> list[str]:
        """The profiles, t01, t02 and so on."""
        return [f"t{number:02}" for number in range(1, self.count + 1)]

    def write_settings(self, more: str = "", notices: str = "") -> None:
        """Write importer.toml: what all have in common once, and two lines for each profile."""
        who = self.box.credentials
        (self.folder / "keys.env").write_text(
            f"NXLINK_ACCESS_KEY={who.access_key}\nNXLINK_ACCESS_SECRET={who.access_secret}\n"
        )
        (self.folder / "keys.env").chmod(0o600)
        lines = [
            f'[defaults]\nbase_url = "{self.box.base_url}"\nenv_file = "keys.env"\nsettle = 0\n',
            f'[job.nightly]\ninbox = "in/{{profile}}"\nprofiles = ["t*"]\n{notices}',
        ]
        for number, name in enumerate(self.names):
            tenant = FIRST_TENANT + number
            app = app_of_tenant(who.app_key, tenant)
            lines.append(f'[profile.{name}]\ntenant_id = {tenant}\napp_key = "{app}"\n')
            (self.folder / "in" / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "importer.toml").write_text("\n".join([*lines, more]), "utf-8")

    def drop(self, profile: str, name: str, rows: Sequence[str]) -> None:
        """Put a complete file into the inbox of a profile."""
        path = self.folder / "in" / profile / name
        path.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
        path.with_name(f"{name}.done").touch()

    def tenants_of(self) -> dict[int, int]:
        """How many customers each tenant has."""
        found: dict[int, int] = {}
        for customer in self.box.customers():
            found[customer.tenant_id] = found.get(customer.tenant_id, 0) + 1
        return found

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Begin a command in a process of its own, which ends with the tenants at the latest."""
        process = subprocess.Popen(
            [sys.executable, "-m", "importer", *words],
            cwd=self.folder,
            env={**os.environ, "NXLINK_STATE_DIR": str(self.folder / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.begun.append(process)
        return process

    def end(self) -> None:
        """End the commands that a test left running."""
        for process in self.begun:
            if process.poll() is None:
                process.kill()
                process.communicate()


@contextmanager
def many_tenants(folder: Path, count: int, **manner: Any) -> Iterator[Tenants]:
    """Serve a CRM of so many tenants, with a profile and an inbox for each.

    `manner`: as `Sandbox` takes it.
    """
    more = tuple(range(FIRST_TENANT, FIRST_TENANT + count))
    with Sandbox(credentials=Credentials("shared-key", "shared-secret", 1000, "app", more), **manner) as box:
        found = Tenants(folder, box, count)
        found.write_settings()
        try:
            yield found
        finally:
            found.end()
