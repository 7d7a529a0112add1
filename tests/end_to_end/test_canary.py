"""The first request to a tenant carries one row, and its answer decides whether more goes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from importer.config import Connection
from importer.journal import Journal
from importer.models import Destination
from importer.options import RunOptions
from importer.pipeline.plan import needs_canary
from importer.pipeline.session import Session, SessionSettings
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary

ROWS = "first_name,last_name,email\n" + "".join(f"A{n},B,a{n}@x.example\n" for n in range(150))
NEW = Destination("https://api-hk.nxlink.ai", "1000", "app", "sea")


@pytest.fixture
def file(work: Path) -> Path:
    (work / "c.csv").write_text(ROWS, "utf-8")
    return work / "c.csv"


def sizes(box: Sandbox) -> list[int]:
    return [request.customers for request in box.requests]


def test_one_row_goes_first_and_its_answer_is_told(
    importer: Command, settings: Connection, box: Sandbox, work: Path, file: Path
) -> None:
    done = importer("run", file, "--canary", "--report-dir", "out")
    assert done.code == 0
    assert (sizes(box)[0], sorted(sizes(box))) == (1, [1, 49, 100])
    assert 'has the documented form: {"code": 0, "message": ""' in done.err
    assert any("has the documented form" in note for note in summary(work / "out")["notes"])


def test_loopback_needs_none(importer: Command, settings: Connection, box: Sandbox, file: Path) -> None:
    assert importer("run", file).code == 0
    assert sorted(sizes(box)) == [50, 100]


def test_a_form_that_is_understood_but_not_documented_is_told(
    importer: Command, settings: Connection, box: Sandbox, file: Path
) -> None:
    box.misbehave("text-code")
    done = importer("run", file, "--canary", "--lang", "zh")
    assert done.code == 0
    assert '格式与文档不符：{"code": "0"' in done.err


def test_a_strange_answer_stops_the_run_and_resume_looks_again(
    importer: Command, settings: Connection, box: Sandbox, work: Path, file: Path
) -> None:
    box.misbehave("code code=200 message=success stored=true times=1")
    stopped = importer("run", file, "--canary", "--report-dir", "out")
    assert stopped.code == 4
    assert sizes(box) == [1]
    assert 'HTTP 200: {"code": 200, "message": "success"' in stopped.err + stopped.out
    assert [row["_status"] for row in results(work / "out")] == ["unknown"] + ["not_sent"] * 149
    assert importer("resume").code == 0
    assert sizes(box)[:2] == [1, 1]
    assert len(box.customers()) == 150
    assert {row["_status"] for row in results(work / "out")} == {"imported"}


def test_only_a_tenant_that_was_never_reached_needs_one(box: Sandbox, work: Path, file: Path) -> None:
    here = box.connection.destination(box.base_url)
    with Session.open(SessionSettings(connection=box.connection, journal=work / "journal.db")) as session:
        assert session.start(file, RunOptions())
        with session.planned(file, RunOptions()) as plan:
            for other, needed in (
                (here, False),
                (NEW, True),
                (replace(here, host=NEW.host), True),
                (replace(here, host=NEW.host, tenant_id="7"), True),
            ):
                assert needs_canary(replace(plan, destination=other), session.journal) is needed
            forced = replace(plan, destination=here, options=RunOptions(canary=True))
            assert needs_canary(forced, session.journal)
            spared = replace(plan, destination=NEW, options=RunOptions(canary=False))
            assert not needs_canary(spared, session.journal)
    with Journal.open(work / "journal.db") as journal:
        assert journal.has_reached(here)
        assert journal.has_reached(replace(here, app_key="another"))
        assert not journal.has_reached(replace(here, tenant_id="7"))
        assert not journal.has_reached(replace(here, contract="plat"))
        assert not journal.has_reached(NEW)
