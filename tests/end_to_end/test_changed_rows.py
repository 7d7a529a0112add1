"""`--changed-only`: fewer rows are sent, and the CRM holds what it would hold if all were."""

from __future__ import annotations

import contextlib
import csv
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from importer.config import Profile
from importer.delivery import Policy
from importer.exit_codes import ExitCode
from importer.jobs.config import JobEnvironment
from importer.jobs.preview import preview
from importer.jobs.results import RoundReport
from importer.journal import Journal, RunState
from importer.losses import add_loss
from importer.models import Note, Status
from importer.options import RunOptions
from importer.pipeline.retry import rows_left
from importer.pipeline.session import Session, SessionSettings, retry_options
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary, use
from tests.support.jobs import Bench, Crash, lines

HEADER = ["first_name", "last_name", "sms_phone", "email", "city"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait as long as they would, but in no time."""
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))


def write(path: Path, rows: list[list[str]], header: list[str] | None = None) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header or HEADER[:3], *rows])
    return path


def people(count: int, **changed: str) -> list[list[str]]:
    """`changed`: first names by the number of the person, as in P3="New"."""
    return [[changed.get(f"P{n}", f"P{n}"), "Li", f"86138{n:08}"] for n in range(count)]


def codes(folder: Path) -> dict[str, tuple[str, str]]:
    return {row["_row"]: (row["_status"], row["_code"]) for row in results(folder)}


def sent(folder: Path) -> list[str]:
    """The rows that were not left out as unchanged."""
    return [row for row, (_, code) in codes(folder).items() if code != "unchanged"]


def test_only_new_and_changed_rows_are_sent(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "a.csv", "--yes", "--changed-only", "--report-dir")
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        write(work / "a.csv", people(5))
        assert importer(*run, "first").code == 0
        assert len(sent(work / "first")) == 5
        write(work / "a.csv", people(6, P3="New"))
        dry = importer("validate", "a.csv", "--changed-only", "--report-dir", "dry")
        assert dry.code == 0
        assert "1 row is new, 1 has changed and 4 have not" in dry.out
        assert [row["_row"] for row in results(work / "dry") if row["_status"] == "valid"] == ["5", "7"]
        requests = len(box.requests)
        found = importer(*run, "second")
        assert found.code == 0
        assert "1 row is new, 1 has changed and 4 have not" in found.out
        assert sent(work / "second") == ["5", "7"]
        assert codes(work / "second")["2"] == ("skipped", "unchanged")
        assert len(box.requests) == requests + 1
        importer(*run, "third")
        assert sent(work / "third") == []
        importer("report", summary(work / "second")["run"], "--report-dir", "drawn")
        assert codes(work / "drawn") == codes(work / "second")
        assert {str(one.fields["first_name"]) for one in box.customers()} == {
            "P0",
            "P1",
            "P2",
            "New",
            "P4",
            "P5",
        }


def test_mode_and_fields_count(importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ("run", "a.csv", "--yes", "--changed-only", "--report-dir")
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        write(work / "a.csv", people(3))
        importer(*run, "r1")
        importer(*run, "r2", "--mode", "replace")
        assert len(sent(work / "r2")) == 3
        importer(*run, "r3", "--mode", "replace")
        assert sent(work / "r3") == []
        write(work / "a.csv", [[*row, "x@y.example", ""] for row in people(3)], HEADER)
        importer(*run, "r4", "--mode", "replace")
        assert len(sent(work / "r4")) == 3


def test_what_nobody_knows_is_sent_again(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "a.csv", "--yes", "--changed-only", "--concurrency", "1", "--report-dir")
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        write(work / "a.csv", people(3))
        importer(*run, "r1")
        write(work / "a.csv", people(3, P1="New"))
        box.misbehave("lost")
        assert importer(*run, "r2").code == 1
        write(work / "a.csv", people(3))
        box.misbehave("code code=9001")
        importer(*run, "r3")
        assert sent(work / "r3") == ["3"]
        box.misbehave()
        importer(*run, "r4")
        assert sent(work / "r4") == ["3"]
        importer(*run, "r5")
        assert sent(work / "r5") == []
        write(work / "a.csv", people(3, P2="Else"))
        importer("run", "a.csv", "--yes")  # without the option
        write(work / "a.csv", people(3))
        importer(*run, "r6")
        assert sent(work / "r6") == ["4"]


def test_once_a_row_of_a_customer_goes_the_later_ones_go(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "a.csv", "--yes", "--changed-only", "--report-dir")
    one, two = ["One", "Li", "8613800000000"], ["Two", "Li", "8613800000000"]
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        write(work / "a.csv", [one, two, *people(3)[1:]])
        importer(*run, "r1")
        importer(*run, "r2")
        assert sent(work / "r2") == ["2", "3"]
        write(work / "a.csv", [two, *people(3)[1:]])
        importer(*run, "r3")
        assert sent(work / "r3") == []
        write(work / "a.csv", [two, one, *people(3)[1:]])
        importer(*run, "r4")
        assert sent(work / "r4") == ["3"]


def test_a_resumed_run_compares_with_what_it_sent_itself(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "a.csv", "--yes", "--changed-only", "--concurrency", "1", "--report-dir")
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        write(work / "a.csv", people(250))
        importer(*run, "r1")
        everybody = {f"P{n}": f"Q{n}" for n in range(0, 250, 2)}
        write(work / "a.csv", people(250, **everybody))
        box.misbehave("code code=1005 requests=2-")
        assert importer(*run, "r2").code == 4
        box.misbehave()
        requests = len(box.requests)
        assert importer("resume").code == 0
        assert len(box.requests) == requests + 1
        assert len(sent(work / "r2")) == 125
        assert {str(one.fields["first_name"])[0] for one in box.customers()} == {"P", "Q"}
        importer(*run, "r3")
        assert sent(work / "r3") == []


def test_a_job_sends_everything_from_time_to_time(tmp_path: Path, box: Sandbox) -> None:
    bench = Bench(tmp_path, box)
    bench.inbox.mkdir()
    told = []
    for night in range(8):
        bench.drop(f"n{night}.csv", [*lines(3), f"Extra{night},Li,8613900000000,e@x.example,"])
        (file,) = bench.round(changed_only=True, full_every="3d").files
        told.append({status.value: rows for status, rows in file.counts.items() if rows})
    full, few = {"imported": 4}, {"imported": 1, "skipped": 3}
    assert told == [full, few, few, full, few, few, full, few]


class _Nights:
    """A table of customers that changes from night to night, and two CRMs that get it."""

    def __init__(self, seed: int, count: int, folder: Path, rate_of_shared: float) -> None:
        """`rate_of_shared`: the share of changes that give a row another one's mailbox, and of those that
        repeat a customer in another row."""
        self.chance = random.Random(seed)
        self.rate_of_shared = rate_of_shared
        self.folder = folder
        self.rows = [self._person(number) for number in range(count)]
        self._next = count
        self.requests = {True: 0, False: 0}

    def _person(self, number: int) -> list[str]:
        mail = f"c{number}@x.example" if self.chance.random() < 0.7 else ""
        return [f"P{number}", "Li", f"86138{number:08}", mail, self.chance.choice(("Graz", "Linz", ""))]

    def change(self) -> None:
        chance, rows = self.chance, self.rows
        for _ in range(chance.randint(0, max(len(rows) // 50, 2))):
            row = chance.choice(rows)
            kind = chance.random()
            if kind < 0.6 - 2 * self.rate_of_shared:
                row[4] = chance.choice(("Graz", "Linz", "Wien", ""))
            elif kind < 0.6 - self.rate_of_shared:
                row[3] = chance.choice(rows)[3]  # a mailbox that another one has, too
            elif kind < 0.6:
                rows.insert(chance.randrange(len(rows)), [f"{row[0]}b", *row[1:]])
            elif kind < 0.8 and len(rows) > 5:
                rows.remove(row)
            elif kind < 0.9:
                rows.append(self._person(self._next))
                self._next += 1
            else:
                rows.remove(row)
                rows.insert(chance.randrange(len(rows) + 1), row)

    def send(self, name: str, box: Sandbox, faults: Sequence[str], *, changed_only: bool) -> None:
        """Send the table as it is; what faults have left goes once more, as people do it, and then all again:
        else the CRM would have got something else on the way."""
        path = write(self.folder / f"n{name}.csv", self.rows, HEADER)
        box.misbehave(*faults)
        before = len(box.requests)
        settings = SessionSettings(connection=box.connection, journal=self.folder / f"{changed_only}.db")
        options = RunOptions(changed_only=changed_only, concurrency=3, settle=0, attempts=2, patience=0)
        with Session.open(settings) as session:
            for again in range(2 if faults else 1):
                folder = self.folder / f"r{name}-{changed_only}-{again}"
                session.start(path, replace(options, report_dir=folder))
                box.misbehave()
                self._rest(session, folder)
                shutil.rmtree(folder)
        path.unlink()
        self.requests[changed_only] += len(box.requests) - before

    def _rest(self, session: Session, folder: Path) -> None:
        record = session.journal.runs(1)[0]
        if record.state is RunState.STOPPED:
            session.resume(record)
        elif rows_left(record, rejected=True):
            rest = replace(retry_options(record), report_dir=folder / "retry", rejected=True)
            session.retry(record, rest)


FAULTS = (
    ("lost requests={first} times=2",),
    ("code code=9001 requests={first}-",),
    ("code code=1002 rows.city=Wien",),
    ("code code=1005 requests={first}-",),
    ("truncated requests={first}-", "reset requests=1"),
)
"""Nobody knows, failed, refused for a row, credentials refused (the run stops), cut off."""


def nights(
    seed: int, count: int, folder: Path, times: int, every: int = 1, rate_of_shared: float = 0.1
) -> dict[bool, int]:
    """Send a changing table night after night, all of it to one CRM, what has changed to another one. Compare
    what they hold after every so many nights. Returns the requests of both."""
    scene = _Nights(seed, count, folder, rate_of_shared)
    with Sandbox() as full, Sandbox() as few:
        for night in range(times):
            scene.change()
            faults = scene.chance.choice(FAULTS) if night % 5 == 1 else ()
            first = scene.chance.randint(1, 3)
            scene.send(str(night), full, (), changed_only=False)
            scene.send(str(night), few, [one.format(first=first) for one in faults], changed_only=True)
            if (night + 1) % every and night + 1 < times:
                continue
            held = [
                sorted(
                    (tuple(sorted((name, str(value)) for name, value in one.fields.items())))
                    for one in box.customers()
                )
                for box in (full, few)
            ]
            assert held[0] == held[1], f"seed {seed}, night {night}, {faults}"
    return scene.requests


@pytest.mark.parametrize("seed", range(3))
def test_the_crm_holds_what_it_would_if_all_were_sent(seed: int, tmp_path: Path) -> None:
    nights(seed, 60, tmp_path, 12)


def test_nights_on_which_nothing_goes_wrong_take_fewer_requests(tmp_path: Path) -> None:
    scene = _Nights(1, 2000, tmp_path, rate_of_shared=0.0)
    with Sandbox() as full, Sandbox() as few:
        for night in range(5):
            scene.change()
            scene.send(str(night), full, (), changed_only=False)
            scene.send(str(night), few, (), changed_only=True)
    assert scene.requests[False] == 100
    assert scene.requests[True] <= 20 + 4


def test_what_one_destination_holds_says_nothing_of_another(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", people(5))
    journal = tmp_path / "journal.db"
    with Sandbox() as one, Sandbox() as other:
        for box, folder in ((one, "r1"), (other, "r2"), (one, "r3")):
            options = RunOptions(changed_only=True, report_dir=tmp_path / folder)
            with Session.open(SessionSettings(connection=box.connection, journal=journal)) as session:
                session.start(path, options)
        assert [len(sent(tmp_path / folder)) for folder in ("r1", "r2", "r3")] == [5, 5, 0]
        assert len(other.customers()) == 5


@pytest.mark.soak
def test_a_year_of_nights(tmp_path: Path) -> None:
    requests = nights(7, 5000, tmp_path, 365, every=5, rate_of_shared=0.002)
    print(f"365 nights: {requests[False]} requests for everything, {requests[True]} for what has changed")
    assert 10 * requests[True] < requests[False]


def test_the_tag_of_a_run_does_not_count(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "a.csv", "--yes", "--changed-only", "--report-dir")
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        write(work / "a.csv", [["Ann", "Li", "8613800000001", "VIP"]], [*HEADER[:3], "tags"])
        importer(*run, "r1", "--tag", "monday")
        importer(*run, "r2", "--tag", "tuesday")
        assert sent(work / "r2") == []
        assert [one.fields["tagStr"] for one in box.customers()] == ["VIP,monday"]


def test_a_journal_that_has_lost_something_calls_nothing_unchanged(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "a.csv", "--yes", "--changed-only", "--report-dir")
    with Sandbox() as box:
        use(monkeypatch, box.connection)
        write(work / "a.csv", people(3))
        importer(*run, "r1")
        with Journal.open() as journal:
            add_loss(journal.path, Note("journal-moved-aside", (("path", "elsewhere"),)))
        found = importer(*run, "r2")
        assert len(sent(work / "r2")) == 3
        assert "the journal has lost entries" in found.out
        importer("runs", "acknowledge")
        importer(*run, "r3")
        assert len(sent(work / "r3")) == 3
        importer(*run, "r4")
        assert sent(work / "r4") == []


def test_rows_that_have_not_changed_are_not_among_those_that_would_be_sent(
    tmp_path: Path, box: Sandbox
) -> None:
    bench = Bench(tmp_path, box, table={"changed_only": True, "tripwires": {"max_rows": 10}})
    bench.inbox.mkdir()
    bench.drop("n0.csv", lines(30))
    assert bench.round(tripwires={}).exit_code == 0
    bench.drop("n1.csv", [*lines(30), *lines(5, first=100)])
    with bench.journal() as journal:
        options = bench.job().options_with(Profile(), "en")
        around = JobEnvironment(bench.clock.read, bench.clock.sleep)
        (seen,) = preview(bench.job(), journal, box.connection, options, around)
    assert (seen.fate, seen.rows, seen.to_send) == ("import", 35, 5)
    (file,) = bench.round().files
    assert {status.value: rows for status, rows in file.counts.items() if rows} == {
        "imported": 5,
        "skipped": 30,
    }
    bench.drop("n2.csv", [*lines(30), *lines(20, first=200)])
    assert bench.round().exit_code == ExitCode.TRIPWIRE


def test_a_round_that_breaks_off_has_not_sent_everything(tmp_path: Path, box: Sandbox) -> None:
    bench = Bench(tmp_path, box, table={"changed_only": True, "full_every": "7d"})
    bench.inbox.mkdir()

    def drop(night: int) -> None:
        for name, first in (("a", 1), ("b", 11), ("c", 21)):
            extra = f"Extra{night},Li,86139{first:08},{name}@x.example,"
            bench.drop(f"{name}{night}.csv", [*lines(3, first), extra])

    def imported(rounds: RoundReport) -> list[int]:
        return [file.counts[Status.IMPORTED] for file in rounds.files]

    drop(0)
    bench.crash_at = next(
        step for step, name in enumerate(steps_of_first_file(tmp_path, box)) if name == "settled"
    )
    with contextlib.suppress(Crash):
        bench.round()
    bench.crash_at = None
    assert imported(bench.round()) == [4, 4]
    drop(1)
    assert imported(bench.round()) == [1, 1, 1]


def steps_of_first_file(tmp_path: Path, box: Sandbox) -> list[str]:
    """The steps of a round with one such file, which goes somewhere else."""
    with Sandbox() as other:
        bench = Bench(tmp_path / "other", other, table={"changed_only": True, "full_every": "7d"})
        bench.inbox.mkdir(parents=True)
        bench.drop("a0.csv", [*lines(3), "Extra0,Li,8613900000001,a@x.example,"])
        bench.round()
        return bench.steps


def test_a_file_that_was_held_when_everything_was_due_goes_as_a_whole_when_it_is_released(
    tmp_path: Path, box: Sandbox
) -> None:
    bench = Bench(tmp_path, box, table={"changed_only": True, "full_every": "3d"})
    bench.inbox.mkdir()
    for night in range(3):
        bench.drop(f"n{night}.csv", [*lines(3), f"Extra{night},Li,8613900000001,e@x.example,"])
        bench.round()
    bench.drop("held.csv", [*lines(3), "Held,Li,8613900000001,e@x.example,"])
    bench.drop("other.csv", [*lines(3), "Other,Li,8613900000001,e@x.example,"])
    report = bench.round(tripwires={"max_rows": 3})
    assert [file.fate.value for file in report.files] == ["held", "held"]
    bench.round(release="other.csv")
    (file,) = bench.round(release="held.csv").files
    assert file.counts[Status.IMPORTED] == 4
