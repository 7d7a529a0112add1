"""A job empties an inbox in a bucket or on a file server: every row once, each file in one place."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from importer.config import ConfigFile
from importer.exit_codes import ExitCode
from importer.jobs.config import Job
from importer.journal.job_history import FileFate
from importer.sandbox import Sandbox
from importer.sources import spool
from importer.sources.stores import RemoteStore
from tests.support.forks import Forks, Stage
from tests.support.jobs import HEADER, Bench, Crash, lines
from tests.support.meddling import REFUSALS, meddling_with
from tests.support.stores import STORES, BucketServer, SftpServer, as_toml, sftp_server

pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass
class Far:
    """An inbox far away, as the test sees it."""

    inbox: str
    source: dict[str, Any]
    server: BucketServer | SftpServer

    def put(self, name: str, rows: list[str], header: str = HEADER) -> None:
        body = "\n".join([header, *rows, ""]).encode()
        if not isinstance(self.server, SftpServer):
            self.server.put(f"in/{name}", body)
            return
        path = self.server.folder / "in" / name
        path.write_bytes(body)
        os.utime(path, (3600, 3600))  # long ago

    def names(self) -> dict[str, list[str]]:
        """Which files lie where: in the inbox itself ("") or in one of its folders."""
        if not isinstance(self.server, SftpServer):
            paths = [Path(key).relative_to("in") for key in self.server.stored()]
        else:
            root = self.server.folder / "in"
            paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
        found: dict[str, list[str]] = {}
        for path in sorted(paths):
            found.setdefault(path.parts[0] if len(path.parts) > 1 else "", []).append(path.name)
        return found


@pytest.fixture(params=[*STORES, "sftp"])
def far(
    request: pytest.FixtureRequest, tmp_path: Path, buckets: Callable[[str], BucketServer]
) -> Iterator[Far]:
    if request.param != "sftp":
        server = buckets(request.param)
        for key in server.stored():
            server.delete(key)
        yield Far(f"{server.url}in/", server.table(), server)
        return
    folder = tmp_path / "served"
    (folder / "in").mkdir(parents=True)
    with sftp_server(folder) as running:
        yield Far(f"{running.url}/in/", running.table(tmp_path / "known_hosts"), running)


@dataclass
class FarBench(Bench):
    """A job whose inbox is far away."""

    far: Far | None = None

    def job(self, **more: object) -> Job:
        assert self.far is not None
        from importer.jobs.tables import load_job
        from importer.option_layers import GivenOptions

        table = {"inbox": self.far.inbox, "folder": str(self.inbox), "settle": 0, **self.table, **more}
        if "source" in table or "query" in table:
            del table["inbox"]
        tables = {"job": {"nightly": table}, "source": {"far": self.far.source}}
        job = load_job(ConfigFile(self.root / "importer.toml", tables), "nightly")
        return replace(job, given=job.given.joined(GivenOptions.read({"attempts": self.attempts})))


@pytest.fixture
def bench(tmp_path: Path, box: Sandbox, far: Far) -> FarBench:
    found = FarBench(tmp_path / "root", box, far=far)
    found.inbox.mkdir(parents=True)
    found.table = {"tripwires": {"rows_below": False, "rows_above": False}}
    return found


def crash(bench: FarBench, step: int) -> str:
    bench.crash_at = step
    try:
        bench.round()
    except Crash as died:
        return str(died)
    finally:
        bench.crash_at = None
    return ""


@pytest.mark.parametrize(
    ("far", "count"),
    [
        *(("s3", 50), ("sftp", 50), ("gs", 10), ("az", 10)),
        *(pytest.param(kind, 50, marks=pytest.mark.soak) for kind in ("gs", "az")),
    ],
    indirect=["far"],
)
def test_an_inbox_of_many_files_is_emptied_through_crashes_at_every_step(
    bench: FarBench, far: Far, count: int
) -> None:
    every = [f"c{at:02d}.csv" for at in range(count)]
    for at, name in enumerate(every):
        far.put(name, lines(4, 10 * at))
    died: list[str] = []
    # So many steps that no file has to bear three crashes, after which it would be put away as failed.
    steps = itertools.cycle(range(18, 41))
    while at_step := crash(bench, next(steps)):
        died.append(at_step)
        assert len(died) < 1000
        names = [name for place, found in far.names().items() if place != ".claims" for name in found]
        assert sorted(names) == every, at_step
    for _ in range(2):
        assert bench.round().good
    assert far.names() == {"done": every}
    assert len(bench.emails()) == 4 * count == len(set(bench.emails()))
    if count == 50:
        assert {"noted", "taken", "put-away", "remote-put-away"} <= set(died), set(died)
    with bench.journal() as journal:
        assert not journal.jobs.open_files("nightly")
        done = journal.jobs.with_fate("nightly", FileFate.DONE)
        assert sorted(record.name for record in done) == every


@dataclass
class Dying:
    """The power goes at some uses of one call of a store, before or after it does its work."""

    call: str
    after: bool
    calls: int = 0
    crashes: int = 0
    _system: Any = None

    def of(self, system: Any) -> Dying:
        self._system = system
        return self

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._system, name)
        if name != self.call:
            return found

        def call(*words: Any, **more: Any) -> Any:
            self.calls += 1
            dies = self.calls in (1, 3, 6)
            self.crashes += dies
            if dies and not self.after:
                raise Crash(name)
            result = found(*words, **more)
            if dies:
                raise Crash(name)
            return result

        return call


CALLS = {
    "s3": ("pipe_file", "cp_file", "rm_file", "open"),
    # What a bucket does after a crash is the same code; how it claims and copies is its own.
    "gs": ("pipe_file", "cp_file"),
    "az": ("pipe_file", "cp_file"),
    "sftp": ("makedirs", "mv", "open"),
}


@pytest.mark.parametrize(
    ("far", "call"),
    [(kind, call) for kind, calls in CALLS.items() for call in calls],
    indirect=["far"],
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_call_of_the_store_is_made_good(
    bench: FarBench, far: Far, monkeypatch: pytest.MonkeyPatch, call: str, after: bool
) -> None:
    for at in range(3):
        far.put(f"c{at}.csv", lines(4, 10 * at))
    dying = Dying(call, after=after)
    opened: Any = vars(RemoteStore)["system"].fget
    with monkeypatch.context() as patch:
        patch.setattr(RemoteStore, "system", property(lambda store: dying.of(opened(store))))
        for _ in range(6):
            try:
                bench.round()
            except Crash:
                continue
            break
    assert dying.crashes
    assert bench.round().good
    assert far.names() == {"done": ["c0.csv", "c1.csv", "c2.csv"]}
    assert len(bench.emails()) == 12 == len(set(bench.emails()))


def test_a_file_that_fails_or_is_held_lies_there_in_the_folder_of_its_fate(bench: FarBench, far: Far) -> None:
    far.put("bad.csv", ["b,b"], "a,a")
    far.put("held.csv", lines(4, 100, spoilt=3))
    far.put("good.csv", lines(4, 200))
    far.put("half.csv.part", lines(4, 300))
    assert not bench.round().good
    places = far.names()
    assert places == {
        "": ["half.csv.part"],
        "done": ["good.csv"],
        "failed": ["bad.csv"],
        "held": ["held.csv"],
    }
    assert bench.round(release="held.csv").exit_code is not ExitCode.TRIPWIRE
    assert far.names().get("held") is None
    assert "held.csv" in far.names()["done"] + far.names().get("failed", [])


def test_a_file_of_another_machine_is_left_alone(bench: FarBench, far: Far) -> None:
    far.put("mine.csv", lines(4, 1))
    other = "working/20260101-000000-x.00000000-1/other.csv"
    if not isinstance(far.server, SftpServer):
        far.server.put(f"in/{other}", b"x")
        far.server.put("in/.claims/mine.csv", b"ffffffff")
    else:
        (far.server.folder / "in" / other).parent.mkdir(parents=True)
        (far.server.folder / "in" / other).write_text("x")
    bench.round()
    assert far.names()["working"] == ["other.csv"]
    claimed = not isinstance(far.server, SftpServer)
    assert far.names().get("") == (["mine.csv"] if claimed else None)


def test_a_file_taken_by_a_journal_that_was_lost_goes_back(bench: FarBench, far: Far) -> None:
    far.put("c.csv", lines(4, 1))
    for step in range(40):
        if crash(bench, step) == "taken":
            break
    for path in (*bench.state.rglob("*"), *bench.inbox.rglob("*")):
        if path.is_file():
            path.unlink()
    assert bench.round().good
    assert far.names() == {"done": ["c.csv"]}
    assert len(bench.emails()) == 4


def test_files_that_stay_are_imported_once(bench: FarBench, far: Far) -> None:
    far.put("c.csv", lines(4, 1))
    for _ in range(2):
        assert bench.round(afterwards="keep").good
    assert far.names() == {"": ["c.csv"]}
    single = far.inbox + "c.csv"
    assert bench.round(source=single).good
    assert len(bench.emails()) == 4
    assert not [path for path in spool.spool_folder().rglob("*") if path.is_file()]


def test_files_that_stay_are_fetched_again_only_when_they_have_changed(
    bench: FarBench, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    pieces = RemoteStore.pieces

    def counted(store: RemoteStore, path: str, *more: Any) -> Iterator[bytes]:
        fetched.append(path.rpartition("/")[2])
        return pieces(store, path, *more)

    monkeypatch.setattr(RemoteStore, "pieces", counted)

    def fetched_in(**more: str) -> list[str]:
        fetched.clear()
        assert bench.round(None, **more).good
        return sorted(fetched)

    keep = {"afterwards": "keep"}
    for at, name in enumerate(("c.csv", "d.csv")):
        far.put(name, lines(4, 1 + 10 * at))
    assert fetched_in(**keep) == ["c.csv", "d.csv"]
    assert fetched_in(**keep) == fetched_in(**keep) == []
    far.put("d.csv", lines(4, 30))  # as large as before, and on a file server as old
    if isinstance(far.server, SftpServer):
        os.utime(far.server.folder / "in" / "d.csv", (7200, 7200))
    assert fetched_in(**keep) == ["d.csv"]
    assert fetched_in(**keep) == []
    (copy,) = (bench.inbox / "done").rglob("c.csv")
    copy.write_text("somebody's own")
    assert fetched_in(**keep) == ["c.csv"]
    shutil.rmtree(bench.inbox / "done")
    assert fetched_in(**keep) == ["c.csv", "d.csv"]
    assert len(bench.emails()) == 12
    far.put("e.csv", lines(4, 50))
    single = {"source": f"{far.inbox}e.csv"}
    assert fetched_in(**single) == ["e.csv"]
    assert fetched_in(**single) == []
    far.put("e.csv", lines(5, 50))
    assert fetched_in(**single) == ["e.csv"]
    assert len(bench.emails()) == 17


def test_a_pattern_takes_what_it_fits(bench: FarBench, far: Far) -> None:
    names = ["a 12.csv", "a [1]?.csv"]  # the second, were it a pattern, would fit the first
    far.put(names[0], lines(4, 1))
    far.put(names[1], lines(4, 20))
    far.put("b.txt", lines(4, 10))
    assert bench.round(source=f"{far.inbox}*.csv").good
    assert far.names() == {"": ["b.txt"], "done": names}
    assert len(bench.emails()) == 8


# Google's library tries for half a minute before it says so.
@pytest.mark.parametrize("far", ["s3", "az", "sftp"], indirect=True)
def test_an_inbox_that_is_away_is_told_and_loses_nothing(
    bench: FarBench, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.put("c.csv", lines(4, 1))
    monkeypatch.setattr("importer.sources.stores.MOST_FAILURES", 1)
    right = dict(far.source)
    far.source |= {"endpoint": "http://127.0.0.1:1", "known_hosts": "/dev/null"}
    report = bench.round()
    assert report.code in ("source-away", "source-host-key")
    assert report.exit_code in (ExitCode.AWAY, ExitCode.REFUSED)
    far.source.clear()
    far.source.update(right)
    assert bench.round().good
    assert far.names() == {"done": ["c.csv"]}


@pytest.mark.parametrize("far", STORES, indirect=True)
def test_an_inbox_that_may_only_be_read_is_told_and_loses_nothing(bench: FarBench, far: Far) -> None:
    far.put("c.csv", lines(4, 1))
    right = far.source["endpoint"]
    with meddling_with(right) as meddler:
        far.source["endpoint"] = meddler.url
        meddler.refusal, meddler.refused = REFUSALS[far.inbox[:2]], ("PUT", "POST", "DELETE")
        report = bench.round()
        assert (report.exit_code, report.code) == (ExitCode.REFUSED, "source-rights"), report
        assert far.names() == {"": ["c.csv"]}
        meddler.refusal = None
        assert bench.round().good
    assert far.names() == {"done": ["c.csv"]}
    assert len(bench.emails()) == 4


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    running = Forks(("s3fs", "sshfs"))
    yield running
    running.close()


@pytest.mark.parametrize(
    "far",
    ["s3", "sftp", *(pytest.param(kind, marks=pytest.mark.soak) for kind in ("gs", "az"))],
    indirect=True,
)
def test_processes_that_are_killed_leave_each_file_in_one_place(
    far: Far, box: Sandbox, tmp_path: Path, forks: Forks
) -> None:
    for at in range(6):
        far.put(f"c{at}.csv", lines(4, 10 * at))
    (tmp_path / "importer.toml").write_text(
        f'{as_toml(far.source)}\n[job.nightly]\ninbox = "{far.inbox}"\nsettle = 0\n'
        "[job.nightly.tripwires]\nrows_below = false\nrows_above = false\n"
    )
    stage = Stage(tmp_path, forks, box)
    for _ in range(8):
        before = far.names()
        round_ = stage.begin("job", "run", "nightly")
        until = time.monotonic() + 60
        while round_.alive and far.names() == before and time.monotonic() < until:
            time.sleep(0.005)
        round_.kill()
        forks.wait(round_.pid, 60)
    for _ in range(2):
        code = stage.begin("job", "run", "nightly").wait()
    assert code == 0
    assert far.names() == {"done": [f"c{at}.csv" for at in range(6)]}
    emails = [customer.fields["email"] for customer in box.customers()]
    assert len(emails) == 24 == len(set(emails))
