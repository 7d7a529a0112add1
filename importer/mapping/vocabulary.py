"""Read a header as what it is made of: labels of fields, and the words around them.

`aliases.toml` holds the labels, `qualifiers.toml` the words around them, each by language. A header is cut
into the fewest known phrases. A rest that no phrase covers may change the meaning, so a reader is told of it.
"""

from __future__ import annotations

import bisect
import itertools
import operator
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from importer.mapping.base import names_in, packaged_index
from importer.mapping.headers import Alias, normalize, without_remarks

LOANED = 3
"""A phrase of at least so many families of languages belongs to all: Email, Mobile."""
_FAMILIES = (
    ("de", "nl"),
    ("sv", "da", "is"),
    ("es", "pt", "ca", "it", "ro", "fr"),
    ("pl", "cs", "sk", "sl", "hr", "sr"),
    ("lt", "lv"),
    ("fi", "et"),
    ("tr", "az", "uz"),
    ("id", "ms"),
)
"""Languages that share many words: several of them count as one here. Others stand alone."""
_FAMILY = {language: family[0] for family in _FAMILIES for language in family}
VETO = ("somebody-else", "something-else")
"""Roles with which a column is not the customer's, or nothing the API has a field for."""
INSIDE = ("mobile", "registered")
"""Roles whose words count also inside a label: “Mobilnummer”."""
_ANY = "any"
_HAN = frozenset({"zh", "ja"})
_ENGLISH = frozenset({"en"})
_LONGEST = 120
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ])(?=[A-ZÀ-Þ][a-zà-ÿ])")
_LISTING = re.compile(r"[/&+,;|、，；／＆＋]")
# Vowel signs of Hindi, Thai and Arabic, and accents, belong to the word.
_SIGNS = "\\u0300-\\u036f\\u064b-\\u065f\\u0900-\\u0dff\\u0e31\\u0e34-\\u0e3a\\u0e47-\\u0e4e"
_TOKENS = re.compile(rf"\d+|(?:[^\W\d_]|[{_SIGNS}])+")
# A phrase costs one; a piece of a word a little more; what is unknown far more.
_PHRASE, _PIECE, _UNKNOWN = 100, 30, 10_000
_SHORTEST_PIECE = 3
# Words that begin alike are forms of one word.
_STEM, _SAME = 5, 0.75
_ROLE = 1
"""The line of a role has so many bars: `customer|en`. That of a label has more."""
# What tables of a database put before each of their columns.
_BEGINNING = re.compile(r"[^\W\d_]+[_.:-]\s*(?=[^\W\d_])")
_FEWEST_BEGUN = 4
# Forms number their questions: “2、您的手机”, “Q3. E-mail”.
_QUESTION_NUMBER = re.compile(r"^\s*(?:[Qq]?\d{1,3}\s*[、.．)）:：]|[（(]\d{1,3}[)）])\s*(?=\D)")
_ARTICLE = re.compile(r"(?:وال|بال|لل|ال)(?=[\u0600-\u06ff]{3})")


