"""Cells read ahead of the opening: whatever becomes of the guess, the answer is the same."""

from __future__ import annotations

import io
import os
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from importer.errors import InputError
from importer.readers import ReadOptions, open_source
from importer.readers.archive import Archive
from importer.readers.excel import calamine_client as module
from importer.readers.excel.calamine_client import PrefetchedWorkbook, take_prefetched
from importer.readers.excel.ooxml import open_package
from importer.readers.prefetch import prefetch_workbook

OPTIONS = ReadOptions(is_known=frozenset({"first_name", "last_name"}).__contains__)
SHEET = "xl/worksheets/sheet1.xml"
CELLS = {2: ["Ann", "Bo"], 3: ["Cy", "Do"]}

only_where_limits_hold = pytest.mark.skipif(sys.platform != "linux", reason="no limits, no head start")


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """No process is left running: the thread that takes over its answers would be."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "cells"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return workbook(tmp_path / "customers.xlsx")


def workbook(path: Path, *, empty: tuple[str, ...] = (), hidden: tuple[str, ...] = ()) -> Path:
    """Sheets A, B and C, each with two customers unless it is empty."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name in ("A", "B", "C"):
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
        for row in [] if name in empty else [["first_name", "last_name"], *CELLS.values()]:
            sheet.append(row)
    book.save(path)
    return path


def rewritten(path: Path, change: Callable[[str], str]) -> Path:
    """The workbook with the XML of its first sheet changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, change(text.decode()) if name == SHEET else text)
    path.write_bytes(file.getvalue())
    return path


def cells_of(path: Path, options: ReadOptions = OPTIONS) -> dict[int, list[str]]:
    with open_source(path, options) as source:
        return {
            int(number): cells
            for chunk in source.chunks()
            for number, cells in zip(chunk.frame.index, chunk.frame.to_numpy().tolist(), strict=True)
        }


def ahead_of(path: Path, sheet: str | None = None) -> PrefetchedWorkbook:
    """What is read ahead of this file's opening; to be closed."""
    with Archive(path, str(path)) as archive:
        found = take_prefetched(archive, open_package(archive, str(path)), path, sheet)
    assert found is not None
    return found


@only_where_limits_hold
@pytest.mark.parametrize(
    ("empty", "hidden", "sheet", "read"),
    [
        ((), (), None, ("A",)),
        (("A",), (), None, ("B",)),
        ((), ("A",), None, ("B",)),
        (("B",), ("A",), None, ("C",)),
        ((), (), "B", ("B",)),
        ((), ("A",), " a", ("A",)),
        ((), ("B",), "all", ("A", "C")),
    ],
)
def test_the_sheets_read_ahead_are_those_that_are_chosen(
    tmp_path: Path, empty: tuple[str, ...], hidden: tuple[str, ...], sheet: str | None, read: tuple[str, ...]
) -> None:
    path = workbook(tmp_path / "customers.xlsx", empty=empty, hidden=hidden)
    ahead = ahead_of(path, sheet)
    ahead.client.close()
    assert ahead.sheets == read
    options = replace(OPTIONS, sheet=sheet)
    with prefetch_workbook(str(path), sheet), open_source(path, options) as source:
        assert tuple(dict.fromkeys(chunk.sheet for chunk in source.chunks())) == read
        assert list(source.sheet_headers) == list(read)
    assert cells_of(path, options) == CELLS


@only_where_limits_hold
def test_one_opening_takes_over_what_was_begun_for_this_file_and_sheet(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prefetch_workbook(str(path), None):
        monkeypatch.setattr(module, "_begin", lambda *_: None)
        with Archive(path, str(path)) as archive:
            package = open_package(archive, str(path))
            found = [take_prefetched(archive, package, path, sheet) for sheet in ("B", None, None)]
    assert [one.sheets if one else None for one in found] == [None, ("A",), None]
    assert found[1]
    found[1].client.close()


def test_a_file_written_to_since_then_is_read_anew(path: Path) -> None:
    with prefetch_workbook(str(path), None):
        rewritten(path, lambda xml: xml.replace("Ann", "Eve"))
        assert cells_of(path) == {2: ["Eve", "Bo"], 3: ["Cy", "Do"]}


@only_where_limits_hold
def test_where_the_guess_was_wrong_the_right_sheet_is_read(path: Path) -> None:
    late = " " * (1 << 20) + "<sheetData>"
    rewritten(path, lambda xml: xml.replace("Ann", "Eve").replace("<sheetData>", late))
    guess = ahead_of(path)
    guess.client.close()
    assert guess.sheets == ("B",)
    with prefetch_workbook(str(path), None):
        assert cells_of(path) == {2: ["Eve", "Bo"], 3: ["Cy", "Do"]}


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace("<sheetData>", "<!-- not plain --><sheetData>"),
        lambda xml: xml.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576"/></row></sheetData>'),
        lambda xml: xml.replace('<row r="1">', "<row>"),
    ],
    ids=["not-plain", "not-rectangular", "row-without-number"],
)
def test_a_sheet_to_be_read_with_care_is_given_up(path: Path, change: Callable[[str], str]) -> None:
    with prefetch_workbook(str(rewritten(path, change)), None):
        assert cells_of(path) == CELLS


@only_where_limits_hold
@pytest.mark.parametrize("sheet", [None, "all"])
def test_a_process_that_dies_ahead_of_the_opening_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, sheet: str | None
) -> None:
    expected = cells_of(path, replace(OPTIONS, sheet=sheet))
    with ExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/bin/false")
            stack.enter_context(prefetch_workbook(str(path), sheet))
        assert cells_of(path, replace(OPTIONS, sheet=sheet)) == expected


@only_where_limits_hold
def test_a_sheet_that_had_too_little_memory_is_read_once_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    small = ahead_of(path)
    monkeypatch.undo()
    monkeypatch.setattr(module, "_waiting", [replace(small, memory=0)])
    assert cells_of(path) == CELLS


def test_where_limits_do_not_hold_nothing_is_read_ahead(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMITS_HOLD", False)
    with Archive(path, str(path)) as archive:
        assert take_prefetched(archive, open_package(archive, str(path)), path, None) is None
    with prefetch_workbook(str(path), None):
        assert cells_of(path) == CELLS


def test_a_file_that_is_no_workbook_is_left_alone(tmp_path: Path) -> None:
    text, empty, cut, pipe = (tmp_path / name for name in ("a.csv", "b.xlsx", "c.xlsx", "pipe"))
    text.write_text("first_name,last_name\n")
    empty.write_bytes(b"")
    cut.write_bytes(b"PK\x03\x04 and no more")
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
    for path in (text, empty, cut, pipe, tmp_path, tmp_path / "missing.xlsx", "-"):
        with prefetch_workbook(str(path), None):
            assert not [thread for thread in threading.enumerate() if thread.name == "cells"]


def test_a_head_start_that_nobody_takes_over_ends_with_its_block(path: Path) -> None:
    with prefetch_workbook(str(path), "all"):
        pass
    with pytest.raises(InputError), prefetch_workbook(str(path), "Nowhere"):
        open_source(path, replace(OPTIONS, sheet="Nowhere"))
