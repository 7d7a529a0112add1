"""Files with a password are read where somebody says it."""

from __future__ import annotations

import io
import shutil
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest

from importer.errors import ImporterError
from importer.readers import ReadOptions, open_source
from importer.readers.decrypting import BUILT_IN_PASSWORD

NAMES = {"first_name", "last_name"}


def book(tmp_path: Path) -> bytes:
    made = openpyxl.Workbook()
    for row in (["first_name", "last_name"], ["Ann", "Lee"]):
        made.active.append(row)
    made.save(tmp_path / "plain.xlsx")
    return (tmp_path / "plain.xlsx").read_bytes()


def encrypted(tmp_path: Path, password: str) -> Path:
    ooxml = pytest.importorskip("msoffcrypto.format.ooxml")
    with (tmp_path / "x.xlsx").open("wb") as file:
        ooxml.OOXMLFile(io.BytesIO(book(tmp_path))).encrypt(password, file)
    return tmp_path / "x.xlsx"


def read(path: Path, password: str | None = None) -> list[str]:
    said = None if password is None else lambda: password
    with open_source(path, ReadOptions(password=said, is_known=NAMES.__contains__)) as source:
        return [str(name) for chunk in source.chunks() for name in chunk.frame["first_name"]]


def code_of(path: Path, password: str | None = None) -> str:
    with pytest.raises(ImporterError) as caught:
        read(path, password)
    return caught.value.code


@pytest.mark.extras
def test_a_workbook_is_read_with_its_password(tmp_path: Path) -> None:
    path = encrypted(tmp_path, "geheim")
    assert read(path, "geheim") == ["Ann"]
    assert code_of(path, "falsch") == "password-wrong"
    assert code_of(path) == "password"


@pytest.mark.extras
def test_a_workbook_that_is_only_protected_against_changes_needs_no_password(tmp_path: Path) -> None:
    assert read(encrypted(tmp_path, BUILT_IN_PASSWORD)) == ["Ann"]


@pytest.mark.extras
def test_an_encrypted_workbook_that_is_damaged_is_told(tmp_path: Path) -> None:
    path = encrypted(tmp_path, "geheim")
    whole = path.read_bytes()
    for end in range(1000, len(whole), 997):
        path.write_bytes(whole[:end])
        assert code_of(path, "geheim") in ("workbook-damaged", "password-wrong", "archive-damaged")


@pytest.mark.extras
def test_without_the_package_its_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encrypted(tmp_path, "geheim")
    monkeypatch.setitem(sys.modules, "msoffcrypto", None)
    assert code_of(path, "geheim") == "extra-missing"
    assert code_of(path) == "password"


def test_an_archive_is_read_with_its_password(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    shutil.copyfile(Path(__file__).parents[2] / "data" / "password.zip", path)
    assert read(path, "geheim") == ["Ann"]
    assert code_of(path, "falsch") == "password-wrong"
    assert code_of(path) == "password"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["customers.csv"]
