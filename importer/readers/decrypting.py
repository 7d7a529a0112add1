"""Open workbooks and archives that have a password."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from importer.errors import InputError
from importer.readers.base import ReadOptions
from importer.sources import extras

BUILT_IN_PASSWORD = "VelvetSweatshop"  # noqa: S105 - no secret
"""With this Excel encrypts workbooks that are protected against changes only (Apache POI: Decryptor)."""
_PIECE = 1 << 20


def decrypted(path: Path, name: str, options: ReadOptions) -> Iterator[bytes]:
    """Yield the workbook inside an encrypted one. `name` is the file's.

    Raises InputError `password` if nobody said the password, `password-wrong`, SettingsError `extra-missing`.
    """
    given = options.password
    try:
        msoffcrypto = extras.load("msoffcrypto", "password")
    except extras.ExtraMissing:
        if given is None:
            raise InputError("password", name=name) from None
        raise
    word = BUILT_IN_PASSWORD if given is None else given()
    with path.open("rb") as file:
        try:
            book = msoffcrypto.OfficeFile(file)
            _load_key(book, word)
            plain = io.BytesIO()
            book.decrypt(plain)
        except msoffcrypto.exceptions.InvalidKeyError:
            raise InputError("password" if given is None else "password-wrong", name=name) from None
        except Exception:  # the library raises what struct, olefile and hashlib raise
            raise InputError("password" if given is None else "workbook-damaged", name=name) from None
    plain.seek(0)
    while piece := plain.read(_PIECE):
        yield piece


def _load_key(book: object, password: str) -> None:
    """Load the key and have it verified, where the format can do so."""
    load = book.load_key  # type: ignore[attr-defined]
    try:
        load(password=password, verify_password=True)
    except TypeError:
        load(password=password)
