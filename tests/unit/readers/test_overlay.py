"""Corrections are read in the place of cells, belong to one content of one file, and never hide a doubt."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer import RunOptions, Status, validate_file
from importer.errors import InputError
from importer.readers import ReadOptions, open_source
from importer.readers.overlay import (
    STALE,
    CorrectedCell,
    CorrectedSource,
    read_corrections,
    write_corrections,
)
from importer.sandbox import Sandbox
from tests.support.commands import Command

TABLE = "first_name,last_name,email,birthday\nAnn,Lee,ann@example.com,1990-02-31\nBo,Li,bo@,1991-01-02\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(TABLE, "utf-8")
    return path


def correct(table: Path, *cells: CorrectedCell) -> Path:
    with open_source(table, ReadOptions(any_table=True)) as source:
        path = table.with_suffix(".corrections")
        write_corrections(path, source.sha256, cells)
    return path


def test_corrected_cells_are_read_and_all_others_stay(table: Path) -> None:
    path = correct(table, CorrectedCell("", 2, "birthday", "1990-02-31", "1990-02-28"))
    with CorrectedSource(open_source(table, ReadOptions(any_table=True)), path) as source:
        frame = next(source.chunks()).frame
        assert list(frame.loc[2]) == ["Ann", "Lee", "ann@example.com", "1990-02-28"]
        assert list(frame.loc[3]) == ["Bo", "Li", "bo@", "1991-01-02"]
        assert [note.code for note in source.notes] == ["cells-corrected"]
    assert table.read_text("utf-8") == TABLE


@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b", "a\x1cb", "a\r\nb", "\ud800", '"\\', "", "\x00"])
def test_every_text_comes_back_as_it_was_written(table: Path, text: str) -> None:
    cells = (CorrectedCell("S\u2029", 2, text or "x", text, text), CorrectedCell("", 3, "email", "a", "b"))
    path = correct(table, *cells)
    assert read_corrections(path).cells == cells


def test_the_dry_run_takes_them_and_the_hash_tells_them_apart(table: Path) -> None:
    first = validate_file(table)
    assert first.counts[Status.INVALID] == 1
    path = correct(table, CorrectedCell("", 2, "birthday", "1990-02-31", "1990-02-28"))
    second = validate_file(table, options=RunOptions(corrections=str(path)))
    assert second.counts[Status.VALID] == 2
    assert second.sha256 != first.sha256


def test_a_cell_that_reads_otherwise_by_now_keeps_its_row_back(table: Path) -> None:
    path = correct(table, CorrectedCell("", 3, "email", "bo@@", "bo@example.com"))
    found = validate_file(table, options=RunOptions(corrections=str(path)))
    assert [group.code for group in found.issues if group.severity == "error"] == ["bad-date", STALE]


def test_what_the_reader_found_in_a_row_is_settled_by_a_correction_of_it(tmp_path: Path) -> None:
    table = tmp_path / "ragged.csv"
    table.write_text("first_name,last_name,email\nAnn,Lee,ann@lee.net,Oslo\nBo,Li,bo@li.net,Rome\n", "utf-8")
    path = correct(table, CorrectedCell("", 2, "email", "ann@lee.net", "ann.lee@lee.net"))
    found = validate_file(table, options=RunOptions(corrections=str(path)))
    assert found.counts[Status.VALID] == 1
    assert [(group.code, group.rows) for group in found.issues if group.severity == "error"] == [
        ("extra-cells", 1)
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "corrections-unreadable"),
        ("[" * 100_000, "corrections-unreadable"),
        ('{"version": 1}\n' + "[" * 100_000, "corrections-unreadable"),
        ("[]\n", "corrections-unreadable"),
        ('{"version": 2}\n', "corrections-unreadable"),
        ('{"version": 1, "sha256": "x"}\n["", "2", "a", "b", "c"]\n', "corrections-unreadable"),
        ('{"version": 1, "sha256": "x"}\n', "corrections-other-file"),
    ],
)
def test_a_file_that_holds_no_corrections_for_this_one_is_refused(table: Path, text: str, code: str) -> None:
    path = table.with_suffix(".txt")
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as raised:
        validate_file(table, options=RunOptions(corrections=str(path)))
    assert raised.value.code == code


def test_the_last_word_on_a_cell_counts(table: Path) -> None:
    cells = [CorrectedCell("", 3, "email", "bo@", now) for now in ("x", "bo@example.com")]
    assert read_corrections(correct(table, *cells)).cells == (cells[1],)


def test_the_command_line_takes_them_and_resume_would_read_the_same(
    table: Path, importer: Command, box: Sandbox, settings: object
) -> None:
    path = correct(table, CorrectedCell("", 2, "birthday", "1990-02-31", "1990-02-28"))
    assert importer("run", table, "--corrections", path).code == 0
    assert [customer.fields["birthday"] for customer in box.customers()] == ["1990-02-28", "1991-01-02"]
    with_path = importer("runs", "--json")
    assert with_path.code == 0
