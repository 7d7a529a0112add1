"""A file whose columns nobody knows: what a person at the terminal is shown and asked."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.config import Connection
from importer.exit_codes import ExitCode
from importer.sandbox import Sandbox
from tests.support.commands import Command

Answers = Callable[[str], None]
UNKNOWN = "Kundenname,Handynr,Kunde seit\nMaria López,+49 171 2345678,2019-01-03\nJan Ek,+49 172 3456789,\n"
KEPT = "kunden.mapping.toml"


@pytest.fixture
def file(work: Path) -> str:
    (work / "kunden.csv").write_text(UNKNOWN, "utf-8")
    return "kunden.csv"


def names(box: Sandbox) -> list[tuple[object, object]]:
    return [(one.fields.get("first_name"), one.fields.get("last_name")) for one in box.customers()]


@pytest.fixture
def edits(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[str], str]]:
    """What the person does with the mapping file, each time an editor opens."""
    found: list[Callable[[str], str]] = []

    def edit(*, filename: str, editor: str | None) -> None:
        path = Path(filename)
        path.write_text(found.pop(0)(path.read_text("utf-8")), "utf-8")

    monkeypatch.setattr("click.edit", edit)
    return found


def test_each_field_is_shown_with_its_column_and_first_values_and_taken_only_on_a_word(
    importer: Command, settings: Connection, box: Sandbox, work: Path, answers: Answers, file: str
) -> None:
    answers("what?\nt\n")
    done = importer("run", file)
    assert done.code == ExitCode.DONE
    lines = done.err.splitlines()
    shown = next(number for number, line in enumerate(lines) if "sms_phone" in line and "“Handynr”" in line)
    assert lines[shown + 1].strip() == "+49 171 2345678 | +49 172 3456789"
    left = next(number for number, line in enumerate(lines) if "“Kunde seit”" in line)
    assert lines[left + 1].strip() == "2019-01-03"
    assert done.err.count(f"saved as {KEPT}") == 2
    assert names(box) == [("Maria", "López"), ("Jan", "Ek")]
    assert tomllib.loads((work / KEPT).read_text("utf-8"))["fields"]["sms_phone"]["from"] == "Handynr"


def test_nothing_is_written_or_sent_if_the_person_only_presses_enter(
    importer: Command, settings: Connection, box: Sandbox, work: Path, answers: Answers, file: str
) -> None:
    answers("\n")
    assert importer("run", file).code == ExitCode.INPUT
    assert not (work / KEPT).exists()
    assert not box.requests


def test_the_kept_mapping_is_offered_again_and_can_be_taken(
    importer: Command, settings: Connection, box: Sandbox, work: Path, answers: Answers, file: str
) -> None:
    answers("t\n")
    importer("validate", file)
    kept = (work / KEPT).read_bytes()
    answers("\n")
    stopped = importer("run", file)
    assert stopped.code == ExitCode.INPUT
    assert f"{KEPT} is the mapping kept for this file" in stopped.err
    assert "stays as it is" in stopped.err
    answers("t\n")
    assert importer("run", file).code == ExitCode.DONE
    assert (work / KEPT).read_bytes() == kept


def test_an_edited_mapping_is_checked_every_mistake_told_and_asked_about_again(
    importer: Command,
    settings: Connection,
    box: Sandbox,
    work: Path,
    answers: Answers,
    edits: list[Callable[[str], str]],
    file: str,
) -> None:
    edits.append(
        lambda text: text.replace("[fields.sms_phone]", "[fields.sms_fone]").replace("split", "splitt")
    )
    edits.append(lambda text: text.replace("sms_fone", "whats_app_phone").replace("splitt", "split"))
    answers("e\nt\ne\nt\n")
    done = importer("run", file)
    assert done.code == ExitCode.DONE
    assert done.err.count("[mapping-unknown-field]") == 1
    assert done.err.count("[mapping-unknown-key]") == 2
    assert done.err.count("cannot be used as it is") == 2  # “t” is no answer while it has mistakes
    assert [one.fields.get("whats_app_phone") for one in box.customers()] == ["491712345678", "491723456789"]


def test_a_kept_mapping_that_fits_no_more_tells_all_that_is_missing_and_can_be_replaced(
    importer: Command, settings: Connection, box: Sandbox, work: Path, answers: Answers, file: str
) -> None:
    answers("t\n")
    importer("run", file)
    (work / file).write_text(UNKNOWN.replace("Kundenname", "Name").replace("Handynr", "Tel."), "utf-8")
    (work / KEPT).write_text(
        (work / KEPT).read_text("utf-8").replace('split = "Kundenname"', 'from = "Kundenname"')
        + '[fields.remark]\nfrom = "Notiz"\n',
        "utf-8",
    )
    (work / file).write_text(UNKNOWN.replace("Kundenname", "K. Name").replace("Handynr", "Handy"), "utf-8")
    before = (work / KEPT).read_bytes()
    answers("r\n\n")
    told = importer("run", file)
    assert told.code == ExitCode.INPUT
    aside = (work / KEPT).with_suffix(".old.toml")
    assert aside.name in told.err
    assert aside.read_bytes() == before
    for column in ("“Kundenname”", "“Handynr”", "“Notiz”"):
        assert column in told.err
    assert "Handynr" not in (work / KEPT).read_text("utf-8")


def test_the_country_is_not_written_into_a_mapping_that_the_person_changed(
    importer: Command,
    settings: Connection,
    box: Sandbox,
    work: Path,
    answers: Answers,
    edits: list[Callable[[str], str]],
    file: str,
) -> None:
    (work / file).write_text(UNKNOWN.replace("+49 ", "0"), "utf-8")
    edits.append(lambda text: f"# mine\n{text}")
    answers("e\nt\nDE\n")
    done = importer("run", file)
    assert done.code == ExitCode.DONE
    assert "--country DE" in done.err
    text = (work / KEPT).read_text("utf-8")
    assert text.startswith("# mine")
    assert 'region = "DE"' not in text.replace('# region = "DE"', "")
