"""Fetch a file over https, and go on where a lost connection left off if the server allows that.

A part that was fetched stays in the spool until the file is whole. It is continued only if the server vouches
that the file is still the same: by a strong ETag or Last-Modified in If-Range (RFC 9110, 13.1.5). Credentials
go to the host they are meant for, never on to one that it redirects to.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth

from importer.config import Secret, is_loopback
from importer.errors import InputError, SourceAwayError, SourceRefusedError
from importer.private_files import create_private_file, open_private_file
from importer.sources import spool
from importer.sources.locations import LocalCopy, Location
from importer.sources.web_headers import (
    MOST_PATIENCE,
    WebVersion,
    address_digest,
    begins_at,
    length,
    own_name,
    retry_after,
    validator,
    version_of,
    whole_length,
)

Told = Callable[[int, int | None], None]
"""Hears how many bytes have come, and of how many if that is known. May raise to give up."""
PIECE = 1 << 18
TIMEOUTS = (10.0, 60.0)
"""Seconds for the connection, and between two pieces of an answer."""
MOST_REDIRECTS = 10
MOST_FAILURES = 6
"""So many attempts in a row may bring nothing."""
_FIRST_WAIT = 1.0
_HEAD = 1 << 16
_LOGIN_HOSTS = ("accounts.google.com", "login.microsoftonline.com", "login.live.com", "login.okta.com")
_LOGIN_PATH = re.compile(
    r"/(?:.*[/_-])?(?:log[-_]?in|sign[-_]?in|sso|saml2?|auth|oauth2?)(?:[/._-]|$)", re.IGNORECASE
)
_PASSWORD_FIELD = re.compile(rb"""type\s*=\s*["']?password""", re.IGNORECASE)
_MARKUP = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_EXPIRED = re.compile(rb"expired|ExpiredToken|signature not valid in the specified time frame", re.IGNORECASE)
_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class WebAccess:
    """Who asks. Both empty: nobody in particular; an entry of ~/.netrc counts then."""

    user: str = ""
    secret: Secret = field(default_factory=lambda: Secret(""))
    """A password with a user, else a token."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of asking for a file."""

    copy: LocalCopy | None
    """None: it is still as it was."""
    version: WebVersion | None
    """None: the server says nothing by which it could tell."""


@dataclass(slots=True)
class _Part:
    """What has come of a file so far, and by what the server knows that file again."""

    path: Path
    file: BinaryIO
    notes: Path | None
    """Where the validator is kept for another process; None for a part that only this one has."""
    size: int = 0
    validator: str = ""
    total: int | None = None
    name: str = ""

    def begin(self, response: requests.Response, name: str) -> None:
        """Start over with what this answer brings."""
        self.file.seek(0)
        self.file.truncate()
        self.size = 0
        self.validator, self.total = validator(response.headers), length(response.headers)
        self.name = name
        if self.notes is not None:
            kept = {"validator": self.validator, "total": self.total, "name": self.name}
            with create_private_file(self.notes) as notes:
                notes.write(json.dumps(kept).encode())

    def take(self, piece: bytes) -> None:
        self.file.write(piece)
        self.size += len(piece)


def fetch(
    location: Location,
    access: WebAccess | None = None,
    told: Told = lambda received, total: None,
    sleep: Callable[[float], None] = time.sleep,
) -> LocalCopy:
    """Fetch a file into the spool, whether it has changed or not. Raises as `fetch_changed`."""
    copy = fetch_changed(location, None, access, told, sleep).copy
    assert copy is not None  # noqa: S101 - no version was known
    return copy


