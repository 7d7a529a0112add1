"""What is handed to a worker, and what its answers mean, without an engine."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest

from importer import __version__
from importer.cluster import worker
from importer.cluster.engine import Distribution, connected
from importer.cluster.files import FileOutcome, FileTask, carry_out, failed
from importer.errors import SettingsError
from importer.options import RunOptions

TASK = FileTask(0, "/data/a.csv", "20260101-000000-aaaa", RunOptions(), "/state/journal.db")


class Future:
    """What the engine says of a task: its outcome, or what was raised."""

    key = "import a.csv"

    def __init__(self, found: object) -> None:
        self._found = found

    def result(self) -> object:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found

    def done(self) -> bool:
        return True

    def cancelled(self) -> bool:
        return False

    def add_done_callback(self, call: object) -> None: ...


class Client:
    """Takes down what is handed in."""

    def __init__(self) -> None:
        self.handed: list[tuple[Any, ...]] = []

    def submit(self, *words: Any, **more: Any) -> Future:
        self.handed.append(words)
        return Future(None)


def distribution(client: Client) -> Distribution[FileTask, FileOutcome]:
    work = Distribution(
        client,
        carry_out,
        lost=lambda task, why, begun: failed(task, why, begun=begun),
        is_busy=lambda outcome: outcome.busy,
        busy_seconds=1.0,
        stop_reason=lambda: None,
    )
    work._tasks, work._group = [TASK], "group"
    return work


def test_who_reads_what_is_handed_to_a_worker_imports_nothing_of_the_importer_but_how_to_begin() -> None:
    # Scheduler and workers read it in the loop that says that they are alive: imports would take seconds.
    client = Client()
    distribution(client)._submit(0, carry_out)
    program = "import pickle, sys; pickle.load(sys.stdin.buffer); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(client.handed[0]),
        stdout=subprocess.PIPE,
        check=True,
    )
    known = {"importer", "importer.cluster", "importer.cluster.worker"}
    heavy = {"numpy", "pandas", "pyarrow", "pydantic", "requests", "distributed"}
    loaded = set(done.stdout.decode().split())
    assert {name for name in loaded if name.partition(".")[0] == "importer"} == known
    assert not loaded & heavy


def test_a_worker_of_another_version_does_not_even_read_the_task() -> None:
    assert worker.work("0.0.1", "nothing:there", b"no pickle", "group") == worker.OtherVersion(__version__)


@pytest.mark.parametrize(
    ("found", "code", "exit_code", "begun"),
    [
        (ImportError("No module named 'pyarrow'"), "cluster-worker-lacks", 4, True),
        (ChildProcessError("killed"), "cluster-task-lost", 5, True),
        (worker.OtherVersion("0.0.1"), "cluster-other-version", 4, True),
        (worker.NotBegun(), "terminated", 143, False),
    ],
)
def test_what_kept_a_worker_from_a_task_is_its_outcome(
    found: object, code: str, exit_code: int, begun: bool
) -> None:
    outcome = distribution(Client())._outcome(0, Future(found), None)
    assert (outcome.code, int(outcome.exit_code), outcome.begun) == (code, exit_code, begun)
    assert outcome.message


def test_of_what_may_have_begun_nothing_is_taken_back() -> None:
    class Handed(Future):
        def __init__(self, key: str) -> None:
            super().__init__(None)
            self.key = key
            self.taken_back = False

        def cancel(self) -> None:
            self.taken_back = True

    class Scheduler(Client):
        is_there = True

        def processing(self) -> dict[str, list[str]]:
            if not self.is_there:
                raise OSError
            return {"worker": ["at work"]}

        def who_has(self, futures: list[Handed]) -> dict[str, list[str]]:
            return {one.key: ["worker"] if one.key == "over" else [] for one in futures}

    client = Scheduler()
    work = distribution(client)
    work._at_work = {place: Handed(key) for place, key in enumerate(("at work", "over", "on its way"))}
    client.is_there = False
    work._give_up()
    assert [one.taken_back for one in work._at_work.values()] == [False, False, False]
    client.is_there = True
    work._give_up()
    assert [one.taken_back for one in work._at_work.values()] == [False, False, True]


def test_a_machine_without_the_engine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(SettingsError) as error, connected("tcp://127.0.0.1:1", 1):
        pass
    assert (error.value.code, int(error.value.exit_code)) == ("cluster-engine-missing", 4)
