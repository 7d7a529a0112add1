"""XML from strangers: what has no end is refused before it fills the memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from importer.errors import InputError
from importer.readers.archive import MOST_UNBROKEN, PIECE, XmlHandlers, parse_xml


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