def fetch_changed(
    location: Location,
    known: WebVersion | None,
    access: WebAccess | None = None,
    told: Told = lambda received, total: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Fetch a file into the spool, unless the server says that it is still as it was when it was `known`.

    Raises InputError, SourceRefusedError for what will not heal by itself, SourceAwayError if the server was
    not there for a while; what has come then stays, and the next attempt goes on from there.
    """
    name = location.shown()
    try:
        with ExitStack() as stack:
            part = _part_of(location, stack)
            download = _Download(location, access or WebAccess(), part, known, told, sleep)
            try:
                download.go()
                if download.unchanged:
                    return Fetched(None, known)
                _refuse_pages(part, name, download.url)
            except InputError as error:
                if error.code != "no-room":
                    part.size = 0
                raise
            part.file.close()
            copy = spool.new_copy(part.name or location.name)
            part.path.replace(copy)
            part.size = 0
            return Fetched(LocalCopy(copy, name), download.version)
    except OSError as error:
        raise spool.no_room(name, error) from None


def _part_of(location: Location, stack: ExitStack) -> _Part:
    """Open the part of this address, or a new one if another process is fetching the same."""
    shared = spool.Part.named(address_digest(location.address)[:32])
    if not stack.enter_context(spool.hold_part(shared)):
        path = spool.new_copy("part")
        stack.callback(spool.discard, path)
        return _Part(path, stack.enter_context(closing(create_private_file(path))), None)
    file = open_private_file(shared.path) if shared.path.exists() else create_private_file(shared.path)
    part = _Part(shared.path, file, shared.notes)
    stack.callback(_leave, part, shared)
    stack.enter_context(closing(file))
    with suppress(OSError, ValueError, KeyError):
        kept = json.loads(shared.notes.read_bytes())
        part.validator, part.total, part.name = kept["validator"], kept["total"], kept["name"]
        part.size = part.file.seek(0, 2) if part.validator else 0
    return part


def _leave(part: _Part, shared: spool.Part) -> None:
    """Remove a part that nobody can go on from."""
    if not part.size or not part.validator:
        with suppress(OSError):
            shared.remove()


@dataclass(slots=True)
class _Download:
    """One file on its way into its part."""

    location: Location
    access: WebAccess
    part: _Part
    known: WebVersion | None
    told: Told
    sleep: Callable[[float], None]
    unchanged: bool = False
    """Whether the server says that the file is as it was."""
    version: WebVersion | None = None
    failures: int = 0
    wait: float = 0.0
    """Seconds that the server asked to be left alone."""
    url: str = ""
    """Where the last answer came from."""

    @property
    def name(self) -> str:
        return self.location.shown()

    def go(self) -> None:
        """Fetch until the file is whole."""
        while True:
            before, self.wait = self.part.size, 0.0
            reason = self._attempt()
            if reason is None:
                return
            self.failures = 1 if self.part.size > before else self.failures + 1
            if self.failures >= MOST_FAILURES:
                raise SourceAwayError(reason, name=self.name, attempts=self.failures)
            self.sleep(max(self.wait, min(_FIRST_WAIT * 2 ** (self.failures - 1), MOST_PATIENCE)))

    def _attempt(self) -> str | None:
        """Ask once. Returns None if the file is whole, else the code of the message that says why not."""
        try:
            with requests.Session() as session, self._answer(session) as response:
                return self._take(response)
        except requests.exceptions.SSLError as error:
            reason = _certificate(error)
            raise SourceRefusedError("source-tls", name=self.name, reason=reason) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return _cause(error)

    def _answer(self, session: requests.Session) -> requests.Response:
        """Return the answer at the end of all redirects, its body not read yet."""
        url = self.location.address
        for _ in range(MOST_REDIRECTS):
            auth = self._auth() if _origin(url) == _origin(self.location.address) else None
            response = session.get(
                url,
                headers=self._headers(url),
                auth=auth,
                stream=True,
                timeout=TIMEOUTS,
                allow_redirects=False,
            )
            self.url, target = url, response.headers.get("Location")
            if response.status_code not in (301, 302, 303, 307, 308) or not target:
                return response
            response.close()
            url = self._redirected(url, target)
        raise InputError("source-redirects", name=self.name, most=MOST_REDIRECTS)

    def _redirected(self, url: str, target: str) -> str:
        """Return where to ask instead. Raises InputError for a login page, and for plain http."""
        there = urljoin(url, target)
        parts = urlsplit(there)
        host = (parts.hostname or "").lower()
        if host in _LOGIN_HOSTS:
            raise SourceRefusedError("source-login-page", name=self.name, host=host)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
            raise InputError("source-redirected-to-http", name=self.name, host=host)
        return there

    def _auth(self) -> AuthBase | None:
        secret = self.access.secret
        if not secret:
            return None
        return HTTPBasicAuth(self.access.user, secret.reveal()) if self.access.user else _Token(secret)

    def _headers(self, url: str) -> Mapping[str, str]:
        # Packed on the way, a file's ranges and size would be others than those of the file.
        headers = {"Accept-Encoding": "identity", "User-Agent": "nxlink-importer", "Accept": "*/*"}
        if self.part.size and self.part.validator:
            headers |= {"Range": f"bytes={self.part.size}-", "If-Range": self.part.validator}
        elif self.known is not None and self.known.address == address_digest(url):
            # A tag means something for its own address alone, which a redirect may change.
            told = {"If-None-Match": self.known.tag, "If-Modified-Since": self.known.modified}
            headers |= {name: value for name, value in told.items() if value}
        return headers

    def _take(self, response: requests.Response) -> str | None:
        status = response.status_code
        if status in _PASSING:
            self.wait = retry_after(response.headers)
            return "source-busy"
        if status == 304 and self.known is not None and "Range" not in response.request.headers:
            self.unchanged = True
            return None
        self.version = version_of(self.url, response.headers)
        if status == 416 and self.part.size and self.part.size == whole_length(response.headers):
            return None
        if status == 416 and self.part.size:
            self.part.size, self.part.validator = 0, ""
            return "source-cut-off"
        if status == 206 and begins_at(response.headers) == self.part.size and self.part.size:
            self.part.file.seek(self.part.size)
            self.part.file.truncate()
        elif status == 200:
            self.part.begin(response, own_name(response.headers) or self.location.name)
        else:
            self._refuse(response)
        return self._read(response)

    def _read(self, response: requests.Response) -> str | None:
        part = self.part
        if part.total is not None:
            spool.check_size(part.total, self.name)
            spool.check_room(part.total - part.size, spool.spool_folder(), self.name)
        self.told(part.size, part.total)
        try:
            for piece in response.raw.stream(PIECE, decode_content=False):
                spool.check_size(part.size + len(piece), self.name)
                part.take(piece)
                self.told(part.size, part.total)
        finally:
            part.file.flush()
        return None if part.total is None or part.size == part.total else "source-cut-off"

    def _refuse(self, response: requests.Response) -> None:
        """Raise the error of an answer that brings no file."""
        status = response.status_code
        body = _beginning(response)
        found: dict[str, object] = {"name": self.name, "status": status}
        if status in (400, 401, 403, 410) and _EXPIRED.search(body):
            raise SourceRefusedError("source-link-expired", **found)
        if status in (401, 403, 407):
            raise SourceRefusedError("source-refused", **found)
        if status in (404, 410):
            raise InputError("source-not-there", **found)
        raise InputError("source-answer", **found)


class _Token(AuthBase):
    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


def _refuse_pages(part: _Part, name: str, url: str) -> None:
    """Raise an error for a web page in place of a file: one that wants a password, or any other."""
    part.file.seek(0)
    head = part.file.read(_HEAD)
    if not _MARKUP.match(head):
        return
    there = urlsplit(url)
    part.size = 0  # nothing to go on from
    if _PASSWORD_FIELD.search(head) or _LOGIN_PATH.match(there.path):
        raise SourceRefusedError("source-login-page", name=name, host=there.hostname or "")
    raise InputError("source-web-page", name=name)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _beginning(response: requests.Response) -> bytes:
    try:
        piece: bytes = response.raw.read(_HEAD, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError):
        return b""
    return piece


_CAUSES = (
    ("source-host-unknown", ("NameResolution", "getaddrinfo", "gaierror")),
    ("source-connection-refused", ("Refused", "refused")),
    ("source-timeout", ("Timeout", "timed out")),
)


def _cause(error: Exception) -> str:
    """Return the code of the message that says what went wrong. The error's own text holds the address."""
    text = f"{type(error).__name__} {error!r}"
    return next((code for code, marks in _CAUSES if any(mark in text for mark in marks)), "source-cut-off")


def _certificate(error: Exception) -> str:
    """Return what is wrong with the server's certificate, in the words of the TLS library."""
    found = re.search(r"certificate verify failed: ([^('\"\\\n]+)", str(error))
    return found[1].strip() if found else "TLS"
