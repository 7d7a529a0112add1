"""What only a journal has that several machines share: lost connections, fences, refusals."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from importer.delivery.base import SystemClock
from importer.delivery.rate_limit import RateLimiter
from importer.errors import ImporterError, JournalError, SettingsError
from importer.journal import BatchState, Journal, SettledEntry
from importer.journal.locks import TurnDoubtError
from importer.journal.opening import opened_patiently
from importer.journal_place import is_address, journal_place, shown_address
from importer.models import Action, Outcome, Status, Verdict
from tests.support.journal import DESTINATION, MakeBatch, MakeRecord
from tests.support.postgres import PgBouncer, PostgresServer
from tests.support.programs import begun

LANE = DESTINATION.lane


@pytest.fixture
def address(server: PostgresServer) -> str:
    return server.database()


@pytest.fixture
def shared(address: str) -> Iterator[Journal]:
    with Journal.open(address) as journal:
        yield journal


def end_sessions(server: PostgresServer, address: str, like: str = "nxlink-importer%") -> None:
    """Cut the connections to a database, as a network that is gone for a moment does."""
    server.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = "
        f"'{address.rpartition('/')[2]}' AND application_name LIKE '{like}' AND pid <> pg_backend_pid()"
    )


def test_an_address_is_shown_without_its_user_and_never_holds_a_password() -> None:
    assert is_address("postgresql://a@b/c")
    assert not is_address("/srv/journal.db")
    assert (
        shown_address("postgresql://ann@db.example:5433/crm?sslmode=require")
        == "postgresql://db.example:5433/crm"
    )
    for secret in ("postgresql://ann:pw@db/crm", "postgresql://db/crm?password=pw"):
        with pytest.raises(SettingsError) as error:
            shown_address(secret)
        assert error.value.code == "journal-password"
        assert "pw" not in error.value.full_text()


def test_the_environment_names_the_journal_before_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "importer.toml").write_text('journal = "postgresql://127.0.0.1/crm"\n')
    monkeypatch.delenv("NXLINK_JOURNAL", raising=False)
    assert journal_place() == "postgresql://127.0.0.1/crm"
    monkeypatch.setenv("NXLINK_JOURNAL", "postgresql://db.example/crm")
    assert journal_place() == "postgresql://db.example/crm"
    monkeypatch.setenv("NXLINK_JOURNAL", "j.db")
    assert journal_place() == Path("j.db")


@pytest.mark.parametrize(
    "there",
    [
        *("db.example/crm", "/crm?host=db.example", "/?service=x", "127.0.0.1/?hostaddr=1"),
        *("localhost:1,db.example:2/crm", "localhost#,db.example/crm", "me@db.example,x@localhost/crm"),
        *("%6cocalhost/crm", "localhost.db.example/crm", "localhost/crm?sslmode=disable&host=db.example"),
    ],
)
def test_a_database_elsewhere_that_only_a_file_of_the_working_directory_names_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NXLINK_JOURNAL", raising=False)
    (tmp_path / "importer.toml").write_text(f'journal = "postgresql://{there}"\n')
    with pytest.raises(SettingsError) as error:
        journal_place()
    assert error.value.code == "unvouched-journal"


@pytest.mark.extras
def test_a_write_goes_on_after_the_connection_was_lost_and_stands_there_once(
    server: PostgresServer, address: str, shared: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with shared.start(make_record()) as run:
        assert run.ticket is not None
        assert run.ticket.take_turn()
        for ordinal in range(1, 6):
            entry = run.begin(make_batch(ordinal, ordinal * 2, ordinal * 2 + 1), b"h" * 32)
            end_sessions(server, address)
            accepted = (Outcome("", (ordinal * 2, ordinal * 2 + 1), Status.IMPORTED, ordinal),)
            run.write((), [SettledEntry(entry, accepted, BatchState.ACCEPTED, whole=True)])
            run.ticket.keep()
        counts = run.row_states().counts()
    assert counts == {Status.IMPORTED: 10}
    name = address.rpartition("/")[2]
    assert server.execute("SELECT count(*), count(DISTINCT entry) FROM batches", name) == [(5, 5)]
    assert server.execute("SELECT count(*) FROM outcomes", name) == [(5,)]


@pytest.mark.extras
def test_a_server_that_begins_anew_is_waited_for(
    server: PostgresServer, shared: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with shared.start(make_record()) as run:
        assert run.ticket is not None
        assert run.ticket.take_turn()
        server.stop()
        back = threading.Timer(1.0, server.start)
        back.start()
        run.begin(make_batch(1, 2, 3), b"h" * 32)
        back.join()
        run.ticket.keep()
        run.ticket.look()
        assert len(run.requests()) == 1


def test_a_database_that_is_away_at_the_start_is_waited_for_where_nobody_watches() -> None:
    tries: list[JournalError] = []

    def opened(code: str, times: int) -> Callable[[], str]:
        tries.clear()

        def attempt() -> str:
            if len(tries) < times:
                tries.append(JournalError(code, place="db", problem="–"))
                raise tries[-1]
            return "open"

        return attempt

    assert opened_patiently(opened("journal-away", 1), 60.0, lambda: None) == "open"
    stopped: dict[bool, Callable[[], object]] = {True: lambda: "Ctrl-C", False: lambda: None}
    for code, seconds, is_stopped in (
        ("journal-away", 0.0, False),
        ("journal-away", 60.0, True),
        ("journal-rights", 60.0, False),
    ):
        with pytest.raises(JournalError) as error:
            opened_patiently(opened(code, 99), seconds, stopped[is_stopped])
        assert (error.value.code, len(tries)) == (code, 1)


@pytest.mark.extras
def test_a_database_that_stays_away_stops_the_run(
    server: PostgresServer, shared: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    shared._database.patience = 1.0
    with shared.start(make_record()) as run:
        server.stop()
        try:
            with pytest.raises(JournalError) as error:
                run.begin(make_batch(1, 2, 3), b"h" * 32)
        finally:
            server.start()
    assert (error.value.code, error.value.exit_code) == ("journal-away", 5)


@pytest.mark.extras
def test_nobody_waits_for_a_database_that_is_away_once_the_run_is_to_stop(
    server: PostgresServer, shared: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    stopped = threading.Event()
    with (
        shared.start(make_record()) as run,
        shared.patient(600.0, lambda: "stop" if stopped.is_set() else None),
    ):
        assert run.ticket is not None
        assert run.ticket.take_turn()
        server.stop()
        try:
            later = threading.Timer(0.5, stopped.set)
            later.start()
            for attempt in (lambda: run.begin(make_batch(1, 2, 3), b"h" * 32), run.ticket.keep):
                with pytest.raises(JournalError) as error:
                    attempt()
                assert error.value.code == "journal-away"
        finally:
            server.start()


@pytest.mark.extras
@pytest.mark.usefixtures("server")  # which skips where there is none
def test_a_command_prints_the_password_and_is_asked_again_when_it_is_no_longer_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with PostgresServer(password="first") as own:
        address = own.database()
        (tmp_path / "secret").write_text("first\n")
        settings = tmp_path / "importer.toml"
        command = f"{shlex.quote(sys.executable)} -c 'print(open(\"secret\").readline())'"
        settings.write_text(f"journal = '{address}'\njournal_secret_command = '''{command}'''\n")
        settings.chmod(0o600)
        with Journal.open() as journal:
            own.execute("ALTER ROLE tester PASSWORD 'second'")
            own.password = "second"
            end_sessions(own, address)
            (tmp_path / "secret").write_text("second\n")
            assert journal.runs() == ()
            assert journal.lanes.draw(LANE, "a.csv").take_turn()
        (tmp_path / "secret").write_text("wrong\n")
        with pytest.raises(JournalError) as error:
            Journal.open()
        assert (error.value.code, int(error.value.exit_code)) == ("journal-refused", 4)
        assert "wrong" not in error.value.full_text()
        monkeypatch.setenv("PGPASSWORD", "second")
        Journal.open().close()


@pytest.mark.extras
def test_a_sender_that_lost_its_lane_to_another_run_can_write_and_send_nothing_more(
    server: PostgresServer, address: str, shared: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with shared.start(make_record("old")) as old, Journal.open(address) as other:
        assert old.ticket is not None
        assert old.ticket.take_turn()
        entry = old.begin(make_batch(1, 2, 3), b"h" * 32)
        end_sessions(server, address, "nxlink-importer locks")
        with other.start(make_record("new")) as new:
            assert new.ticket is not None
            assert new.ticket.take_turn()
            with pytest.raises(TurnDoubtError):
                old.ticket.look()
            done = (Outcome("", (2, 3), Status.IMPORTED, 1),)
            for attempt in (
                lambda: old.write((), [SettledEntry(entry, done, BatchState.ACCEPTED, whole=True)]),
                lambda: old.begin(make_batch(2, 4, 5), b"h" * 32),
                lambda: old.ticket.keep(),
            ):
                with pytest.raises(JournalError) as error:
                    attempt()
                assert error.value.code == "journal-lane-lost"
            new.begin(make_batch(1, 2), b"h" * 32)
        assert other.row_states("old").counts() == {Status.UNKNOWN: 2}


@pytest.mark.extras
@pytest.mark.parametrize("off", [0.0, 3600.0, -3600.0])
def test_what_a_lost_sender_has_signed_is_waited_for_until_it_has_expired_whatever_the_machines_clock_says(
    server: PostgresServer,
    address: str,
    shared: Journal,
    make_record: MakeRecord,
    make_batch: MakeBatch,
    monkeypatch: pytest.MonkeyPatch,
    off: float,
) -> None:
    batch = replace(make_batch(1, 2), contacts=((5,),))
    with shared.start(make_record("old")) as old:
        assert old.ticket is not None
        assert old.ticket.take_turn()
        old.begin(batch, b"h" * 32)
        end_sessions(server, address)
        wrong = SimpleNamespace(time=lambda: time.time() + off, monotonic=time.monotonic, sleep=time.sleep)
        monkeypatch.setattr("importer.journal.postgres.time", wrong)
        with Journal.open(address) as other, other.start(make_record("new")) as new:
            assert new.ticket is not None
            assert new.ticket.take_turn()
            assert new.contacts is not None
            (late,) = new.contacts.late(60.0)
    assert late.run == "old"
    assert 60 <= late.seconds <= 60 + 66


@pytest.mark.extras
def test_a_clock_that_is_set_meanwhile_does_not_change_the_time_of_the_journal(
    shared: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shared._database.now()
    for off in (3600.0, -3600.0):
        wrong = SimpleNamespace(time=lambda off=off: time.time() + off, monotonic=time.monotonic)
        monkeypatch.setattr("importer.journal.postgres.time", wrong)
        assert 0 <= shared._database.now() - before < 60


@pytest.mark.extras
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_stopped_process_keeps_its_lane_and_a_killed_one_frees_it(address: str) -> None:
    program = (
        "import sys; from importer.journal import Journal\n"
        "t = Journal.open(sys.argv[1]).lanes.draw(sys.argv[2], 'a.csv'); print(t.take_turn(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, address, LANE]
    with (
        begun(command) as process,
        Journal.open(address) as journal,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        process.send_signal(signal.SIGSTOP)
        ticket = journal.lanes.draw(LANE, "b.csv")
        assert not ticket.take_turn()
        process.kill()
        process.wait()
        deadline = time.monotonic() + 60
        while not ticket.take_turn():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        ticket.release()


@pytest.mark.extras
def test_no_second_sees_more_requests_than_the_rate_whichever_machine_sends_them(address: str) -> None:
    rate, each, stop = 25.0, 20, threading.Event()
    times: list[float] = []

    def send(limiter: RateLimiter) -> None:
        for _ in range(each):
            sent = limiter.acquire(stop)
            assert sent is not None
            times.append(sent)

    with ExitStack() as stack:
        journals = [stack.enter_context(Journal.open(address)) for _ in range(3)]
        limiters = [
            RateLimiter(rate, SystemClock(), journal.rate("key", f"run-{number}"))
            for number, journal in enumerate(journals)
        ]
        # Two workers of each run.
        workers = [threading.Thread(target=send, args=(limiter,)) for limiter in limiters for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    times.sort()
    assert len(times) == 6 * each
    # The moment is noted a little after the turn.
    close = [
        last - first for first, last in zip(times, times[int(rate) :], strict=False) if last - first < 0.97
    ]
    assert close == []


@pytest.mark.extras
def test_a_complaint_and_a_pause_hold_for_all_machines(shared: Journal, address: str) -> None:
    complaint = Verdict(Action.WAIT, maybe_processed=False, code="http-429", http_status=429)
    told: list[float] = []
    with Journal.open(address) as other:
        one = RateLimiter(20, SystemClock(), shared.rate("key", "run-1"))
        two = RateLimiter(20, SystemClock(), other.rate("key", "run-2"), told.append)
        stop = threading.Event()
        sent = one.acquire(stop)
        assert sent is not None
        assert two.acquire(stop) is not None
        slower = one.learn(complaint, sent)
        assert slower is not None
        assert slower <= 10.5
        one.pause(0.6)
        begun = time.monotonic()
        assert two.acquire(stop) is not None
        assert time.monotonic() - begun >= 0.4
        assert len(told) == 1


@pytest.mark.extras
def test_names_of_any_characters_come_back_as_they_were(shared: Journal, make_record: MakeRecord) -> None:
    strange = "a\udce9\x00\U0001f600'\"%s ?1"
    with shared.start(make_record(source=strange, job="nul\x00")) as run:
        assert (run.record.source, shared.run("run-1").source) == (strange, strange)
        assert shared.run("run-1").job == "nul\x00"


@pytest.mark.extras
def test_what_cannot_be_used_is_told(
    server: PostgresServer, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def code(place: str) -> tuple[str, int]:
        with pytest.raises(ImporterError) as error:
            Journal.open(place)
        assert "tester" not in error.value.full_text()
        return error.value.code, int(error.value.exit_code)

    assert code(f"postgresql://tester@127.0.0.1:1/{address.rpartition('/')[2]}") == ("journal-away", 5)
    assert code(server.address("no_such")) == ("journal-rights", 4)
    assert code(address.replace("tester", "stranger")) == ("journal-refused", 4)
    Journal.open(address).close()
    name = address.rpartition("/")[2]
    server.execute("UPDATE journal_version SET version = 999", name)
    assert code(address) == ("journal-newer", 4)
    reader = server.database()
    server.execute("CREATE ROLE reader LOGIN")
    server.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", reader.rpartition("/")[2])
    assert code(reader.replace("tester", "reader")) == ("journal-rights", 4)
    from importer.journal import postgres

    monkeypatch.setattr(postgres, "OLDEST", 990000)
    assert code(reader) == ("journal-server-old", 4)


@pytest.mark.extras
@pytest.mark.skipif(
    shutil.which("pgbouncer", path=f"{os.environ.get('PATH')}:/usr/sbin") is None, reason="needs PgBouncer"
)
@pytest.mark.parametrize("size", [10, 1])
def test_a_pool_that_changes_the_session_is_refused(server: PostgresServer, address: str, size: int) -> None:
    with PgBouncer(server, "transaction", size) as pool:
        with pytest.raises(JournalError) as error:
            Journal.open(address.replace(str(server.port), str(pool.port)))
        assert (error.value.code, int(error.value.exit_code)) == ("journal-pooled", 4)
    with PgBouncer(server, "session") as pool:
        through = address.replace(str(server.port), str(pool.port))
        with Journal.open(through) as journal, Journal.open(address) as other:
            assert journal.lanes.draw(LANE, "a.csv").take_turn()
            assert not other.lanes.draw(LANE, "b.csv").take_turn()


@pytest.mark.extras
def test_some_that_begin_at_once_make_the_tables_once(address: str) -> None:
    with ThreadPoolExecutor(4) as many:
        for begun in [many.submit(Journal.open, address) for _ in range(4)]:
            with begun.result() as journal:
                assert journal.runs() == ()


@pytest.mark.extras
def test_a_run_with_all_its_commands_works_on_a_shared_journal(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from importer.cli.app import invoke as cli
    from importer.sandbox import Sandbox

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NXLINK_JOURNAL", address)
    monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "c.csv").write_text(
        "first_name,last_name,sms_phone\n" + "".join(f"A{n},B,86138000{n:05}\n" for n in range(250))
    )
    with Sandbox() as box:
        who = box.connection
        monkeypatch.setenv("NXLINK_BASE_URL", str(who.base_url))
        monkeypatch.setenv("NXLINK_ACCESS_KEY", who.access_key.reveal())
        monkeypatch.setenv("NXLINK_ACCESS_SECRET", who.access_secret.reveal())
        monkeypatch.setenv("NXLINK_TENANT_ID", who.tenant_id)
        monkeypatch.setenv("NXLINK_APP_KEY", who.app_key)
        box.misbehave("status requests=2 status=400")
        code = cli(["run", "c.csv", "--yes", "--quiet"])
        assert code in (0, 1)
        capsys.readouterr()
        assert cli(["runs", "--json"]) == 0
        (run,) = json.loads(capsys.readouterr().out)
        assert run["rows"] == 250
        assert cli(["retry", run["id"], "--quiet"]) in (0, 1)
        assert cli(["report", run["id"]]) == 0
        assert len(box.customers()) == 250
        assert cli(["runs", "prune", "--older-than", "1h", "--yes"]) == 0
    assert not (tmp_path / "state" / "journal.db").exists()
    assert os.environ["NXLINK_JOURNAL"] == address


@pytest.mark.extras
def test_a_server_elsewhere_has_to_prove_its_name(address: str) -> None:
    # What it is called decides; where it is really reached is for libpq alone.
    elsewhere = address.replace("@127.0.0.1:", "@db.example:") + "?hostaddr=127.0.0.1"
    for there in (elsewhere, f"{address}?sslmode=verify-full&sslrootcert={DEFAULT_CA_BUNDLE_PATH}"):
        with pytest.raises(JournalError) as error:
            Journal.open(there)
        assert (error.value.code, error.value.exit_code) == ("journal-tls", 4)
        assert "?sslmode=disable" in error.value.full_text()
    Journal.open(f"{elsewhere}&sslmode=disable").close()
    Journal.open(address).close()
