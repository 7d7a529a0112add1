"""Files with a password are read where somebody says it."""

from __future__ import annotations

import base64
import hashlib
import io
import shlex
import shutil
import sys
import zipfile
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from importer.errors import ImporterError, InputError, SettingsError
from importer.options import RunOptions
from importer.pipeline.table import open_table
from importer.readers import ReadOptions, open_source
from importer.readers.decrypting import BUILT_IN_PASSWORD

DATA = Path(__file__).parents[2] / "data"
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


@pytest.mark.extras
@pytest.mark.parametrize(
    ("name", "password"),
    [("password.ods", "geheim-ö"), ("password.xls", "geheim")],  # LibreOffice 7.4 wrote them
)
def test_what_libreoffice_encrypted_is_read_with_its_password(name: str, password: str) -> None:
    assert read(DATA / name, password) == ["Ann", "Bö"]
    assert code_of(DATA / name, "falsch") == "password-wrong"
    assert code_of(DATA / name) == "password"


def newer_document(tmp_path: Path, **said: str) -> Path:
    """An encrypted document as LibreOffice writes it since 24.8; `said` changes what it says of its key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    start = hashlib.sha256(b"geheim").digest()
    key = Argon2id(salt=b"s" * 16, length=32, iterations=3, lanes=4, memory_cost=1 << 10).derive(start)
    squeezed = zlib.compressobj(wbits=-15)
    plain = squeezed.compress((DATA / "customers.ods").read_bytes()) + squeezed.flush()
    derivation = {
        "key-derivation-name": "urn:org:documentfoundation:names:experimental:office:manifest:argon2id",
        "argon2-iterations": "3",
        "argon2-memory": str(1 << 10),
        "argon2-lanes": "4",
        "key-size": "32",
        "salt": base64.b64encode(b"s" * 16).decode(),
        **said,
    }
    words = " ".join(f'{name}="{value}"' for name, value in derivation.items())
    with zipfile.ZipFile(tmp_path / "new.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("encrypted-package", b"i" * 12 + AESGCM(key).encrypt(b"i" * 12, plain, None))
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest><file-entry full-path="encrypted-package"><encryption-data>'
            '<algorithm algorithm-name="http://www.w3.org/2009/xmlenc11#aes256-gcm" '
            f'initialisation-vector="{base64.b64encode(b"i" * 12).decode()}"/><start-key-generation '
            'start-key-generation-name="http://www.w3.org/2001/04/xmlenc#sha256" key-size="32"/>'
            f"<key-derivation {words}/></encryption-data></file-entry></manifest>",
        )
    return tmp_path / "new.ods"


@pytest.mark.extras
def test_a_document_that_is_encrypted_as_a_whole_is_read_with_its_password(tmp_path: Path) -> None:
    path = newer_document(tmp_path)
    assert read(path, "geheim") == read(DATA / "customers.ods")
    assert code_of(path, "falsch") == "password-wrong"
    assert code_of(path) == "password"


@pytest.mark.extras
@pytest.mark.parametrize(
    "said",
    [
        {"key-derivation-name": "PGP"},
        {"key-derivation-name": "PBKDF2", "iteration-count": "999999999999"},
        {"argon2-memory": "999999999999"},
    ],
)
def test_an_encryption_that_is_not_known_or_would_never_end_is_told(
    tmp_path: Path, said: dict[str, str]
) -> None:
    assert code_of(newer_document(tmp_path, **said), "geheim") == "encryption-unknown"


@pytest.mark.extras
def test_an_encrypted_document_that_is_damaged_is_told(tmp_path: Path) -> None:
    whole, path = (DATA / "password.ods").read_bytes(), tmp_path / "x.ods"
    for at in range(300, len(whole), 499):
        path.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
        with suppress(InputError):  # and nothing else
            read(path, "geheim-ö")


@pytest.mark.extras
def test_an_archive_with_strong_encryption_is_read_with_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyzipper

    path = tmp_path / "x.zip"
    with pyzipper.AESZipFile(path, "w", compression=zipfile.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as made:
        made.setpassword(b"geheim")
        made.writestr("north/kunden.csv", "first_name,last_name\nAnn,Lee\n")
        made.writestr("workbook.xlsx", book(tmp_path))
    every = ReadOptions(password=lambda: "geheim", sheet="all", is_known=NAMES.__contains__)
    with open_source(path, every) as source:
        assert sum(len(chunk.frame) for chunk in source.chunks()) == 2
    said = replace(every, password=lambda: "falsch", sheet="kunden.csv")
    for options, code in ((said, "password-wrong"), (replace(said, password=None), "password")):
        with pytest.raises(InputError) as caught:
            open_source(path, options)
        assert caught.value.code == code
    whole = path.read_bytes()
    path.write_bytes(whole.replace(whole[60:80], b"\xff" * 20, 1))
    assert code_of(path, "geheim") in ("archive-damaged", "password-wrong", "archive-of-several")
    monkeypatch.setitem(sys.modules, "pyzipper", None)
    with pytest.raises(ImporterError, match="pyzipper"):
        open_source(path, replace(said, password=lambda: "geheim"))


def test_an_archive_is_read_with_its_password(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    shutil.copyfile(DATA / "password.zip", path)
    assert read(path, "geheim") == ["Ann"]
    assert code_of(path, "falsch") == "password-wrong"
    assert code_of(path) == "password"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["customers.csv"]


@pytest.mark.parametrize(("command", "code"), [("exit 3", "failed"), ("pass", "empty"), ("print()", "empty")])
def test_a_password_command_that_fails_is_named_and_no_file_is_blamed(
    tmp_path: Path, command: str, code: str
) -> None:
    words = shlex.join((sys.executable, "-c", command.replace("exit 3", "import sys; sys.exit(3)")))
    options = RunOptions(password_command=words)
    with pytest.raises(SettingsError) as caught:
        open_table(DATA / "password.ods", options)
    assert caught.value.code == f"password-command-{code}"
    assert "--password-command" in str(caught.value)
    assert "password" in caught.value.hint()
    assert "secret" not in str(caught.value)
    assert " -c" not in str(caught.value)
