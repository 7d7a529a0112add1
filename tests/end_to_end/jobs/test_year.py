"""A year of nights: random files, faults of the server, crashes, tripwires, releases, clock changes."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from importer.journal import RunState
from importer.journal.job_history import FileFate, FileRecord, RoundResult
from importer.journal.locks import LockHolder
from importer.models import Status
from importer.reports.files import REPORT_FILES
from tests.support.jobs import HEADER, Bench, Crash, lines

USUAL = 30
FAULTS = (
    "code code=1003 requests=1-",
    "status status=429 requests=2-",
    "code code=1002 rows.email=*7@example.com",
    "lost requests=1",
    "code code=9001 requests=1",
)
EVENING = 6 * 3600.0
"""Seconds before the round at which files were written."""


@dataclass
class Sent:
    """A file as it was dropped."""

    name: str
    rows: int
    emails: frozenset[str]
    """Of its valid rows."""


@dataclass
class Year:
    """Plays the nights, and keeps the books that the job's own are compared with."""

    bench: Bench
    chance: random.Random
    drops: Counter[str] = field(default_factory=Counter)
    """How often each content was dropped, by its hash."""
    files: dict[str, Sent] = field(default_factory=dict)
    tally: Counter[str] = field(default_factory=Counter)
    growing: Path | None = None
    number: int = 0

    def play(self, nights: int) -> None:
        for night in range(nights):
            self._evening()
            self._night()
            self._morning(night)
        self.bench.box.misbehave()
        self._finish_growing()
        for _ in range(4):
            self._round(None)

    def _evening(self) -> None:
        self._finish_growing()
        for _ in range(self.chance.choice((0, 1, 1, 1, 2, 3))):
            self._drop()
        if self.chance.random() < 0.1:
            self.growing = self._write(self._free("growing.csv"), lines(5, self._first(5)), age=5)

    def _drop(self) -> None:
        kind = self.chance.choices(
            ("good", "spoilt", "rotten", "few", "header", "empty", "again", "junk", "marked"),
            (50, 20, 5, 4, 3, 3, 6, 3, 6),
        )[0]
        self.tally[f"dropped {kind}"] += 1
        count = max(1, round(self.chance.gauss(USUAL, 3)))
        name = self.chance.choice(("customers.csv", "export.csv", f"batch{self.chance.randrange(50)}.csv"))
        if kind == "again" and self.files:
            return self._again(name)
        if kind == "junk":
            return self._junk()
        if kind == "few":
            count = 3
        spoilt = {"spoilt": 2, "rotten": count // 2 + 1}.get(kind, 0)
        rows, header = lines(count, self._first(count), spoilt=spoilt), HEADER
        if kind == "header":
            rows, header = [f"{row},x" for row in rows], f"{HEADER},Extra{self.number}"
        if kind == "empty":
            rows = [row.rpartition(",")[0] + "," for row in rows]
        path = self._write(self._free(name), rows, header, age=5 if kind == "marked" else EVENING)
        if kind == "marked":
            self.bench.touch(self._beside(path), 1)
        self._book(path, rows)

    def _again(self, name: str) -> None:
        known = [path for path in self.bench.inbox.rglob("*.csv") if path.parent.parent.name == "done"]
        known = [path for path in known if path.name not in REPORT_FILES]
        if known:
            path = self.bench.inbox / self._free(name)
            path.write_bytes(self.chance.choice(sorted(known)).read_bytes())
            self.bench.touch(path, EVENING)
            self.drops[_hash(path)] += 1

    def _junk(self) -> None:
        path = self.bench.inbox / self._free("junk.xlsx")
        path.write_bytes(b"PK\x03\x04" + self.chance.randbytes(40))
        self.bench.touch(path, EVENING)
        self.drops[_hash(path)] += 1

    def _finish_growing(self) -> None:
        if self.growing is not None and self.growing.exists():
            whole = self.growing.read_text("utf-8").splitlines()[1:]
            whole += lines(USUAL - 5, self._first(USUAL - 5))
            self._book(self._write(self.growing.name, whole), whole)
        self.growing = None

    def _night(self) -> None:
        luck = self.chance.random()
        faults = [self.chance.choice(FAULTS)] if self.chance.random() < 0.15 else []
        self.bench.box.misbehave(*faults)
        self.tally["nights with a fault"] += bool(faults)
        crash = self.chance.randrange(32) if luck < 0.45 else None
        if luck > 0.96:
            return self._overlap()
        self._round(crash)

    def _round(self, crash: int | None) -> None:
        self.bench.crash_at = crash
        self.tally["rounds"] += 1
        before = self.bench.clock.now
        try:
            report = self.bench.round(patience=0)
            self.tally[f"rounds {report.result}"] += 1
        except Crash:
            self.tally["crashes"] += 1
            self.bench.clock.now = before + timedelta(days=1)
        finally:
            self.bench.crash_at = None

    def _overlap(self) -> None:
        with self.bench.journal() as journal:
            lock = journal.job_lock("nightly")
            lock.acquire(LockHolder.current("nightly", self.bench.clock.now), "job-locked")
            try:
                self._round(None)
            finally:
                lock.release()

    def _morning(self, night: int) -> None:
        now = self.bench.clock.now
        self.bench.clock.now = now + timedelta(hours={90: 1, 300: -1}.get(night, 0), seconds=self.number % 7)
        held = sorted(path.name for path in (self.bench.inbox / "held").glob("*"))
        if held and self.chance.random() < 0.3:
            self.bench.box.misbehave()
            self.tally["releases"] += 1
            self.tally["rounds"] += 1
            report = self.bench.round(release=self.chance.choice(held), patience=0)
            self.tally[f"rounds {report.result}"] += 1
        if night % 20 == 0:
            self.check_places()

    def check_places(self) -> None:
        """Every dropped file is somewhere, once."""
        found = Counter(_hash(path) for path in _sources(self.bench.inbox) if path != self.growing)
        assert found == self.drops

    def check_books(self) -> None:
        """Rows, customers, journal and history agree."""
        stored = set(self.bench.emails())
        with self.bench.journal() as journal:
            history = journal.jobs
            records = history.files("nightly")
            rounds = history.rounds("nightly")
            assert not history.open_files("nightly")
            assert len(records) == sum(self.drops.values())
            assert len(rounds) == self.tally["rounds"]
            results = Counter(record.result for record in rounds)
            assert results[RoundResult.RUNNING] == 0
            assert results[RoundResult.INTERRUPTED] <= self.tally["crashes"]
            killers = {record.run for record in records if record.reason == "job-file-kills"}
            assert all(run.state is RunState.FINISHED or run.id in killers for run in journal.runs())
            for record in records:
                assert record.target is not None
                assert record.target.exists()
                if record.run and record.fate is not FileFate.REPEATED and record.run not in killers:
                    self._check_rows(record, stored)
                    assert journal.run(record.run).path == str(record.target)
                self.tally[f"files {record.fate}"] += 1
            self.tally["rows read"] = sum(sum(record.counts.values()) for record in records)
            self.tally["customers stored"] = len(stored)
            self.tally["runs"] = len(journal.runs())
            self.tally["resumed runs"] = sum(bool(run.resumes) for run in journal.runs())
        assert len(stored) == len(self.bench.emails())

    def _check_rows(self, record: FileRecord, stored: set[str]) -> None:
        sent = self.files[record.sha256]
        assert sum(record.counts.values()) == sent.rows
        there = len(sent.emails & stored)
        if record.fate is FileFate.HELD:
            assert there == 0
        elif record.fate is FileFate.DONE:
            assert record.counts[Status.IMPORTED] == there
            assert sent.rows - there == sum(
                record.counts.get(status, 0) for status in (Status.INVALID, Status.REJECTED)
            )

    def _first(self, count: int) -> int:
        self.number += count
        return self.number - count

    def _free(self, name: str) -> str:
        while (self.bench.inbox / name).exists():
            name = f"{self.chance.randrange(1000)}{name}"
        return name

    def _write(self, name: str, rows: list[str], header: str = HEADER, age: float = EVENING) -> Path:
        return self.bench.drop(name, rows, header, age=age)

    def _beside(self, path: Path) -> Path:
        marker = path.with_name(path.name + ".done")
        marker.touch()
        return marker

    def _book(self, path: Path, rows: list[str]) -> None:
        emails = frozenset(row.split(",")[3] for row in rows if not row.startswith(","))
        self.drops[_hash(path)] += 1
        self.files[_hash(path)] = Sent(path.name, len(rows), emails)


def _sources(inbox: Path) -> list[Path]:
    """All files that somebody dropped, wherever they are now."""
    found = [path for path in inbox.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return [path for path in found if path.name not in REPORT_FILES and not path.name.endswith(".done")]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _play(bench: Bench, nights: int, seed: int) -> Year:
    bench.attempts = 1
    year = Year(bench, random.Random(seed))
    year.play(nights)
    year.check_places()
    year.check_books()
    return year


@pytest.mark.parametrize("seed", [1, 2])
def test_some_weeks_of_nights(bench: Bench, seed: int) -> None:
    _play(bench, 20, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [2026])
def test_a_year_of_nights(bench: Bench, seed: int) -> None:
    year = _play(bench, 365, seed)
    print("\n".join(f"{count:7} {name}" for name, count in sorted(year.tally.items())))
