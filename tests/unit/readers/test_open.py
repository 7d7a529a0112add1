"""What a file is: decided by its content, inside archives and through pipes too."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
import zipfile
from pathlib import Path

import openpyxl
import pytest

from importer.errors import InputError
from importer.readers import ReadOptions, open_source

KNOWN = frozenset({"first_name", "last_name"})
OPTIONS = ReadOptions(is_known=KNOWN.__contains__)
CSV = b"first_name,last_name\nAnn,Bo\n"


def first_row(path: Path | str) -> tuple[str, list[str]]:
    with open_source(path, OPTIONS) as source:
        (chunk,) = source.chunks()
        return source.format, chunk.frame.iloc[0].tolist()


def xlsx() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["first_name", "last_name"])
    sheet.append(["Ann", "Bo"])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def archive(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("customers.csv", xlsx(), "xlsx"),
        ("customers.xls", "first_name\tlast_name\r\nAnn\tBo\r\n".encode("utf-16"), "tsv"),
        ("customers.xlsx", CSV, "csv"),
        ("customers.csv.gz", gzip.compress(CSV, mtime=0), "csv"),
        ("customers.gz", gzip.compress(xlsx()), "xlsx"),
        ("customers.zip", archive({"export/customers.csv": CSV, "__MACOSX/._customers.csv": b"x"}), "csv"),
        ("customers.zip", archive({"customers.xlsx": xlsx()}), "xlsx"),
    ],
)
def test_content_decides_not_the_name(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert first_row(path) == (kind, ["Ann", "Bo"])


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"<html><body><table><tr><td>first_name</td></tr></table></body></html>", "foreign-format", "HTML"),
        (b"%PDF-1.7\n", "foreign-format", "PDF"),
        (b'{"customers": []}', "json-document", "JSON"),
        (b"<?xml version='1.0'?><Workbook xmlns='x'/>", "foreign-format", "XML"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "foreign-format", "PNG"),
        (bytes(4000), "not-a-table", "neither"),
        (archive({"a.csv": CSV, "b.csv": CSV}), "archive-of-several", "a.csv, b.csv"),
        (archive({"word/document.xml": b"<w/>"}), "foreign-format", "Word"),
        (archive({"inner.zip": archive({"a.csv": CSV})}), "archive-in-archive", "archive"),
        (archive({"readme/": b""}), "not-a-workbook", "archive"),
        (archive({"a.csv": CSV})[:60], "archive-damaged", "damaged"),
        (gzip.compress(CSV * 100, mtime=0)[:40], "archive-damaged", "damaged"),
        (gzip.compress(bytes(200_000_000), 9), "zip-bomb", "unpacks"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, code: str, says: str) -> None:
    path = tmp_path / "customers.xls"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_source(path, OPTIONS)
    assert caught.value.code == code
    assert says in caught.value.sentence()


def test_a_folder_is_told_from_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_source(tmp_path, OPTIONS)
    assert caught.value.code == "is-directory"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device")
def test_a_device_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        open_source("/dev/zero", OPTIONS)
    assert caught.value.code == "is-device"


def test_standard_input_is_copied_and_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CSV)))
    with open_source("-", OPTIONS) as source:
        assert source.name == "-"
        assert source.path.stat().st_mode & 0o077 == 0
        assert len(list(source.chunks())) == len(list(source.chunks())) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_read_like_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(CSV,))
    writer.start()
    assert first_row(path) == ("csv", ["Ann", "Bo"])
    writer.join()


def test_hash_and_size_are_those_of_the_file_given(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(CSV)
    packed.write_bytes(gzip.compress(CSV))
    with open_source(plain, OPTIONS) as one, open_source(packed, OPTIONS) as other:
        assert one.sha256 != other.sha256
        assert one.size == len(CSV)
        assert other.size == packed.stat().st_size
