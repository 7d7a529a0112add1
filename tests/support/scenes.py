"""Random scenes of several imports of the same people, and what has to be true after each.

A scene runs, kills, resumes, retries and re-imports files in real processes against one sandbox that
misbehaves. Every cell that is sent names the file and row it comes from, so the sandbox's log and its
customers tell whose rows went out, when, and which of them stand in the end.
"""

from __future__ import annotations

import csv
import itertools
import json
import random
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from importer.journal import Journal, RunKind, RunRecord
from importer.models import Status
from importer.sandbox import Sandbox
from importer.sandbox.application import ReceivedRequest
from tests.support.forks import Forked, Forks, Stage

SETTLE = 1.0
SPARE = 0.3
"""A sandbox that was later than `SETTLE` less this much was held up by the machine."""
CONCURRENCY = 3
FIELDS = ("first_name", "address", "remark")
"""What rows bring, besides a last name and a phone: the first in all of them, the others in some files."""
FAULTS = (
    "late seconds=0.15 hang_up=0 requests={}",
    "late seconds=0.15 hang_up=0.2 requests={}",
    "late seconds=0.15 hang_up=0 requests={} stored=false",
    "lost requests={}",
    "reset requests={}",
    "reset requests={} stored=true",
    "status status=500 requests={}",
    "status status=504 requests={} stored=true",
    "status status=429 retry_after=0 requests={}",
    "code code=9001 requests={}",
    "code code=1002 requests={}",
    "code code=1005 requests={}",
    "code code=28 message=TPS requests={}",
    "truncated requests={}",
    "slow seconds=0.1 requests={}",
)


@dataclass
class Brought:
    """One time that a row was sent, or would have been: as it stood in the file of one run."""

    rank: tuple[int, int, int]
    """Its age: the first run of its file, the row's number there, and the first run of a report of it."""
    person: str
    cells: Mapping[str, str]
    status: str
    """imported, unknown, or anything else for what was certainly not stored."""


