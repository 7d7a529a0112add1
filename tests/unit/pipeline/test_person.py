"""A person is told from others by phones and e-mails, in whatever way these are written."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from importer.pipeline.clearing import Cleared, PersonRows, clear_file
from importer.pipeline.person import CLEARED, person_of

ZOE = person_of(["+49 30 1234567", "zoe@quell.example"], None)


@pytest.mark.parametrize(
    "text",
    [
        "+49 30 1234567", "0049 (0)30 1234567", "49301234567", "030 1234567", "030/1234567", "30-1234567",
        "+４９ ３０ １２３４５６７", "Tel 12: 030 1234567", "1. 030 1234567", "12. 030 1234567",
        "ZOE@Quell.example", "<zoe@quell.example>", "mailto:zoe@quell.example.", "zoe&#64;quell.example",
    ],
)  # fmt: skip
def test_a_contact_is_found_in_any_writing_and_goes(text: str) -> None:
    assert ZOE.is_in(text)
    assert CLEARED in ZOE.cleared(text)
    assert not ZOE.is_in(ZOE.cleared(text))


@pytest.mark.parametrize(
    "text",
    [
        "+44 30 1234567", "0044 30 1234567", "44 30 1234567", "+1 (30) 1234567", "+44 (0)30 1234567",
        "30\x001234567", "130 1234567", "030 12345678",
        "o'zoe@quell.example", "anzoe@quell.example", "zoe@quell.example.org", "zoe@quell.examples",
    ],
)  # fmt: skip
def test_others_are_left_alone(text: str) -> None:
    assert not ZOE.is_in(text)
    assert ZOE.cleared(text) == text


def test_in_a_file_of_another_country_a_national_number_is_somebody_elses() -> None:
    assert ZOE.within("DE").is_in("030 1234567")
    assert not ZOE.within("AT").is_in("030 1234567")
    assert ZOE.within("AT").is_in("+49 30 1234567")


def test_who_has_an_apostrophe_is_nobody_else() -> None:
    found = person_of(["o'brien@x.example"], None)
    assert found.emails == ("o'brien@x.example",)
    assert found.is_in("O&#39;Brien@x.example")
    assert not found.is_in("brien@x.example")


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.txt"])
def test_a_file_that_cannot_be_rewritten_is_left_as_it_is_and_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(f'Name,E-mail\n"{"x" * 2000}",zoe@quell.example\n')
    before = path.read_bytes()
    usual = csv.field_size_limit(1000)
    try:
        assert clear_file(path, ZOE, PersonRows(), clear=True) == Cleared(1, stuck=True)
    finally:
        csv.field_size_limit(usual)
    assert path.read_bytes() == before


def test_bytes_that_are_no_text_are_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("姓名,邮箱\n李雷,zoe@quell.example\n".encode("gbk") + b"\x81,b@x.example\n")
    found = clear_file(path, ZOE, PersonRows(), clear=True)
    assert found.rows == 1
    assert found.stuck == (b"zoe@quell" in path.read_bytes())
