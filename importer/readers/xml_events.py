"""XML read as a stream of events, without entities, without namespaces' ceremony.

Names come without their prefix, so that transitional and strict OOXML, and writers with prefixes of their
own, look alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.parsers import expat

from importer.errors import InputError

DEEPEST = 100
"""Nested elements; spreadsheets need about ten."""


class Handlers:
    """What to do at elements; subclasses override."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins; attribute names come without prefix too."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """Characters between two tags, in one piece."""


class Stream:
    """A document that is fed piece by piece to `handlers`. Raises InputError; `name` is the file's."""

    def __init__(self, handlers: Handlers, name: str) -> None:
        self._handlers = handlers
        self._name = name
        self._depth = 0
        self._local: dict[str, str] = {}
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = 1 << 16
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = handlers.text
        parser.StartDoctypeDeclHandler = self._refuse
        self._parser = parser

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """Takes the next bytes."""
        try:
            self._parser.Parse(piece, last)
        except (expat.ExpatError, LookupError, ValueError):  # the latter two: an encoding unknown to Python
            raise InputError("workbook-damaged", name=self._name) from None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise InputError("workbook-damaged", name=self._name)
        plain = self._plain
        self._handlers.start(plain(tag), {plain(key): value for key, value in attributes.items()})

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._handlers.end(self._plain(tag))

    def _plain(self, full: str) -> str:
        short = self._local.get(full)
        if short is None:
            short = self._local[full] = full.rpartition(":")[2]
        return short

    def _refuse(self, *declared: object) -> None:
        raise InputError("xml-entities", name=self._name)


def parse(pieces: Iterable[bytes], handlers: Handlers, name: str) -> None:
    """Feeds a whole document through `handlers`. Raises InputError; `name` is the file's."""
    stream = Stream(handlers, name)
    for piece in pieces:
        stream.feed(piece)
    stream.feed(b"", last=True)