class Scene(Stage):
    """One scene; `play` acts, `check` judges. Raises AssertionError with the scene's story."""

    def __init__(self, seed: int, folder: Path, forks: Forks, box: Sandbox) -> None:
        super().__init__(folder, forks, box)
        self.seed = seed
        self.story: list[str] = []
        self.excused = 0
        """Requests that a busy machine carried out later than any run waits for."""
        self.chance = random.Random(seed)
        self.people = [f"8613800{n:06}" for n in range(self.chance.randint(20, 250))]
        self.mode = self.chance.choice(("update", "update", "replace"))
        self.rate = self.chance.choice((None, None, 25))
        self._files = 0
        self._reports = 0
        self._processes: list[Forked] = []

    # What happens.

    def play(self) -> None:
        again = (self._import, self._import, self._resume, self._retry, self._reimport)
        for number in range(self.chance.randint(4, 7)):
            self._misbehave()
            act = self.chance.choice(again) if number else self._import
            act()
            if self._processes and self.chance.random() < 0.6:
                self._wait_for_all()
        self._wait_for_all()
        self.box.misbehave()
        self.story.append("faults end")
        for _ in range(10):
            last = self._importer("resume")
            last.wait()
            if "nothing to resume" in last.said.read_text("utf-8").lower():
                break
        self.wait_until_idle()

    def _importer(self, *words: str) -> Forked:
        words += ("--settle", f"{SETTLE:g}", "--patience", "2", "--wait", "60")
        words += ("--concurrency", str(CONCURRENCY))
        return self.begin(*words, *(("--rate", str(self.rate)) if self.rate else ()))

    def _misbehave(self) -> None:
        faults = []
        for _ in range(self.chance.choice((0, 1, 1, 2, 3))):
            first = self.chance.randint(1, 5)
            which = self.chance.choice((f"{first}", f"{first}-{first + 3}", f"'every {first + 1}'"))
            faults.append(self.chance.choice(FAULTS).format(which))
        self.box.misbehave(*faults)
        self.story.append(f"faults {faults}")

    def _import(self) -> None:
        self._files += 1
        name = f"f{self._files}"
        columns = ["first_name", *(one for one in FIELDS[1:] if self.chance.random() < 0.6)]
        rows = self.chance.choice((3, 120, 250, 450))
        with (self.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["last_name", "sms_phone", *columns])
            for row in range(2, rows + 2):
                writer.writerow(
                    ["x", self.chance.choice(self.people), *[f"{name}:{row}:{c}" for c in columns]]
                )
        self._act("run", f"{name}.csv", "--yes", "--mode", self.mode)

    def _resume(self) -> None:
        self._act("resume")

    def _retry(self) -> None:
        if not self.journal.exists():
            return
        with Journal.open(self.journal) as journal:
            runs = journal.runs()
        if runs:
            self._act("retry", self.chance.choice(runs).id)

    def _reimport(self) -> None:
        reports = sorted(self.folder.glob("reports/*/rejects.csv"))
        if reports:
            self._reports += 1
            copy = self.folder / f"r{self._reports}.csv"
            copy.write_bytes(self.chance.choice(reports).read_bytes())
            self._act("run", copy.name, "--yes", "--mode", self.mode)

    def _act(self, *words: str) -> None:
        """A command that is left to itself, waited for, killed or asked to end."""
        how = self.chance.choice(("wait", "wait", "kill", "kill", "end", "leave"))
        requests, seconds = self.chance.randint(0, 5), self.chance.uniform(0.0, 0.1)
        goal = self.box.application.total + requests
        process = self._importer(*words)
        self.story.append(f"{' '.join(words)}: {how} after {requests} requests, process {process.pid}")
        self._processes.append(process)
        if how in ("kill", "end"):
            until = time.monotonic() + 3
            while self.box.application.total < goal and process.alive and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(seconds)
            process.kill(signal.SIGKILL if how == "kill" else signal.SIGTERM)
        if how != "leave":
            code = process.wait()
            self.story[-1] += f", {code}"
            self._processes.remove(process)

    def _wait_for_all(self) -> None:
        for process in self._processes:
            self.story.append(f"process {process.pid} ends with {process.wait()}")
        self._processes.clear()

    # What has to be true.

    def check(self) -> None:
        try:
            self._check_rate()
            if self._is_as_late_as_it_said():
                self._check_flight()
                self._check_customers()
        except AssertionError as error:
            story = "\n".join(self.story)
            raise AssertionError(f"scene {self.seed}, mode {self.mode}: {error}\n{story}") from None

    def _is_as_late_as_it_said(self) -> bool:
        """Whether nothing was carried out so late that no run need have waited for it."""
        for request in self.box.requests:
            if "late" in request.fault and request.over_ms and request.ended_ms:
                self.excused += request.over_ms - request.ended_ms > (SETTLE - SPARE) * 1000
        return not self.excused

    def _check_rate(self) -> None:
        if self.rate is None:
            return
        arrived = sorted(request.began_ms for request in self.box.requests)
        # So many may have left before the second began, and come after.
        most = self.rate + CONCURRENCY
        for first, last in zip(arrived, arrived[most:], strict=False):
            assert last - first >= 1000, f"{most + 1} requests in {last - first} ms"

    def _check_flight(self) -> None:
        """Never two requests of one customer at once, unless the second repeats rows of the first."""
        sent = sorted(self.box.requests, key=lambda request: (request.began_ms, request.number))
        rows = {request.number: _rows_by_person(request) for request in sent}
        for place, request in enumerate(sent):
            over = request.over_ms or 0
            for later in itertools.islice(sent, place + 1, None):
                if later.began_ms >= over:
                    continue
                for person in rows[request.number].keys() & rows[later.number].keys():
                    fresh = rows[later.number][person] - rows[request.number][person]
                    assert not fresh, (
                        f"{sorted(fresh)} of {person} went out in {_told(later)} before the end of"
                        f" {_told(request)} with {sorted(rows[request.number][person])}"
                    )

    def _check_customers(self) -> None:
        """What stands is the latest row's of each customer, unless that row's status says why not."""
        stored = {str(one.fields["sms_phone"]): one.fields for one in self.box.customers()}
        brought: dict[str, list[Brought]] = {}
        for one in self._brought():
            brought.setdefault(one.person, []).append(one)
        for person, rows in brought.items():
            for name in FIELDS:
                found = stored.get(person, {}).get(name)
                allowed: set[str | None] = set()
                for age in (_by_place, _by_report):
                    allowed |= _allowed(sorted(rows, key=age, reverse=True), name, self.mode)
                assert found in allowed, (
                    f"{person} has {name} {found}, not one of {allowed}\n{self._told_of(person, rows)}"
                )

    def _told_of(self, person: str, rows: list[Brought]) -> str:
        lines = [f"  {one.rank}: {one.status}" for one in sorted(rows, key=_by_place)]
        again = [one for one in self.box.customers() if one.fields["sms_phone"] == person]
        lines += [f"  stored, read again: {one.id}, {one.writes} writes, {one.fields}" for one in again]
        sent = ((request, _rows_by_person(request).get(person)) for request in self.box.requests)
        lines += [f"  {_told(request)}: {', '.join(sorted(names))}" for request, names in sent if names]
        return "\n".join(lines)

    def _brought(self) -> Iterator[Brought]:
        """Every row of every file, with what is known of it in the end, and how old it is."""
        found: dict[tuple[int, int, int], Brought] = {}
        with Journal.open(self.journal) as journal:
            numbers = {run.id: journal._number(run.id) for run in journal.runs()}
            first = {
                Path(run.path).stem: numbers[run.id] for run in journal.runs() if run.kind is RunKind.RUN
            }
            for run in reversed(journal.runs()):
                begun = journal.family(run)[0]
                corrected = numbers[begun.id] if begun.kind is RunKind.REIMPORT else 0
                states = journal.row_states(run.id)
                for row, cells in self._rows(run):
                    (index,) = states.state_indexes("", np.array([row], dtype=np.int64)).tolist()
                    status = "not sent" if index < 0 else str(states.states[index].status or Status.UNKNOWN)
                    file, number, _ = cells["first_name"].split(":")
                    rank = (first[file], int(number), corrected)
                    known = found.setdefault(rank, Brought(rank, cells["sms_phone"], cells, status))
                    known.status = _stronger(known.status, status)
        yield from found.values()

    def _rows(self, run: RunRecord) -> Iterator[tuple[int, dict[str, str]]]:
        with Path(run.path).open(encoding="utf-8-sig", newline="") as file:
            yield from enumerate(csv.DictReader(file), 2)


