"""Compound files around .xls workbooks: a damaged one, or one that lies about its size, is told as such."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from importer.errors import InputError
from importer.readers import ReadOptions, open_source
from importer.readers.excel.xls import CompoundFile

ORIGINAL = (Path(__file__).parents[3] / "data" / "customers.xls").read_bytes()
DIRECTORY = (struct.unpack_from("<I", ORIGINAL, 48)[0] + 1) * 512
"""Where the directory lies: entries of 128 bytes, the root's first."""
OPTIONS = ReadOptions(any_table=True)


def changed(at: int, value: bytes) -> bytes:
    return ORIGINAL[:at] + value + ORIGINAL[at + len(value) :]


def workbook_entry() -> int:
    return ORIGINAL.index("Workbook".encode("utf-16-le"), DIRECTORY)


def test_the_records_of_the_workbook_are_found(tmp_path: Path) -> None:
    path = tmp_path / "customers.xls"
    path.write_bytes(ORIGINAL)
    compound = CompoundFile.from_path(path)
    assert "Workbook" in compound.names
    assert compound.records[:2] == b"\x09\x08"
    assert compound.scan().sheets


DAMAGED = {
    "cut after the first sector": ORIGINAL[:512],
    "cut in the header": ORIGINAL[:40],
    "sectors of 2**48 bytes": changed(30, struct.pack("<H", 48)),
    "more sectors than bytes": changed(44, struct.pack("<I", 0xFFFFFF)),
    "more small sectors than bytes": changed(64, struct.pack("<I", 0xFFFFFF)),
    "a workbook of 4 GB": changed(workbook_entry() + 120, struct.pack("<I", 0xFFFFFFFF)),
    "small streams of 4 GB": changed(DIRECTORY + 120, struct.pack("<I", 0xFFFFFFFF)),
    "a folder in the workbook's place": changed(workbook_entry() + 66, b"\1"),
    "no workbook": changed(workbook_entry(), "Wordbook".encode("utf-16-le")),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_told(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "customers.xls"
    path.write_bytes(DAMAGED[kind])
    with pytest.raises(InputError) as caught:
        open_source(path, OPTIONS)
    assert caught.value.code == "workbook-damaged"


def test_a_document_of_another_program_is_named(tmp_path: Path) -> None:
    path = tmp_path / "customers.xls"
    at = workbook_entry()
    entry = "WordDocument".encode("utf-16-le").ljust(64, b"\0") + struct.pack("<H", 26)
    path.write_bytes(changed(at, entry))
    with pytest.raises(InputError) as caught:
        open_source(path, OPTIONS)
    assert (caught.value.code, caught.value.found["found"]) == ("foreign-format", "Word")
