"""XML from strangers: what has no end is refused before it fills the memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from importer.errors import InputError
from importer.readers import archive
from importer.readers.archive import MOST_UNBROKEN, PIECE, Archive, XmlHandlers, parse_xml


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
