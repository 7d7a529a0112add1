"""Read a header as what it is made of: labels of fields, and the words around them.

`aliases.toml` holds the labels, `qualifiers.toml` the words around them, each by language. A header is cut
into the fewest known phrases. A rest that no phrase covers may change the meaning, so a reader is told of it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from importer.mapping import headers
from importer.mapping.base import names_in, packaged_words
from importer.mapping.headers import Alias, normalize, without_remarks

LOANED = 3
"""A phrase of at least so many languages belongs to all: Email, Mobile."""
VETO = ("somebody-else", "something-else")
"""Roles with which a column is not the customer's, or nothing the API has a field for."""
_ANY = "any"
_HAN = frozenset({"zh", "ja"})
_LONGEST = 120
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ])(?=[A-ZÀ-Þ][a-zà-ÿ])")
_LISTING = re.compile(r"[/&+,;|、，；／＆＋]")
# Vowel signs of Hindi, Thai and Arabic, and accents, belong to the word.
_SIGNS = "\\u0300-\\u036f\\u064b-\\u065f\\u0900-\\u0dff\\u0e31\\u0e34-\\u0e3a\\u0e47-\\u0e4e"
_TOKENS = re.compile(rf"\d+|(?:[^\W\d_]|[{_SIGNS}])+")
# A phrase costs one; a piece of a word a little more; what is unknown far more.
_PHRASE, _PIECE, _UNKNOWN = 100, 30, 10_000
_SHORTEST_PIECE = 3


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some letters of a header, and all that they may mean."""

    text: str
    labels: tuple[Alias, ...] = ()
    roles: tuple[str, ...] = ()
    languages: frozenset[str] = frozenset()
    """Those in which it means anything; empty if it belongs to all."""
    label_languages: frozenset[str] = frozenset()
    """Those in which it is a label; empty if it is one in all."""
    denying: frozenset[str] = frozenset()
    """Those in which it means something that the API has no field for: CEP is a mobile in Turkish, a postal
    code in Portuguese."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A header in phrases."""

    phrases: tuple[Phrase, ...] = ()
    number: int = 1
    """The number that the header ends or begins with, else 1."""
    unknown: tuple[str, ...] = ()
    """The letters that no phrase covers."""
    listing: bool = False
    """Whether the header names several things: “Address / phone”."""

    def roles(self, but: Phrase | None = None) -> frozenset[str]:
        """Return what the phrases other than `but` say about the label."""
        return frozenset(role for phrase in self.phrases if phrase is not but for role in phrase.roles)


@dataclass(frozen=True, slots=True)
class _Role:
    """What a phrase says in one language of the label beside it."""

    name: str
    language: str


@lru_cache(maxsize=4096)
def read(header: str) -> Reading:
    """Return the header in the fewest known phrases; remarks in brackets (“required”) don't count."""
    tokens = words(without_remarks(header)) or words(header)
    text = "".join(tokens)[:_LONGEST]
    if not text:
        return Reading()
    edges = _edges(tokens, len(text))
    found = _cheapest(text, edges)
    numbers = [int(part) for part in found if isinstance(part, str) and part.isdigit() and len(part) < 3]
    unknown = tuple(part for part in found if isinstance(part, str) and not part.isdigit())
    known = tuple(part for part in found if isinstance(part, Phrase))
    many = tuple(part for part in found if isinstance(part, str) and part.isdigit() and len(part) > 2)
    listing = bool(_LISTING.search(header))
    return Reading(known, max(numbers, default=1) or 1, unknown + many, listing)


@cache
def role_weight(role: str) -> float:
    """Return what a role multiplies the confidence of the label beside it with."""
    return float(packaged_words("qualifiers.toml")[role]["weight"])


@cache
def short_names() -> frozenset[str]:
    """Return the normal forms of labels of a whole name that mean one part beside a column for the other."""
    return frozenset(map(normalize, names_in(packaged_words("qualifiers.toml")["short_names"])))


@cache
def company_lists() -> frozenset[str]:
    """Return the normal forms of headers that only lists of companies have."""
    return frozenset(map(normalize, names_in(packaged_words("qualifiers.toml")["companies"])))


@cache
def mobile_words() -> tuple[str, ...]:
    """Return the normal forms of words for mobile phones, those long enough to be found inside others."""
    table = packaged_words("qualifiers.toml")["mobile"]
    words = (
        normalize(word) for listed in table.values() if isinstance(listed, str) for word in names_in(listed)
    )
    return tuple(word for word in words if len(word) > 2 or not word.isascii())


