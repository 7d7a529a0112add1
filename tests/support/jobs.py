"""A job on a temporary inbox, importing into the sandbox over real HTTP, on a clock of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from importer.config import ConfigFile, Profile
from importer.jobs.config import Job, JobEnvironment
from importer.jobs.log import JobLog
from importer.jobs.results import RoundReport
from importer.jobs.runner import Round
from importer.jobs.tables import load_job
from importer.journal import Journal
from importer.option_layers import GivenOptions
from importer.pipeline.run import StopToken
from importer.sandbox import Sandbox

HEADER = "First name,Last name,WhatsApp,E-mail,Remark"
START = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)


class Crash(BaseException):
    """The power went."""


@dataclass
class Clock:
    """Time that passes only when somebody sleeps, or the test says so."""

    now: datetime = START
    slept: float = 0.0
    asleep: Callable[[float], None] = lambda seconds: None
    """What happens meanwhile."""

    def read(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += timedelta(seconds=seconds)
        self.asleep(seconds)


def lines(count: int, first: int = 1, *, spoilt: int = 0) -> list[str]:
    """Rows of a file: customers with numbers of their own; the first `spoilt` lack a first name."""
    names = ["" if place < spoilt else f"Given{first + place}" for place in range(count)]
    return [
        f"{name},Family{number},8613800{number:06},c{number}@example.com,note"
        for number, name in enumerate(names, first)
    ]


@dataclass
class Bench:
    """A job and all around it."""

    root: Path
    box: Sandbox
    clock: Clock = field(default_factory=Clock)
    steps: list[str] = field(default_factory=list)
    crash_at: int | None = None
    table: dict[str, object] = field(default_factory=dict)
    stopper: StopToken | None = None
    attempts: int = 8

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def state(self) -> Path:
        return self.root / "state"

    def job(self, **more: object) -> Job:
        table = {"inbox": str(self.inbox), **self.table, **more}
        if "source" in table:
            del table["inbox"]
        job = load_job(ConfigFile(self.root / "importer.toml", {"job": {"nightly": table}}), "nightly")
        return replace(job, given=job.given.joined(GivenOptions.read({"attempts": self.attempts})))

    def journal(self) -> Journal:
        return Journal.open(self.state / "journal.db")

    def drop(self, name: str, rows: Sequence[str], header: str = HEADER, *, age: float = 3600.0) -> Path:
        """Puts a file into the inbox that was last written `age` seconds ago."""
        path = self.inbox / name
        path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
        self.touch(path, age)
        return path

    def touch(self, path: Path, age: float) -> None:
        moment = self.clock.now.timestamp() - age
        os.utime(path, (moment, moment))

    def checkpoint(self, step: str) -> None:
        self.steps.append(step)
        if self.crash_at is not None and len(self.steps) > self.crash_at:
            raise Crash(step)

    def round(self, release: str | None = None, **more: object) -> RoundReport:
        job = self.job(**more)
        self.steps = []
        around = JobEnvironment(self.clock.read, self.clock.sleep, self.box.connection, self.checkpoint)
        log = JobLog(job.log.file or self.state / "jobs" / "nightly.log", job.log, self.clock.read)
        with self.journal() as journal:
            this = Round(job, Profile(), journal, log, around, self.stopper or StopToken(), release)
            report = this.go()
        self.clock.now += timedelta(days=1)
        return report

    def places(self, name: str) -> list[str]:
        """In which of the job's folders a file of that name lies, by the folders' names."""
        return [
            path.relative_to(self.inbox).parts[0] if path.parent != self.inbox else "inbox"
            for path in sorted(self.inbox.rglob(name))
        ]

    def file(self, name: str) -> Path:
        """The one place of a file."""
        (path,) = self.inbox.rglob(name)
        return path

    def emails(self) -> list[str]:
        """The e-mails of all stored customers."""
        return sorted(str(customer.fields["email"]) for customer in self.box.customers())
