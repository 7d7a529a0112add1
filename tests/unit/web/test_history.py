"""Runs of every origin are in the history; jobs show what they hold, and let it through."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from importer.web.works import EXPIRY_DAYS, WorkStore
from tests.support.commands import Command
from tests.support.jobs import HEADER, lines
from tests.support.web import WebPage, text_of, web_page


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A file whose columns need no person."""
    path = tmp_path / "customers.csv"
    path.write_text("first_name,last_name,birthday\nAnn,Lee,1990-02-31\nBo,Li,1991-01-02\n", "utf-8")
    return path


def test_runs_of_the_command_line_are_shown_and_filtered(
    page: WebPage, table: Path, importer: Command, settings: object
) -> None:
    importer("run", table)
    importer("validate", table)
    shown = text_of(page.get("/runs"))
    assert "Page 1 of 1, 1 run" in shown
    assert "customers.csv" in shown
    assert "2 runs" in text_of(page.get("/runs?checks=1"))
    assert "No runs to show" in text_of(page.get("/runs?outcome=done"))
    assert "1 run" in text_of(page.get("/runs?outcome=rows-left&tenant=1000"))
    assert "No runs to show" in text_of(page.get("/runs?day=2001-01-01"))


def test_a_run_shows_its_files_and_its_report(
    page: WebPage, table: Path, importer: Command, settings: object
) -> None:
    importer("run", table)
    run = page.get("/runs").text.split('href="/runs/')[1].split('"')[0]
    shown = page.get(f"/runs/{run}")
    for name in ("results.csv", "rejects.csv", "rejects.xlsx", "summary.json"):
        assert f"/runs/{run}/files/{name}" in shown.text
        answer = page.get(f"/runs/{run}/files/{name}")
        assert answer.status_code == 200
        assert name in answer.headers["content-disposition"]


@pytest.fixture
def job(work: Path) -> Path:
    """A job that holds a file of its inbox for having too few rows. Returns its inbox."""
    inbox = work / "inbox"
    inbox.mkdir()
    table = f'[job.nightly]\ninbox = "{inbox}"\n[job.nightly.tripwires]\nmin_rows = 100\n'
    (work / "importer.toml").write_text(table, "utf-8")
    (work / "importer.toml").chmod(0o600)
    (inbox / "a.csv").write_text("\n".join([HEADER, *lines(3)]) + "\n", "utf-8")
    os.utime(inbox / "a.csv", (1_700_000_000, 1_700_000_000))
    return inbox


def test_a_held_file_is_let_through(job: Path, importer: Command, settings: object) -> None:
    assert importer("job", "run", "nightly").code == 6
    with web_page() as page:
        shown = page.get("/jobs")
        assert "a.csv" in text_of(shown)
        assert "tripwire-min-rows" in text_of(shown)
        held = shown.text.split('name="file" value="')[1].split('"')[0]
        page.post("/jobs/nightly/release", {"file": held})
        page.wait("job-nightly")
        after = text_of(page.get("/jobs"))
        assert "3 imported" in after
        assert "Held files" not in after


def test_in_practice_mode_no_job_sends(page: WebPage, job: Path, importer: Command, settings: object) -> None:
    importer("job", "run", "nightly")
    with web_page(page.site.sandbox) as practice:
        held = practice.get("/jobs").text.split('name="file" value="')[1].split('"')[0]
        practice.post("/jobs/nightly/release", {"file": held})
        practice.wait("job-nightly")
        assert "in practice mode no job is carried out" in text_of(practice.get("/jobs"))


def test_without_credentials_everything_but_sending_works(table: Path) -> None:
    with web_page() as page:
        work = page.upload(table)
        assert "2 rows were checked" in text_of(page.checked(work))
        shown = text_of(page.get(f"{work}/import"))
        assert "missing-credentials" in shown
        assert "Send" not in shown


def test_what_nobody_used_for_long_is_deleted(tmp_path: Path) -> None:
    store = WorkStore(tmp_path / "works")
    old, new, kept = store.new("old.csv"), store.new("new.csv"), store.new("kept.csv")
    for work, day in ((old, "2001-01-01"), (kept, "2001-01-01")):
        store.save(replace(work, used=f"{day}T00:00:00+00:00"))
    store.save(new)
    assert EXPIRY_DAYS == 30
    assert store.prune(frozenset({kept.id})) == 1
    assert {work.name for work in store.recent()} == {"new.csv", "kept.csv"}
    assert not store.folder(old.id).exists()
