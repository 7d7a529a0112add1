"""A journal that was garbled: the next command says so, whichever it is, until somebody acknowledges it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from importer.config import Connection
from importer.escaping import to_json
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
@pytest.mark.parametrize("where", ["state folder", "NXLINK_JOURNAL", "importer.toml"])
def test_after_a_garbled_journal_every_command_says_so(
    importer: Command,
    settings: Connection,
    work: Path,
    own_surroundings: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    where: str,
) -> None:
    lay_out(work)
    folder = own_surroundings
    if where != "state folder":
        folder = work.parent / "elsewhere"
        if where == "NXLINK_JOURNAL":
            monkeypatch.setenv(where, str(folder / "journal.db"))
        else:
            config = work / "importer.toml"
            config.write_text(
                f"journal = {to_json(str(folder / 'journal.db'))}\n{config.read_text('utf-8')}", "utf-8"
            )
        importer("runs")
    if name == "mapping check":
        importer("mapping", "suggest", "customers.csv", "-o", "proposed.toml")
    garble(folder)
    if name in NO_HISTORY | {"doctor", "runs acknowledge"}:
        importer("runs")  # finds the damage
    words = [word.format(run="20260101-000000-abcd") for word in EVERY_COMMAND[name]]
    for again in range(2):
        done = importer(*words)
        place = str(aside(folder))
        assert place in done.out + done.err
        if name in DEPENDS:
            assert done.code != 0
            assert "nothing to resume" not in (done.out + done.err).lower()
        if name == "runs acknowledge":
            break
        assert "importer runs acknowledge" in done.err, again
    assert importer("runs", "acknowledge").code == 0
    assert str(aside(folder)) not in importer("runs").err


def test_losses_are_json_where_every_line_is(
    importer: Command, settings: Connection, work: Path, own_surroundings: Path
) -> None:
    lay_out(work)
    garble(own_surroundings)
    importer("runs")
    said = [json.loads(line) for line in importer("run", "customers.csv", "--log-json").err.splitlines()]
    (loss,) = [
        line for line in said if line.get("code") == "journal-moved-aside" and line["event"] == "warning"
    ]
    assert str(aside(own_surroundings)) in loss["message"]
    assert "importer runs acknowledge" in loss["hint"]


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
    assert "[nothing-left-to-resume]" in resumed.err
    assert importer("runs", "acknowledge").code == 0
    assert "nothing to resume" in importer("resume").out.lower()
