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
TTL = 12.0
"""Seconds after which the cluster takes a worker for gone."""
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


def wait_for(what: Callable[[], bool], client: subprocess.Popen[bytes]) -> bool:
    """Until something has happened, or the client has ended. Returns whether it has happened."""
    deadline = time.monotonic() + 400
    while not what():
        if client.poll() is not None:
            return False
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return True


def spoil(tenants: Tenants, cluster: DaskCluster, server: PostgresServer, night: Night) -> list[str]:
    """Let a night take its course, and everything go wrong meanwhile. Return what happened."""
    story: list[str] = []
    total = night.tenants * night.files
    words = ("job", "run", "--all", "--cluster", cluster.address)
    client = tenants.begin(*words)

    def reached(share: float) -> bool:
        return wait_for(lambda: len(tenants.box.requests) >= share * total, client)

    if reached(0.05):
        cluster.kill_worker(0)
        story.append("worker killed")
    if reached(0.15):
        server.restart()
        story.append("database restarted")
    stopped = cluster.workers[0]
    if reached(0.25):
        stopped.send_signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        story.append("worker stopped")
    if reached(0.4):
        client.kill()
        client.communicate()
        story.append("client killed")
        client = tenants.begin(*words)
    if reached(0.55):
        cluster.kill_worker(len(cluster.workers) - 1)
        story.append("worker killed")
    if reached(0.65):
        server.restart()
        story.append("database restarted")
    time.sleep(max(0.0, stopped_at + 2 * TTL - time.monotonic()))
    stopped.send_signal(signal.SIGCONT)
    story.append("worker went on")
    _, told = client.communicate(timeout=500)
    # What the first client's workers were at, and the stopped one's, may have been done meanwhile.
    for _ in range(3):
        if client.returncode == 0 and not left_in_inboxes(tenants):
            break
        client = tenants.begin(*words)
        _, told = client.communicate(timeout=300)
    assert client.returncode == 0, told.decode()
    return story


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
        pytest.param(Night(4, 4, workers=2, rate=8, every=(7, 11, 13, 17)), id="short"),
        pytest.param(
            Night(20, 10, workers=4, rate=8, every=(31, 29, 43, 37)), id="200 files", marks=pytest.mark.soak
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
        with DaskCluster(tenants.folder, night.workers, ttl=TTL) as cluster:
            story = spoil(tenants, cluster, server, night)
        seconds = time.monotonic() - began
        requests = tenants.box.requests
        most = most_in_a_second([one.began_ms for one in requests])
        faulty = sum(bool(one.fault) for one in requests)
        print(
            f"{night.tenants * night.files} files, {len(requests)} requests, {faulty} of them faulty,"
            f" at most {most} in a second, {seconds:.0f} s; {', '.join(story)}"
        )
        assert story == [
            *("worker killed", "database restarted", "worker stopped", "client killed"),
            *("worker killed", "database restarted", "worker went on"),
        ]
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