@dataclass(frozen=True, slots=True)
class Role:
    """What a phrase says in one language of the label beside it."""

    name: str
    language: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some letters of a header, and all that they may mean."""

    text: str
    labels: tuple[Alias, ...] = ()
    roles: tuple[str, ...] = ()
    said: tuple[Role, ...] = ()
    """The roles with the language of each: “con” is a child in Vietnamese, and “with” in Spanish."""
    languages: frozenset[str] = frozenset()
    """Those in which it means anything; empty if it belongs to all."""
    label_languages: frozenset[str] = frozenset()
    """Those in which it is a label; empty if it is one in all."""
    called_so: frozenset[str] = frozenset()
    """All in which it is a label."""
    denying: frozenset[str] = frozenset()
    """Those in which it means something that the API has no field for: CEP is a mobile in Turkish, a postal
    code in Portuguese."""

    def roles_in(self, languages: frozenset[str]) -> frozenset[str]:
        """Return what the phrase says beside a label of some languages (none: of all).

        Where it says nothing in these, it may still be a word of another language. Beside a label of all
        languages English counts first.
        """
        close = frozenset(one.name for one in self.said if one.language in (*(languages or _ENGLISH), _ANY))
        return close or frozenset(self.roles)

    def roles_beside(self, others: Sequence[Phrase]) -> frozenset[str]:
        """Return what the phrase says besides being a label, in the languages in which it is one.

        “Tag” is a member in Hungarian, and only a tag in “Patient tag”. Where the words beside it speak none
        of these languages, it says what it says in theirs: “What's your name” is not about Brazil's Whats.
        """
        beside = frozenset(lang for one in others if one is not self for lang in one.languages)
        spoken = {*self.called_so, _ANY} if beside & self.called_so else {*self.called_so, _ANY, *beside}
        return frozenset(one.name for one in self.said if one.language in spoken)


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


def as_customer(reading: Reading, role: str) -> Reading | None:
    """Return the reading of a column with the words of a role as the customer's; None without such words.

    In a list of animals the customer is the `keeper`: “Owner phone” is a phone, and “Owner” alone a name.
    """
    if role not in reading.roles():
        return None
    phrases = tuple(
        replace(phrase, labels=(), roles=("customer",), said=(Role("customer", _ANY),), languages=frozenset())
        if role in phrase.roles
        else phrase
        for phrase in reading.phrases
    )
    if not any(phrase.labels for phrase in phrases):
        owner = Alias("full_name", reading.phrases[-1].text, _ANY, sure=False)
        phrases = (replace(phrases[-1], labels=(owner,), roles=()),)
    return replace(reading, phrases=phrases)


@lru_cache(maxsize=32768)
def read(header: str) -> Reading:
    """Return the header in the fewest known phrases; remarks in brackets (“required”) don't count.

    Nor do endings for women: “Teilnehmer*in”, “client(e)”, “alumno/a”.
    """
    shorter = _for_women().sub("", header)
    if shorter == header:
        return _read(header)
    return min(_read(shorter), _read(header), key=lambda one: len(one.unknown))


@cache
def _for_women() -> re.Pattern[str]:
    endings = "|".join(map(re.escape, names_in(qualifiers()["for_women"])))
    return re.compile(rf"(?<=[^\W\d_])(?:[*:·•]|/\s?-?|-/|\(-?)(?:{endings})\)?(?![\w-])", re.IGNORECASE)


def _read(header: str) -> Reading:
    header = _QUESTION_NUMBER.sub("", header)
    tokens = words(without_remarks(header)) or words(header)
    text = "".join(tokens)[:_LONGEST]
    if not text:
        return Reading()
    edges = _edges(tokens, len(text))
    found = _cheapest(text, edges)
    numbers = [int(part) for part in found if isinstance(part, str) and part.isdecimal() and len(part) < 3]
    found = [_inflected(part) or part if isinstance(part, str) else part for part in found]
    unknown = tuple(part for part in found if isinstance(part, str) and not part.isdecimal())
    known = tuple(part for part in found if isinstance(part, Phrase))
    many = tuple(part for part in found if isinstance(part, str) and part.isdigit() and len(part) > 2)
    listing = bool(_LISTING.search(header))
    return Reading(known, max(numbers, default=1) or 1, unknown + many, listing)


def common_beginning(header: Sequence[str]) -> str:
    """Return what most columns of a header begin with, if it is no known word: “KU_” of KU_NAME, KU_STREET.

    An empty text if they share nothing.
    """
    begun = Counter(found[0] for name in header if (found := _BEGINNING.match(name)))
    text, count = max(begun.items(), key=operator.itemgetter(1), default=("", 0))
    return text if count >= max(_FEWEST_BEGUN, len(header) / 2) and read(text).unknown else ""


def main_languages(header: Sequence[str]) -> frozenset[str]:
    """Return the languages that most columns speak, two of them at least: usually one."""
    each = ({lang for phrase in read(name).phrases for lang in phrase.languages} for name in header)
    spoken = Counter(lang for languages in each for lang in languages)
    most = max(spoken.values(), default=0)
    return frozenset(lang for lang, count in spoken.items() if count == most > 1)


def qualifiers() -> Mapping[str, Any]:
    """Return the lists of `qualifiers.toml`, the weights of its roles, and the words of some."""
    tables: Mapping[str, Any] = packaged_index("phrases.json")["qualifiers"]
    return tables


@cache
def role_weight(role: str) -> float:
    """Return what a role multiplies the confidence of the label beside it with."""
    return float(qualifiers()[role]["weight"])


@cache
def listed(name: str) -> frozenset[str]:
    """Return the normal forms of a list of `qualifiers.toml` that has no languages: `companies`, `reach`."""
    return frozenset(map(normalize, names_in(qualifiers()[name])))


@cache
def words_of(role: str) -> tuple[str, ...]:
    """Return the normal forms of the words of a role, those long enough to be found inside others.

    The index has them for `INSIDE`.
    """
    words = map(joined, names_in(qualifiers()[role]["words"]))
    return tuple(word for word in words if len(word) > 2 or not word.isascii())


def _entries() -> Mapping[str, str]:
    """Return all that each phrase may mean, by its normal form in order: a line for each Alias or Role."""
    phrases: Mapping[str, str] = packaged_index("phrases.json")["phrases"]
    return phrases


@cache
def _phrase(text: str) -> Phrase:
    labels: dict[str, Alias] = {}
    roles: dict[Role, None] = {}
    label_languages, role_languages, denying = set(), set(), set()
    for line in _entries()[text].split("\n"):
        entry = Role(*line.split("|")) if line.count("|") == _ROLE else Alias.of_line(line)
        if isinstance(entry, Alias):
            labels.setdefault(entry.field, entry)
            label_languages.add(_ANY if entry.language == "api" else entry.language)
        else:
            roles[entry] = None
            role_languages.add(entry.language)
            if entry.name in VETO:
                denying.add(entry.language)
    spoken = _spoken(text, label_languages | role_languages)
    names = tuple(dict.fromkeys(role.name for role in roles))
    return Phrase(
        text,
        tuple(labels.values()),
        names,
        tuple(roles),
        spoken,
        _spoken(text, label_languages),
        frozenset(label_languages),
        frozenset(denying),
    )


def _spoken(text: str, languages: set[str]) -> frozenset[str]:
    """Return the languages of a phrase, empty for all. What is written in Han alone may be either of two."""
    families = {_FAMILY.get(language, language) for language in languages}
    if _ANY in languages or (text.isascii() and len(families) >= LOANED):
        return frozenset()
    if languages & _HAN and all("\u3400" <= letter <= "\u9fff" for letter in text):
        return frozenset(languages | _HAN)
    return frozenset(languages)


def _inflected(word: str) -> Phrase | None:
    """Return a known word of a header in another form: “uczestnik” for “uczestnika”. It is never a label."""
    if len(word) < _STEM or word[0] >= "\u0e00":
        return None
    known, begins = _in_order(), word[:_STEM]
    near = known[bisect.bisect_left(known, begins) : bisect.bisect_left(known, begins + "\uffff")]
    shared = {one: _common(word, one) for one in near if _is_around(one)}
    alike = [one for one, common in shared.items() if common >= _SAME * max(len(word), len(one))]
    found = [
        phrase
        for phrase in map(_phrase, sorted(alike, key=shared.__getitem__, reverse=True))
        # English makes new words so: “support” is no supporter, and a household no householder.
        if phrase.languages != _ENGLISH or word.removesuffix("s") == phrase.text.removesuffix("s")
    ]
    if not found:
        return None
    # Sister languages have nearly the same word: the header's own is among them.
    sisters = [one for one in found if one.roles == found[0].roles]
    spoken = [one.languages for one in sisters]
    return replace(
        found[0],
        text=word,
        labels=(),
        said=tuple(dict.fromkeys(role for one in sisters for role in one.said)),
        languages=frozenset().union(*spoken) if all(spoken) else frozenset(),
    )


def _common(one: str, other: str) -> int:
    """Return how many letters two words begin with in common."""
    return len(list(itertools.takewhile(bool, map(operator.eq, one, other))))


def _is_around(text: str) -> bool:
    """Return whether a phrase is no label in any language."""
    return all(line.count("|") == _ROLE for line in _entries()[text].split("\n"))


@cache
def _in_order() -> Sequence[str]:
    return tuple(_entries())


def _lengths() -> Mapping[str, Sequence[int]]:
    """Return how long the phrases are that begin with a letter, the longest first."""
    lengths: Mapping[str, Sequence[int]] = packaged_index("phrases.json")["lengths"]
    return lengths


def words(text: str) -> list[str]:
    """Return the words and numbers of a header, in one case and width, without accents."""
    spaced = _CAMEL.sub(" ", unicodedata.normalize("NFKC", text).replace("#", " number "))
    return [token for word in _TOKENS.findall(spaced) if (token := _folded(normalize(word)))]


def joined(label: str) -> str:
    """Return the words of a label without what stands between them."""
    return normalize(label) if label.isascii() else "".join(words(label))


def without_customer(name: str) -> str:
    """Return a header's normal form without words for the customer: “nombre” of “Nombre del contacto”."""
    return "".join(word for word in words(name) if word not in _customer_words())


@cache
def _customer_words() -> frozenset[str]:
    return frozenset(packaged_index("phrases.json")["customer_words"])


def _folded(word: str) -> str:
    """Return a word without what changes it in some scripts, but not its meaning.

    電話 and 电话 are one word; so are الطالب and طالب, with the article and without.
    """
    if word.isascii():
        return word
    article = _ARTICLE.match(word)
    return word[article.end() :] if article else word.translate(_simplified())


@cache
def _simplified() -> dict[int, str]:
    pairs = packaged_index("words.json")["scripts"]["traditional"].split()
    return {ord(pair[0]): pair[1] for pair in pairs}


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