@cache
def _entries() -> Mapping[str, Sequence[Alias | _Role]]:
    """Return all that each phrase may mean, by its normal form."""
    found: dict[str, list[Alias | _Role]] = {}
    for alias in headers.all_aliases():
        found.setdefault(normalize(alias.label), []).append(alias)
    for name, table in packaged_words("qualifiers.toml").items():
        for language, listed in table.items() if isinstance(table, dict) else ():
            if isinstance(listed, str):
                role = _Role(name, language)
                for word in names_in(listed):
                    found.setdefault(normalize(word), []).append(role)
    found.pop("", None)
    return found


@cache
def _phrase(text: str) -> Phrase:
    labels: dict[str, Alias] = {}
    roles: dict[str, None] = {}
    label_languages, role_languages, denying = set(), set(), set()
    for entry in _entries()[text]:
        if isinstance(entry, Alias):
            labels.setdefault(entry.field, entry)
            label_languages.add(_ANY if entry.language == "api" else entry.language)
        else:
            roles[entry.name] = None
            role_languages.add(entry.language)
            if entry.name in VETO:
                denying.add(entry.language)
    spoken = _spoken(text, label_languages | role_languages)
    return Phrase(
        text, tuple(labels.values()), tuple(roles), spoken, _spoken(text, label_languages), frozenset(denying)
    )


def _spoken(text: str, languages: set[str]) -> frozenset[str]:
    """Return the languages of a phrase, empty for all. What is written in Han alone may be either of two."""
    if _ANY in languages or (text.isascii() and len(languages) >= LOANED):
        return frozenset()
    if languages & _HAN and all("\u3400" <= letter <= "\u9fff" for letter in text):
        return frozenset(languages | _HAN)
    return frozenset(languages)


@cache
def _lengths() -> Mapping[str, tuple[int, ...]]:
    """Return how long the phrases are that begin with a letter, the longest first."""
    found: dict[str, set[int]] = {}
    for text in _entries():
        found.setdefault(text[0], set()).add(len(text))
    return {letter: tuple(sorted(lengths, reverse=True)) for letter, lengths in found.items()}


def words(text: str) -> list[str]:
    """Return the words and numbers of a header, in one case and width, without accents."""
    spaced = _CAMEL.sub(" ", unicodedata.normalize("NFKC", text).replace("#", " number "))
    return [token for word in _TOKENS.findall(spaced) if (token := normalize(word))]


def _edges(tokens: list[str], length: int) -> list[int]:
    """Return for each place in the joined tokens 2 where a word begins, 1 inside one, as scripts allow."""
    edges = [0] * (length + 1)
    place = 0
    for token in tokens:
        for step, letter in enumerate(token):
            if place + step <= length:
                edges[place + step] = 2 if step == 0 or letter >= "\u0e00" else 1
        place += len(token)
    edges[length] = 2
    return edges


def _cheapest(text: str, edges: list[int]) -> list[Phrase | str]:
    """Return the cheapest way to cut a text into phrases, numbers and unknown rests."""
    known, lengths = _entries(), _lengths()
    end = len(text)
    cost = [0] + [1 << 40] * end
    parts: list[tuple[int, Phrase | str] | None] = [None] * (end + 1)
    for start in range(end):
        if cost[start] >= 1 << 40 or not edges[start]:
            continue
        if edges[start] == 1:
            price = _PIECE
        else:
            price = 0
            stop = next(place for place in range(start + 1, end + 1) if edges[place] == 2)
            rest = text[start:stop]
            total = cost[start] + (1 if rest.isdigit() else _UNKNOWN)
            if total < cost[stop]:
                cost[stop], parts[stop] = total, (start, rest)
        for length in lengths.get(text[start], ()):
            stop = start + length
            if stop > end or not edges[stop]:
                continue
            if (price or edges[stop] == 1) and length < _SHORTEST_PIECE:
                continue
            total = cost[start] + _PHRASE + price
            if total < cost[stop] and text[start:stop] in known:
                cost[stop], parts[stop] = total, (start, _phrase(text[start:stop]))
    found: list[Phrase | str] = []
    place = end
    while (part := parts[place]) is not None:
        place = part[0]
        found.append(part[1])
    return found[::-1]
