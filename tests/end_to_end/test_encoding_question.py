"""A file whose encoding is uncertain: the person at the terminal chooses the line that reads right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from importer.config import Connection
from importer.exit_codes import ExitCode
from importer.sandbox import Sandbox
from tests.support.commands import Command

DOUBTFUL = "First Name,Last Name,E-mail\nAnaïs,Lee,a@x.example\n".encode("cp1252")


@pytest.mark.parametrize("mapped", [True, False])
def test_the_chosen_line_decides(
    importer: Command,
    answers: Callable[[str], None],
    settings: Connection,
    box: Sandbox,
    work: Path,
    mapped: bool,
) -> None:
    unknown = DOUBTFUL.replace(b"First Name,Last Name", b"Vorname des Kunden,Nachname des Kunden")
    (work / "c.csv").write_bytes(DOUBTFUL if mapped else unknown)
    answers("7\n1\n" if mapped else "1\nt\n")
    done = importer("run", "c.csv", "--report-dir", "out")
    assert done.code == ExitCode.DONE, done.err
    assert "Anaïs" in done.err
    assert "Anaďs" in done.err
    assert "--encoding cp1252" in done.err
    assert [one.fields["first_name"] for one in box.customers()] == ["Anaïs"]


def test_nobody_s_answer_imports_nothing_and_says_how_to_name_the_encoding(
    importer: Command, answers: Callable[[str], None], settings: Connection, box: Sandbox, work: Path
) -> None:
    (work / "c.csv").write_bytes(DOUBTFUL)
    answers("\n")
    done = importer("run", "c.csv", "--report-dir", "out")
    assert done.code == ExitCode.INPUT, done.err
    assert "--encoding" in done.err
    assert not box.customers()
