"""Files started, killed, resumed, retried, pruned in any order: nothing old overwrites anything newer."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from importer.api.answers import Answer, judge, judge_fault
from importer.batching import Batcher
from importer.config import Connection, Secret
from importer.delivery import Policy
from importer.errors import LockedError, UsageError
from importer.journal import Journal
from importer.models import Status, Verdict
from importer.options import RunOptions
from importer.pipeline import flow, run
from importer.pipeline.run import SendTarget
from importer.pipeline.session import Session, SessionSettings
from tests.support.postgres import PostgresServer

SETTLE = 0.12
PEOPLE = 3
HOW = ("ok", "ok", "late", "late", "lost", "never", "9001", "1002", "1005", "kill", "kill-late")
"""What becomes of an attempt: `lost` is carried out and not answered, `late` as late as can be."""

MAY_BE_IN = (Status.IMPORTED, Status.UNKNOWN, Status.REJECTED)
"""What is refused in the end may have come in with an attempt before that nobody answered."""

Row = tuple[int, int]
"""The number of a file, and a row in it."""


class Killed(BaseException):
    """The process is gone."""


class Server:
    """A CRM whose late requests come at the last moment at which anybody has to reckon with them."""

    def __init__(self) -> None:
        self.stored: dict[int, Row] = {}
        self.script: list[str] = []
        self.lane_is_taken = False
        self._late: list[tuple[dict[int, Row], list[tuple[int, Row]], float]] = []

    def attempt(self, body: bytes) -> Verdict:
        assert not self.lane_is_taken
        customers = json.loads(body)["customers"]
        rows = [(int(one["sms_phone"]), _row(one["first_name"])) for one in customers]
        now = time.monotonic()
        for late, order, ended in list(self._late):
            if now >= ended + SETTLE:
                self._late.remove((late, order, ended))
                self.stored.update(order)
                continue
            for person, row in rows:
                assert person not in late or (person, row) in order, f"{row} went out while {order} may come"
        how = self.script.pop(0) if self.script else "ok"
        if how in ("ok", "lost", "kill"):
            self.stored.update(rows)
        if how in ("late", "kill-late"):
            self._late.append((dict(rows), rows, time.monotonic()))
        if how.startswith("kill"):
            raise Killed
        if how in ("lost", "late", "never"):
            return judge_fault("connection-lost", "gone", 0.0)
        code = {"ok": 0}.get(how) if how == "ok" else int(how)
        said = json.dumps({"code": code, "message": "", "data": "", "traceId": "t"})
        return judge(Answer(200, {}, said.encode(), 0.0, time.time()))

    def correct_clock(self, server_time_ms: int) -> int:
        return 0


class Imports(RuleBasedStateMachine):
    """Runs in one folder, one after the other."""

    def __init__(self, place: str = "") -> None:
        """`place`: the address of the journal, if it is no file."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="nxlink-order-"))
        self.place = place or self.folder / "journal.db"
        self.server = Server()
        self.files: list[list[int]] = []
        self.told: dict[Row, Status] = {}
        self.story: list[str] = []
        secret = Secret("secret")
        there = Connection("http://127.0.0.1:9", Secret("key"), secret, "1", "app")
        self.settings = SessionSettings(connection=there, journal=self.place)
        self.options = RunOptions(concurrency=1, settle=SETTLE, wait=0, report_dir=None)
        self.patch = pytest.MonkeyPatch()
        self.patch.chdir(self.folder)
        target = SendTarget(there, self.server)
        self.patch.setattr(Session, "_target", lambda session, plan: target)
        self.patch.setattr(flow, "Batcher", lambda size, *rest, **more: Batcher(2, *rest, **more))
        usual = run.delivery_policy

        def quick(options: RunOptions, connection: Connection) -> Policy:
            return replace(usual(options, connection), attempts=2, first_wait=0.001, longest_wait=0.001)

        self.patch.setattr(run, "delivery_policy", quick)

    @rule(people=st.lists(st.integers(0, PEOPLE - 1), min_size=3, max_size=8), script=st.data())
    def start(self, people: list[int], script: st.DataObject) -> None:
        number = len(self.files)
        # A phone that stands in nearly every row would be no contact.
        people = [one for place, one in enumerate(people) if people[:place].count(one) < 3]
        self.files.append(people)
        with (self.folder / f"{number}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = [[f"{number}:{row}", "x", f"86139417265{38 + one}"] for row, one in enumerate(people, 2)]
            csv.writer(file).writerows([["first_name", "last_name", "sms_phone"], *rows])
        self.story.append(f"start {number} {people}")
        self._go(script, lambda session: session.start(f"{number}.csv", self.options))

    @rule(script=st.data())
    def resume(self, script: st.DataObject) -> None:
        def go(session: Session) -> None:
            if record := session.find_resumable(None):
                session.resume(record, replace(self.options, report_dir=None))

        self.story.append("resume")
        self._go(script, go)

    @precondition(lambda self: self.files)
    @rule(which=st.integers(0, 20), script=st.data())
    def retry(self, which: int, script: st.DataObject) -> None:
        def go(session: Session) -> None:
            runs = session.journal.runs()
            if runs:
                session.retry(runs[which % len(runs)], self.options)

        self.story.append("retry")
        self._go(script, go)

    @precondition(lambda self: self.files)
    @rule(which=st.integers(0, 20))
    def prune(self, which: int) -> None:
        with Journal.open(self.place) as journal:
            runs = journal.runs()
            if runs:
                self.story.append(f"prune {runs[which % len(runs)].path}")
                journal.prune([runs[which % len(runs)].id])

    @rule()
    def find_the_lane_taken(self) -> None:
        """Another run sends: this one does not wait, and sends nothing."""
        with Journal.open(self.place) as journal:
            lanes = {record.destination.lane for record in journal.runs() if record.destination}
            if not lanes:
                return
            ticket = journal.lanes.draw(lanes.pop(), "other.csv")
            assert ticket.take_turn()
            self.server.lane_is_taken = True
            with Session.open(self.settings) as session, pytest.raises(LockedError) as refused:
                session.start("0.csv", self.options)
            assert refused.value.code == "lane-busy"
            self.server.lane_is_taken = False
            ticket.release()

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _go(self, data: st.DataObject, act: object) -> None:
        self.server.script = data.draw(st.lists(st.sampled_from(HOW), min_size=1, max_size=5))
        self.story.append(f"answers {self.server.script}")
        try:
            with Session.open(self.settings) as session:
                act(session)  # type: ignore[operator]
        except (Killed, UsageError):
            pass
        except AssertionError as error:
            raise AssertionError(f"{error}; after {', '.join(self.story)}") from None
        self._note()
        self._check()

    def _note(self) -> None:
        """Remember the best that was ever told of each row."""
        with Journal.open(self.place) as journal:
            for record in journal.runs():
                number = int(Path(record.path).stem)
                rows = np.arange(2, len(self.files[number]) + 2)
                states = journal.row_states(record.id)
                for row, index in zip(rows.tolist(), states.state_indexes("", rows).tolist(), strict=True):
                    said = states.states[index].status or Status.UNKNOWN if index >= 0 else Status.NOT_SENT
                    before = self.told.get((number, row), Status.NOT_SENT)
                    best = (one for one in MAY_BE_IN if one in (said, before))
                    self.told[number, row] = next(best, said)

    def _check(self) -> None:
        """What stands is the latest row that came in, or a later one that may have."""
        for person in range(PEOPLE):
            allowed: set[Row | None] = set()
            for number, row in sorted(self.told, reverse=True):
                if self.files[number][row - 2] != person:
                    continue
                if self.told[number, row] in MAY_BE_IN:
                    allowed.add((number, row))
                if self.told[number, row] is Status.IMPORTED:
                    break
            else:
                allowed.add(None)
            found = self.server.stored.get(8613941726538 + person)
            assert found in allowed, f"{found} stands for {person}, not one of {allowed}; {self.told}"


def _row(name: str) -> Row:
    number, row = name.split(":")
    return int(number), int(row)


def _settings(examples: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=examples,
        stateful_step_count=6,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


@pytest.mark.parametrize("examples", [15, pytest.param(300, marks=pytest.mark.soak)])
def test_nothing_old_overwrites_anything_newer_in_whatever_order_runs_come(examples: int) -> None:
    run_state_machine_as_test(Imports, settings=_settings(examples))


@pytest.mark.extras
def test_nothing_old_overwrites_anything_newer_on_a_journal_that_machines_share(
    monkeypatch: pytest.MonkeyPatch, server: PostgresServer
) -> None:
    # A killed run of this process has nothing on its way.
    monkeypatch.setattr("importer.journal.postgres.PostgresDatabase.signed_for", 0.0)
    run_state_machine_as_test(
        lambda: Imports(server.database()),  # type: ignore[arg-type]  # anything that makes one
        settings=_settings(15),
    )
