"""A job fetches one file, or the result of a query, each round, and imports what is new of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.config import Profile
from importer.errors import SettingsError
from importer.jobs.config import JobEnvironment
from importer.jobs.preview import preview
from importer.journal.job_history import FileFate
from importer.models import Status
from importer.options import RunOptions
from importer.sandbox import Sandbox
from importer.sources import spool
from tests.support.commands import Command
from tests.support.file_server import FileServer, serving_files
from tests.support.jobs import HEADER, Bench, Crash, lines


@pytest.fixture
def files() -> Iterator[FileServer]:
    with serving_files() as server:
        yield server


@pytest.fixture
def bench(tmp_path: Path, box: Sandbox) -> Bench:
    found = Bench(tmp_path / "root", box)
    found.inbox.mkdir(parents=True)
    found.table = {"folder": str(found.inbox), "tripwires": {"rows_below": False, "rows_above": False}}
    return found


def body(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def left() -> list[Path]:
    return [path for path in spool.spool_folder().rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_web_address_is_fetched_each_round_and_imported_once(bench: Bench, files: FileServer) -> None:
    address = files.put("/c.csv", body(*lines(4))) + "?sig=geheim"
    assert bench.round(source=address).good
    assert bench.round(source=address).good
    assert len(bench.emails()) == 4
    files.put("/c.csv", body(*lines(4, 10)), tag='"two"')
    assert bench.round(source=address).good
    assert len(bench.emails()) == 8
    assert [path.parent.parent.name for path in bench.inbox.rglob("c.csv")] == ["done", "done"]
    assert left() == []
    log = (bench.state / "jobs" / "nightly.log").read_text()
    assert "geheim" not in log
    assert bench.job(source=address).describe_source() == f"{files.url}/c.csv?…"
    with bench.journal() as journal:
        assert [record.fate for record in journal.jobs.files("nightly")] == [FileFate.DONE, FileFate.DONE]


def test_a_web_address_that_is_unchanged_is_not_fetched_whole(bench: Bench, files: FileServer) -> None:
    address = files.put("/c.csv", body(*lines(4)))
    for _ in range(2):
        assert bench.round(source=address).good
    assert files.asked[-1].headers["if-none-match"] == '"one"'
    assert len(bench.emails()) == 4
    files.put("/c.csv", body(*lines(4, 10)), tag='"two"')
    assert bench.round(source=address).good
    assert len(bench.emails()) == 8
    for copy in (bench.inbox / "done").rglob("c.csv"):
        copy.write_bytes(b"spoilt")  # is no copy of the file any more
    assert bench.round(source=address).good
    assert "if-none-match" not in files.asked[-1].headers
    assert left() == []


def test_an_address_without_a_file_is_a_round_that_failed(bench: Bench, files: FileServer) -> None:
    report = bench.round(source=f"{files.url}/missing.csv")
    assert (report.exit_code, report.code) == (3, "source-not-there")
    assert not list((bench.inbox / "working").iterdir())


@pytest.mark.parametrize("step", range(0, 20, 2))
def test_a_crash_while_an_address_is_fetched_loses_nothing(
    bench: Bench, files: FileServer, step: int
) -> None:

    address = files.put("/c.csv", body(*lines(4)))
    bench.crash_at = step
    with pytest.raises(Crash):
        bench.round(source=address)
    bench.crash_at = None
    assert bench.round(source=address).good
    assert bench.round(source=address).good
    assert len(bench.emails()) == 4
    assert len(list((bench.inbox / "done").iterdir())) == 1


def test_a_preview_tells_what_would_become_of_an_address(bench: Bench, files: FileServer) -> None:
    address = files.put("/c.csv", body(*lines(4)))
    around = JobEnvironment(bench.clock.read, bench.clock.sleep)
    with bench.journal() as journal:
        (found,) = preview(bench.job(source=address), journal, None, RunOptions(), around)
    assert (str(found.path), found.fate, found.rows) == ("c.csv", "import", 4)
    assert left() == []


def test_a_preview_names_a_bad_file_by_its_address(bench: Bench, files: FileServer) -> None:
    address = files.put("/c.csv", b"One,Two\n1,2\n")
    with bench.journal() as journal:
        (found,) = preview(bench.job(source=address), journal, None, RunOptions(), JobEnvironment())
    assert found.fate == "fail"
    assert f"importer mapping suggest {address} -o" in found.message
    assert str(spool.spool_folder()) not in found.message


def test_a_preview_fails_as_the_round_will_that_takes_a_file_up_again(
    bench: Bench, files: FileServer
) -> None:
    content = (Path(__file__).parents[2] / "data" / "password.ods").read_bytes()
    table = {"source": files.put("/c.ods", content), "password_command": "false"}
    report = bench.round(**table)
    assert (report.exit_code, report.code) == (4, "password-command-failed")
    job = bench.job(**table)
    with bench.journal() as journal:
        assert [record.fate for record in journal.jobs.files("nightly")] == [FileFate.OPEN]
        with pytest.raises(SettingsError) as caught:
            preview(job, journal, None, job.options_with(Profile(), "en"), JobEnvironment())
    assert caught.value.code == "password-command-failed"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"inbox": "https://example.com/in/"}, "reason-no-folders"),
        ({"source": "https://example.com/in/"}, "reason-no-folders"),
        ({"source": "https://example.com/c.csv", "afterwards": "move"}, "reason-stays"),
        ({"query": "select 1"}, "reason-query-alone"),
        ({"query": "select 1", "database": "crm", "source": "c.csv"}, "reason-query-alone"),
    ],
)
def test_what_a_job_cannot_do_is_told(bench: Bench, table: dict[str, object], reason: str) -> None:
    from importer.config import ConfigFile
    from importer.jobs.tables import load_job

    with pytest.raises(SettingsError) as caught:
        load_job(ConfigFile(bench.root / "importer.toml", {"job": {"nightly": table}}), "nightly")
    assert getattr(caught.value.found["reason"], "code", "") == reason


@pytest.mark.extras
def test_a_query_is_asked_each_round(importer: Command, box: Sandbox, settings: object, work: Path) -> None:
    with sqlite3.connect("crm.db") as connection:
        connection.execute('create table c ("Phone" text, "First Name" text, "Last Name" text)')
        connection.execute("insert into c values ('8613800000001', 'Ann', 'Lee')")
    Path("importer.toml").write_text(
        '[source.crm]\nurl = "sqlite:///crm.db"\n\n'
        '[job.crm]\ndatabase = "crm"\nquery = "select * from c"\n[job.crm.tripwires]\nrows_above = false\n'
    )
    assert importer("job", "check", "crm").code == 0
    ended = importer("job", "run", "crm")
    assert ended.code == 0, ended.err
    with sqlite3.connect("crm.db") as connection:
        connection.execute("insert into c values ('8613800000002', 'Bo', 'Lee')")
    assert importer("job", "run", "crm").code == 0
    assert len(box.customers()) == 2
    assert importer("job", "run", "crm").code == 0
    assert importer("runs", "--json").json[0]["counts"].get(Status.IMPORTED.value) == 2
