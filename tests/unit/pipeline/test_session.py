"""A session starts, resumes, retries and redraws runs; observers see every event and answer questions."""

from __future__ import annotations

import csv
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from importer import ImporterError, RunOptions, Status, import_file
from importer.api.client import Client
from importer.config import Profile
from importer.delivery import BatchFinished, DeliveryEvent, Policy
from importer.errors import InputError, SettingsError, TripwireError, UnknownRunError, UsageError
from importer.exit_codes import ExitCode
from importer.journal import RunKind, RunState
from importer.pipeline.events import (
    MappingQuestion,
    ObserverGroup,
    PlanReady,
    Progress,
    RunEnded,
    RunEvent,
    RunObserver,
    RunStarted,
    as_observer,
)
from importer.pipeline.plan import RunPlan
from importer.pipeline.precheck import PrecheckResult
from importer.pipeline.run import StopToken
from importer.pipeline.session import Session, SessionSettings
from importer.reports import Tally
from importer.sandbox import Sandbox

HEADER = ["first_name", "last_name", "email"]


def customers(path: Path, count: int, *, invalid: int = 0, header: list[str] = HEADER) -> Path:
    """A CSV file with so many customers, the first `invalid` of them without a first name."""
    rows = [["" if row < invalid else f"Ann{row}", "Lee", f"ann{row}@example.com"] for row in range(count)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


class Recorder(RunObserver):
    """Keeps the names of events, and the answers that it gives."""

    def __init__(self, *, confirms: bool = True, mapping: str | None = None) -> None:
        self.seen: list[str] = []
        self.asked: list[bool] = []
        self.questions: list[MappingQuestion] = []
        self._confirms = confirms
        self._mapping = mapping

    def on_event(self, event: object) -> None:
        self.seen.append(type(event).__name__)

    def confirm_start(self, plan: RunPlan, *, sends: bool) -> bool:
        self.asked.append(sends)
        return self._confirms

    def choose_mapping(self, question: MappingQuestion) -> str | None:
        self.questions.append(question)
        return self._mapping


class Stops(RunObserver):
    """Stops as soon as a batch is through."""

    def __init__(self, stopper: StopToken) -> None:
        self._stopper = stopper

    def on_batch_finished(self, event: BatchFinished) -> None:
        self._stopper.stop(ImporterError("interrupted"))


@pytest.fixture
def options(work: Path) -> RunOptions:
    """One worker, so that the order of requests is that of the file."""
    return RunOptions(concurrency=1)


@pytest.fixture
def settings(box: Sandbox) -> SessionSettings:
    """Sends to the sandbox."""
    return SessionSettings(connection=box.connection)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come without waiting."""
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))


def test_start_imports_and_tells_in_order(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    observer = Recorder()
    with Session.open(settings, observer=observer) as session:
        result = session.start(customers(work / "a.csv", 3), options)
    assert result is not None
    assert result.summary.counts[Status.IMPORTED] == len(box.customers()) == 3
    assert observer.seen[:2] == ["PlanReady", "RunStarted"]
    assert observer.seen[-1] == "RunEnded"
    assert {"Attempted", "BatchFinished", "Progress"} <= set(observer.seen)
    assert observer.asked == [True]


def test_a_dry_run_sends_nothing_and_says_so_to_who_confirms(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    observer = Recorder()
    with Session.open(settings, observer=observer) as session:
        result = session.start(customers(work / "a.csv", 3), replace(options, dry_run=True))
    assert result is not None
    assert result.summary.counts[Status.VALID] == 3
    assert observer.asked == [False]
    assert box.requests == ()


def test_whoever_does_not_confirm_gets_no_run(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    observer = Recorder(confirms=False)
    with Session.open(settings, observer=observer) as session:
        assert session.start(customers(work / "a.csv", 3), options) is None
        assert session.journal.runs() == ()
    assert box.requests == ()
    assert observer.seen == ["PlanReady"]


def test_import_file_says_that_nobody_confirmed(box: Sandbox, work: Path) -> None:
    file = customers(work / "a.csv", 1)
    with pytest.raises(UsageError) as raised:
        import_file(file, connection=box.connection, observer=Recorder(confirms=False))
    assert raised.value.code == "not-confirmed"


def test_a_function_as_observer_gets_the_events_of_the_run(box: Sandbox, work: Path) -> None:
    seen: list[object] = []
    import_file(customers(work / "a.csv", 2), connection=box.connection, observer=seen.append)
    assert isinstance(seen[0], RunStarted)
    assert isinstance(seen[-1], RunEnded)
    assert not any(isinstance(event, PlanReady) for event in seen)


def test_an_observer_of_each_file_takes_the_place_of_the_sessions(
    settings: SessionSettings, options: RunOptions, work: Path
) -> None:
    of_session, of_file = Recorder(), Recorder()
    with Session.open(settings, observer=of_session) as session:
        session.start(customers(work / "a.csv", 1), options, observer=of_file)
    assert of_session.seen == []
    assert of_file.seen[-1] == "RunEnded"


def test_a_mapping_is_asked_for_only_if_none_fits(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    strange = customers(work / "a.csv", 2, header=["Rufname", "Sippe", "Briefkasten"])
    (work / "m.toml").write_text(
        '[fields]\nfirst_name.from = "Rufname"\nlast_name.from = "Sippe"\nemail.from = "Briefkasten"\n',
        "utf-8",
    )
    silent, knowing = Recorder(), Recorder(mapping=str(work / "m.toml"))
    with Session.open(settings, observer=silent) as session:
        with pytest.raises(ImporterError) as raised:
            session.start(strange, options)
        assert silent.questions[0].error is raised.value
        session.start(strange, options, observer=knowing)
    assert len(box.customers()) == 2


def test_a_stopped_run_is_resumed(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    stopper = StopToken()
    with Session.open(settings, observer=Stops(stopper), stopper=stopper) as session:
        result = session.start(customers(work / "a.csv", 3_000), options)
        assert result is not None
        assert result.summary.counts[Status.NOT_SENT]
    with Session.open(settings) as session:
        record = session.find_resumable(None)
        assert record is not None
        assert record.state is RunState.STOPPED
        resumed = session.resume(record)
        assert session.find_resumable(None) is None
    assert resumed.summary.run_id == result.summary.run_id
    assert resumed.summary.counts[Status.IMPORTED] == len(box.customers()) == 3_000


def test_retry_sends_what_is_left_as_a_run_of_its_own(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    box.misbehave("code code=9001 requests=1-")
    with Session.open(settings) as session:
        first = session.start(customers(work / "a.csv", 3), replace(options, attempts=1))
        assert first is not None
        assert first.summary.counts[Status.FAILED] == 3
        box.misbehave()
        record = session.journal.run(first.summary.run_id)
        second = session.retry(record)
        assert second is not None
        child = session.journal.run(second.summary.run_id)
        assert (child.kind, child.parent) == (RunKind.RETRY, record.id)
        assert session.retry(child) is None
        with pytest.raises(UsageError) as raised:
            session.find_resumable(record.id) or session.retry(replace(record, dry_run=True))
    assert raised.value.code == "retry-dry-run"
    assert len(box.customers()) == 3


def test_redraw_writes_the_same_reports_with_the_runs_own_options(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    with Session.open(settings) as session:
        masked = replace(options, mask=True)
        result = session.start(customers(work / "a.csv", 3, invalid=1), masked)
        assert result is not None
        sent = len(box.requests)
        record = session.journal.run(result.summary.run_id)
        drawn = session.redraw(record, replace(masked, report_dir=work / "again"))
    assert drawn.summary.counts == result.summary.counts
    assert len(box.requests) == sent
    before = Path(record.report_dir) / "results.csv"
    assert (work / "again" / "results.csv").read_bytes() == before.read_bytes()


def test_runs_are_found_by_the_beginning_of_their_name(
    settings: SessionSettings, options: RunOptions, work: Path
) -> None:
    with Session.open(settings) as session:
        for name in ("a.csv", "b.csv"):
            session.start(customers(work / name, 1), options)
        newest, oldest = session.journal.runs()
        assert session.journal.find(oldest.id) == oldest
        with pytest.raises(UnknownRunError) as several:
            session.journal.find(newest.id[:4])
        with pytest.raises(UnknownRunError) as unknown:
            session.journal.find("nothing")
    assert (several.value.code, unknown.value.code) == ("several-runs", "unknown-run")


def test_a_gate_gets_the_plan_and_may_keep_a_file_back(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    judged: list[tuple[str, int]] = []

    def gate(plan: RunPlan, found: PrecheckResult) -> None:
        judged.append((plan.source.path.name, found.rows))
        raise TripwireError("max-invalid", invalid=0, rows=found.rows, percent="0.0", limit="0")

    with Session.open(settings) as session:
        result = session.start(customers(work / "a.csv", 3), options, gate=gate)
    assert result is not None
    assert result.summary.exit_code is ExitCode.TRIPWIRE
    assert judged == [("a.csv", 3)]
    assert box.requests == ()


def test_too_many_invalid_rows_are_a_gate_of_their_own(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    with Session.open(settings) as session:
        file = customers(work / "a.csv", 4, invalid=2)
        result = session.start(file, replace(options, max_invalid=40.0))
    assert result is not None
    assert result.summary.exit_code is ExitCode.TRIPWIRE
    assert box.requests == ()


def test_a_session_that_is_stopped_starts_no_run(
    settings: SessionSettings, options: RunOptions, box: Sandbox, work: Path
) -> None:
    stopper = StopToken()
    stopper.stop(ImporterError("interrupted"))
    with Session.open(settings, stopper=stopper) as session:
        result = session.start(customers(work / "a.csv", 3), options)
    assert result is not None
    assert result.summary.counts[Status.NOT_SENT] == 3
    assert box.requests == ()


def test_what_stops_one_run_stops_no_later_one() -> None:
    session, reason = StopToken(), ImporterError("interrupted")
    with session.child() as first:
        first.stop(reason)
        assert (first.reason, session.reason) == (reason, None)
    heard: list[ImporterError] = []
    with session.child() as second:
        second.listen(heard.append)
        assert second.reason is None
        session.stop(reason)
        assert heard == [reason]
        assert second.reason is reason


def test_a_guard_lies_around_each_run_and_not_around_questions(
    settings: SessionSettings, options: RunOptions, work: Path
) -> None:
    steps: list[str] = []

    @contextmanager
    def guard(stopper: StopToken) -> Iterator[None]:
        steps.append("in")
        yield
        steps.append("out")

    class Asked(RunObserver):
        def confirm_start(self, plan: RunPlan, *, sends: bool) -> bool:
            steps.append("asked")
            return True

        def on_run_ended(self, event: RunEnded) -> None:
            steps.append("ended")

    with Session.open(settings, observer=Asked(), guard=guard) as session:
        session.start(customers(work / "a.csv", 1), options)
    assert steps == ["asked", "in", "ended", "out"]


def test_a_session_has_one_client_for_all_its_files(
    settings: SessionSettings, options: RunOptions, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Client] = []
    opened = Client.__enter__

    def enter(client: Client) -> Client:
        made.append(client)
        return opened(client)

    monkeypatch.setattr(Client, "__enter__", enter)
    with Session.open(settings) as session:
        for name in ("a.csv", "b.csv"):
            session.start(customers(work / name, 1), options)
    assert len(made) == 1


def test_a_command_that_prints_the_secret_runs_once(
    box: Sandbox, options: RunOptions, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = box.connection
    script = work / "secret.py"
    secret = connection.access_secret.reveal()
    script.write_text(f"open('calls', 'a').write('x')\nprint({secret!r})\n", "utf-8")
    monkeypatch.setenv("NXLINK_BASE_URL", str(connection.base_url))
    monkeypatch.setenv("NXLINK_ACCESS_KEY", connection.access_key.reveal())
    monkeypatch.setenv("NXLINK_TENANT_ID", connection.tenant_id)
    monkeypatch.setenv("NXLINK_APP_KEY", connection.app_key)
    profile = Profile(secret_command=shlex.join((sys.executable, str(script))))
    with Session.open(SessionSettings(profile)) as session:
        for name in ("a.csv", "b.csv"):
            session.start(customers(work / name, 1), options)
    assert (work / "calls").read_text("utf-8") == "x"
    assert len(box.customers()) == 1


def test_a_sandbox_that_was_not_kept_cannot_be_resumed(options: RunOptions, work: Path) -> None:
    settings = SessionSettings(sandbox=True)
    with Session.open(settings) as session:
        result = session.start(customers(work / "a.csv", 1), options)
        assert result is not None
        record = session.journal.run(result.summary.run_id)
    with Session.open(SessionSettings()) as session, pytest.raises(SettingsError) as raised:
        session.resume(record)
    assert raised.value.code == "sandbox-gone"


def test_a_group_tells_all_and_one_no_is_a_no(settings: SessionSettings, options: RunOptions) -> None:
    first, second = Recorder(mapping="m"), Recorder(confirms=False, mapping="n")
    group = ObserverGroup(first, second)
    group.on_progress(Progress(Tally(("a",))))
    assert first.seen == second.seen == ["Progress"]
    question = MappingQuestion("a.csv", options, InputError("no-header", file="a.csv"))
    assert group.choose_mapping(question) == "m"
    file = customers(Path("a.csv"), 1)
    with Session.open(settings) as session, session.planned(file, options) as plan:
        assert not group.confirm_start(plan, sends=True)


def test_every_event_reaches_its_own_method() -> None:
    from typing import get_args

    methods = {name for name in dir(RunObserver) if name.startswith("on_")} - {"on_event"}
    kinds = get_args(RunEvent) + get_args(DeliveryEvent)
    assert len(kinds) == len(methods)
    for kind in kinds:
        called: list[str] = []

        class Listener(RunObserver):
            def __getattribute__(self, name: str) -> object:
                if name.startswith("on_"):
                    return lambda event: called.append(name)  # noqa: B023
                return super().__getattribute__(name)

        event = object.__new__(kind)
        event.notify(Listener())
        words = called[0].removeprefix("on_").split("_")
        assert "".join(word.capitalize() for word in words) == kind.__name__


def test_as_observer_takes_an_observer_a_function_or_nothing() -> None:
    observer = RunObserver()
    assert as_observer(observer) is observer
    assert type(as_observer(None)) is RunObserver
    seen: list[object] = []
    as_observer(seen.append).on_progress(Progress(Tally(("a",))))
    assert len(seen) == 1
