"""A night of many tenants on a cluster where all goes wrong; the sandbox's own log is the witness."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest

from importer.journal import Journal
from importer.models import Status
from tests.support.cluster import DaskCluster
from tests.support.postgres import PostgresServer
from tests.support.tenants import FIRST_TENANT, Tenants, many_tenants

pytestmark = [
    pytest.mark.extras,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills and stops processes"),
]

ROWS = 40
"""Of each file; half of its people are in the next one, too."""
PATIENCE = 500.0
"""Seconds for which something is waited for."""
FAULTS = ("lost", "code code=9001", "truncated", "reset")


@dataclass(frozen=True)
class Night:
    tenants: int
    files: int
    """Of each tenant."""
    workers: int
    rate: int
    """Requests a second for the one access key."""
    every: tuple[int, ...]
    """Each of FAULTS happens to every request of so many."""
    ttl: float
    """Seconds after which the cluster takes a worker for gone."""
    again: bool
    """Whether another worker is killed later, and the database restarted again."""

    @property
    def story(self) -> list[str]:
        """What happens."""
        again = ["worker killed", "database restarted"]
        return [*again, "worker stopped", "client killed", *(again if self.again else ()), "worker went on"]


def people(tenant: int, file: int) -> range:
    first = 10_000 * tenant + file * ROWS // 2
    return range(first, first + ROWS)


def write_files(tenants: Tenants, night: Night) -> None:
    """Each file says of its people which file it is; the order is that of their times."""
    for tenant, name in enumerate(tenants.names):
        for file in range(night.files):
            rows = [f"Given{n},Family,8613{n:09},c{n}@example.com,file {file}" for n in people(tenant, file)]
            tenants.drop(name, f"{file:02}.csv", rows)
            for path in (tenants.folder / "in" / name).glob(f"{file:02}.csv*"):
                os.utime(path, (1_700_000_000 + file, 1_700_000_000 + file))


def expected(night: Night) -> dict[tuple[int, str], str]:
    """What stands in the end: for each person of a tenant the last file."""
    return {
        (FIRST_TENANT + tenant, f"c{n}@example.com"): f"file {file}"
        for tenant in range(night.tenants)
        for file in range(night.files)
        for n in people(tenant, file)
    }


class Course:
    """How a night goes: the command, and what happens to whom and when."""

    def __init__(self, tenants: Tenants, cluster: DaskCluster) -> None:
        self.tenants = tenants
        self.cluster = cluster
        self.story: list[str] = []
        self.times: list[str] = []
        self._began = time.monotonic()
        self.begin()

    def begin(self) -> None:
        self.client = self.tenants.begin("job", "run", "--all", "--cluster", self.cluster.address)
        self._note("command begun")

    def happens(self, what: str) -> None:
        self.story.append(what)
        self._note(what)

    def reached(self, requests: float) -> bool:
        """Wait until so many requests were made, or the command has ended. Return whether they were."""
        while len(self.tenants.box.requests) < requests:
            if self.client.poll() is not None:
                return False
            self._look()
        return True

    def end(self) -> str:
        """Wait until the command has ended. Return what it printed."""
        try:
            _, told = self.client.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._fail("the command does not end")
        self._note(f"command ended, {self.client.returncode}")
        return told.decode()

    def wait(self, until: Callable[[], bool]) -> None:
        while not until():
            self._look()

    def _look(self) -> None:
        if time.monotonic() - self._began > PATIENCE:
            self._fail("nothing happens any more")
        time.sleep(0.05)

    def _fail(self, why: str) -> NoReturn:
        logs = (self.cluster.log(what)[-8000:] for what in ("scheduler", "worker"))
        pytest.fail("\n".join([why, *self.times, *logs]))

    def _note(self, what: str) -> None:
        seconds = time.monotonic() - self._began
        self.times.append(f"{seconds:6.1f} s, {len(self.tenants.box.requests):4} requests: {what}")


def spoil(course: Course, server: PostgresServer, night: Night) -> None:
    """Let a night take its course, and everything go wrong meanwhile."""
    cluster, total = course.cluster, night.tenants * night.files
    if course.reached(0.05 * total):
        cluster.kill_worker(0)
        course.happens("worker killed")
    if course.reached(0.15 * total):
        server.restart()
        course.happens("database restarted")
    stopped = cluster.workers[0]
    if course.reached(0.25 * total):
        stopped.send_signal(signal.SIGSTOP)
        course.happens("worker stopped")
    if course.reached(0.4 * total):
        course.client.kill()
        course.client.communicate()
        course.happens("client killed")
        course.begin()
    if night.again and course.reached(0.55 * total):
        cluster.kill_worker(len(cluster.workers) - 1)
        course.happens("worker killed")
    if night.again and course.reached(0.65 * total):
        server.restart()
        course.happens("database restarted")
    course.wait(lambda: cluster.has_given_up(stopped))
    stopped.send_signal(signal.SIGCONT)
    course.happens("worker went on")
    told = course.end()
    # What the first client's workers were at, and the stopped one's, may have been done meanwhile.
    for _ in range(3):
        if course.client.returncode == 0 and not left_in_inboxes(course.tenants):
            break
        course.begin()
        told = course.end()
    assert course.client.returncode == 0, told


def left_in_inboxes(tenants: Tenants) -> list[Path]:
    return [path for name in tenants.names for path in (tenants.folder / "in" / name).glob("*.csv")]


def most_in_a_second(times: list[int]) -> int:
    times = sorted(times)
    most = start = 0
    for end, moment in enumerate(times):
        while moment - times[start] >= 1000:
            start += 1
        most = max(most, end - start + 1)
    return most


def in_flight_together(tenants: Tenants) -> list[tuple[str, int, int]]:
    """Requests with the same customer of a tenant that were under way at the same time."""
    by_customer: dict[tuple[object, str], list[tuple[int, int]]] = defaultdict(list)
    for one in tenants.box.requests:
        body = json.loads(one.body)
        for customer in body["customers"]:
            end = max(one.ended_ms or one.began_ms, one.over_ms or 0)
            by_customer[body["tenant_id"], customer["email"]].append((one.began_ms, end))
    found = []
    for (_, email), spans in by_customer.items():
        spans.sort()
        found += [(email, b[0], a[1]) for a, b in pairwise(spans) if b[0] < a[1]]
    return found


@pytest.mark.parametrize(
    "night",
    [
        pytest.param(Night(4, 4, workers=2, rate=8, every=(7, 11, 13, 17), ttl=5.0, again=False), id="short"),
        pytest.param(
            Night(20, 10, workers=4, rate=8, every=(31, 29, 43, 37), ttl=12.0, again=True),
            id="200 files",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_a_night_of_faults_kills_stops_and_restarts_ends_as_if_nothing_had_been(
    night: Night, no_settings: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    address = server.database()
    monkeypatch.setenv("NXLINK_JOURNAL", address)
    with many_tenants(no_settings, night.tenants, keep_bodies=True) as tenants:
        settings = tenants.folder / "importer.toml"
        text = settings.read_text().replace("settle = 0\n", f"settle = 2\nrate = {night.rate}\n")
        settings.write_text(text)
        write_files(tenants, night)
        faults = (f"{fault} 'requests=every {n}'" for fault, n in zip(FAULTS, night.every, strict=True))
        tenants.box.misbehave(*faults)
        began = time.monotonic()
        with DaskCluster(tenants.folder, night.workers, ttl=night.ttl, tended=True) as cluster:
            course = Course(tenants, cluster)
            spoil(course, server, night)
        seconds = time.monotonic() - began
        requests = tenants.box.requests
        most = most_in_a_second([one.began_ms for one in requests])
        faulty = sum(bool(one.fault) for one in requests)
        print(
            f"{night.tenants * night.files} files, {len(requests)} requests, {faulty} of them faulty,"
            f" at most {most} in a second, {seconds:.0f} s",
            *course.times,
            sep="\n",
        )
        assert course.story == night.story
        stored = {
            (one.tenant_id, str(one.fields["email"])): str(one.fields["remark"])
            for one in tenants.box.customers()
        }
        assert stored == expected(night)
        assert len(tenants.box.customers()) == len(stored)
        assert most <= night.rate
        assert in_flight_together(tenants) == []
    with Journal.open(address) as journal:
        runs = journal.runs()
        assert {str(run.state) for run in runs} == {"finished"}
        counts = [dict(run.counts) for run in runs]
        assert all(sum(one.values()) == ROWS for one in counts)
        imported = sum(one.get(Status.IMPORTED, 0) for one in counts)
        assert imported == ROWS * night.tenants * night.files