def _told(request: ReceivedRequest) -> str:
    times = (request.began_ms, request.carried_out_ms, request.ended_ms, request.over_ms)
    told = " ".join(map(str, times))
    return f"request {request.number} ({request.fault or 'no fault'}, code {request.code}, {told})"


def _stronger(one: str, other: str) -> str:
    """The word that says more about what is stored."""
    words = (Status.IMPORTED, Status.UNKNOWN, Status.REJECTED)
    return next((word for word in words if word in (one, other)), other)


def _rows_by_person(request: ReceivedRequest) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for customer in json.loads(request.body)["customers"]:
        found.setdefault(customer["sms_phone"], set()).add(customer["first_name"])
    return found


def _by_place(one: Brought) -> tuple[int, ...]:
    """A corrected row is as old as the row that it was."""
    return one.rank


def _by_report(one: Brought) -> tuple[int, ...]:
    """A corrected row is newer than what was not corrected. No page says which of the two it is."""
    run, row, corrected = one.rank
    return run, corrected, row


def _allowed(rows: list[Brought], name: str, mode: str) -> set[str | None]:
    """What may stand in a field; `rows`: the latest first."""
    allowed: set[str | None] = set()
    for one in rows:
        cell = one.cells.get(name) or None
        # What is refused in the end may have come in with an attempt before that nobody answered.
        if one.status not in (Status.IMPORTED, Status.UNKNOWN, Status.REJECTED) or (
            cell is None and mode != "replace"
        ):
            continue
        allowed.add(cell)
        if one.status == Status.IMPORTED:
            return allowed
    return allowed | {None}
