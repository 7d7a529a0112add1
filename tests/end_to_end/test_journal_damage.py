"""A journal that was garbled: the next command says so, whichever it is, until somebody acknowledges it."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.config import Connection
from tests.support.commands import Command, summary
from tests.support.every_command import EVERY_COMMAND, command_names, lay_out

NO_HISTORY = {
    *("inspect", "mapping list", "mapping show", "mapping suggest", "mapping check", "template"),
    *("app create", "app phones", "fields", "sandbox", "web", "job install", "job uninstall"),
    "completion",
}
"""Commands that have no use for the journal: they neither find damage nor depend on it."""
DEPENDS = {
    *("resume", "retry", "runs", "runs show", "runs prune", "report"),
    *("job run", "job status", "doctor"),
}
"""Commands whose answer may be another one if the journal were whole."""


def garble(state: Path) -> None:
    for ending in ("-wal", "-shm"):
        (state / f"journal.db{ending}").unlink(missing_ok=True)
    (state / "journal.db").write_bytes(b"no database any more" * 1000)


def aside(state: Path) -> Path:
    (found,) = state.glob("journal.damaged-*.db")
    return found


def test_no_command_is_left_out() -> None:
    assert {*EVERY_COMMAND} == {*command_names()}


@pytest.mark.parametrize("name", [*EVERY_COMMAND])
def test_after_a_garbled_journal_every_command_says_so(
    importer: Command, settings: Connection, work: Path, own_surroundings: Path, name: str
) -> None:
    lay_out(work)
    if name == "mapping check":
        importer("mapping", "suggest", "customers.csv", "-o", "proposed.toml")
    garble(own_surroundings)
    if name in NO_HISTORY | {"doctor", "runs acknowledge"}:
        importer("runs")  # finds the damage
    words = [word.format(run="20260101-000000-abcd") for word in EVERY_COMMAND[name]]
    for again in range(2):
        done = importer(*words)
        place = str(aside(own_surroundings))
        assert place in done.out + done.err
        if name in DEPENDS:
            assert done.code != 0
            assert "nothing to resume" not in (done.out + done.err).lower()
        if name == "runs acknowledge":
            break
        assert "importer runs acknowledge" in done.err, again
    assert importer("runs", "acknowledge").code == 0
    assert str(aside(own_surroundings)) not in importer("runs").err


def test_the_reports_of_a_run_say_it_too(
    importer: Command, settings: Connection, work: Path, own_surroundings: Path
) -> None:
    lay_out(work)
    garble(own_surroundings)
    assert importer("run", "customers.csv", "--report-dir", "out").code == 1
    place = str(aside(own_surroundings))
    assert any(place in note for note in summary(work / "out")["notes"])
    assert place in (work / "out" / "report.html").read_text("utf-8")


def test_scripts_are_told(
    importer: Command, settings: Connection, work: Path, own_surroundings: Path
) -> None:
    lay_out(work)
    garble(own_surroundings)
    importer("run", "customers.csv")
    place = str(aside(own_surroundings))
    run = importer("runs", "--json").json[0]["id"]
    assert any(place in loss for loss in importer("runs", "show", run, "--json").json["journal_losses"])
    status = importer("job", "status", "nightly", "--json")
    assert (status.code, status.json["health"]) == (2, "critical")
    assert any(place in why for why in status.json["why"])
    (work / "inbox" / "customers.csv").unlink()
    assert importer("job", "run", "nightly").code == 1  # nothing to do, but what was lost counts
    (log,) = own_surroundings.rglob("nightly.log")
    assert any(
        "journal-moved-aside" in line and place in line for line in log.read_text("utf-8").splitlines()
    )


def test_a_run_that_is_left_is_resumed(
    importer: Command, settings: Connection, work: Path, own_surroundings: Path
) -> None:
    lay_out(work)
    garble(own_surroundings)
    importer("runs")
    resumed = importer("resume")
    assert resumed.code == 1
    assert "whether one of them was interrupted is not known" in resumed.err
    assert importer("runs", "acknowledge").code == 0
    assert "nothing to resume" in importer("resume").out.lower()
