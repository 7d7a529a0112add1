"""Open workbooks that have a password: of Excel, and of LibreOffice and others that write OpenDocument."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from importer.errors import InputError
from importer.readers.archive import Archive, XmlHandlers, parse_xml, refuse_bomb
from importer.readers.base import ReadOptions
from importer.sources import extras

BUILT_IN_PASSWORD = "VelvetSweatshop"  # noqa: S105 - no secret
"""With this Excel encrypts workbooks that are protected against changes only (Apache POI: Decryptor)."""
_EXTRA = "password"
_PIECE = 1 << 20


def decrypted(path: Path, name: str, options: ReadOptions) -> Iterator[bytes]:
    """Yield the workbook inside an encrypted one of Excel. `name` is the file's.

    Raises InputError `password` if nobody said the password, `password-wrong`, SettingsError `extra-missing`.
    """
    given = options.password
    try:
        msoffcrypto = extras.load("msoffcrypto", _EXTRA)
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


_MANIFEST = "META-INF/manifest.xml"
_PACKAGE = "encrypted-package"
"""The one member that holds the whole document, as LibreOffice writes it since 24.8."""
_NEEDED = ("mimetype", "content.xml", "styles.xml")
_MOST_ROUNDS = 10_000_000
_MOST_MEMORY = 1 << 20
"""KiB that a key may need: 16 times what LibreOffice takes."""


@dataclass(slots=True)
class _Member:
    """How a member is encrypted: OpenDocument 1.3 part 2, 4.8, and LibreOffice's additions to it."""

    said: dict[str, str] = field(default_factory=dict)
    """What its elements say, by the names of attributes."""

    def size(self, name: str, usual: int) -> int:
        return int(self.said.get(name, usual))

    def data(self, name: str) -> bytes:
        return base64.b64decode(self.said.get(name, ""))

    def word(self, name: str) -> str:
        """Return the last part of a name: some are short, some are written as an address."""
        return self.said.get(name, "").rpartition("#")[2].rpartition(":")[2].casefold()


class _Manifest(XmlHandlers):
    """The members of a document that are encrypted."""

    def __init__(self) -> None:
        self.members: dict[str, _Member] = {}
        self._path = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "file-entry":
            self._path = attributes.get("full-path", "")
        elif name == "encryption-data":
            self.members[self._path] = _Member()
        member = self.members.get(self._path)
        if member is not None and name in ("encryption-data", "algorithm", "key-derivation"):
            member.said.update(attributes)
        elif member is not None and name == "start-key-generation":
            member.said["start-key-generation-name"] = attributes.get("start-key-generation-name", "")


def has_password(archive: Archive) -> bool:
    """Return whether an OpenDocument file is encrypted."""
    return archive.find(_MANIFEST) is not None and b"encryption-data" in archive.read(_MANIFEST)


def decrypted_document(archive: Archive, name: str, options: ReadOptions) -> Iterator[bytes]:
    """Yield the document inside an encrypted OpenDocument file, as far as a table needs it.

    Raises InputError `password` if nobody said the password, `password-wrong`, `encryption-unknown`,
    `workbook-damaged`, SettingsError `extra-missing`.
    """
    if options.password is None:
        raise InputError("password", name=name)
    manifest = _Manifest()
    parse_xml(archive.pieces(_MANIFEST), manifest, name)
    word, packed = options.password().encode(), io.BytesIO()
    try:
        if _PACKAGE in manifest.members:
            member = manifest.members[_PACKAGE]
            yield _plain(archive.read(_PACKAGE), member, word, name)
            return
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
            for path in filter(archive.find, _NEEDED):
                content, secret = archive.read(path), manifest.members.get(path)
                package.writestr(path, _plain(content, secret, word, name) if secret else content)
    except (ValueError, zlib.error):
        raise InputError("workbook-damaged", name=name) from None
    yield packed.getvalue()


def _plain(content: bytes, member: _Member, password: bytes, name: str) -> bytes:
    """Return what a member holds. A wrong password shows by the checksum, or by the cipher itself."""
    ciphers = extras.load("cryptography.hazmat.primitives.ciphers", _EXTRA)
    kind, vector = member.word("algorithm-name"), member.data("initialisation-vector")
    if not kind.startswith("aes"):
        raise InputError("encryption-unknown", name=name, found=member.said.get("algorithm-name", ""))
    aes = ciphers.algorithms.AES(_key(member, password, name))
    if kind.endswith("-gcm"):
        from cryptography.exceptions import InvalidTag

        # The vector stands before the content, and the tag behind it (XML Encryption 1.1, 5.2.4).
        mode = ciphers.modes.GCM(vector, content[-16:])
        cipher = ciphers.Cipher(aes, mode).decryptor()
        try:
            packed = cipher.update(content[len(vector) : -16]) + cipher.finalize()
        except InvalidTag:
            raise InputError("password-wrong", name=name) from None
    else:
        cipher = ciphers.Cipher(aes, ciphers.modes.CBC(vector)).decryptor()
        padded = cipher.update(content) + cipher.finalize()
        packed = padded[: -padded[-1]]
        if _hash(member, "checksum-type", packed[:1024]) != member.data("checksum"):
            raise InputError("password-wrong", name=name)
    unpacking, pieces, size = zlib.decompressobj(-zlib.MAX_WBITS), list[bytes](), 0
    while piece := unpacking.decompress(packed, _PIECE):
        size += len(piece)
        refuse_bomb(len(content), size, name)
        pieces.append(piece)
        packed = unpacking.unconsumed_tail
    return b"".join(pieces)


def _hash(member: _Member, kind: str, text: bytes) -> bytes:
    """Return the hash of a text of the kind that an attribute names: `SHA1`, `…#sha256`, `…#sha256-1k`."""
    word = member.word(kind).removesuffix("/1k").removesuffix("-1k") or "sha1"
    return hashlib.new(word, text).digest()


def _key(member: _Member, password: bytes, name: str) -> bytes:
    """Derive the key of a member from the password."""
    start, salt = _hash(member, "start-key-generation-name", password), member.data("salt")
    length, rounds = member.size("key-size", 16), member.size("iteration-count", 1024)
    kind = member.word("key-derivation-name")
    if kind == "pbkdf2" and rounds <= _MOST_ROUNDS:
        return hashlib.pbkdf2_hmac("sha1", start, salt, rounds, length)
    memory, rounds = member.size("argon2-memory", 1 << 16), member.size("argon2-iterations", 3)
    if kind == "argon2id" and memory <= _MOST_MEMORY and rounds <= 100:
        argon2 = extras.load("cryptography.hazmat.primitives.kdf.argon2", _EXTRA)
        lanes = member.size("argon2-lanes", 4)
        derive = argon2.Argon2id(salt=salt, length=length, iterations=rounds, lanes=lanes, memory_cost=memory)
        return bytes(derive.derive(start))
    raise InputError("encryption-unknown", name=name, found=member.said.get("key-derivation-name", ""))
