"""XML from strangers: what has no end is refused before it fills the memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from importer.errors import InputError
from importer.readers import archive
from importer.readers.archive import FREE_SIZE, MOST_UNBROKEN, PIECE, Archive, XmlHandlers, parse_xml


def pieces(begin: bytes, many: int, end: bytes) -> Iterator[bytes]:
    yield begin
    for _ in range(many):
        yield b"a" * PIECE
    yield end


UNBROKEN = {
    "comment": (b"<x><!--", b"--></x>"),
    "attribute": (b'<x><y z="', b'"/></x>'),
    "instruction": (b"<x><?y ", b"?></x>"),
    "text": (b"<x>", b"</x>"),
    "name": (b"<x><a", b"/></x>"),
}


@pytest.mark.parametrize("kind", UNBROKEN)
def test_what_is_longer_than_any_cell_is_refused(kind: str) -> None:
    begin, end = UNBROKEN[kind]
    with pytest.raises(InputError) as error:
        parse_xml(pieces(begin, MOST_UNBROKEN // PIECE, end), XmlHandlers(), "x.xlsx")
    assert error.value.code == "workbook-damaged"


@pytest.mark.parametrize("kind", UNBROKEN)
def test_long_things_one_after_the_other_are_read(kind: str) -> None:
    begin, end = UNBROKEN[kind]
    many = MOST_UNBROKEN // PIECE // 2
    whole = [b"<r>", *pieces(begin, many, end), *pieces(begin, many, end), *pieces(begin, many, end), b"</r>"]
    parse_xml(whole, XmlHandlers(), "x.xlsx")


def test_each_member_counts_once_however_often_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ("a", "b"):
            packed.writestr(name, bytes(FREE_SIZE * 3 // 5))
    with Archive(path, "bomb.zip") as opened:
        for _ in range(3):
            assert sum(map(len, opened.pieces("a"))) == FREE_SIZE * 3 // 5
        with pytest.raises(InputError, match="unpack"):
            opened.read("b")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a/b.csv", "a\\b.csv", "/a/b.csv"])
def test_two_members_of_one_name_are_told(tmp_path: Path, second: str) -> None:
    for text, refused in (("x", False), ("y", True)):
        path = tmp_path / f"{text}.zip"
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("a/b.csv", "x")
            packed.writestr(second, text)
        if refused:
            with pytest.raises(InputError, match=r"two different files under one name: a/b\.csv"):
                Archive(path, path.name)
        else:
            with Archive(path, path.name) as opened:
                assert opened.names() == ("a/b.csv",)


@pytest.mark.parametrize("comment", [b"", b"made by hand"])
@pytest.mark.parametrize("members", [3, 70_000])
def test_a_directory_that_is_too_long_is_refused_before_it_is_read(
    tmp_path: Path, members: int, comment: bytes
) -> None:
    """Beyond 65,535 members the archive is one of Zip64."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for number in range(members):
            packed.writestr(zipfile.ZipInfo(f"{number}.txt"), b"")
        packed.comment = comment
    with Archive(tmp_path / "a.zip", "a.zip") as opened:
        assert len(opened.names()) == members
    with (
        mock.patch.object(archive, "MOST_DIRECTORY", 50 * members),
        mock.patch.object(zipfile, "ZipFile", side_effect=AssertionError),
        pytest.raises(InputError) as error,
    ):
        Archive(tmp_path / "a.zip", "a.zip")
    assert error.value.code == "too-many-members"
